//! What the configuration's reader says to what it does not accept: where, what, and what to do.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends where it fails")]

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
          help: the keys here are profile, hosts, auth, max_body_bytes, internal, websocket, upstreams, routes
        "#,
    );
    refused(
        r#"{"cache": {}}"#,
        r#"
        cache: there is no such key
          help: the keys here are profile, hosts, auth, max_body_bytes, internal, websocket, upstreams, routes
        "#,
    );
    refused(
        r#"{"auth": {"time_out": "1s", "retries": 1}}"#,
        r#"
        auth.retries: there is no such key
          help: the keys here are cluster, authority, timeout, deadline, max_flights, max_waiters
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
          help: the keys here are profile, hosts, auth, max_body_bytes, internal, websocket, upstreams, routes
        "#,
    );
    refused(
        r#"{"ключ": 1}"#,
        r#"
        ключ: there is no such key
          help: the keys here are profile, hosts, auth, max_body_bytes, internal, websocket, upstreams, routes
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
        r#"{"auth": {}, "websocket": {}, "hosts": [], "routes": [], "upstreams": []}"#,
    ] {
        accepted(json);
    }
    // As templates write what nobody has set.
    accepted(
        r#"{
            "profile": null, "hosts": null, "auth": null, "max_body_bytes": null, "internal": null,
            "websocket": {"require_channel_id": null}, "upstreams": [{"name": "a", "token": null}],
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
                &["api-service", "keep", "public", "GET", "1s", "/a", "[::1]:80", "\n\u{0}"][..]
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
        let known: Vec<_> = known.chain(["auth".to_owned(), "websocket".to_owned()]).collect();
        prop_oneof![20 => prop::sample::select(known), 1 => "\\PC{0,6}"]
    }

    fn configuration() -> impl Strategy<Value = Value> {
        let section = || prop::collection::vec((key(), value()), 0..6);
        let object = |pairs: Vec<(String, Value)>| Value::Object(pairs.into_iter().collect());
        (section(), section(), section(), section()).prop_map(move |(top, auth, upstream, route)| {
            let mut top = object(top);
            for (name, part) in [
                ("auth", object(auth)),
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
            let Err(problems) = Config::from_json(value.to_string().as_bytes()) else { return Ok(()) };
            prop_assert!(problems.iter().next().is_some());
            prop_assert!(problems.iter().is_sorted_by_key(|problem| &problem.place));
            for problem in problems.iter() {
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
    }
}
