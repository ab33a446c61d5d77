//! A gate that knows some tokens, and the requests that are shown to it. `tests/allocations.rs` has the same ones.

use core::net::IpAddr;
use core::time::Duration;

use gate::authn::{Answer, CheckId, FlightId, StreamId};
use gate::config::Config;
use gate::gate::{Gate, Verdict};
use gate::request::{Environment, Request};
use gate::time::Time;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// So many tokens are known.
pub(crate) const TOKENS: u32 = 100;

/// The seed of every gate: with another one the same tokens would be filed elsewhere.
pub(crate) const SEED: u64 = 7;

/// The request that the benchmarks of the gateway mean by a hit: a call of Keptn's own clients.
pub(crate) const HIT: &str = "/configuration-service/v1/project";

/// The moment at which everything happens.
pub(crate) const NOW: Time = Time::since_start(Duration::from_secs(1000));

/// A request's header lines, as the host hands them over.
pub(crate) type Head = Vec<(String, Vec<u8>)>;

/// A token of the form of Keptn's own; those below [`TOKENS`] are known to a gate that has learnt.
pub(crate) fn token(number: u32) -> String {
    format!("zOr4wZ9Xl5Vd3Jt0hQm8{number:04}")
}

/// Nine lines, of which one is the token.
pub(crate) fn head(method: &str, path: &str, token: Option<&str>) -> Head {
    let lines = [
        (":method", method),
        (":scheme", "https"),
        (":authority", "api.keptn"),
        (":path", path),
        ("user-agent", "keptn/0.6.2"),
        ("accept", "application/json"),
        ("x-forwarded-proto", "https"),
        ("x-request-id", "6a5e1f2c-0000-4000-8000-000000000000"),
    ];
    let lines = lines.into_iter().chain(token.map(|token| ("x-token", token)));
    lines.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec())).collect()
}

/// Everybody has an address of their own, so that the throttle lets all through.
pub(crate) fn client(number: u32) -> impl Environment {
    move || Some(IpAddr::from(number.to_be_bytes()))
}

/// Reads a head as `src/stream.rs` does.
pub(crate) fn read<'a>(head: &'a Head, client: &'a dyn Environment) -> Request<'a> {
    Request::read(head.iter().map(|(name, value)| (name.as_str(), value.as_slice())), true, client)
}

/// A gate with this configuration, which knows nothing yet.
pub(crate) fn gate(configuration: &Value) -> Gate {
    Gate::new(Config::from_json(configuration.to_string().as_bytes()).unwrap(), SEED)
}

/// A gate that the auth service has given this answer to, about each of the tokens.
pub(crate) fn gate_told(configuration: &Value, status: u16) -> Gate {
    let mut gate = gate(configuration);
    for number in 0..TOKENS {
        let head = head("GET", "/v1/project", Some(&token(number)));
        let client = client(number);
        match gate.on_request(StreamId(number), &read(&head, &client), NOW) {
            Verdict::Ask(check) => answer(&mut gate, check.flight, number, status),
            verdict => panic!("{number} is not asked about: {verdict:?}"),
        }
    }
    gate
}

/// The auth service's answer comes to the check that one request, the stream `number`, waits for.
pub(crate) fn answer(gate: &mut Gate, flight: FlightId, number: u32, status: u16) {
    let check = CheckId(number);
    assert!(gate.on_sent(flight, Some(check), NOW).is_empty());
    assert_eq!(gate.on_answer(check, &Answer::of(status), NOW).len(), 1);
}

/// A gate that knows the tokens, each of which has been used since.
pub(crate) fn gate_knowing(configuration: &Value) -> Gate {
    let mut gate = gate_told(configuration, 200);
    for number in 0..TOKENS {
        let head = head("GET", HIT, Some(&token(number)));
        drop(gate.on_request(StreamId(number), &read(&head, &client(number)), NOW));
    }
    gate
}

/// Ten tokens are listed: the first of those that [`token`] makes.
pub(crate) fn listed() -> Value {
    let hash = |token| Sha256::digest(token).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let tokens = (0..LISTED)
        .map(|number| json!({ "name": format!("client-{number}"), "sha256": hash(token(number)) }));
    json!({ "tokens": tokens.collect::<Vec<_>>() })
}
pub(crate) const LISTED: u32 = 10;

/// Whether a request goes on with this path in the place of its own.
pub(crate) fn is_sent_as(verdict: &Verdict, path: Option<&str>) -> bool {
    matches!(verdict, Verdict::Forward(permit) if permit.upstream().is_some() && permit.path() == path)
}

/// Whether the gateway answers by itself, for this reason.
pub(crate) fn is_refused(verdict: &Verdict, reason: &str) -> bool {
    matches!(verdict, Verdict::Reply(reply) if reply.denial().is_some_and(|denial| denial.reason() == reason))
}
