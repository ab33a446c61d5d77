//! Strangers who keep trying while a test changes the gateway.

use super::forged::FORGED;
use crate::support::{API, HTTP, Lab};
use std::{
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, Mutex},
    time::Duration,
};
use testbed::{
    Result,
    client::{Frames, Raw, Request, Response},
};
use tokio::task::JoinSet;

/// What strangers ask for, all of it open to nobody without a token.
pub(super) const STRANGERS_TARGETS: [(&str, &str); 4] = [
    ("/v1/event?stranger", "GET"),
    ("/v1/event?stranger", "POST"),
    ("/configuration-service/v1/project?stranger", "GET"),
    ("/v1/project/sockshop/resource/a%2Fb?stranger", "PUT"),
];

/// Not the honest client's: what strangers get tried out of their tokens must not count for it.
const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 6, 6, 6));

/// Between two of a stranger's requests.
const PACE: Duration = Duration::from_millis(5);

/// Traffic without a good token: with none, with a wrong one, with forged headers, over HTTP/1.1 and HTTP/2, on
/// connections that are kept for as long as the gateway keeps them, and on new ones.
pub(super) struct Strangers {
    tasks: JoinSet<()>,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Debug, Default)]
struct Seen {
    answers: usize,
    /// Answers that look like success.
    let_in: Vec<String>,
}

impl Strangers {
    /// Begins, and returns when each kind of connection has had its first answer: they are older than what comes next.
    pub(super) async fn start() -> Result<Self> {
        let seen = Arc::<Mutex<Seen>>::default();
        let mut tasks = JoinSet::new();
        for requests in [requests(&[]), requests(&[("x-token", "wrong")]), requests(FORGED)] {
            let mut kept = Raw::connect_from(ADDRESS, HTTP).await?;
            let answer = kept.send(&requests[0]).await?;
            seen.lock().unwrap().note(&answer);
            tasks.spawn(http1(kept, requests.clone(), seen.clone(), true));
            tasks.spawn(http1(
                Raw::connect_from(ADDRESS, HTTP).await?,
                requests.clone(),
                seen.clone(),
                false,
            ));
            let mut kept = Frames::connect_from(ADDRESS, HTTP).await?;
            let answer = kept.send(&requests[0]).await?;
            seen.lock().unwrap().note(&answer);
            tasks.spawn(http2(kept, requests, seen.clone()));
        }
        Ok(Self { tasks, seen })
    }

    /// None of them got in so far: no answer looks like success, and nothing of theirs arrived. Forgets what arrived.
    pub(super) fn stayed_out(&self, lab: &Lab, when: &str) {
        let seen = self.seen.lock().unwrap();
        assert!(seen.let_in.is_empty(), "{when}: strangers were answered {:?}", seen.let_in);
        for received in lab.api.records.take().into_iter().chain(lab.configuration.records.take()) {
            let is_theirs = received.query().is_some_and(|query| query.contains("stranger"));
            assert!(!is_theirs, "{when}: a stranger's request arrived: {received:?}");
        }
    }

    /// Waits until they have had some more answers.
    pub(super) async fn keep_trying(&self) -> Result<()> {
        let count = || self.seen.lock().unwrap().answers;
        let before = count();
        testbed::wait::until("strangers to be answered", async || (count() > before + 20).then_some(())).await
    }

    /// Ends them, none having got in.
    pub(super) async fn stop(mut self, lab: &Lab) {
        self.stayed_out(lab, "at last");
        self.tasks.shutdown().await;
    }
}

impl Seen {
    fn note(&mut self, answer: &Response) {
        self.answers += 1;
        if answer.status < 400 {
            self.let_in.push(format!("{answer:?}"));
        }
    }
}

fn requests(headers: &[(&str, &str)]) -> Vec<Request> {
    let with_headers = |(target, method): &(&str, &str)| {
        let plain = Request::new(method, target).header("host", API);
        headers.iter().fold(plain, |request, (name, value)| request.header(name, value))
    };
    STRANGERS_TARGETS.iter().map(with_headers).collect()
}

async fn http1(mut connection: Raw, requests: Vec<Request>, seen: Arc<Mutex<Seen>>, keep: bool) {
    for request in requests.iter().cycle() {
        let answer = connection.send(request).await;
        let is_over = answer.as_ref().is_err()
            || answer.as_ref().is_ok_and(|answer| answer.header("connection").is_some());
        if let Ok(answer) = answer {
            seen.lock().unwrap().note(&answer);
        }
        if is_over || !keep {
            connection = connect_again().await;
        }
        tokio::time::sleep(PACE).await;
    }
}

/// While there is no Gateway, nobody listens.
async fn connect_again() -> Raw {
    loop {
        tokio::time::sleep(PACE).await;
        if let Ok(connection) = Raw::connect_from(ADDRESS, HTTP).await {
            return connection;
        }
    }
}

async fn http2(mut connection: Frames, requests: Vec<Request>, seen: Arc<Mutex<Seen>>) {
    for request in requests.iter().cycle() {
        match connection.send(request).await {
            Ok(answer) => seen.lock().unwrap().note(&answer),
            Err(_) => {
                if let Ok(new) = Frames::connect_from(ADDRESS, HTTP).await {
                    connection = new;
                }
            }
        }
        tokio::time::sleep(PACE).await;
    }
}
