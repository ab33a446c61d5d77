//! A token is never shown, wherever in a file or among the arguments it was pasted.

use std::fs;

use crate::run::{gatectl, gatectl_reading};

const TOKEN: &str = "aB3dE6gH9jK2mN5pQ8sT";

/// It has no form that could tell it: what is around it must.
const SHORT: &str = "hush";

/// Configurations, and beginnings of such, with T0K in the place of the token.
const CONFIGURATIONS: &[&str] = &[
    r#"{"token":"T0K"}"#,
    r#"{"auth":{"token":"T0K"}}"#,
    r#"{"x-token":"T0K"}"#,
    r#"{"api_token":"T0K"}"#,
    r#"{"KEPTN_API_TOKEN":"T0K"}"#,
    r#"{"authorization":"Bearer T0K"}"#,
    r#"{"Cookie":"a=T0K"}"#,
    "token: [{name: ci, value: T0K}]",
    "token: {T0K: x}",
    "secrets:\n- T0K\n",
    "auth: {canary: T0K}",
    "tokens: [{T0K: x}]",
    "tokens: [{T0K: {T0K: x}}]",
    "tokens: [{T0K: 1, T0K: 2}]",
    "tokens: [T0K]",
    "tokens: {T0K: x}",
    "tokens: T0K",
    "tokens: [{name: 'T0K=', sha256: 12}]",
    "tokens: [{name: >\n  x T0K\n  =, sha256: 12}]",
    "tokens: [{name: a, api: T0K}]",
    "tokens: [{name: a, not_after: T0K}]",
    "tokens: [{name: a, not_before: [T0K]}]",
    "tokens: [{name: a, sha256: T0K, T0K: 1}]",
    "tokens:\n- name: ci\n  sha256: 1234 # rotated: T0K\n",
    "upstreams: [{name: a, token: T0K}]",
    "T0K",
    "'T0K'",
    r#"["T0K"]"#,
    // These cannot be read.
    r#"{"tokens":[{"name":"ci","token":"T0K"]}"#,
    r#"{"tokens":["T0K" "x"]}"#,
    r#"{"tokens":["a", "T0K" "x"]}"#,
    r#"{"tokens" ["T0K"]}"#,
    r#"{"token": "T0K" "x"}"#,
    "token: \"T0K",
    "tokens:\n- name: ci\n  sha256: \"T0K",
    "token: [T0K",
    "token:\n  - x\n  - {T0K",
    "x-token: T0K: x",
    "{T0K",
];

/// Whether a run shows the token; stars are in its place.
fn check(args: &[&str], input: &str, token: &str) {
    let run = gatectl_reading(args, input.as_bytes());
    assert!(!format!("{run:?}").contains(token), "{args:?}\n{input}\n{run}");
    assert!(run.code > 0, "{args:?}\n{input}\n{run}");
}

fn everywhere(text: &str, token: &str) {
    let text = text.replace("T0K", token);
    for format in ["text", "json", "github", "gitlab"] {
        check(&["validate", "--format", format, "-"], &text, token);
    }
    check(&["explain", "/", "--config", "-"], &text, token);
    // In the text of a ConfigMap, and in a bootstrap's.
    let block = text.lines().map(|line| format!("    {line}\n")).collect::<String>();
    let quoted = serde_json::to_string(&text).unwrap();
    for text in [format!("|\n{block}"), quoted.clone()] {
        let map = format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{ name: keptn-gateway }}\ndata:\n  gateway.yaml: {text}\n"
        );
        check(&["validate", "-"], &map, token);
        check(&["validate", "--json", "-"], &map, token);
    }
    let bootstrap = fs::read_to_string(crate::run::data().join("bootstrap-quoted.yaml")).unwrap();
    let (before, _) = bootstrap.split_once("value: ").unwrap();
    check(&["validate", "-"], &format!("{before}value: {quoted}\n"), token);
}

#[test]
fn no_configuration_shows_a_token() {
    for text in CONFIGURATIONS {
        everywhere(text, TOKEN);
    }
}

#[test]
fn what_has_no_form_is_told_by_its_place() {
    for text in CONFIGURATIONS {
        everywhere(text, SHORT);
    }
}

#[test]
fn a_token_is_told_by_its_form_wherever_it_stands() {
    for text in [
        "{\"T0K\": 1}",
        "hosts: [T0K/]",
        "internal: T0K",
        "routes: [{T0K: 1}]",
        "profile: x, T0K",
        "- T0K\n- {",
    ] {
        everywhere(text, TOKEN);
    }
}

#[test]
fn a_description_shows_no_token() {
    let path = "/x: {get: {security: 1, responses: {}, T0K: 1}}";
    let descriptions = [
        "openapi: 3.0.0\nx-token: T0K: x\n".to_owned(),
        "openapi: 3.0.0\ninfo: {token: T0K}\npaths: {'/a': {get: 1, token: T0K}}\n".to_owned(),
        format!("openapi: 3.0.0\ntoken: T0K\ntoken: T0K\npaths: {{{path}}}\n"),
        "{\"openapi\": \"3.0.0\", \"token\": \"T0K\", \"paths\": 1}".to_owned(),
        "T0K".to_owned(),
        "{\"token\": \"T0K\"}".to_owned(),
    ];
    for text in descriptions {
        for token in [TOKEN, SHORT] {
            if token == SHORT && text.contains("T0K: 1") {
                continue;
            }
            check(&["import", "openapi", "-", "--upstream", "a"], &text.replace("T0K", token), token);
        }
    }
}

/// `gatectl explain "--token $TOKEN"`: an option and its value in one word.
#[test]
fn no_usage_error_shows_a_token() {
    let commands: [&[&str]; 13] = [
        &[],
        &["validate"],
        &["explain"],
        &["routes"],
        &["import", "openapi"],
        &["render"],
        &["domain"],
        &["cert"],
        &["verify"],
        &["token"],
        &["token", "new"],
        &["status"],
        &["completions"],
    ];
    for token in [TOKEN, SHORT] {
        let words =
            ["--token T0K", "--header x-token: T0K", "-H x-token: T0K", "--x <T0K", "--x <tT0K>", "--x\tT0K"];
        for word in words.map(|word| word.replace("T0K", token)) {
            for command in commands {
                for args in [[command, &[&*word]].concat(), [command, &[&*word, "/v1/event"]].concat()] {
                    let run = gatectl(&args);
                    assert!(run.code == 2 && !format!("{run:?}").contains(token), "{args:?}\n{run}");
                }
            }
        }
    }
    let run = gatectl(["explain", "--token hush", "/"]);
    assert!(run.stderr.contains("(not shown)") && run.stderr.contains("never an argument"), "{run}");
    // clap's own words are shown.
    let run = gatectl(["explain", "/", "--answer", TOKEN]);
    assert!(run.stderr.contains("--answer <ANSWER>"), "{run}");
}

#[test]
fn a_token_in_the_place_of_its_file_is_not_shown() {
    let run = gatectl(["status", "--endpoint", "http://127.0.0.1:1", "--token-file", TOKEN]);
    assert!(run.code == 2 && !format!("{run:?}").contains(TOKEN), "{run}");
    assert!(run.stderr.contains("the file of --token-file cannot be read: "), "{run}");
}

#[test]
fn a_curl_line_that_is_not_recognised_is_not_shown() {
    for line in [
        "/opt/curl -H 'x-token: hush' http://a/",
        "/opt/kurl -H 'x-token: hush' http://a/",
        "/v1/event -H 'x-token: hush'",
        "http://a/x\tx-token:hush",
    ] {
        for config in ["good.yaml", "empty.yaml"] {
            for json in [&[][..], &["--json"]] {
                let run = gatectl([&["explain", line, "--config", config], json].concat());
                assert!(!format!("{run:?}").contains("hush"), "{run}");
            }
        }
    }
}

/// JSON may have them as they are, but terminals act on them.
#[test]
fn json_acts_on_no_terminal() {
    let run = gatectl(["explain", "--json", "/v1/\u{9b}31m\u{202e}x"]);
    assert!(
        run.stdout.contains("\\u009b31m\\u202ex") && !run.stdout.contains(['\u{9b}', '\u{202e}']),
        "{run}"
    );
}
