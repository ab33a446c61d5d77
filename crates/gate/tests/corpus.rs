//! The corpus against the gate itself: natively, and on wasm32, where the same gate runs inside Envoy.
//!
//! `tests/corpus_envoy.rs` runs the same files through a real Envoy.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "this is a test"
)]

#[allow(dead_code, reason = "what Envoy does otherwise is for the other engine")]
#[path = "../../../tests/corpus/mod.rs"]
mod corpus;

use core::net::IpAddr;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use corpus::{Auth, Case, File, Http, Lines, Outcome, judge, values};
use gate::authn::{Answer, CheckId, StreamId};
use gate::config::Config;
use gate::denial::Denial;
use gate::gate::{Gate, Reply, Verdict};
use gate::request::{Environment, Request};
use gate::time::{Time, Wall};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// All clients have it.
const ADDRESS: &str = "192.0.2.1";

struct Surroundings;

impl Environment for Surroundings {
    fn client(&self) -> Option<IpAddr> {
        ADDRESS.parse().ok()
    }

    /// Some time between 2020 and 2999: there is no clock on wasm32.
    fn wall(&self) -> Option<Wall> {
        Some(Wall::since_epoch(Duration::from_secs(1_767_225_600)))
    }
}

#[test]
fn every_request_gets_what_its_case_says() {
    let mut failures = Vec::new();
    for file in corpus::read() {
        for case in file.cases.iter().filter(|case| case.skip.gate.is_none()) {
            if let Err(error) = run(&mut gate(&file), 1, &file, case) {
                failures.push(format!("{}.toml: {}\n    {error}", file.name, case.name));
            }
        }
    }
    assert!(failures.is_empty(), "{} cases fail:\n{}", failures.len(), failures.join("\n"));
}

/// In Envoy all cases of a file meet one gate, within seconds; and between them are requests that are answered.
#[test]
fn no_case_depends_on_what_came_before_it() {
    let mut failures = Vec::new();
    for file in corpus::read() {
        let mut gate = gate(&file);
        for (number, case) in (1..).zip(file.cases.iter().filter(|case| case.skip.gate.is_none())) {
            if let Err(error) = run(&mut gate, number, &file, case) {
                failures.push(format!("{}.toml: {}\n    {error}", file.name, case.name));
            }
            honest(&mut gate, &file);
        }
    }
    assert!(failures.is_empty(), "{} cases fail:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn every_name_is_a_sentence_of_its_own() {
    let mut seen = BTreeMap::new();
    for file in corpus::read() {
        for case in &file.cases {
            assert!(case.name.contains(' '), "{:?} is not a sentence", case.name);
            if let Some(other) = seen.insert(case.name.clone(), file.name) {
                panic!("{}.toml and {other}.toml both have a case {:?}", file.name, case.name);
            }
            for reason in [&case.skip.gate, &case.skip.envoy, &case.skip.istio].into_iter().flatten() {
                assert!(reason.contains(' '), "{}: {reason:?} says nothing", case.name);
            }
        }
    }
}

/// Reasons that no single request can reach, each with where it is tested instead.
const UNREACHABLE: [(&str, &str); 7] = [
    ("canary_failed", "the auth endpoint says yes to everybody: authn's own tests, tests/envoy.rs"),
    ("deadline_passed", "takes time: authn's own tests, tests/envoy.rs"),
    ("failing_fast", "takes many requests: authn's own tests, tests/envoy.rs"),
    ("gateway_error", "the host fails: tests/envoy.rs"),
    ("throttled", "takes many requests: authn's own tests, tests/envoy.rs"),
    ("too_many_flights", "takes many requests: authn's own tests, tests/envoy.rs"),
    ("too_many_waiters", "takes many requests: authn's own tests, tests/envoy.rs"),
];

#[test]
fn every_reason_is_reached() {
    let reasons: BTreeSet<_> = Denial::ALL.iter().map(|denial| denial.reason()).collect();
    let mut missing = reasons.clone();
    for file in corpus::read() {
        for case in &file.cases {
            if let corpus::Verdict::Refused { reason, .. } = &case.expect.verdict {
                assert!(reasons.contains(reason.as_str()), "{}: there is no reason {reason}", case.name);
                missing.remove(reason.as_str());
            }
        }
    }
    assert_eq!(missing.into_iter().collect::<Vec<_>>(), UNREACHABLE.map(|(reason, _)| reason));
}

#[cfg(not(target_arch = "wasm32"))]
#[test]
fn every_file_is_in_the_list() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/cases");
    let mut names: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, corpus::FILES.iter().map(|(name, _)| format!("{name}.toml")).collect::<Vec<_>>());
}

/// It has no time to pass.
const fn now() -> Time {
    Time::since_start(Duration::from_secs(1000))
}

fn gate(file: &File) -> Gate {
    let config = Config::from_json(file.config.to_string().as_bytes())
        .unwrap_or_else(|problems| panic!("{}.toml: {problems}", file.name));
    Gate::new(config, 7)
}

/// A request that is asked about and passes, as `corpus_envoy.rs` has it.
fn honest(gate: &mut Gate, file: &File) {
    const NUMBER: u32 = 1_000_000;
    let host = file.config["hosts"][0].as_str().unwrap_or("gateway.test").as_bytes();
    let path = b"/configuration-service/v1/project";
    let lines = [(":method", &b"GET"[..]), (":authority", host), (":path", path), ("x-token", b"good")];
    let request = Request::read(lines, true, &Surroundings);
    let Verdict::Ask(check) = gate.on_request(StreamId(NUMBER), &request, now()) else {
        panic!("{}.toml: the honest request is not asked about", file.name)
    };
    assert!(gate.on_sent(check.flight, Some(CheckId(NUMBER)), now()).is_empty());
    let woken = gate.on_answer(CheckId(NUMBER), &Answer::of(200), now());
    assert!(matches!(woken.as_slice(), [(_, Verdict::Forward(_))]), "{}.toml: {woken:?}", file.name);
}

fn run(gate: &mut Gate, number: u32, file: &File, case: &Case) -> Result<(), String> {
    let (stream, check_id) = (StreamId(number), CheckId(number));
    let lines = as_envoy_hands_over(case);
    let pairs = lines.iter().map(|(name, value)| (name.as_str(), value.as_slice()));
    let ends = case.body.is_none_or(|length| length == 0) && case.chunked.is_none();
    let request = Request::read(pairs, ends, &Surroundings);

    let verdict = gate.on_request(stream, &request, now());
    let (asked, verdict) = match verdict {
        Verdict::Ask(check) => {
            let headers: Lines = check
                .headers()
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()))
                .collect();
            assert_eq!(values(&headers, ":method"), [b"POST"]);
            assert_eq!(values(&headers, ":path"), [b"/v1/auth"]);
            assert_eq!(values(&headers, "x-forwarded-for"), [ADDRESS.as_bytes()]);
            let token = values(&headers, "x-token").concat();
            let retry_after = case.auth.as_ref().and_then(Auth::retry_after);
            let by_token = || if token == b"good" { 200 } else { 401 };
            let status = case.auth.as_ref().map_or_else(by_token, Auth::status).to_string();
            assert!(gate.on_sent(check.flight, Some(check_id), now()).is_empty());
            let answer = [(":status", status.as_bytes())].into_iter();
            let answer =
                Answer::read(answer.chain(retry_after.as_deref().map(|value| ("retry-after", value))));
            let mut woken = gate.on_answer(check_id, &answer, now());
            assert_eq!((woken.len(), woken[0].0), (1, stream));
            (true, woken.remove(0).1)
        }
        verdict => (false, verdict),
    };
    if asked != case.expect.asked {
        return Err(format!("the auth endpoint was{} asked", if asked { "" } else { " not" }));
    }
    let limit = gate.body_to_count(&request).and_then(|limit| usize::try_from(limit).ok());
    let mut outcome = match verdict {
        // As the filter counts it.
        Verdict::Forward(_)
            if limit.is_some_and(|limit| case.chunked.is_some_and(|length| length > limit)) =>
        {
            answer(gate.refusal(Denial::BodyTooLarge, gate.grant(&request).as_ref()))
        }
        Verdict::Forward(permit) => {
            let mut headers = lines.clone();
            if let Some(path) = permit.path() {
                headers.retain(|(name, _)| name != ":path");
                headers.push((":path".to_owned(), path.as_bytes().to_vec()));
            }
            let removed: BTreeSet<_> = permit.remove().map(str::to_ascii_lowercase).collect();
            headers.retain(|(name, _)| !removed.contains(&name.to_ascii_lowercase()));
            for (name, value) in permit.set() {
                headers.retain(|(line, _)| !line.eq_ignore_ascii_case(name));
                headers.push((name.to_owned(), value.as_bytes().to_vec()));
            }
            let path = values(&headers, ":path").concat();
            for (name, _) in &mut headers {
                if name == ":authority" {
                    *name = "host".to_owned();
                }
            }
            Outcome::Forwarded {
                upstream: permit.upstream().map(|name| name.to_string()),
                method: values(&headers, ":method").concat(),
                path,
                headers,
            }
        }
        Verdict::Reply(reply) => answer(reply),
        verdict @ (Verdict::Ask(_) | Verdict::Wait) => return Err(format!("the verdict is {verdict:?}")),
    };
    if let Outcome::Answer { body, .. } = &mut outcome
        && case.method() == b"HEAD"
    {
        body.clear();
    }
    judge(case, &case.expect, &outcome, &file.config)
}

fn answer(reply: Reply) -> Outcome {
    let response = reply.response();
    Outcome::Answer {
        status: response.status,
        details: response.details,
        headers: response
            .headers
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.into_bytes()))
            .collect(),
        body: response.body.into_bytes(),
    }
}

/// The header pairs as Envoy hands them to a filter. Each line here is something that `corpus_envoy.rs` shows to be
/// so, or its cases would part.
fn as_envoy_hands_over(case: &Case) -> Lines {
    let (mut method, mut path) = (case.method(), Some(case.target()));
    let mut lines = case.lines();
    // Two Host lines are joined, and two Origin lines.
    let [mut authority, origin] = ["host", "origin"].map(|name| {
        let values = values(&lines, name);
        lines.retain(|(line, _)| !line.eq_ignore_ascii_case(name));
        (!values.is_empty()).then(|| values.join(&b","[..]))
    });
    lines.extend(origin.map(|origin| ("origin".to_owned(), origin)));
    if case.http != Http::Two {
        for (_, value) in &mut lines {
            *value = value.trim_ascii().to_vec();
        }
        let target = String::from_utf8(case.target()).unwrap_or_default();
        if method == b"CONNECT" {
            authority = path.take();
        } else if let Some(rest) = target.strip_prefix("http://") {
            // The absolute form: its host is the one that counts.
            let (host, rest) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
            authority = Some(host.into());
            path = Some(rest.into());
        }
    }
    if let Some(protocol) = &case.protocol {
        method = b"GET".to_vec();
        lines.push(("upgrade".to_owned(), protocol.clone().into_bytes()));
    }
    if let Some(length) = case.body {
        lines.push(("content-length".to_owned(), length.to_string().into_bytes()));
    }
    if case.chunked.is_some() && case.http != Http::Two {
        lines.push(("transfer-encoding".to_owned(), b"chunked".to_vec()));
    }
    let pseudo = [(":method", Some(method)), (":authority", authority), (":path", path)];
    let pseudo = pseudo.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    pseudo.chain(lines).collect()
}
