//! What the gate does with a request: the order of decisions, what strangers are told, what is changed on the way.
//!
//! What single paths and headers get is in `tests/cases/`; what becomes of tokens, in `authn/`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test ends where it fails")]

#[allow(dead_code, reason = "the rest is for authn/")]
mod world;

use gate::authn::StreamId;
use gate::config::Config;
use gate::gate::Gate;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;
use world::{Lines, World, all, request};

// --- the order of decisions ---

/// Everything that can be wrong with a request, mended one by one.
#[test]
fn the_first_fault_decides() {
    let long = "2000000";
    for (authority, method, upgrade, path, tokens, length, verdict) in [
        ("other", "BREW", "foo", "/a/../b", &[][..], long, "foreign"),
        ("api.keptn", "BREW", "foo", "/a/../b", &[], long, "400 bad_method"),
        ("api.keptn", "PUT", "foo", "/a/../b", &[], long, "400 upgrade_refused"),
        ("api.keptn", "PUT", "", "/a/../b", &[], long, "400 dot_segment"),
        ("api.keptn", "PUT", "", "/a%2Fb", &[], long, "400 encoded_slash"),
        ("api.keptn", "PUT", "", "/v1/project/p/resource/.git%2Fx", &[], long, "400 git_folder"),
        ("api.keptn", "PUT", "", "/configuration-service/v1/project/p", &[], long, "401 no_token"),
        ("api.keptn", "PUT", "", "/configuration-service/v1/project/p", &["a", "b"], long, "401 many_tokens"),
        (
            "api.keptn",
            "PUT",
            "",
            "/configuration-service/v1/project/p",
            &["a b"],
            long,
            "401 malformed_token",
        ),
        ("api.keptn", "PUT", "", "/configuration-service/v1/project/p", &["good"], "1x", "400 bad_length"),
        (
            "api.keptn",
            "PUT",
            "",
            "/configuration-service/v1/project/p",
            &["good"],
            long,
            "413 body_too_large",
        ),
        ("api.keptn", "PUT", "", "/configuration-service/v1/project/p", &["good"], "5", "asks 1"),
    ] {
        let mut world = World::new(r#"{"hosts": ["api.keptn"], "internal": "deny"}"#);
        let mut lines = vec![(":method", method), (":path", path), (":authority", authority)];
        lines.extend((!upgrade.is_empty()).then_some(("upgrade", upgrade)));
        lines.extend(tokens.iter().map(|token| ("x-token", *token)));
        lines.push(("content-length", length));
        assert_eq!(world.request(1, &lines), verdict, "{lines:?}");
        let asks = verdict.starts_with("asks");
        assert_eq!((world.asked.len(), world.gate.is_waiting(StreamId(1))), (usize::from(asks), asks));
    }
}

#[test]
fn what_the_api_offers_is_told_after_the_token_alone() {
    let config = r#"{
        "internal": "deny",
        "routes": [{"path": "/mine/{*rest}", "methods": ["GET", "HEAD"], "upstream": "api-service"}]
    }"#;
    for (method, path, after_yes) in [
        ("POST", "/mine/x", "405 method_not_allowed, allow: GET, HEAD"),
        ("DELETE", "/configuration-service/v1/project/p", "403 internal_operation"),
        ("DELETE", "/configuration-service/v1/project/p/", "403 internal_operation"),
        ("GET", "/configuration-service/v1/project/p", "to configuration-service as /v1/project/p -x-token"),
        ("GET", "/mine/x", "to api-service"),
        ("GET", "/nothing/there", "to api-service"),
    ] {
        let mut world = World::new(config);
        let head = [(":method", method), (":path", path)];
        assert_eq!(world.request(1, &head), "401 no_token", "{method} {path}");
        let with = |token| [head[0], head[1], ("x-token", token)];
        assert_eq!(world.request(2, &with("wrong")), "asks 1", "{method} {path}");
        assert_eq!(world.answer(1, 401), all(2..=2, "401 wrong_token"), "{method} {path}");
        world.request(3, &with("good"));
        assert_eq!(world.answer(2, 200), all(3..=3, after_yes), "{method} {path}");
    }
}

#[test]
fn internal_operations_pass_unless_denied_and_are_known_as_such() {
    let config = |policy: &str| {
        format!(
            r#"{{
                "policy": "{policy}",
                "routes": [{{"path": "/mine", "methods": ["POST"], "upstream": "api-service", "internal": true}}]
            }}"#
        )
    };
    for policy in ["open", "strict"] {
        for (method, path, verdict) in [
            (
                "DELETE",
                "/configuration-service/v1/project/p/stage/s/",
                "to configuration-service as /v1/project/p/stage/s/ -x-token, internal",
            ),
            ("POST", "/mine", "to api-service, internal"),
            ("POST", "/v1/event", "to api-service"),
        ] {
            let mut world = World::new(&config(policy));
            assert_eq!(
                world.request(1, &[(":method", method), (":path", path), ("x-token", "good")]),
                "asks 1"
            );
            assert_eq!(world.answer(1, 200), all(1..=1, verdict));
        }
    }
}

// --- nobody is asked ---

#[test]
fn public_documents_and_websockets_need_no_check() {
    let jwt = ("token", "eyJh.eyJz.c2ln");
    let upgrade = ("upgrade", "websocket");
    let key = ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    for (lines, verdict) in [
        (&[(":method", "GET"), (":path", "/swagger-ui/a.css")][..], "to api-service"),
        (&[(":method", "HEAD"), (":path", "/v1/docs/")], "to api-service"),
        (&[(":method", "GET"), (":path", "/swagger.json"), ("x-token", "wrong")], "to api-service"),
        (&[(":method", "POST"), (":path", "/swagger.json")], "405 method_not_allowed, allow: GET, HEAD"),
        (
            &[(":method", "GET"), (":path", "/swagger.json"), ("content-length", "1048577")],
            "413 body_too_large",
        ),
        (
            &[(":method", "GET"), (":path", "/configuration-service/swagger-ui/swagger.yaml")],
            "to configuration-service as /swagger-ui/swagger.yaml",
        ),
        (
            &[
                (":method", "GET"),
                (":path", "/configuration-service/swagger-ui/swagger.yaml"),
                ("x-token", "a"),
                ("x-token", "b"),
            ],
            "to configuration-service as /swagger-ui/swagger.yaml -x-token",
        ),
        (&[(":method", "GET"), (":path", "/"), upgrade, jwt, key], "to api-service"),
        // As it comes over HTTP/2.
        (&[(":method", "GET"), (":path", "/"), upgrade, jwt], "to api-service +sec-websocket-key"),
        (&[(":method", "GET"), (":path", "/"), upgrade], "401 bad_channel_token"),
        (&[(":method", "GET"), (":path", "/"), upgrade, ("token", "no.jwt")], "401 bad_channel_token"),
        (&[(":method", "GET"), (":path", "/"), upgrade, jwt, jwt], "401 bad_channel_token"),
        (&[(":method", "POST"), (":path", "/"), upgrade, jwt], "400 upgrade_refused"),
        (&[(":method", "GET"), (":path", "/v1/event"), upgrade, jwt], "400 upgrade_refused"),
    ] {
        let mut world = World::new("{}");
        assert_eq!(world.request(1, lines), verdict, "{lines:?}");
        assert!(world.asked.is_empty() && !world.gate.is_waiting(StreamId(1)));
    }
}

#[test]
fn a_channel_can_be_demanded() {
    let lines = [(":method", "GET"), (":path", "/"), ("upgrade", "websocket"), ("token", "eyJh.eyJz.c2ln")];
    let id = |id| [&lines[..], &[("keptn-ws-channel-id", id)]].concat();
    let mut world = World::new(r#"{"websocket": {"require_channel_id": true}}"#);
    assert_eq!(world.request(1, &lines), "400 no_channel_id");
    assert_eq!(world.request(2, &id("")), "400 no_channel_id");
    let twice = [&id("4711")[..], &[("keptn-ws-channel-id", "4712")]].concat();
    assert_eq!(world.request(3, &twice), "400 no_channel_id");
    assert_eq!(world.request(4, &id("4711")), "to api-service +sec-websocket-key");
}

// --- what is changed on the way ---

#[test]
fn headers_that_only_the_gateway_may_set_are_taken_away() {
    let mut world = World::new("{}");
    let lines = [
        (":method", "GET"),
        (":path", "/swagger.json"),
        ("X-Real_IP", "6.6.6.6"),
        ("x-envoy-retry-on", "5xx"),
        ("x-keptn-client", "me"),
        ("x-forwarded-for", "6.6.6.6"),
    ];
    assert_eq!(world.request(1, &lines), "to api-service -X-Real_IP -x-envoy-retry-on -x-keptn-client");
    let lines =
        [&lines[2..4], &[(":method", "GET"), (":path", "/v1/project/p/resource/a%2fb"), ("x-token", "t")]];
    assert_eq!(world.request(2, &lines.concat()), "asks 1");
    let verdict =
        "to configuration-service as /v1/project/p/resource/a%2Fb -X-Real_IP -x-envoy-retry-on -x-token";
    assert_eq!(world.answer(1, 200), all(2..=2, verdict));
}

#[test]
fn a_path_that_is_canonical_already_is_not_set_again() {
    for (path, verdict) in [
        ("/swagger-ui/a%20b?x=//%41", "to api-service"),
        ("/swagger-ui/a", "to api-service"),
        ("/swagger-ui//a?x=//%41", "to api-service as /swagger-ui/a?x=//%41"),
        ("/swagger-ui/%61", "to api-service as /swagger-ui/a"),
        ("/swagger-ui/a%c3", "to api-service as /swagger-ui/a%C3"),
    ] {
        let mut world = World::new("{}");
        assert_eq!(world.request(1, &[(":method", "GET"), (":path", path)]), verdict, "{path}");
    }
}

#[test]
fn own_upstreams_get_the_token_when_they_want_it() {
    let config = r#"{
        "upstreams": [{"name": "wants", "token": "keep"}, {"name": "wants-not"}],
        "routes": [
            {"path": "/wants/{*rest}", "upstream": "wants", "strip": "/wants"},
            {"path": "/wants-not/{*rest}", "upstream": "wants-not", "access": "public"}
        ]
    }"#;
    let mut world = World::new(config);
    let lines = |path| [(":method", "PATCH"), (":path", path), ("x-token", "good")];
    world.request(1, &lines("/wants/a/?b"));
    assert_eq!(world.answer(1, 200), all(1..=1, "to wants as /a/?b"));
    assert_eq!(world.request(2, &lines("/wants-not/a")), "to wants-not -x-token");
}

#[test]
fn foreign_requests_are_left_as_they_are() {
    let mut world = World::new(r#"{"hosts": ["api.keptn"]}"#);
    for lines in [
        &[(":method", "GET"), (":path", "/v1/project"), (":authority", "shop.example.org")][..],
        &[
            (":method", "BREW"),
            (":path", "//a/../b"),
            (":authority", "shop.example.org"),
            ("x-real-ip", "6.6.6.6"),
            ("x-token", "a"),
            ("upgrade", "foo"),
            ("content-length", "99999999"),
        ],
        &[(":method", "GET"), (":path", "/")],
        &[(":method", "GET"), (":path", "/"), (":authority", "api.keptn"), (":authority", "api.keptn")],
    ] {
        assert_eq!(world.request(1, lines), "foreign", "{lines:?}");
    }
    let ours = [(":method", "GET"), (":path", "/v1/project"), (":authority", "API.keptn.:8080")];
    assert_eq!(world.request(2, &ours), "401 no_token");
}

// --- bodies ---

#[test]
fn a_body_of_unknown_length_is_counted() {
    let gate = Gate::new(Config::from_json(br#"{"hosts": ["api.keptn"], "max_body_bytes": 42}"#).unwrap(), 7);
    let count = |lines: Lines<'_>, ends| gate.body_to_count(&request(lines, ends, &|| None));
    let ours = (":authority", "api.keptn");
    assert_eq!(count(&[ours], false), Some(42));
    assert_eq!(count(&[ours, ("transfer-encoding", "chunked")], false), Some(42));
    assert_eq!(count(&[ours], true), None);
    assert_eq!(count(&[ours, ("content-length", "41")], false), None);
    assert_eq!(count(&[ours, ("upgrade", "websocket")], false), None);
    assert_eq!(count(&[(":authority", "shop.example.org")], false), None);
}

#[test]
fn a_body_may_be_as_long_as_the_limit() {
    let mut world = World::new(r#"{"max_body_bytes": 42}"#);
    let lines = |length| {
        [(":method", "POST"), (":path", "/v1/event"), ("x-token", "good"), ("content-length", length)]
    };
    assert_eq!(world.request(1, &lines("43")), "413 body_too_large");
    assert_eq!(world.request(2, &lines("42")), "asks 1");
}
