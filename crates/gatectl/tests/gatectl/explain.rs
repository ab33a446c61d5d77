//! `gatectl explain`: what the golden files cannot show.

use std::fs;
use std::time::Duration;

use gate::authn::{Answer, CheckId, StreamId};
use gate::config::Config;
use gate::gate::{Gate, Verdict};
use gate::request::Request;
use gate::time::Time;

use crate::run::{Run, data, gatectl, gatectl_reading};
use serde_json::Value;

pub(crate) mod golden;

/// The value of a line of the output.
fn line<'a>(run: &'a Run, label: &str) -> Option<&'a str> {
    run.stdout.lines().find_map(|line| line.strip_prefix(label)?.strip_prefix(' ')).map(str::trim)
}

/// Where the core sends this request, or how it answers: driven directly, with this status of the check.
fn core(
    config: &[u8],
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    status: u16,
) -> Result<String, (u16, String)> {
    let mut gate = Gate::new(Config::from_json(config).unwrap(), 1);
    let pairs = [(":method", method), (":path", path), (":authority", "api.keptn")]
        .into_iter()
        .chain(headers.iter().copied());
    let client = || None;
    let request = Request::read(pairs.map(|(name, value)| (name, value.as_bytes())), true, &client);
    let now = Time::since_start(Duration::ZERO);
    let mut verdict = gate.on_request(StreamId(7), &request, now);
    if let Verdict::Ask(check) = verdict {
        assert!(gate.on_sent(check.flight, Some(CheckId(3)), now).is_empty());
        verdict = gate.on_answer(CheckId(3), &Answer::of(status), now).pop().unwrap().1;
    }
    match verdict {
        Verdict::Forward(permit) => Ok(permit.upstream().map_or("nobody", |name| name).to_owned()),
        Verdict::Reply(reply) => {
            let response = reply.response();
            Err((response.status, response.body))
        }
        Verdict::Ask(_) | Verdict::Wait => panic!("it was answered"),
    }
}

const CONFIGS: [&str; 2] = ["doubles.json", "empty.yaml"];

#[test]
fn the_verdicts_are_the_cores() {
    let token = ("x-token", "abc");
    let tokens: [&[(&str, &str)]; 3] = [&[], &[token], &[token, token]];
    let upgrade: [&[(&str, &str)]; 3] =
        [&[], &[("upgrade", "websocket")], &[("upgrade", "websocket"), ("token", "a.b.c")]];
    let (mut forwarded, mut refused) = (0, 0);
    for file in CONFIGS {
        let config = if file == "empty.yaml" { b"{}".to_vec() } else { fs::read(data().join(file)).unwrap() };
        for path in [
            "/",
            "/v1/event",
            "/swagger.json",
            "/v1/auth",
            "/mine/x",
            "/configuration-service/v1/project",
            "/a/../b",
            "/v1/a%2Fb",
        ] {
            for method in ["GET", "POST", "FETCH"] {
                for headers in
                    tokens.iter().flat_map(|tokens| upgrade.map(|upgrade| [tokens, upgrade].concat()))
                {
                    for status in [200, 401, 403, 429, 503] {
                        // Most of them are never asked about: those once are enough.
                        if status != 200 && headers != [token] {
                            continue;
                        }
                        let lines: Vec<_> =
                            headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
                        let status_text = status.to_string();
                        let mut args = vec![
                            "explain",
                            "--json",
                            method,
                            path,
                            "--host",
                            "api.keptn",
                            "--config",
                            file,
                            "--answer",
                            &status_text,
                        ];
                        args.extend(lines.iter().flat_map(|line| ["-H", line.as_str()]));
                        let run = gatectl(&args);
                        let story: Value = serde_json::from_str(&run.stdout).unwrap();
                        match core(&config, method, path, &headers, status) {
                            Ok(upstream) => {
                                forwarded += 1;
                                assert_eq!(story["verdict"], "forwarded", "{args:?}\n{run}");
                                assert_eq!(story["forwarded"]["upstream"], *upstream, "{args:?}\n{run}");
                                assert_eq!(run.code, 0, "{args:?}\n{run}");
                            }
                            Err((status, body)) => {
                                refused += 1;
                                assert_eq!(story["response"]["status"], status, "{args:?}\n{run}");
                                assert_eq!(story["response"]["body"], *body, "{args:?}\n{run}");
                                assert_eq!(run.code, i32::from(status >= 400), "{args:?}\n{run}");
                            }
                        }
                    }
                }
            }
        }
    }
    assert!(forwarded > 20 && refused > 100, "{forwarded} {refused}");
}

/// protobuf's Struct has doubles only: `512` comes as `512.0`.
#[test]
fn a_struct_of_doubles_is_read_as_the_yaml_is() {
    let paths = ["/mine/x", "/v1/event", "/configuration-service/v1/project/p"];
    for path in paths {
        for method in ["GET", "POST", "DELETE"] {
            for length in ["10", "11"] {
                let explain = |file| {
                    let length = format!("content-length: {length}");
                    gatectl([
                        "explain",
                        method,
                        path,
                        "--host",
                        "api.keptn",
                        "-H",
                        "x-token: a",
                        "-H",
                        &length,
                        "--config",
                        file,
                    ])
                };
                let (yaml, doubles) = (explain("good.yaml"), explain("doubles.json"));
                assert_eq!(yaml, doubles);
                let is_too_large = line(&yaml, "reason") == Some("body_too_large");
                assert_eq!(is_too_large, length == "11", "{yaml}");
            }
        }
    }
}

/// Whatever becomes of the request, and wherever in the arguments it stands.
#[test]
fn the_token_is_never_shown() {
    const TOKEN: &str = "b3BlbiBzZXNhbWU=";
    const PART: &str = "b3Blbi";
    let header = format!("x-token: {TOKEN}");
    let mut codes = [0; 3];
    let mut check = |args: &[&str]| {
        // As text, and as JSON.
        for args in [args.to_vec(), [&args[..1], &["--json"], &args[1..]].concat()] {
            let run = gatectl(&args);
            assert!(!format!("{run:?}").contains(PART), "{args:?}\n{run}");
            codes[usize::try_from(run.code).unwrap()] += 1;
        }
    };
    for path in [
        "/",
        "/v1/event",
        "/v1/auth",
        "/swagger.json",
        "/configuration-service/v1/project/p",
        "/a/../b",
        "*",
        "",
    ] {
        for method in ["GET", "DELETE", "BREW"] {
            for answer in ["yes", "no", "timeout", "refused", "403", "429", "404", "500"] {
                check(&["explain", method, path, "-H", &header, "--answer", answer]);
            }
        }
    }
    let url = format!("http://{TOKEN}@api.keptn/v1/event");
    let lines = ["token", "authorization", "cookie", "x-envoy-retry-on", "upgrade", "content-length", "host"]
        .map(|name| format!("{name}: {TOKEN}"));
    for line in &lines {
        check(&["explain", "/", "-H", line]);
    }
    let short = format!("-H{TOKEN}");
    let long = format!("--header={TOKEN}");
    let option = format!("--x-token={TOKEN}");
    let spaced = format!("x-token {TOKEN}");
    let odd = format!("x-token: {TOKEN}\n");
    let unnamed = format!(": {TOKEN}");
    let misplaced: [&[&str]; 18] = [
        &["explain", &url],
        &["explain", "/", "-H", &header, "-H", &header],
        &["explain", "/", "-H", TOKEN],
        &["explain", "/", "-H", &spaced],
        &["explain", "/", "-H", &odd],
        &["explain", "/", "-H", &unnamed],
        &["explain", "/", &short],
        &["explain", "/", &long],
        &["explain", "/", &option],
        &["explain", "/", "--token", TOKEN],
        &["explain", "/", "--answer", TOKEN],
        &["explain", "/", "--host", TOKEN],
        &["explain", "GET", "/", TOKEN],
        &["explain", "GET", "/", &header],
        &["explain", TOKEN, "/"],
        &["explain", TOKEN],
        &["explain", &header],
        &[TOKEN, "explain"],
    ];
    for args in misplaced {
        check(args);
    }
    // In curl's own options, and as a whole line.
    let url = "http://api.keptn/v1/event";
    let cookie = format!("a={TOKEN}");
    let user = format!("me:{TOKEN}");
    let userinfo = format!("http://{TOKEN}@api.keptn/");
    let long = format!("--x-token={TOKEN}");
    let glued = format!("-8{TOKEN}");
    let odd = format!("x token: {TOKEN}");
    let curls: [&[&str]; 17] = [
        &["-H", &header, url],
        &["-b", &cookie, url],
        &["-b", TOKEN, url],
        &["-u", &user, url],
        &["-d", TOKEN, url],
        &["-A", TOKEN, "-e", TOKEN, "--oauth2-bearer", TOKEN, url],
        &["-H", TOKEN, url],
        &["-H", &odd, url],
        &["-X", TOKEN, url],
        &[&userinfo],
        &[TOKEN, url],
        &[TOKEN],
        &[&long, url],
        &[&glued, url],
        &["-H", &header, "--host", TOKEN],
        &["--config", TOKEN, url],
        &["--form", TOKEN, url],
    ];
    for args in curls {
        check(&[&["explain", "curl"], args].concat());
        let line = args.iter().map(|arg| format!(" '{arg}'")).collect::<String>();
        check(&["explain", &format!("curl{line}")]);
        let unclosed = format!("curl{line} '{TOKEN}");
        check(&["explain", &unclosed]);
        let run = gatectl_reading(["explain", "-"], unclosed.as_bytes());
        assert!(run.code == 2 && !format!("{run:?}").contains(PART), "{run}");
    }
    assert!(codes.iter().all(|count| *count > 5), "{codes:?}");
}

/// Of what a browser copies nothing but the request matters, and no file is looked into.
#[test]
fn a_curl_line_is_read_wherever_it_stands() {
    let words = ["-si", "-XPOST", "-Hx-token: hush", "--data-raw", "{}", "http://api.keptn/v1/event"];
    let line = b"$ curl -si -X POST -H 'x-token: hush' \\\n --data-raw '{}' http://api.keptn/v1/event";
    let as_words = gatectl([&["explain", "--json", "curl"], &words[..]].concat());
    let as_line = gatectl(["explain", "--json", std::str::from_utf8(line).unwrap()]);
    assert_eq!((as_words.code, &as_line), (0, &as_words), "{as_words}");
    assert_eq!(gatectl_reading(["explain", "--json", "-"], line), as_words);
    let run = gatectl_reading(["explain", "-"], b"GET / HTTP/1.1");
    assert_eq!(run.stderr, "gatectl: standard input does not begin with the word curl\n", "{run}");
    assert_eq!(gatectl(["explain", "POST", "curl http://api.keptn/"]).code, 2);
}

#[test]
fn a_url_says_the_host_as_well() {
    let host = |args: &[&str]| {
        let run = gatectl([&["explain", "--config", "good.yaml"], args].concat());
        (run.code, line(&run, "host").map(str::to_owned), line(&run, "path").map(str::to_owned))
    };
    let ours = |path: &str| (1, Some("api.keptn".to_owned()), Some(path.to_owned()));
    assert_eq!(host(&["https://api.keptn/v1/event?a=b#c"]), ours("/v1/event?a=b"));
    assert_eq!(host(&["HTTP://api.keptn"]), ours("/"));
    assert_eq!(host(&["http://api.keptn?x"]), ours("/?x"));
    assert_eq!(host(&["http://api.keptn/", "--host", "api.keptn", "-H", "Host: api.keptn"]), ours("/"));
    assert_eq!(host(&["http://bridge.keptn/"]), (0, Some("bridge.keptn".to_owned()), None));
    assert_eq!(host(&["http://api.keptn/", "--host", "bridge.keptn"]).0, 2);
}

#[test]
fn a_configuration_with_problems_explains_nothing() {
    for (file, start) in [
        ("list.yaml", "list.yaml:1:1: configuration: "),
        ("broken.json", "broken.json:2:"),
        ("no-such-file", "no-such-file: "),
    ] {
        let run = gatectl(["explain", "/", "--config", file]);
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{run}");
        assert!(run.stderr.starts_with(start), "{run}");
    }
    let run = gatectl(["explain", "/", "--config", "bootstrap-good.yaml"]);
    assert_eq!(run.stderr, "bootstrap-good.yaml: there is more than one configuration in it\n");
    assert_eq!(run.code, 2);
}
