//! What is counted: kinds of requests, and what is done beside them.
//!
//! Callgrind counts inside the functions called `measured_…` and nowhere else. What they return is looked at outside
//! of them: a case that does something else than its name says ends the bench.

use std::hint::black_box;

use gate::authn::StreamId;
use gate::config::Config;
use gate::denial::Response;
use gate::gate::{Gate, Reply, Verdict};
use gate::request::{Environment, Request};
use serde_json::json;

use crate::scene::{
    HIT, Head, LISTED, NOW, SEED, TOKENS, answer, client, gate, gate_knowing, gate_told, head, is_refused,
    is_sent_as, listed, read, token,
};

/// The functions that callgrind is to count, as its `--toggle-collect` takes them.
pub(crate) const MEASURED: &str = "*measured_*";

/// One case.
#[derive(Debug)]
pub(crate) struct Case {
    /// Its name.
    pub(crate) name: &'static str,
    /// Does all that belongs to it, and says how many calls were counted among that.
    pub(crate) run: fn() -> u32,
}

/// All of them, in the order of the table.
pub(crate) const ALL: [Case; 14] = [
    Case { name: "hit", run: hit },
    Case { name: "hit-own-route-of-10", run: || hit_own_route(10) },
    Case { name: "hit-own-route-of-1000", run: || hit_own_route(1000) },
    Case { name: "hit-escaped-path", run: hit_escaped_path },
    Case { name: "local-token", run: local_token },
    Case { name: "public-route", run: public_route },
    Case { name: "refused-no-token", run: refused_no_token },
    Case { name: "refused-wrong-token", run: refused_wrong_token },
    Case { name: "405", run: wrong_method },
    Case { name: "404", run: unknown_path },
    Case { name: "miss", run: miss },
    Case { name: "refusal-written", run: refusal_written },
    Case { name: "headers-read", run: headers_read },
    Case { name: "start", run: start },
];

// --- what is counted ---

#[inline(never)]
fn measured_verdict(gate: &mut Gate, stream: StreamId, request: &Request<'_>) -> Verdict {
    gate.on_request(stream, request, NOW)
}

/// What a verdict holds has to be freed by somebody.
#[inline(never)]
fn measured_end(verdict: Verdict) {
    drop(verdict);
}

#[inline(never)]
fn measured_response(reply: Reply) -> Response {
    reply.response()
}

#[inline(never)]
fn measured_read<'a>(head: &'a Head, client: &'a dyn Environment) -> Request<'a> {
    read(head, client)
}

#[inline(never)]
fn measured_start(json: &[u8]) -> Gate {
    Gate::new(Config::from_json(json).unwrap(), SEED)
}

// --- the cases ---

fn hit() -> u32 {
    let mut gate = gate_knowing(&json!({}));
    with_each_token(&mut gate, "GET", |_| HIT.to_owned(), |verdict| is_sent_as(verdict, Some("/v1/project")))
}

/// Own routes as `gatectl import openapi` makes them: five operations for each resource of an API.
fn hit_own_route(routes: u32) -> u32 {
    const OPERATIONS: [&str; 5] =
        ["", "/{id}", "/{id}/status", "/{id}/parts/{part}", "/{id}/parts/{part}/{+file}"];
    let resources = routes / 5;
    // As long, whatever the number.
    let resource = |number| format!("/api/v1/resource-{number:04}");
    let route = |path| json!({ "path": path, "upstream": "api", "methods": ["GET", "PUT"] });
    let of_resource = |number| OPERATIONS.map(|operation| route(resource(number) + operation));
    let all: Vec<_> = (0..resources).flat_map(of_resource).collect();
    let mut gate =
        gate_knowing(&json!({ "policy": "strict", "upstreams": [{ "name": "api" }], "routes": all }));
    // All over the table.
    let path = |number| resource(number * 37 % resources) + "/4711/status";
    with_each_token(&mut gate, "GET", path, |verdict| is_sent_as(verdict, None))
}

fn hit_escaped_path() -> u32 {
    let mut gate = gate_knowing(&json!({}));
    let path = "/configuration-service/v1/project/sockshop/resource/helm%2fcarts%2Etgz";
    let sent = Some("/v1/project/sockshop/resource/helm%2Fcarts.tgz");
    with_each_token(&mut gate, "GET", |_| path.to_owned(), |verdict| is_sent_as(verdict, sent))
}

fn local_token() -> u32 {
    let mut gate = gate(&listed());
    let is_right = |verdict: &Verdict| is_sent_as(verdict, Some("/v1/project"));
    each(|number| judge(&mut gate, number, &head("GET", HIT, Some(&token(number % LISTED))), is_right))
}

fn public_route() -> u32 {
    let mut gate = gate_knowing(&json!({}));
    let head = head("GET", "/swagger.json", None);
    each(|number| judge(&mut gate, number, &head, |verdict| is_sent_as(verdict, None)))
}

fn refused_no_token() -> u32 {
    let mut gate = gate_knowing(&json!({}));
    let head = head("GET", HIT, None);
    each(|number| judge(&mut gate, number, &head, |verdict| is_refused(verdict, "no_token")))
}

/// The auth service's no is remembered.
fn refused_wrong_token() -> u32 {
    let mut gate = gate_told(&json!({}), 401);
    with_each_token(&mut gate, "GET", |_| HIT.to_owned(), |verdict| is_refused(verdict, "wrong_token"))
}

fn wrong_method() -> u32 {
    let mut gate = gate_knowing(&json!({ "policy": "strict" }));
    let is_right = |verdict: &Verdict| is_refused(verdict, "method_not_allowed");
    with_each_token(&mut gate, "PATCH", |_| "/v1/event".to_owned(), is_right)
}

fn unknown_path() -> u32 {
    let mut gate = gate_knowing(&json!({ "policy": "strict" }));
    let is_right = |verdict: &Verdict| is_refused(verdict, "unknown_path");
    with_each_token(&mut gate, "GET", |_| "/v1/nothing/there".to_owned(), is_right)
}

/// New tokens, one after the other, up to the check. Its answer comes uncounted, so that each finds no other waiting.
fn miss() -> u32 {
    let mut gate = gate_knowing(&json!({}));
    each(|number| {
        let number = TOKENS + number;
        let head = head("GET", HIT, Some(&token(number)));
        let client = client(number);
        let verdict = measured_verdict(&mut gate, StreamId(number), black_box(&read(&head, &client)));
        let Verdict::Ask(check) = &verdict else { panic!("{number} is not asked about: {verdict:?}") };
        let flight = check.flight;
        measured_end(verdict);
        answer(&mut gate, flight, number, 200);
    })
}

/// A refusal as it goes to the client, after the verdict.
fn refusal_written() -> u32 {
    let mut gate = gate_knowing(&json!({}));
    let head = head("GET", HIT, None);
    each(|number| {
        let verdict = gate.on_request(StreamId(number), &read(&head, &client(number)), NOW);
        let Verdict::Reply(reply) = verdict else { panic!("it is not refused: {verdict:?}") };
        assert_eq!(measured_response(black_box(reply)).status, 401);
    })
}

fn headers_read() -> u32 {
    each(|number| {
        let head = head("GET", HIT, Some(&token(number)));
        assert_eq!(head.len(), 9);
        assert!(measured_read(black_box(&head), &client(number)).method().is_ok());
    })
}

/// From the configuration's text, here that of all defaults, to a gate.
fn start() -> u32 {
    let gate = measured_start(black_box(b"{}"));
    assert_eq!(gate.next_tick(), None);
    1
}

// --- how they go ---

/// So many calls that no token is special, and each finds its own place in the tables.
fn each(mut call: impl FnMut(u32)) -> u32 {
    (0..TOKENS).for_each(&mut call);
    TOKENS
}

fn with_each_token(
    gate: &mut Gate,
    method: &str,
    path: impl Fn(u32) -> String,
    is_right: impl Fn(&Verdict) -> bool,
) -> u32 {
    each(|number| judge(gate, number, &head(method, &path(number), Some(&token(number))), &is_right))
}

fn judge(gate: &mut Gate, number: u32, head: &Head, is_right: impl Fn(&Verdict) -> bool) {
    let client = client(number);
    let verdict = measured_verdict(gate, StreamId(number), black_box(&read(head, &client)));
    assert!(is_right(&verdict), "{number}: {verdict:?}");
    measured_end(verdict);
}
