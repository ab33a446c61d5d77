//! What can happen to requests at one worker.

use super::Ledger;
use crate::support::{Bed, with_token};
use testbed::{
    client::{Raw, Request, Response},
    keptn::{Gate, Order, Reply, Scope},
    wait::until,
};

/// A token that the configuration lists.
pub(super) const LOCAL: &str = "sesame-local";

/// A right token that nobody has asked about.
const NEW_RIGHT: &[(&str, u64)] = &[("ok", 1), ("cache_miss", 1), ("checks", 1), ("cache_inserted", 1)];
/// A wrong one, when the one place for noes is taken.
const NEW_WRONG: &[(&str, u64)] = &[
    ("denied", 1),
    ("cache_miss", 1),
    ("checks", 1),
    ("cache_inserted", 1),
    ("cache_evicted", 1),
    ("refused.wrong_token", 1),
];

/// A worker whose VM has just been made, and two connections to it.
pub(super) struct Worker<'a> {
    bed: &'a Bed,
    connections: &'a mut [Raw],
    /// What its tokens begin with.
    name: String,
    /// How many addresses its clients have used.
    addresses: usize,
}

impl<'a> Worker<'a> {
    pub(super) fn new(bed: &'a Bed, connections: &'a mut [Raw], name: String) -> Self {
        Self { bed, connections, name, addresses: 0 }
    }

    /// A token that has not been there before, at any worker.
    fn token(&self, name: &str) -> String {
        format!("{}-{name}", self.name)
    }

    fn right(&self, name: &str) -> String {
        let token = self.token(name);
        self.bed.api.add_token(&token);
        token
    }

    async fn send(&mut self, request: &Request) -> Response {
        self.connections[0].send(request).await.unwrap()
    }

    /// A request with this token, which has to be judged, from an address that has not been there before.
    async fn ask(&mut self, ledger: &mut Ledger<'_>, token: &str, status: u16) {
        self.addresses += 1;
        let address = format!("192.0.2.{}", self.addresses);
        ledger.requests += 1;
        let answer = self.send(&with_token(token).header("x-forwarded-for", address)).await;
        assert_eq!(answer.status, status, "{answer:?}");
    }

    /// The next check is answered so.
    fn order(&self, reply: Reply) {
        self.bed.api.orders.next(1, Scope::Auth, Order::Answer(reply));
    }

    /// In an order that leaves no traces but those that are named.
    pub(super) async fn do_every_deed(&mut self, ledger: &mut Ledger<'_>) {
        self.without_judging(ledger).await;
        self.remembered(ledger).await;
        self.waiting_together(ledger).await;
        self.no_decision(ledger).await;
        self.failing_fast(ledger).await;
        self.throttled(ledger).await;
    }

    async fn without_judging(&mut self, ledger: &mut Ledger<'_>) {
        let answer = self.send(&with_token("sesame-foreign").header("host", "other.test")).await;
        assert_eq!(answer.status, 404, "{answer:?}");
        ledger.adds("foreign", &[("foreign", 1)]).await;
        let answer = self.send(&Request::get("/v1/event")).await;
        assert_eq!(answer.status, 401, "{answer:?}");
        ledger.adds("no token", &[("refused.no_token", 1)]).await;
    }

    async fn remembered(&mut self, ledger: &mut Ledger<'_>) {
        let (right, wrong) = (self.right("right"), self.token("wrong"));
        self.ask(ledger, &right, 200).await;
        ledger.adds("a right token", NEW_RIGHT).await;
        self.ask(ledger, &right, 200).await;
        ledger.adds("again", &[("ok", 1), ("cache_hit", 1)]).await;

        self.ask(ledger, &wrong, 401).await;
        let first: Vec<_> = NEW_WRONG.iter().copied().filter(|(name, _)| *name != "cache_evicted").collect();
        ledger.adds("the first wrong token", &first).await;
        self.ask(ledger, &wrong, 401).await;
        let again = [("denied", 1), ("cache_negative_hit", 1), ("refused.wrong_token", 1)];
        ledger.adds("a wrong token again", &again).await;
        self.ask(ledger, &self.token("another"), 401).await;
        ledger.adds("another wrong token", NEW_WRONG).await;

        self.ask(ledger, LOCAL, 200).await;
        ledger.adds("a local token", &[("ok", 1), ("local", 1)]).await;

        ledger.requests += 1;
        let create = Request::post("/configuration-service/v1/project").header("x-token", &right);
        let answer = self.send(&create.json(&serde_json::json!({ "projectName": self.name }))).await;
        assert!((200..300).contains(&answer.status), "{answer:?}");
        ledger.adds("an internal operation", &[("ok", 1), ("cache_hit", 1), ("internal", 1)]).await;
    }

    async fn waiting_together(&mut self, ledger: &mut Ledger<'_>) {
        let gate = Gate::new();
        self.bed.api.orders.next(1, Scope::Auth, Order::Hang(gate.clone()));
        let request = with_token(&self.right("together")).bytes();
        for connection in &mut *self.connections {
            connection.write(&request).await.unwrap();
        }
        self.bed.under_way(2).await;
        gate.wait_for(1).await.unwrap();
        gate.open();
        for connection in &mut *self.connections {
            assert_eq!(connection.read_response(false).await.unwrap().status, 200);
        }
        ledger.requests += 2;
        let effect = [("ok", 2), ("cache_miss", 2), ("coalesced", 1), ("checks", 1), ("cache_inserted", 1)];
        ledger.adds("two who wait for one check", &effect).await;
    }

    async fn no_decision(&mut self, ledger: &mut Ledger<'_>) {
        for (answer, status, outcome, reason) in [
            (500, 503, "error", "refused.auth_unavailable"),
            (504, 503, "timeout", "refused.auth_timeout"),
            (400, 503, "error", "refused.auth_contract_broken"),
            (429, 429, "error", "refused.busy"),
        ] {
            self.order(Reply::status(answer));
            self.ask(ledger, &self.token(&answer.to_string()), status).await;
            let effect = [(outcome, 1), ("cache_miss", 1), ("checks", 1), (reason, 1)];
            ledger.adds(&format!("a check that is answered {answer}"), &effect).await;
        }
        self.order(Reply::status(403));
        self.ask(ledger, &self.token("403"), 403).await;
        let forbidden = NEW_WRONG.iter().map(|(name, count)| match *name {
            "refused.wrong_token" => ("refused.forbidden", *count),
            other => (other, *count),
        });
        ledger.adds("a check that is answered 403", &forbidden.collect::<Vec<_>>()).await;
    }

    async fn failing_fast(&mut self, ledger: &mut Ledger<'_>) {
        for number in 1..=3 {
            self.order(Reply::status(500));
            self.ask(ledger, &self.token(&format!("silence-{number}")), 503).await;
        }
        let effect = [("error", 3), ("cache_miss", 3), ("checks", 3), ("refused.auth_unavailable", 3)];
        ledger.adds("silence", &[&effect[..], &[("failing_fast_begun", 1)]].concat()).await;
        // The service is there again. Who comes before the next probe is refused.
        let probe = with_token(&self.right("probe"));
        let mut refused = 0;
        let connection = &mut self.connections[0];
        let passed = until("a probe", async || {
            let answer = connection.send(&probe).await.unwrap();
            refused += u64::from(answer.status == 503);
            (answer.status == 200).then_some(())
        });
        passed.await.unwrap();
        ledger.requests += refused + 1;
        let effect = [("error", refused), ("cache_miss", refused), ("refused.failing_fast", refused)];
        ledger.adds("a probe", &[NEW_RIGHT, &[("failing_fast_ended", 1)], &effect].concat()).await;
    }

    async fn throttled(&mut self, ledger: &mut Ledger<'_>) {
        let (mut judged, name) = (0, self.name.clone());
        let connection = &mut self.connections[0];
        let throttled = until("a guesser to be throttled", async || {
            let guess =
                with_token(&format!("{name}-guess-{judged}")).header("x-forwarded-for", "198.51.100.1");
            let answer = connection.send(&guess).await.unwrap();
            judged += u64::from(answer.status == 401);
            (answer.status == 429).then_some(())
        });
        throttled.await.unwrap();
        ledger.requests += judged + 1;
        let guesses = NEW_WRONG.iter().map(|(name, _)| (*name, judged));
        let refusal = [("throttled", 1), ("cache_miss", 1), ("refused.throttled", 1)];
        ledger.adds("a guesser", &guesses.chain(refusal).collect::<Vec<_>>()).await;
    }

    /// A yes that is over at once; then there is no answer, and it serves nevertheless. As it is in use, it is asked
    /// about again in the background, a few seconds later.
    pub(super) async fn leave_a_stale_yes(&mut self, ledger: &mut Ledger<'_>) {
        let token = self.right("stale");
        self.order(Reply::status(200).header("cache-control", "max-age=0"));
        self.ask(ledger, &token, 200).await;
        self.order(Reply::status(500));
        self.ask(ledger, &token, 200).await;
        self.ask(ledger, &token, 200).await;
        let stale = [("ok", 2), ("stale", 2), ("cache_miss", 2), ("checks", 1)];
        ledger.adds("a stale yes", &[NEW_RIGHT, &stale].concat()).await;
    }

    /// Its VM dies, and a new one serves.
    pub(super) async fn die(&mut self) {
        let answer = self.send(&with_token("sesame-trap").header("x-trap", "1")).await;
        assert_eq!(answer.status, 503, "{answer:?}");
        // Envoy makes it when the next request comes, but not at once.
        let connection = &mut self.connections[0];
        let alive = until("a new VM", async || {
            let answer = connection.send(&Request::get("/swagger.json")).await.unwrap();
            (answer.status == 200).then_some(())
        });
        alive.await.unwrap();
    }
}
