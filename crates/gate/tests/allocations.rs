//! How often a request makes the gate ask for memory, and that all of it is given back.
//!
//! What the host's copy of the headers takes is not in it: `src/host.rs` makes that. A block that grows counts once
//! more for each time.

// What counts takes the allocator's place.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends where it fails")]

#[path = "../benches/instructions/scene.rs"]
#[allow(dead_code, reason = "the rest is for the instruction bench")]
mod scene;

use allocation_counter::measure;
use gate::authn::StreamId;
use gate::gate::{Gate, Verdict};
use scene::{
    HIT, Head, NOW, client, gate, gate_knowing, gate_told, head, is_refused, is_sent_as, listed, read, token,
};
use serde_json::json;

/// A kind of request, and the most that one of its requests may allocate between the host's headers and the verdict.
struct Case {
    name: &'static str,
    most: u64,
    gate: fn() -> Gate,
    head: fn() -> Head,
    is_right: fn(&Verdict) -> bool,
}

/// Lower a bound when it can be; raise one only with what needs it.
const CASES: [Case; 7] = [
    Case {
        name: "hit",
        most: 1,
        gate: || gate_knowing(&json!({})),
        head: || head("GET", HIT, Some(&token(0))),
        is_right: |verdict| is_sent_as(verdict, Some("/v1/project")),
    },
    Case {
        name: "hit, the path stays as it is",
        most: 0,
        gate: || gate_knowing(&json!({})),
        head: || head("GET", "/v1/project", Some(&token(0))),
        is_right: |verdict| is_sent_as(verdict, None),
    },
    Case {
        name: "local token",
        most: 1,
        gate: || gate(&listed()),
        head: || head("GET", HIT, Some(&token(0))),
        is_right: |verdict| is_sent_as(verdict, Some("/v1/project")),
    },
    Case {
        name: "public route",
        most: 0,
        gate: || gate_knowing(&json!({})),
        head: || head("GET", "/swagger.json", None),
        is_right: |verdict| is_sent_as(verdict, None),
    },
    Case {
        name: "refused, no token",
        most: 1,
        gate: || gate_knowing(&json!({})),
        head: || head("GET", HIT, None),
        is_right: |verdict| is_refused(verdict, "no_token"),
    },
    Case {
        name: "refused, wrong token",
        most: 1,
        gate: || gate_told(&json!({}), 401),
        head: || head("GET", HIT, Some(&token(0))),
        is_right: |verdict| is_refused(verdict, "wrong_token"),
    },
    Case {
        name: "404",
        most: 0,
        gate: || gate_knowing(&json!({ "policy": "strict" })),
        head: || head("GET", "/v1/nothing/there", Some(&token(0))),
        is_right: |verdict| is_refused(verdict, "unknown_path"),
    },
];

/// One request, all that it was given included: nothing of it is left afterwards.
fn request(gate: &mut Gate, head: &Head, is_right: fn(&Verdict) -> bool) {
    let client = client(0);
    let verdict = gate.on_request(StreamId(0), &read(head, &client), NOW);
    assert!(is_right(&verdict), "{verdict:?}");
}

#[test]
fn no_request_allocates_more_often_than_its_kind_may() {
    let mut over = Vec::new();
    for Case { name, most, gate, head, is_right } in CASES {
        let (mut gate, head) = (gate(), head());
        let info = measure(|| request(&mut gate, &head, is_right));
        println!(
            "{name:<32}{:>3} allocations, {:>4} bytes; at most {most}",
            info.count_total, info.bytes_total
        );
        over.extend(
            (info.count_total > most).then(|| format!("{name}: {} instead of {most}", info.count_total)),
        );
    }
    assert!(over.is_empty(), "more allocations than allowed: {over:#?}");
}

#[test]
fn a_thousand_requests_leave_the_memory_as_it_was() {
    for Case { name, gate, head, is_right, .. } in CASES {
        let (mut gate, head) = (gate(), head());
        let info = measure(|| (0..1000).for_each(|_| request(&mut gate, &head, is_right)));
        assert_eq!((info.count_current, info.bytes_current), (0, 0), "{name}");
    }
}
