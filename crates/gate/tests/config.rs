//! What the configuration's reader says to what it does not accept: where, what, and what to do.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test ends where it fails")]

use gate::config::Config;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// `json` is refused with exactly these problems. The text is indented as the code around it.
#[track_caller]
fn refused(json: &str, problems: &str) {
    refused_bytes(json.as_bytes(), problems);
}

#[track_caller]
fn refused_bytes(json: &[u8], problems: &str) {
    let Err(actual) = Config::from_json(json) else {
        panic!("accepted: {}", String::from_utf8_lossy(json));
    };
    let expected: Vec<_> =
        problems.lines().skip(1).map(|line| line.strip_prefix("        ").unwrap_or(line)).collect();
    let expected = expected.join("\n");
    assert_eq!(actual.to_string(), expected.trim_end(), "\n{actual}\n");
}

#[track_caller]
fn accepted(json: &str) {
    if let Err(problems) = Config::from_json(json.as_bytes()) {
        panic!("{json}:\n{problems}");
    }
}

/// `json` is accepted with exactly these warnings. The text is indented as the code around it.
#[track_caller]
fn warned(json: &str, warnings: &str) {
    let config = Config::from_json(json.as_bytes()).unwrap_or_else(|problems| panic!("{json}:\n{problems}"));
    let mut actual: Vec<_> = config.warnings().cloned().chain(config.openings()).collect();
    actual.sort_by(|a, b| a.place.cmp(&b.place));
    let actual: Vec<_> = actual.iter().map(ToString::to_string).collect();
    let expected: Vec<_> =
        warnings.lines().skip(1).map(|line| line.strip_prefix("        ").unwrap_or(line)).collect();
    assert_eq!(actual.join("\n"), expected.join("\n").trim_end(), "\n{}\n", actual.join("\n"));
}

#[test]
fn all_problems_come_at_once_in_the_order_of_their_places() {
    refused(
        r#"{
            "profile": "keptn-1.4",
            "upstreams": [{"name": "my service"}, {"token": "give"}],
            "routes": [{"path": "/a{b}", "upstream": "mine"}, "x"],
            "max_body_bytes": -1,
            "hosts": ["https://api.keptn", 7],
            "auth": {"timeout": "2 parsecs", "cluster": ""},
            "internal": true
        }"#,
        r#"
        auth.cluster: this is empty
          help: write something such as "outbound|8080||api-service.keptn.svc.cluster.local"
        auth.timeout: this is not a duration
            2 parsecs
              ^^^^^^^
          help: write a number and a unit (ms, s, m, h), such as "500ms"
        hosts[0]: no host name has this
            https://api.keptn
                  ^
          help: write each host in full, without a scheme or wildcards
        hosts[1]: this is the number 7
          help: write text, in quotes
        internal: this is the flag true
          help: write "allow" or "deny"
        max_body_bytes: this is the number -1
          help: write a whole number such as 5242880
        profile: this is not a word for it
            keptn-1.4
            ^^^^^^^^^
          help: write "keptn-0.6"
        routes[0].path: a parameter must be a whole segment
            /a{b}
             ^^^^
          help: write /{name}/
        routes[0].upstream: there is no such upstream
            mine
            ^^^^
          help: add it to "upstreams", or use one of api-service, configuration-service
        routes[1]: this is text
          help: write an object, { … }
        upstreams[0].name: an upstream's name has none of this
            my service
              ^
          help: use letters, digits, - _ and .
        upstreams[1]: "name" is missing
          help: add a name of letters, digits, `-`, `_` and `.`, such as "name": "my-service"
        upstreams[1].token: this is not a word for it
            give
            ^^^^
          help: write "remove" or "keep"
        "#,
    );
}

#[test]
fn keys_that_do_not_exist() {
    refused(
        r#"{"hots": []}"#,
        r#"
        hots: there is no such key
          help: did you mean "hosts"?
        "#,
    );
    refused(
        r#"{"Hosts": []}"#,
        r#"
        Hosts: there is no such key
          help: did you mean "hosts"?
        "#,
    );
    refused(
        r#"{"max-body-bytes": 1}"#,
        r#"
        max-body-bytes: there is no such key
          help: did you mean "max_body_bytes"?
        "#,
    );
    refused(
        r#"{"auht": {}}"#,
        r#"
        auht: there is no such key
          help: the keys here are profile, hosts, auth, tokens, max_body_bytes, internal, websocket, cors, policy, policies, upstreams, routes
        "#,
    );
    refused(
        r#"{"cache": {}}"#,
        r#"
        cache: there is no such key
          help: the keys here are profile, hosts, auth, tokens, max_body_bytes, internal, websocket, cors, policy, policies, upstreams, routes
        "#,
    );
    refused(
        r#"{"auth": {"time_out": "1s", "retries": 1}}"#,
        r#"
        auth.retries: there is no such key
          help: the keys here are cluster, authority, timeout, deadline, max_flights, max_waiters, allow, deny, stale_if_error, allow_entries, deny_entries, throttle, canary, client_header
        auth.time_out: there is no such key
          help: did you mean "timeout"?
        "#,
    );
    refused(
        r#"{"websocket": {"channel": true}}"#,
        r#"
        websocket.channel: there is no such key
          help: the keys here are require_channel_id
        "#,
    );
    refused(
        r#"{"upstreams": [{"name": "a", "cluster": "b"}]}"#,
        r#"
        upstreams[0].cluster: there is no such key
          help: the keys here are name, token
        "#,
    );
    refused(
        r#"{"routes": [{"path": "/a", "upstream": "api-service", "method": "GET"}]}"#,
        r#"
        routes[0].method: there is no such key
          help: did you mean "methods"?
        "#,
    );
    refused(
        r#"{"": 1}"#,
        r#"
        "": there is no such key
          help: the keys here are profile, hosts, auth, tokens, max_body_bytes, internal, websocket, cors, policy, policies, upstreams, routes
        "#,
    );
    refused(
        r#"{"ключ": 1}"#,
        r#"
        ключ: there is no such key
          help: the keys here are profile, hosts, auth, tokens, max_body_bytes, internal, websocket, cors, policy, policies, upstreams, routes
        "#,
    );
}

#[test]
fn values_of_the_wrong_type() {
    refused(
        r#"[]"#,
        r#"
        configuration: this is a list
          help: write an object, { … }
        "#,
    );
    refused(
        r#""keptn-0.6""#,
        r#"
        configuration: this is text
          help: write an object, { … }
        "#,
    );
    refused(
        r#"7"#,
        r#"
        configuration: this is the number 7
          help: write an object, { … }
        "#,
    );
    refused(
        r#"{"auth": [], "websocket": true}"#,
        r#"
        auth: this is a list
          help: write an object, { … }
        websocket: this is the flag true
          help: write an object, { … }
        "#,
    );
    refused(
        r#"{"hosts": "api.keptn"}"#,
        r#"
        hosts: this is text
          help: write a list, [ … ]
        "#,
    );
    refused(
        r#"{"hosts": {"0": "api.keptn"}}"#,
        r#"
        hosts: this is an object
          help: write a list, [ … ]
        "#,
    );
    refused(
        r#"{"hosts": [null, 1.5, ["a"]]}"#,
        r#"
        hosts[0]: this is null
          help: write text, in quotes
        hosts[1]: this is the number 1.5
          help: write text, in quotes
        hosts[2]: this is a list
          help: write text, in quotes
        "#,
    );
    refused(
        r#"{"auth": {"cluster": {}, "authority": false, "timeout": 2, "deadline": ["3s"]}}"#,
        r#"
        auth.authority: this is the flag false
          help: write text, in quotes
        auth.cluster: this is an object
          help: write text, in quotes
        auth.deadline: this is a list
          help: write a number and a unit (ms, s, m, h), such as "1s"
        auth.timeout: this is the number 2
          help: write a number and a unit (ms, s, m, h), such as "500ms"
        "#,
    );
    refused(
        r#"{"max_body_bytes": "5MB"}"#,
        r#"
        max_body_bytes: this is text
          help: write a whole number such as 5242880
        "#,
    );
    refused(
        r#"{"max_body_bytes": 0.5}"#,
        r#"
        max_body_bytes: this is the number 0.5
          help: write a whole number such as 5242880
        "#,
    );
    refused(
        r#"{"max_body_bytes": 1e300}"#,
        r#"
        max_body_bytes: this is the number 1e+300
          help: write a whole number such as 5242880
        "#,
    );
    refused(
        r#"{"max_body_bytes": [1]}"#,
        r#"
        max_body_bytes: this is a list
          help: write a whole number such as 5242880
        "#,
    );
    refused(
        r#"{"internal": false}"#,
        r#"
        internal: this is the flag false
          help: write "allow" or "deny"
        "#,
    );
    refused(
        r#"{"websocket": {"require_channel_id": "yes"}}"#,
        r#"
        websocket.require_channel_id: this is text
          help: write true or false
        "#,
    );
    refused(
        r#"{"upstreams": {"name": "a"}, "routes": "/a"}"#,
        r#"
        routes: this is text
          help: write a list, [ … ]
        upstreams: this is an object
          help: write a list, [ … ]
        "#,
    );
    refused(
        r#"{"upstreams": [null], "routes": [null, 7]}"#,
        r#"
        routes[0]: this is null
          help: write an object, { … }, or leave the item away
        routes[1]: this is the number 7
          help: write an object, { … }
        upstreams[0]: this is null
          help: write an object, { … }, or leave the item away
        "#,
    );
    refused(
        r#"{"routes": [{"path": "/a", "upstream": "api-service", "methods": "GET"}]}"#,
        r#"
        routes[0].methods: this is text
          help: write a list, [ … ]
        "#,
    );
}

#[test]
fn values_out_of_range() {
    refused(
        r#"{"auth": {"timeout": "9ms", "deadline": "61s", "max_flights": 0, "max_waiters": 1048577}}"#,
        r#"
        auth.deadline: 1m 1s is out of range
          help: write something from 10ms to 1m
        auth.max_flights: 0 is out of range
          help: write something from 1 to 65536
        auth.max_waiters: 1048577 is out of range
          help: write something from 1 to 1048576
        auth.timeout: 9ms is out of range
          help: write something from 10ms to 1m
        "#,
    );
    refused(
        r#"{"max_body_bytes": 1099511627777}"#,
        r#"
        max_body_bytes: 1099511627777 is out of range
          help: write something from 0 to 1099511627776
        "#,
    );
    refused(
        r#"{"max_body_bytes": 18446744073709551615}"#,
        r#"
        max_body_bytes: 18446744073709551615 is out of range
          help: write something from 0 to 1099511627776
        "#,
    );
    refused(
        r#"{"max_body_bytes": -1}"#,
        r#"
        max_body_bytes: this is the number -1
          help: write a whole number such as 5242880
        "#,
    );
    refused(
        r#"{"auth": {"max_flights": 65537.0}}"#,
        r#"
        auth.max_flights: 65537 is out of range
          help: write something from 1 to 65536
        "#,
    );
    refused(
        r#"{"auth": {"timeout": "0"}}"#,
        r#"
        auth.timeout: 0s is out of range
          help: write something from 10ms to 1m
        "#,
    );
    refused(
        r#"{"auth": {"timeout": "1000y", "deadline": "1d"}}"#,
        r#"
        auth.deadline: 1day is out of range
          help: write something from 10ms to 1m
        auth.timeout: 1000years is out of range
          help: write something from 10ms to 1m
        "#,
    );
}

#[test]
fn durations() {
    refused(
        r#"{"auth": {"timeout": "2"}}"#,
        r#"
        auth.timeout: this is not a duration
            2
             ^
          help: write a number and a unit (ms, s, m, h), such as "500ms"
        "#,
    );
    refused(
        r#"{"auth": {"timeout": ""}}"#,
        r#"
        auth.timeout: this is empty
          help: write a number and a unit (ms, s, m, h), such as "500ms"
        "#,
    );
    refused(
        r#"{"auth": {"timeout": "2 parsecs"}}"#,
        r#"
        auth.timeout: this is not a duration
            2 parsecs
              ^^^^^^^
          help: write a number and a unit (ms, s, m, h), such as "500ms"
        "#,
    );
    refused(
        r#"{"auth": {"timeout": "-1s"}}"#,
        r#"
        auth.timeout: this is not a duration
            -1s
            ^
          help: write a number and a unit (ms, s, m, h), such as "500ms"
        "#,
    );
    refused(
        r#"{"auth": {"timeout": "s"}}"#,
        r#"
        auth.timeout: this is not a duration
            s
            ^
          help: write a number and a unit (ms, s, m, h), such as "500ms"
        "#,
    );
    refused(
        r#"{"auth": {"timeout": "1s, 5ms"}}"#,
        r#"
        auth.timeout: this is not a duration
            1s, 5ms
              ^
          help: write a number and a unit (ms, s, m, h), such as "500ms"
        "#,
    );
    refused(
        r#"{"auth": {"timeout": "2¼s"}}"#,
        r#"
        auth.timeout: this is not a duration
            2¼s
             ^
          help: write a number and a unit (ms, s, m, h), such as "500ms"
        "#,
    );
    refused(
        r#"{"auth": {"timeout": "2s€"}}"#,
        r#"
        auth.timeout: this is not a duration
            2s€
              ^
          help: write a number and a unit (ms, s, m, h), such as "500ms"
        "#,
    );
    refused(
        r#"{"auth": {"timeout": "zwölf"}}"#,
        r#"
        auth.timeout: this is not a duration
            zwölf
            ^
          help: write a number and a unit (ms, s, m, h), such as "500ms"
        "#,
    );
    refused(
        r#"{"auth": {"timeout": "99999999999999999999s"}}"#,
        r#"
        auth.timeout: this is not a duration
            99999999999999999999s
            ^^^^^^^^^^^^^^^^^^^^^
          help: write a number and a unit (ms, s, m, h), such as "500ms"
        "#,
    );
}

#[test]
fn a_deadline_before_the_time_out() {
    refused(
        r#"{"auth": {"timeout": "5s"}}"#,
        r#"
        auth.deadline: the deadline, 3s, is before the time-out of a check, 5s
          help: set auth.deadline to at least auth.timeout
        "#,
    );
    // What else is wrong beside it does not hide it.
    refused(
        r#"{"auth": {"cluster": "", "timeout": "5s"}}"#,
        r#"
        auth.cluster: this is empty
          help: write something such as "outbound|8080||api-service.keptn.svc.cluster.local"
        auth.deadline: the deadline, 3s, is before the time-out of a check, 5s
          help: set auth.deadline to at least auth.timeout
        "#,
    );
    refused(
        r#"{"auth": {"deadline": "1s"}}"#,
        r#"
        auth.deadline: the deadline, 1s, is before the time-out of a check, 2s
          help: set auth.deadline to at least auth.timeout
        "#,
    );
    refused(
        r#"{"auth": {"timeout": "2s", "deadline": "1500ms"}}"#,
        r#"
        auth.deadline: the deadline, 1s 500ms, is before the time-out of a check, 2s
          help: set auth.deadline to at least auth.timeout
        "#,
    );
    refused(
        r#"{"auth": {"timeout": "soon", "deadline": "1s"}}"#,
        r#"
        auth.timeout: this is not a duration
            soon
            ^
          help: write a number and a unit (ms, s, m, h), such as "500ms"
        "#,
    );
}

#[test]
fn policies_that_are_none() {
    refused(
        r#"{"policy": "closed", "policies": [{}, {"prefix": "/a"}, {"policy": "strict"}, "/a", {"prefix": "/b", "policy": "Strict"}]}"#,
        r#"
        policies[0]: "prefix" is missing
          help: add the beginning of a path, such as "prefix": "/configuration-service"
        policies[0]: "policy" is missing
          help: add "open" or "strict", such as "policy": "strict"
        policies[1]: "policy" is missing
          help: add "open" or "strict", such as "policy": "strict"
        policies[2]: "prefix" is missing
          help: add the beginning of a path, such as "prefix": "/configuration-service"
        policies[3]: this is text
          help: write an object, { … }
        policies[4].policy: this is not a word for it
            Strict
            ^^^^^^
          help: write "open" or "strict"
        policy: this is not a word for it
            closed
            ^^^^^^
          help: write "open" or "strict"
        "#,
    );
    refused(
        r#"{"policies": [{"prefix": "/a", "policy": 7, "prefixes": 1}], "policys": "strict", "routes": [{"path": "/a", "upstream": "api-service", "internal": "yes"}]}"#,
        r#"
        policies[0].policy: this is the number 7
          help: write "open" or "strict"
        policies[0].prefixes: there is no such key
          help: did you mean "prefix"?
        policys: there is no such key
          help: did you mean "policy"?
        routes[0].internal: this is text
          help: write true or false
        "#,
    );
}

#[test]
fn prefixes_that_are_none() {
    refused(
        r#"{"policies": [
            {"prefix": "", "policy": "open"},
            {"prefix": "v1", "policy": "open"},
            {"prefix": "/", "policy": "strict"},
            {"prefix": "/v1/", "policy": "open"},
            {"prefix": "/v1/{project}/x", "policy": "open"},
            {"prefix": "/v1/*", "policy": "open"},
            {"prefix": "/v1/:id", "policy": "open"},
            {"prefix": "/v1/a%2fb/c", "policy": "open"},
            {"prefix": "/v1/../x", "policy": "open"},
            {"prefix": "/%76", "policy": "open"},
            {"prefix": "/a", "policy": "open"},
            {"prefix": "/a", "policy": "open"}
        ]}"#,
        r#"
        policies[0].prefix: this is empty
          help: write something such as "/configuration-service"
        policies[1].prefix: a prefix must start with a slash
            v1
            ^
          help: write /…
        policies[2].prefix: this is every path
            /
            ^
          help: set "policy" at the top instead
        policies[3].prefix: a prefix must not end in a slash
            /v1/
               ^
          help: leave it away: what is meant is this path and everything below it
        policies[4].prefix: a prefix has no parameters
            /v1/{project}/x
                ^^^^^^^^^
          help: end it before: it covers everything below it anyway
        policies[5].prefix: a prefix has no parameters
            /v1/*
                ^
          help: end it before: it covers everything below it anyway
        policies[6].prefix: a prefix has no parameters
            /v1/:id
                ^^^
          help: end it before: it covers everything below it anyway
        policies[7].prefix: a prefix has no slashes in its segments
            /v1/a%2fb/c
                 ^^^
          help: end it before: it covers everything below it anyway
        policies[8].prefix: no canonical path looks like this
            /v1/../x
            ^^^^^^^^
          help: write the path as the gateway sends it: no //, no dots, no needless escapes
        policies[9].prefix: no canonical path looks like this
            /%76
            ^^^^
          help: write the path as the gateway sends it: no //, no dots, no needless escapes
        policies[11].prefix: policies[10].prefix is the same prefix
            /a
            ^^
          help: leave one of them away
        "#,
    );
}

/// What a prefix of one's own lets through, nobody describes.
#[test]
fn a_prefix_of_ones_own_that_opens_what_is_shut() {
    let route =
        r#""routes": [{"path": "/cs/v1/{*rest}", "upstream": "configuration-service", "strip": "/cs"}]"#;
    let warning = r#"
        routes[0].path: everything below passes to configuration-service, although the policy is strict here
            /cs/v1/{*rest}
                   ^^^^^^^
          help: write a route for each operation, or say that it is meant: "policies": [{ "prefix": "/cs/v1", "policy": "open" }]
        "#;
    for policy in [
        r#""policy": "strict""#,
        r#""policies": [{"prefix": "/cs", "policy": "strict"}]"#,
        r#""policies": [{"prefix": "/cs/v1", "policy": "strict"}]"#,
        r#""policies": [{"prefix": "/cs/v1/project", "policy": "strict"}]"#,
    ] {
        warned(&format!("{{{policy}, {route}}}"), warning);
    }
    for policy in [
        r#""policy": "open""#,
        r#""policy": "strict", "policies": [{"prefix": "/cs/v1", "policy": "open"}]"#,
        r#""policies": [{"prefix": "/v1", "policy": "strict"}]"#,
    ] {
        warned(&format!("{{{policy}, {route}}}"), "");
    }
    // An upstream of one's own has no description.
    warned(
        r#"{"policy": "strict", "upstreams": [{"name": "mine"}], "routes": [
            {"path": "/mine/{*rest}", "upstream": "mine"}, {"path": "/mine/{x}", "upstream": "mine", "access": "public"}
        ]}"#,
        "",
    );
}

/// Where the policy is strict, a route of one's own may let through what its upstream describes.
#[test]
fn a_route_of_ones_own_that_lets_through_what_nobody_describes() {
    let routes = r#""routes": [
        {"path": "/v1/x/{y}", "upstream": "api-service"},
        {"path": "/cs/v1/project/{name}", "upstream": "configuration-service", "strip": "/cs", "methods": ["GET", "POST"]},
        {"path": "/cs/v1/project", "upstream": "configuration-service", "strip": "/cs", "methods": ["GET", "HEAD", "POST"]},
        {"path": "/{a}/b", "upstream": "api-service", "methods": ["GET"]}
    ]"#;
    warned(
        &format!(r#"{{"policy": "strict", {routes}}}"#),
        r#"
        routes[0].path: api-service describes no such path, but this passes, although the policy is strict
            /v1/x/{y}
            ^^^^^^^^^
          help: leave the route away, or say that it is meant: "policies": [{ "prefix": "/v1/x", "policy": "open" }]
        routes[1].path: configuration-service describes no POST here, but this passes, although the policy is strict
            /cs/v1/project/{name}
            ^^^^^^^^^^^^^^^^^^^^^
          help: list the others as its "methods", or say that it is meant: "policies": [{ "prefix": "/cs/v1/project", "policy": "open" }]
        routes[3].path: api-service describes no such path, but this passes, although the policy is strict
            /{a}/b
            ^^^^^^
          help: leave the route away, or say that it is meant: "policy": "open"
        "#,
    );
    warned(&format!("{{{routes}}}"), "");
    let policies =
        r#""policies": [{"prefix": "/v1/x", "policy": "open"}, {"prefix": "/cs", "policy": "open"}]"#;
    let routes = routes.replace("/{a}/b", "/v1/event");
    warned(&format!(r#"{{"policy": "strict", {policies}, {routes}}}"#), "");
}

/// The most specific template wins, and that may be one of one's own.
#[test]
fn a_route_of_ones_own_that_takes_the_profiles_requests() {
    warned(
        r#"{"upstreams": [{"name": "mine"}], "routes": [
            {"path": "/{tenant}/{doc}", "upstream": "mine", "access": "public"},
            {"path": "/v1/project/p", "upstream": "mine", "methods": ["GET", "DELETE"]},
            {"path": "/v1/project", "upstream": "api-service", "access": "public"},
            {"path": "/configuration-service/v1/project/{p}/stage", "upstream": "configuration-service"},
            {"path": "/v1/configure/bridge/expose", "upstream": "api-service", "methods": ["POST"]},
            {"path": "/v1/project/{project}/report", "upstream": "mine"}
        ]}"#,
        r#"
        routes[0].path: this takes GET, POST /v1/event, an operation of api-service's, and asks for no token
            /{tenant}/{doc}
            ^^^^^^^^^^^^^^^
          help: make the template more specific, or its methods fewer, unless it is meant
        routes[1].path: this takes DELETE /v1/project/{projectName}, an operation of api-service's, from the profile
            /v1/project/p
            ^^^^^^^^^^^^^
          help: make the template more specific, or its methods fewer, unless it is meant
        routes[2].path: this takes POST /v1/project, an operation of api-service's, and asks for no token
            /v1/project
            ^^^^^^^^^^^
          help: make the template more specific, or its methods fewer, unless it is meant
        routes[3].path: this takes GET /configuration-service/v1/project/{projectName}/stage, an operation of configuration-service's, from the profile
            /configuration-service/v1/project/{p}/stage
            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
          help: make the template more specific, or its methods fewer, unless it is meant
        "#,
    );
}

/// configuration-service is reached below a prefix of its own, and below `/v1/project` as in Keptn.
#[test]
fn a_service_that_is_shut_on_one_way_and_open_on_another() {
    let warning = r#"
        policies: configuration-service is shut below a prefix, but /v1/project/{project}/resource leads to it too, and is open
          help: add { "prefix": "/v1/project", "policy": "strict" }, or the same with "open" if that is meant
        "#;
    let shut = r#"{"prefix": "/configuration-service", "policy": "strict"}"#;
    warned(&format!(r#"{{"policies": [{shut}]}}"#), warning);
    warned(r#"{"policies": [{"prefix": "/configuration-service/v1", "policy": "strict"}]}"#, warning);
    for other in
        [r#"{"prefix": "/v1/project", "policy": "strict"}"#, r#"{"prefix": "/v1", "policy": "open"}"#]
    {
        warned(&format!(r#"{{"policies": [{shut}, {other}]}}"#), "");
    }
    warned(r#"{"policies": [{"prefix": "/v1/event", "policy": "strict"}]}"#, "");
    warned(r#"{"policy": "strict", "policies": [{"prefix": "/v1/project", "policy": "open"}]}"#, "");
}

#[test]
fn words_that_are_none() {
    refused(
        r#"{"profile": "keptn-1.4", "internal": "Deny"}"#,
        r#"
        internal: this is not a word for it
            Deny
            ^^^^
          help: write "allow" or "deny"
        profile: this is not a word for it
            keptn-1.4
            ^^^^^^^^^
          help: write "keptn-0.6"
        "#,
    );
    refused(
        r#"{"upstreams": [{"name": "a", "token": "give"}]}"#,
        r#"
        upstreams[0].token: this is not a word for it
            give
            ^^^^
          help: write "remove" or "keep"
        "#,
    );
    refused(
        r#"{"routes": [{"path": "/a", "upstream": "api-service", "access": "upstream"}]}"#,
        r#"
        routes[0].access: this is not a word for it
            upstream
            ^^^^^^^^
          help: write "token" or "public"
        "#,
    );
    refused(
        r#"{"internal": ""}"#,
        r#"
        internal: this is empty
          help: write "allow" or "deny"
        "#,
    );
}

#[test]
fn hosts_that_are_none() {
    refused(
        r#"{"hosts": ["https://api.keptn", "*.keptn", "api.keptn/v1", "", "äpi.keptn", "a b", "api.keptn\u00e4"]}"#,
        r#"
        hosts[0]: no host name has this
            https://api.keptn
                  ^
          help: write each host in full, without a scheme or wildcards
        hosts[1]: no host name has this
            *.keptn
            ^
          help: write each host in full, without a scheme or wildcards
        hosts[2]: no host name has this
            api.keptn/v1
                     ^
          help: write each host in full, without a scheme or wildcards
        hosts[3]: this is empty
          help: write a host, or leave the item away
        hosts[4]: no host name has this
            äpi.keptn
            ^
          help: write each host in full, without a scheme or wildcards
        hosts[5]: no host name has this
            a b
             ^
          help: write each host in full, without a scheme or wildcards
        hosts[6]: no host name has this
            api.keptnä
                     ^
          help: write each host in full, without a scheme or wildcards
        "#,
    );
    refused(
        r#"{"hosts": ["::1", ":8080", "[::1", "api:http", "."]}"#,
        r#"
        hosts[0]: this is not a host
            ::1
            ^^^
          help: write each host in full, without a scheme or wildcards
        hosts[1]: this is not a host
            :8080
            ^^^^^
          help: write each host in full, without a scheme or wildcards
        hosts[2]: this is not a host
            [::1
            ^^^^
          help: write each host in full, without a scheme or wildcards
        hosts[3]: this is not a host
            api:http
            ^^^^^^^^
          help: write each host in full, without a scheme or wildcards
        hosts[4]: this is not a host
            .
            ^
          help: write each host in full, without a scheme or wildcards
        "#,
    );
    refused(
        r#"{"auth": {"authority": "api-service:80 80"}}"#,
        r#"
        auth.authority: no host has this
            api-service:80 80
                          ^
          help: write visible ASCII characters
        "#,
    );
    refused(
        r#"{"auth": {"authority": "äpi"}}"#,
        r#"
        auth.authority: no host has this
            äpi
            ^
          help: write visible ASCII characters
        "#,
    );
    refused(
        r#"{"auth": {"authority": "x\r\nx-evil: 1"}}"#,
        r#"
        auth.authority: no host has this
            x\r\nx-evil: 1
             ^^
          help: write visible ASCII characters
        "#,
    );
}

#[test]
fn upstreams_that_are_none() {
    refused(
        r#"{"upstreams": [{}, {"name": ""}, {"name": null}, {"name": 7}]}"#,
        r#"
        upstreams[0]: "name" is missing
          help: add a name of letters, digits, `-`, `_` and `.`, such as "name": "my-service"
        upstreams[1].name: this is empty
          help: write something such as "my-service"
        upstreams[2]: "name" is missing
          help: add a name of letters, digits, `-`, `_` and `.`, such as "name": "my-service"
        upstreams[3].name: this is the number 7
          help: write text, in quotes
        "#,
    );
    refused(
        r#"{"upstreams": [{"name": "ä/b"}]}"#,
        r#"
        upstreams[0].name: an upstream's name has none of this
            ä/b
            ^
          help: use letters, digits, - _ and .
        "#,
    );
    refused(
        r#"{"upstreams": [{"name": "äöü b"}]}"#,
        r#"
        upstreams[0].name: an upstream's name has none of this
            äöü b
            ^
          help: use letters, digits, - _ and .
        "#,
    );
    refused(
        r#"{"upstreams": [{"name": "outbound|80||x"}]}"#,
        r#"
        upstreams[0].name: an upstream's name has none of this
            outbound|80||x
                    ^
          help: use letters, digits, - _ and .
        "#,
    );
    refused(
        r#"{"upstreams": [{"name": "a"}, {"name": "a"}, {"name": "api-service"}]}"#,
        r#"
        upstreams[1].name: there is an upstream "a" already
          help: give each upstream a name of its own
        upstreams[2].name: there is an upstream "api-service" already
          help: give each upstream a name of its own
        "#,
    );
    refused(
        r#"{"routes": [{"path": "/a", "upstream": "api_service"}, {"path": "/b", "upstream": "api-servise"}, {"path": "/c", "upstream": "mongodb"}]}"#,
        r#"
        routes[0].upstream: there is no such upstream
            api_service
            ^^^^^^^^^^^
          help: did you mean "api-service"?
        routes[1].upstream: there is no such upstream
            api-servise
            ^^^^^^^^^^^
          help: did you mean "api-service"?
        routes[2].upstream: there is no such upstream
            mongodb
            ^^^^^^^
          help: add it to "upstreams", or use one of api-service, configuration-service
        "#,
    );
}

#[test]
fn templates_that_are_none() {
    refused(
        r#"{"routes": [{"path": "v1", "upstream": "api-service"}]}"#,
        r#"
        routes[0].path: a template must start with a slash
            v1
            ^
          help: write /…
        "#,
    );
    refused(
        r#"{"routes": [{"path": "äbc", "upstream": "api-service"}]}"#,
        r#"
        routes[0].path: a template must start with a slash
            äbc
            ^
          help: write /…
        "#,
    );
    refused(
        r#"{"routes": [{"path": "", "upstream": "api-service"}]}"#,
        r#"
        routes[0].path: this is empty
          help: write something such as "/my-service/{*rest}"
        "#,
    );
    refused(
        r#"{"routes": [{"path": "/v1/{}", "upstream": "api-service"}]}"#,
        r#"
        routes[0].path: a parameter needs a name
            /v1/{}
                ^^
          help: write {name}, with letters, digits and _
        "#,
    );
    refused(
        r#"{"routes": [{"path": "/v1/{a-b}", "upstream": "api-service"}]}"#,
        r#"
        routes[0].path: a parameter needs a name
            /v1/{a-b}
                ^^^^^
          help: write {name}, with letters, digits and _
        "#,
    );
    refused(
        r#"{"routes": [{"path": "/v1/{+*x}", "upstream": "api-service"}]}"#,
        r#"
        routes[0].path: this is not a parameter
            /v1/{+*x}
                ^^^^^
          help: write {name}, {+name} or {*rest}
        "#,
    );
    refused(
        r#"{"routes": [{"path": "/v1/a{b}", "upstream": "api-service"}]}"#,
        r#"
        routes[0].path: a parameter must be a whole segment
            /v1/a{b}
                ^^^^
          help: write /{name}/
        "#,
    );
    refused(
        r#"{"routes": [{"path": "/v1/{b", "upstream": "api-service"}]}"#,
        r#"
        routes[0].path: a parameter must be a whole segment
            /v1/{b
                ^^
          help: write /{name}/
        "#,
    );
    refused(
        r#"{"routes": [{"path": "/{*rest}/x", "upstream": "api-service"}]}"#,
        r#"
        routes[0].path: nothing can follow {*rest}
            /{*rest}/x
                     ^
          help: end the template with it
        "#,
    );
    refused(
        r#"{"routes": [{"path": "/v1/", "upstream": "api-service"}]}"#,
        r#"
        routes[0].path: a template must not end in a slash
            /v1/
            ^^^^
          help: leave it away: it is matched either way
        "#,
    );
    refused(
        r#"{"routes": [{"path": "/v1//x", "upstream": "api-service"}]}"#,
        r#"
        routes[0].path: no canonical path looks like this
            /v1//x
            ^^^^^^
          help: write the path as the gateway sends it: no //, no dots, no needless escapes
        "#,
    );
    refused(
        r#"{"routes": [{"path": "/v1/../x", "upstream": "api-service"}]}"#,
        r#"
        routes[0].path: no canonical path looks like this
            /v1/../x
            ^^^^^^^^
          help: write the path as the gateway sends it: no //, no dots, no needless escapes
        "#,
    );
    refused(
        r#"{"routes": [{"path": "/%76", "upstream": "api-service"}]}"#,
        r#"
        routes[0].path: no canonical path looks like this
            /%76
            ^^^^
          help: write the path as the gateway sends it: no //, no dots, no needless escapes
        "#,
    );
    refused(
        r#"{"routes": [{"path": "/ä/{b", "upstream": "api-service"}]}"#,
        r#"
        routes[0].path: a parameter must be a whole segment
            /ä/{b
               ^^
          help: write /{name}/
        "#,
    );
    refused(
        r#"{"routes": [{"path": "/ä", "upstream": "api-service"}]}"#,
        r#"
        routes[0].path: no canonical path looks like this
            /ä
            ^^
          help: write the path as the gateway sends it: no //, no dots, no needless escapes
        "#,
    );
    refused(
        r#"{"routes": [{"path": "/a%2Fb", "upstream": "api-service"}]}"#,
        r#"
        routes[0].path: %2F is matched by {+name} alone
            /a%2Fb
             ^^^^^
          help: write {+name} in its place
        "#,
    );
    refused(
        r#"{"routes": [{"path": "/a?b", "upstream": "api-service"}]}"#,
        r#"
        routes[0].path: no canonical path looks like this
            /a?b
            ^^^^
          help: write the path as the gateway sends it: no //, no dots, no needless escapes
        "#,
    );
    refused(
        r#"{"routes": [{"path": "/a;b", "upstream": "api-service"}]}"#,
        r#"
        routes[0].path: no canonical path looks like this
            /a;b
            ^^^^
          help: write the path as the gateway sends it: no //, no dots, no needless escapes
        "#,
    );
    refused(
        r#"{"routes": [{"path": "/a\n{b}", "upstream": "api-service"}]}"#,
        r#"
        routes[0].path: a parameter must be a whole segment
            /a\n{b}
             ^^^^^^
          help: write /{name}/
        "#,
    );
    refused(
        r#"{"routes": [{"path": "/a\u0000", "upstream": "api-service"}]}"#,
        r#"
        routes[0].path: no canonical path looks like this
            /a\u{0}
            ^^^^^^^
          help: write the path as the gateway sends it: no //, no dots, no needless escapes
        "#,
    );
}

#[test]
fn prefixes_that_cannot_be_stripped() {
    refused(
        r#"{"routes": [{"path": "/my/{*rest}", "upstream": "api-service", "strip": "/mine"}]}"#,
        r#"
        routes[0].strip: the path does not begin so
            /mine
            ^^^^^
          help: strip whole segments from the beginning of /my/{*rest}, without parameters
        "#,
    );
    refused(
        r#"{"routes": [{"path": "/my/{*rest}", "upstream": "api-service", "strip": "/m"}]}"#,
        r#"
        routes[0].strip: the path does not begin so
            /m
            ^^
          help: strip whole segments from the beginning of /my/{*rest}, without parameters
        "#,
    );
    refused(
        r#"{"routes": [{"path": "/my/{*rest}", "upstream": "api-service", "strip": "/my/"}]}"#,
        r#"
        routes[0].strip: the path does not begin so
            /my/
            ^^^^
          help: strip whole segments from the beginning of /my/{*rest}, without parameters
        "#,
    );
    refused(
        r#"{"routes": [{"path": "/my/{*rest}", "upstream": "api-service", "strip": "my"}]}"#,
        r#"
        routes[0].strip: the path does not begin so
            my
            ^^
          help: strip whole segments from the beginning of /my/{*rest}, without parameters
        "#,
    );
    refused(
        r#"{"routes": [{"path": "/my", "upstream": "api-service", "strip": "/my"}]}"#,
        r#"
        routes[0].strip: the path does not begin so
            /my
            ^^^
          help: strip whole segments from the beginning of /my, without parameters
        "#,
    );
    refused(
        r#"{"routes": [{"path": "/my/{a}/b", "upstream": "api-service", "strip": "/my/{a}"}]}"#,
        r#"
        routes[0].strip: the path does not begin so
            /my/{a}
            ^^^^^^^
          help: strip whole segments from the beginning of /my/{a}/b, without parameters
        "#,
    );
    refused(
        r#"{"routes": [{"path": "/my/{*rest}", "upstream": "api-service", "strip": "/"}]}"#,
        r#"
        routes[0].strip: the path does not begin so
            /
            ^
          help: strip whole segments from the beginning of /my/{*rest}, without parameters
        "#,
    );
}

#[test]
fn limits_of_the_cache_the_throttle_the_canary_and_cors() {
    refused(
        r#"{
            "auth": {
                "allow": "3601s", "deny": "11m", "stale_if_error": "25h", "allow_entries": 0, "deny_entries": 1048577,
                "throttle": {"burst": 1001, "per_second": 0}, "canary": "999ms"
            },
            "cors": {"origins": ["*"], "max_age": "25h"}
        }"#,
        r#"
        auth.allow: 1h 1s is out of range
          help: write something from 0s to 1h
        auth.allow_entries: 0 is out of range
          help: write something from 1 to 1048576
        auth.canary: 999ms is out of range
          help: write something from 1s to 1day, or 0s
        auth.deny: 11m is out of range
          help: write something from 0s to 10m
        auth.deny_entries: 1048577 is out of range
          help: write something from 1 to 1048576
        auth.stale_if_error: 1day 1h is out of range
          help: write something from 0s to 1day
        auth.throttle.burst: 1001 is out of range
          help: write something from 0 to 1000
        auth.throttle.per_second: 0 is out of range
          help: write something from 1 to 1000
        cors.max_age: 1day 1h is out of range
          help: write something from 0s to 1day
        "#,
    );
    refused(
        r#"{"auth": {"allow_entries": 1048577, "deny_entries": 0, "throttle": {"per_second": 1001}, "canary": "25h"}}"#,
        r#"
        auth.allow_entries: 1048577 is out of range
          help: write something from 1 to 1048576
        auth.canary: 1day 1h is out of range
          help: write something from 1s to 1day, or 0s
        auth.deny_entries: 0 is out of range
          help: write something from 1 to 1048576
        auth.throttle.per_second: 1001 is out of range
          help: write something from 1 to 1000
        "#,
    );
    refused(
        r#"{"auth": {"throttle": 10, "canary": 60, "client_header": "ci"}, "cors": "*"}"#,
        r#"
        auth.canary: this is the number 60
          help: write a number and a unit (ms, s, m, h), such as "5m"
        auth.client_header: this is text
          help: write true or false
        auth.throttle: this is the number 10
          help: write an object, { … }
        cors: this is text
          help: write an object, { … }
        "#,
    );
    refused(
        r#"{"auth": {"throttle": {"rate": 1}}, "cors": {"origins": ["*"], "methods": []}}"#,
        r#"
        auth.throttle.rate: there is no such key
          help: the keys here are burst, per_second
        cors.methods: there is no such key
          help: the keys here are origins, credentials, headers, max_age
        "#,
    );
    for (least, most) in [("0s", "1s"), ("1h", "24h")] {
        accepted(&format!(
            r#"{{
                "auth": {{
                    "allow": "{least}", "deny": "0s", "stale_if_error": "{least}", "allow_entries": 1,
                    "deny_entries": 1, "throttle": {{"burst": 0, "per_second": 1}}, "canary": "{least}"
                }},
                "cors": {{"origins": ["*"], "max_age": "{most}"}}
            }}"#
        ));
    }
    accepted(
        r#"{"auth": {
            "deny": "10m", "stale_if_error": "24h", "allow_entries": 1048576, "deny_entries": 1048576,
            "throttle": {"burst": 1000, "per_second": 1000}, "canary": "1s"
        }}"#,
    );
    accepted(r#"{"auth": {"canary": "24h"}}"#);
}

/// The one in the documentation.
const EXAMPLE: &str = "5358a94869c15ea2b2cf5c29c8603ec60e7ecf423bd4240f56162e4603f24eec";

/// The SHA-256 of `foo` and of `bar`.
const FOO: &str = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae";
const BAR: &str = "fcde2b2edba56bf408601fb721fe9b5c338d10ee429ea04fae5511b68fbf8fb9";

#[test]
fn hashes_that_are_none() {
    let (too_short, _) = FOO.split_at(63);
    let too_long = format!("{FOO}0");
    let not_hex = FOO.replace('f', "g");
    for odd in [
        r#""""#,
        r#""dG9rZW4gdG9rZW4gdG9rZW4=""#,
        &format!("\"{too_short}\""),
        &format!("\"{too_long}\""),
        &format!("\"{not_hex}\""),
        &format!("\" {FOO}\""),
        &format!("\"sha256:{FOO}\""),
    ] {
        refused(
            &format!(r#"{{"tokens": [{{"name": "ci", "sha256": {odd}}}]}}"#),
            r#"
        tokens[0].sha256: this is not a SHA-256
          help: write 64 hex digits, as printf %s TOKEN | sha256sum prints them, and never the token itself
            "#,
        );
    }
    for odd in ["271828", "2.5", "true", "[\"hush\"]", "{\"hush\": \"hush\"}"] {
        refused(
            &format!(r#"{{"tokens": [{{"name": "ci", "sha256": {odd}}}]}}"#),
            r#"
        tokens[0].sha256: this is not text
          help: write 64 hex digits, as printf %s TOKEN | sha256sum prints them, and never the token itself
            "#,
        );
    }
    for missing in [r#"{"name": "ci"}"#, r#"{"name": "ci", "sha256": null}"#] {
        refused(
            &format!(r#"{{"tokens": [{missing}]}}"#),
            r#"
        tokens[0]: "sha256" is missing
          help: add the SHA-256 of the token, as 64 hex digits, such as "sha256": "EXAMPLE"
            "#
            .replace("EXAMPLE", EXAMPLE)
            .as_str(),
        );
    }
    let nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    for nothing in [nothing.to_owned(), nothing.to_uppercase()] {
        refused(
            &format!(r#"{{"tokens": [{{"name": "ci", "sha256": "{nothing}"}}]}}"#),
            r#"
        tokens[0].sha256: this is the hash of nothing
          help: look whether TOKEN in printf %s TOKEN | sha256sum was an empty variable
            "#,
        );
    }
    accepted(&format!(r#"{{"tokens": [{{"name": "ci", "sha256": "{}"}}]}}"#, FOO.to_uppercase()));
}

#[test]
fn a_hash_stands_in_one_entry() {
    refused(
        &format!(
            r#"{{"tokens": [
                {{"name": "ci", "sha256": "{FOO}"}},
                {{"name": "bridge", "sha256": "{BAR}"}},
                {{"name": "bridge", "sha256": "{}"}}
            ]}}"#,
            FOO.to_uppercase()
        ),
        r#"
        tokens[2].sha256: tokens[0].sha256 is this hash already
          help: give each token one entry
        "#,
    );
}

#[test]
fn names_of_tokens() {
    let long = "n".repeat(65);
    refused(
        &format!(
            r#"{{"tokens": [
                {{"name": "", "sha256": "{}"}}, {{"name": "a b", "sha256": "{}"}}, {{"name": "äb", "sha256": "{}"}},
                {{"name": "a\r\nx-evil: 1", "sha256": "{}"}}, {{"sha256": "{}"}}, {{"name": 7, "sha256": "{}"}},
                {{"name": "{long}", "sha256": "{}"}}
            ]}}"#,
            hash(0),
            hash(1),
            hash(2),
            hash(3),
            hash(4),
            hash(5),
            hash(6)
        ),
        &r#"
        tokens[0].name: this is empty
          help: write something such as "ci"
        tokens[1].name: a token's name has none of this
            a b
             ^
          help: use letters, digits, - _ and .
        tokens[2].name: a token's name has none of this
            äb
            ^
          help: use letters, digits, - _ and .
        tokens[3].name: a token's name has none of this
            a\r\nx-evil: 1
             ^^
          help: use letters, digits, - _ and .
        tokens[4]: "name" is missing
          help: add a name of 1 to 64 letters, digits, `-`, `_` and `.`, such as "name": "ci"
        tokens[5].name: this is the number 7
          help: write text, in quotes
        tokens[6].name: this name is too long
            LONG
            BEFORE^
          help: use at most 64 characters
        "#
        .replace("LONG", &long)
        .replace("BEFORE", &" ".repeat(64)),
    );
    let longest = "n".repeat(64);
    accepted(&format!(r#"{{"tokens": [{{"name": "{longest}", "sha256": "{FOO}"}}]}}"#));
    accepted(&format!(r#"{{"tokens": [{{"name": "a-Z_0.9", "sha256": "{FOO}"}}]}}"#));
}

/// A hash like no other of another number.
fn hash(number: u32) -> String {
    format!("{number:064x}")
}

fn tokens(names: &[&str]) -> String {
    let items =
        (0..).zip(names).map(|(at, name)| format!(r#"{{"name": "{name}", "sha256": "{}"}}"#, hash(at)));
    format!(r#"{{"tokens": [{}]}}"#, items.collect::<Vec<_>>().join(", "))
}

#[test]
fn a_name_stands_twice_at_most() {
    refused(
        &tokens(&["ci", "bridge", "ci", "ci", "bridge", "ci"]),
        r#"
        tokens[3].name: two tokens have this name already
            ci
            ^^
          help: remove the one that is over: two are for the time in which the next one takes its place
        tokens[5].name: two tokens have this name already
            ci
            ^^
          help: remove the one that is over: two are for the time in which the next one takes its place
        "#,
    );
    accepted(&tokens(&["ci", "bridge", "ci", "bridge", "CI"]));
}

#[test]
fn tokens_are_few() {
    let names: Vec<_> = (0..65).map(|at| format!("n{at}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    refused(
        &tokens(&names),
        r#"
        tokens: these are 65 tokens, and 64 are the most
          help: leave more of them to api-service
        "#,
    );
    accepted(&tokens(&names[1..]));
}

#[test]
fn tokens_that_are_no_objects() {
    refused(
        r#"{"tokens": ["hush", 271828, null, ["hush"], true]}"#,
        r#"
        tokens[0]: this is no object
          help: write an object, { … }
        tokens[1]: this is no object
          help: write an object, { … }
        tokens[2]: this is null
          help: write an object, { … }, or leave the item away
        tokens[3]: this is no object
          help: write an object, { … }
        tokens[4]: this is no object
          help: write an object, { … }
        "#,
    );
    refused(
        r#"{"tokens": 271828}"#,
        r#"
        tokens: this is no list
          help: write a list, [ … ]
        "#,
    );
    refused(
        &format!(r#"{{"tokens": [{{"name": "ci", "sha256": "{FOO}", "sha": "hush", "api": "yes"}}]}}"#),
        r#"
        tokens[0].api: this is text
          help: write true or false
        tokens[0].sha: there is no such key
          help: did you mean "sha256"?
        "#,
    );
}

#[test]
fn validity_of_tokens() {
    let with = |times: &str| format!(r#"{{"tokens": [{{"name": "ci", "sha256": "{FOO}", {times}}}]}}"#);
    for odd in [
        "2026-12-31",
        "2026-12-31 23:59:59Z",
        "2026-12-31T23:59:59+02:00",
        "2026-13-01T00:00:00Z",
        "2026-02-29T00:00:00Z",
        "1969-12-31T23:59:59Z",
        "31.12.2026",
    ] {
        for key in ["not_before", "not_after"] {
            refused(
                &with(&format!(r#""{key}": "{odd}""#)),
                &r#"
        tokens[0].KEY: this is not a time
            ODD
            CARETS
          help: write it in UTC, as in "2026-12-31T23:59:59Z"
                "#
                .replace("KEY", key)
                .replace("ODD", odd)
                .replace("CARETS", &"^".repeat(odd.len())),
            );
        }
    }
    refused(
        &with(r#""not_before": "", "not_after": 1798761599"#),
        r#"
        tokens[0].not_after: this is the number 1798761599
          help: write text, in quotes
        tokens[0].not_before: this is empty
          help: write something such as "2026-01-01T00:00:00Z"
        "#,
    );
    for (begin, end) in [
        ("2026-12-31T23:59:59Z", "2026-12-31T23:59:59Z"),
        ("2026-12-31T23:59:59Z", "2026-12-31T23:59:58Z"),
        ("2026-12-31T23:59:59.5Z", "2026-12-31T23:59:59Z"),
    ] {
        refused(
            &with(&format!(r#""not_before": "{begin}", "not_after": "{end}""#)),
            &r#"
        tokens[0].not_after: this is not after not_before, BEGIN
            END
            ^^^^^^^^^^^^^^^^^^^^
          help: let it end after it begins
            "#
            .replace("BEGIN", begin)
            .replace("END", end),
        );
    }
    accepted(&with(r#""not_before": "2026-12-31T23:59:58Z", "not_after": "2026-12-31T23:59:59Z""#));
    accepted(&with(r#""not_before": "2026-12-31T23:59:58.25Z", "not_after": "2026-12-31T23:59:59+00:00""#));
    accepted(&with(r#""not_before": "2026-12-31T23:59:58Z", "not_after": null"#));
    accepted(&with(r#""not_after": "1970-01-01T00:00:00Z""#));
}

#[test]
fn origins_that_are_none() {
    for nothing in [r#"{}"#, r#"{"origins": null}"#, r#"{"credentials": true}"#] {
        refused(
            &format!(r#"{{"cors": {nothing}}}"#),
            r#"
        cors: "origins" is missing
          help: add a list of origins, such as "origins": ["https://bridge.example.org", "https://*.example.org"]
            "#,
        );
    }
    refused(
        r#"{"cors": {"origins": []}}"#,
        r#"
        cors.origins: no origin is allowed
          help: name the origins of your pages, or leave cors away
        "#,
    );
    refused(
        r#"{"cors": {"origins": "*"}}"#,
        r#"
        cors.origins: this is text
          help: write a list, [ … ]
        "#,
    );
    refused(
        r#"{"cors": {"origins": ["null", 7, null, "", "https://bridge.example.org/index.html", "*"], "credentials": true}}"#,
        r#"
        cors.origins[0]: null is the origin of anybody's local files and sandboxed frames
            null
            ^^^^
          help: serve the page from an origin of its own, and write that
        cors.origins[1]: this is the number 7
          help: write text, in quotes
        cors.origins[2]: this is null
          help: write text, in quotes
        cors.origins[3]: this is empty
          help: write scheme://host, such as https://bridge.example.org
        cors.origins[4]: an origin has no path, query or fragment
            https://bridge.example.org/index.html
                                      ^^^^^^^^^^^
          help: leave it away
        "#,
    );
    refused(
        r#"{"cors": {"origins": ["https://a.example", "*"], "credentials": true}}"#,
        r#"
        cors.credentials: credentials cannot be allowed to every origin
          help: name the origins instead of *, or set it to false: x-token needs no credentials
        cors.origins: * allows every origin already
          help: leave the others away, or leave * away to allow only them
        "#,
    );
    accepted(r#"{"cors": {"origins": ["*"], "credentials": false}}"#);
    accepted(
        r#"{"cors": {"origins": ["https://a.example", "http://localhost:3000", "https://*.example.org"], "credentials": true}}"#,
    );
    accepted(r#"{"cors": null}"#);
}

#[test]
fn names_of_headers() {
    refused(
        r#"{"cors": {"origins": ["*"], "headers": ["x-token", "", "x token", "*", "x-tökén", "a\r\nb", 7]}}"#,
        r#"
        cors.headers[1]: this is empty
          help: write a header's name, such as content-type
        cors.headers[2]: no header's name has this
            x token
             ^
          help: write a header's name, such as content-type
        cors.headers[3]: * is not understood everywhere
            *
            ^
          help: name each header
        cors.headers[4]: no header's name has this
            x-tökén
               ^
          help: write a header's name, such as content-type
        cors.headers[5]: no header's name has this
            a\r\nb
             ^^
          help: write a header's name, such as content-type
        cors.headers[6]: this is the number 7
          help: write text, in quotes
        "#,
    );
    warned(r#"{"cors": {"origins": ["*"], "headers": ["X-Token", "x_1!"]}}"#, "");
}

#[test]
fn a_token_that_does_not_open_api_service_is_told_so() {
    warned(
        &tokens(&["ci", "bridge"]),
        r#"
        tokens[0].name: this token opens configuration-service, and not api-service, which compares x-token with its own secret
            ci
            ^^
          help: for that list the hash of Keptn's own secret with "api": true, or let Envoy's credential_injector put the secret in: docs/authentication.md
        tokens[1].name: this token opens configuration-service, and not api-service, which compares x-token with its own secret
            bridge
            ^^^^^^
          help: for that list the hash of Keptn's own secret with "api": true, or let Envoy's credential_injector put the secret in: docs/authentication.md
        "#,
    );
    // Only what a route with a token leads to counts.
    warned(
        &format!(
            r#"{{
                "tokens": [{{"name": "ci", "sha256": "{FOO}"}}],
                "upstreams": [
                    {{"name": "a"}}, {{"name": "b"}}, {{"name": "c", "token": "keep"}}, {{"name": "d", "token": "keep"}},
                    {{"name": "unused"}}, {{"name": "public"}}, {{"name": "open", "token": "keep"}}
                ],
                "routes": [
                    {{"path": "/a", "upstream": "a"}}, {{"path": "/b", "upstream": "b"}},
                    {{"path": "/c", "upstream": "c"}}, {{"path": "/d", "upstream": "d"}},
                    {{"path": "/public", "upstream": "public", "access": "public"}},
                    {{"path": "/open", "upstream": "open", "access": "public"}}
                ]
            }}"#
        ),
        r#"
        tokens[0].name: this token opens configuration-service, a and b, and not api-service, which compares x-token with its own secret; what it is worth to c and d is for them to say
            ci
            ^^
          help: for that list the hash of Keptn's own secret with "api": true, or let Envoy's credential_injector put the secret in: docs/authentication.md
        "#,
    );
    // Keptn's own secret does not end by itself, but whoever rotates it may say when.
    let api = format!(
        r#"{{"tokens": [{{"name": "keptn", "sha256": "{FOO}", "api": true, "not_after": "2026-12-31T23:59:59Z"}}]}}"#
    );
    warned(&api, "");
}

#[test]
fn api_service_has_one_secret() {
    let entry =
        |number, name: &str| format!(r#"{{"name": "{name}", "sha256": "{}", "api": true}}"#, hash(number));
    let with = |names: &[&str]| {
        let items: Vec<_> = (0..).zip(names).map(|(at, name)| entry(at, name)).collect();
        format!(r#"{{"tokens": [{}]}}"#, items.join(", "))
    };
    warned(
        &with(&["keptn", "ci", "keptn", "ci", "bridge"]),
        r#"
        tokens[1].api: "keptn" has this too, and api-service has one secret only
          help: keep it where the hash is that of Keptn's own secret: the other needs Envoy's credential_injector, which docs/authentication.md describes
        tokens[4].api: "keptn" has this too, and api-service has one secret only
          help: keep it where the hash is that of Keptn's own secret: the other needs Envoy's credential_injector, which docs/authentication.md describes
        "#,
    );
    warned(&with(&["keptn", "keptn"]), "");
}

#[test]
fn settings_that_do_nothing() {
    warned(
        r#"{"auth": {"allow": "0s", "stale_if_error": "1s"}}"#,
        r#"
        auth.stale_if_error: this does nothing, because auth.allow is 0s: no yes is remembered
          help: set auth.allow to more than 0s, or leave this away
        "#,
    );
    for harmless in [
        r#"{"auth": {"allow": "0s"}}"#,
        r#"{"auth": {"allow": "0s", "stale_if_error": null}}"#,
        r#"{"auth": {"allow": "0s", "stale_if_error": "0s"}}"#,
        r#"{"auth": {"allow": "1s", "stale_if_error": "1s"}}"#,
        r#"{"cors": {"origins": ["*"]}}"#,
        "{}",
    ] {
        warned(harmless, "");
    }
    warned(
        r#"{"cors": {"origins": ["*"], "headers": ["content-type"]}}"#,
        r#"
        cors.headers: without x-token no web page can show a token
          help: add "x-token"
        "#,
    );
}

#[test]
fn methods_that_are_none() {
    refused(
        r#"{"routes": [{"path": "/a", "upstream": "api-service", "methods": ["get", "TRACE", 7, null, ""]}]}"#,
        r#"
        routes[0].methods[0]: there is no such method
            get
            ^^^
          help: write one of GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS
        routes[0].methods[1]: there is no such method
            TRACE
            ^^^^^
          help: write one of GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS
        routes[0].methods[2]: this is the number 7
          help: write text, in quotes
        routes[0].methods[3]: this is null
          help: write text, in quotes
        routes[0].methods[4]: this is empty
          help: write one of GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS
        "#,
    );
}

/// A key whose value is null is missing too.
#[test]
fn keys_that_are_missing() {
    refused(
        r#"{"routes": [{}]}"#,
        r#"
        routes[0]: "path" is missing
          help: add a path template, such as "path": "/my-service/{*rest}"
        routes[0]: "upstream" is missing
          help: add the name of an upstream, such as "upstream": "my-service"
        "#,
    );
    refused(
        r#"{"routes": [{"path": null, "upstream": null}]}"#,
        r#"
        routes[0]: "path" is missing
          help: add a path template, such as "path": "/my-service/{*rest}"
        routes[0]: "upstream" is missing
          help: add the name of an upstream, such as "upstream": "my-service"
        "#,
    );
    refused(
        r#"{"routes": [{"path": "/a"}]}"#,
        r#"
        routes[0]: "upstream" is missing
          help: add the name of an upstream, such as "upstream": "my-service"
        "#,
    );
    refused(
        r#"{"routes": [{"upstream": "api-service"}]}"#,
        r#"
        routes[0]: "path" is missing
          help: add a path template, such as "path": "/my-service/{*rest}"
        "#,
    );
    refused(
        r#"{"upstreams": [{"token": "keep"}]}"#,
        r#"
        upstreams[0]: "name" is missing
          help: add a name of letters, digits, `-`, `_` and `.`, such as "name": "my-service"
        "#,
    );
}

#[test]
fn routes_that_claim_the_same_requests() {
    refused(
        r#"{"routes": [
            {"path": "/{*all}", "upstream": "api-service"},
            {"path": "/swagger.json", "methods": ["POST", "GET"], "upstream": "api-service"},
            {"path": "/swagger.json", "methods": ["PUT"], "upstream": "api-service"},
            {"path": "/a/{b}", "upstream": "api-service"},
            {"path": "/a/{+c}", "methods": ["GET"], "upstream": "api-service"},
            {"path": "/a/{d}", "methods": ["PUT"], "access": "public", "upstream": "api-service"}
        ]}"#,
        r#"
        routes[0]: this claims the same requests as /{*rest} of the profile
          help: make one template more specific, or their methods disjoint
        routes[1]: this claims the same requests as /swagger.json of the profile
          help: make one template more specific, or their methods disjoint
        routes[4]: this claims the same requests as /a/{b} of routes[3]
          help: make one template more specific, or their methods disjoint
        routes[5]: this claims the same requests as /a/{b} of routes[3]
          help: make one template more specific, or their methods disjoint
        "#,
    );
}

#[test]
fn what_is_not_json() {
    refused(
        r#"{"#,
        r#"
        configuration: this is not JSON: EOF while parsing an object at line 1 column 1
          help: write a JSON object, in envoy.yaml as the text of a google.protobuf.StringValue; {} takes all defaults
        "#,
    );
    refused(
        r#"{"auth": {"timeout": 2s}}"#,
        r#"
        configuration: this is not JSON: expected `,` or `}` at line 1 column 23
          help: write a JSON object, in envoy.yaml as the text of a google.protobuf.StringValue; {} takes all defaults
        "#,
    );
    refused(
        r#"{} {}"#,
        r#"
        configuration: this is not JSON: trailing characters at line 1 column 4
          help: write a JSON object, in envoy.yaml as the text of a google.protobuf.StringValue; {} takes all defaults
        "#,
    );
    refused(
        r#"{'hosts': []}"#,
        r#"
        configuration: this is not JSON: key must be a string at line 1 column 2
          help: write a JSON object, in envoy.yaml as the text of a google.protobuf.StringValue; {} takes all defaults
        "#,
    );
    refused(
        r#"hosts: []"#,
        r#"
        configuration: this is not JSON: expected value at line 1 column 1
          help: write a JSON object, in envoy.yaml as the text of a google.protobuf.StringValue; {} takes all defaults
        "#,
    );
    refused(
        r#"{"hosts": [],}"#,
        r#"
        configuration: this is not JSON: trailing comma at line 1 column 14
          help: write a JSON object, in envoy.yaml as the text of a google.protobuf.StringValue; {} takes all defaults
        "#,
    );
}
#[test]
fn what_is_not_utf_8() {
    refused_bytes(
        b"{\"hosts\": [\"api\xff\"]}",
        r#"
        configuration: this is not JSON: invalid unicode code point at line 1 column 16
          help: write a JSON object, in envoy.yaml as the text of a google.protobuf.StringValue; {} takes all defaults
        "#,
    );
    refused_bytes(
        b"\xff",
        r#"
        configuration: this is not JSON: expected value at line 1 column 1
          help: write a JSON object, in envoy.yaml as the text of a google.protobuf.StringValue; {} takes all defaults
        "#,
    );
}

#[test]
fn what_is_nested_too_deeply_is_no_reason_to_fall_over() {
    let deep = "[".repeat(100_000);
    assert!(Config::from_json(deep.as_bytes()).unwrap_err().to_string().contains("recursion limit"));
}

#[test]
fn nothing_is_all_defaults() {
    for json in [
        "",
        " \n",
        "{}",
        "null",
        r#"{"auth": {"throttle": {}}, "websocket": {}, "hosts": [], "tokens": [], "routes": [], "upstreams": []}"#,
    ] {
        accepted(json);
    }
    // As templates write what nobody has set.
    accepted(
        r#"{
            "profile": null, "hosts": null, "auth": null, "max_body_bytes": null, "internal": null,
            "websocket": {"require_channel_id": null}, "upstreams": [{"name": "a", "token": null}],
            "tokens": null, "cors": null,
            "routes": [{"path": "/a", "upstream": "a", "methods": null, "access": null, "strip": null}]
        }"#,
    );
}

/// A protobuf Struct, which Istio's `pluginConfig` is, has no whole numbers.
#[test]
fn whole_numbers_may_come_as_floating_point_ones() {
    accepted(r#"{"max_body_bytes": 1048576.0, "auth": {"max_flights": 5.12e2, "max_waiters": 4096.0}}"#);
    accepted(r#"{"max_body_bytes": -0.0}"#);
}

#[test]
fn durations_may_be_written_in_parts() {
    accepted(r#"{"auth": {"timeout": "1s 500ms", "deadline": "1m"}}"#);
    accepted(r#"{"auth": {"timeout": "10ms", "deadline": "0.5s"}}"#);
}

#[test]
fn templates_of_one_form_may_differ_in_their_methods() {
    accepted(
        r#"{"routes": [
            {"path": "/a/{b}", "upstream": "api-service", "methods": ["GET", "HEAD"], "access": "public"},
            {"path": "/a/{b}", "upstream": "api-service", "methods": ["POST"]},
            {"path": "/swagger.json", "upstream": "api-service", "methods": ["PUT"]}
        ]}"#,
    );
}

#[cfg(not(target_arch = "wasm32"))]
mod random {
    use gate::config::{Config, Excerpt};
    use proptest::prelude::*;
    use serde_json::{Value, json};

    /// Values that are nearly right, wrong, and not what anybody would write.
    fn value() -> impl Strategy<Value = Value> {
        let text = prop_oneof![
            "\\PC{0,12}",
            "[0-9]{1,22}(\\.[0-9]{0,3})?[ µa-zé]{0,4}[0-9]{0,3}",
            "/([a-zé{}+*%/.]|%2F){0,12}",
            prop::sample::select(
                &[
                    "api-service",
                    "keep",
                    "public",
                    "GET",
                    "1s",
                    "/a",
                    "[::1]:80",
                    "\n\u{0}",
                    "https://a",
                    "*"
                ][..]
            )
            .prop_map(str::to_owned),
        ];
        let leaf = prop_oneof![
            1 => Just(Value::Null),
            1 => any::<bool>().prop_map(Value::from),
            1 => any::<i64>().prop_map(Value::from),
            1 => any::<f64>().prop_map(Value::from),
            1 => (0..5000_u32).prop_map(Value::from),
            8 => text.prop_map(Value::from),
        ];
        leaf.prop_recursive(2, 12, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((key(), inner), 0..6)
                    .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
            ]
        })
    }

    fn key() -> impl Strategy<Value = String> {
        let known = gate::config::keys::all()
            .into_iter()
            .filter_map(|line| line.name.rsplit('.').next().map(str::to_owned));
        let known: Vec<_> =
            known.chain(["auth", "throttle", "websocket", "cors"].map(str::to_owned)).collect();
        prop_oneof![20 => prop::sample::select(known), 1 => "\\PC{0,6}"]
    }

    fn configuration() -> impl Strategy<Value = Value> {
        let section = || prop::collection::vec((key(), value()), 0..6);
        let object = |pairs: Vec<(String, Value)>| Value::Object(pairs.into_iter().collect());
        let sections = (section(), section(), section(), section(), section(), section());
        sections.prop_map(move |(top, auth, upstream, route, token, cors)| {
            let mut top = object(top);
            for (name, part) in [
                ("auth", object(auth)),
                ("cors", object(cors)),
                ("tokens", json!([object(token)])),
                ("upstreams", json!([object(upstream)])),
                ("routes", json!([object(route)])),
            ] {
                if let Some(top) = top.as_object_mut() {
                    top.entry(name).or_insert(part);
                }
            }
            top
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

        /// Whatever is written, the answer is a configuration, or problems that can be shown.
        #[test]
        fn every_problem_can_be_shown(value in configuration()) {
            let problems: Vec<_> = match Config::from_json(value.to_string().as_bytes()) {
                Ok(config) => {
                    let openings = config.openings();
                    prop_assert!(openings.iter().is_sorted_by_key(|problem| &problem.place));
                    config.warnings().cloned().collect()
                }
                Err(problems) => {
                    prop_assert!(problems.iter().next().is_some());
                    problems.iter().cloned().collect()
                }
            };
            prop_assert!(problems.iter().is_sorted_by_key(|problem| &problem.place));
            for problem in problems {
                prop_assert!(!problem.message.is_empty() && !problem.remedy.is_empty());
                if let Some(Excerpt { text, span }) = &problem.excerpt {
                    prop_assert!(text.get(span.clone()).is_some(), "{problem:?}");
                    let shown = problem.to_string();
                    let lines: Vec<_> = shown.lines().collect();
                    prop_assert_eq!(lines.len(), 4, "{}", shown);
                    prop_assert!(lines.iter().take(3).skip(2).all(|carets| carets.trim_start().trim_matches('^').is_empty()));
                }
            }
        }

        /// Whatever stands where a hash belongs may be somebody's token.
        #[test]
        fn a_token_in_the_place_of_its_hash_is_never_shown(
            token in "[a-zA-Z0-9+/]{22}==|[0-9]{8,15}|[0-9a-f]{63}|[0-9a-f]{65}",
            is_number in any::<bool>(),
            position in 0..4_usize,
        ) {
            let number = token.parse::<u64>().ok().filter(|_| is_number);
            let value = number.map_or_else(|| json!(token), |number| json!(number));
            let [item, tokens] = [json!({"name": "ci", "sha256": value}), json!([value])];
            let all = [json!({"tokens": [item]}), json!({"tokens": tokens}), json!({"tokens": value}),
                json!({"tokens": [{"name": "ci", "hash": value, "sha256": {"sha256": value}}]})];
            let shown = Config::from_value(&all[position]).unwrap_err().to_string();
            let token = number.map_or(token, |number| number.to_string());
            prop_assert!(!shown.contains(&token), "{shown}");
        }
    }
}
