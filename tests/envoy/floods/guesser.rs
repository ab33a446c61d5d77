//! One guesser: its address runs out of checks, nobody else's does.

use super::{BURST, Bucket, behind_a_load_balancer, send};
use crate::support::{Bed, honest, with_token};
use testbed::client::{Request, Response};

/// Enough that an address runs out, unless each takes longer than it takes the bucket to refill: a second.
const GUESSES: usize = 60;

/// What became of guesses.
#[derive(Debug, Default)]
struct Tally {
    judged: usize,
    throttled: usize,
}

impl Tally {
    fn count(&mut self, answer: &Response) {
        match answer.status {
            401 => self.judged += 1,
            429 => {
                assert_eq!(answer.header("retry-after").as_deref(), Some("1"), "{answer:?}");
                assert_eq!(answer.json()["code"], 429);
                self.throttled += 1;
            }
            _ => panic!("{answer:?}"),
        }
    }

    /// All these guesses were charged to one bucket.
    fn is_of_one(&self, bucket: &Bucket) {
        assert!((BURST..=bucket.most()).contains(&self.judged), "{self:?}, of at most {}", bucket.most());
        assert!(self.throttled > 0, "{self:?}");
    }
}

fn guess(number: usize) -> Request {
    with_token(&format!("guess-{number}"))
}

#[tokio::test]
async fn a_guesser_runs_out_and_its_neighbours_do_not() {
    let (guesser, neighbour) = ("127.6.0.1", "127.6.0.2");
    let bed = Bed::start().await;
    assert_eq!(send(&bed, guesser, &honest()).await.status, 200);

    let (mut tally, bucket) = (Tally::default(), Bucket::full());
    for number in 0..GUESSES {
        // Each on a connection of its own, and so from another port.
        tally.count(&send(&bed, guesser, &guess(number)).await);
        // Behind the same NAT, who is known is served.
        assert_eq!(send(&bed, guesser, &honest()).await.status, 200);
    }
    tally.is_of_one(&bucket);
    assert_eq!(bed.denials("throttled").await, tally.throttled as u64);
    // Nobody was asked about what was throttled.
    assert_eq!(bed.api.records.checks().len(), 1 + tally.judged);

    bed.api.add_token("neighbours");
    let wrong = send(&bed, neighbour, &with_token("wrong")).await;
    assert_eq!(wrong.status, 401, "{wrong:?}");
    let right = send(&bed, neighbour, &with_token("neighbours")).await;
    assert_eq!(right.status, 200, "{right:?}");
}

#[tokio::test]
async fn a_guesser_does_not_get_far_by_spelling_its_address_in_many_ways() {
    let ipv4: &[fn(usize) -> String] = &[
        |_| "203.0.113.9".to_owned(),
        |_| "::ffff:203.0.113.9".to_owned(),
        |_| "::ffff:cb00:7109".to_owned(),
        |_| "0:0:0:0:0:FFFF:CB00:7109".to_owned(),
    ];
    let network: &[fn(usize) -> String] =
        &[|number| format!("2001:db8:1:2::{number:x}"), |number| format!("2001:db8:1:2:{number:x}::")];
    let bed = Bed::listener(behind_a_load_balancer).await;
    for (spellings, neighbour) in [(ipv4, "203.0.113.10"), (network, "2001:db8:1:3::1")] {
        let (mut tally, bucket) = (Tally::default(), Bucket::full());
        for (number, spelling) in (0..GUESSES).zip(spellings.iter().cycle()) {
            // What the load balancer appends comes last, and what a client writes before it is nothing.
            let forwarded = format!("198.51.100.{number}, {}", spelling(number));
            let request = with_token(&format!("guess-{number}-beside-{neighbour}"));
            let request = request.header("x-forwarded-for", forwarded);
            tally.count(&bed.send(&request).await);
        }
        tally.is_of_one(&bucket);
        let other = with_token(&format!("wrong-{neighbour}"));
        let answer = bed.send(&other.header("x-forwarded-for", neighbour)).await;
        assert_eq!(answer.status, 401, "{answer:?}");
    }
}

#[tokio::test]
async fn who_is_charged_is_not_what_an_untrusted_client_writes() {
    let (guesser, neighbour) = ("127.6.1.1", "127.6.1.2");
    let bed = Bed::start().await;
    let (mut tally, bucket) = (Tally::default(), Bucket::full());
    for number in 0..GUESSES {
        let named =
            if number.is_multiple_of(2) { neighbour.to_owned() } else { format!("198.51.100.{number}") };
        let request = guess(number)
            .header("x-forwarded-for", &named)
            .header("forwarded", format!("for={named}"))
            .header("x-real-ip", &named)
            .header("x-envoy-external-address", &named);
        tally.count(&send(&bed, guesser, &request).await);
    }
    tally.is_of_one(&bucket);
    let answer = send(&bed, neighbour, &with_token("wrong")).await;
    assert_eq!(answer.status, 401, "who was named has been charged: {answer:?}");
}

#[tokio::test]
async fn right_tokens_cost_an_address_nothing() {
    let bed = Bed::start().await;
    for number in 0..10 * BURST {
        let token = format!("right-{number}");
        bed.api.add_token(&token);
        let answer = send(&bed, "127.6.2.1", &with_token(&token)).await;
        assert_eq!(answer.status, 200, "{number}: {answer:?}");
    }
    assert_eq!(bed.api.records.checks().len(), 10 * BURST, "each was new");
}
