//! Whole outputs.

use std::collections::BTreeMap;

use crate::run::{gatectl, gatectl_reading};

/// Command lines of `explain`, by the names of their golden files. `hush` is always the token.
const EXPLAIN: &[(&str, &[&str])] = &[
    ("forwarded", &["POST", "/v1/event", "-H", "x-token: hush"]),
    (
        "canonical",
        &["//v1/project/p/resource/a%2fb?x=//", "-H", "x-token: hush", "-H", "X-Real-IP: 192.0.2.1"],
    ),
    ("prefix", &["/configuration-service/v1/project", "-H", "x-token: hush", "-H", "x-envoy-retry-on: 5xx"]),
    ("public", &["/swagger-ui/", "-H", "x-token: hush"]),
    ("token-good", &["POST", "/v1/auth", "-H", "x-token: hush"]),
    ("answer-no", &["/v1/event", "-H", "x-token: hush", "--answer", "no"]),
    ("answer-403", &["/v1/event", "-H", "x-token: hush", "--answer", "403"]),
    ("answer-429", &["/v1/event", "-H", "x-token: hush", "--answer", "429"]),
    ("answer-404", &["/v1/event", "-H", "x-token: hush", "--answer", "404"]),
    ("answer-timeout", &["/v1/event", "-H", "x-token: hush", "--answer", "timeout"]),
    ("answer-refused", &["/v1/event", "-H", "x-token: hush", "--answer", "refused"]),
    ("no-token", &["/v1/event"]),
    ("two-tokens", &["/v1/event", "-H", "x-token: hush", "-H", "X-Token: hush"]),
    ("malformed-token", &["/v1/event", "-H", "x-token: hush hush"]),
    ("wrong-method", &["DELETE", "/swagger.json"]),
    ("bad-method", &["BREW", "/v1/event", "-H", "x-token: hush"]),
    ("bad-path", &["/v1/%2e%2e/event", "-H", "x-token: hush"]),
    ("internal", &["DELETE", "/configuration-service/v1/project/p", "-H", "x-token: hush"]),
    (
        "internal-denied",
        &[
            "DELETE",
            "/configuration-service/v1/project/p",
            "-H",
            "x-token: hush",
            "--config",
            "good.yaml",
            "--host",
            "api.keptn",
        ],
    ),
    ("websocket", &["/", "-H", "upgrade: websocket", "-H", "token: hush.hush.hush"]),
    ("websocket-without", &["/", "-H", "upgrade: websocket", "-H", "token: hush"]),
    ("local", &["/configuration-service/v1/project", "-H", "x-token: hush", "--config", "local.yaml"]),
    ("local-auth", &["POST", "/v1/auth", "-H", "x-token: hush", "--config", "local.yaml"]),
    ("local-over", &["/v1/event", "-H", "x-token: over", "--answer", "no", "--config", "local.yaml"]),
    (
        "preflight",
        &[
            "OPTIONS",
            "/v1/event",
            "-H",
            "origin: https://bridge.example.org",
            "-H",
            "access-control-request-method: POST",
            "--config",
            "local.yaml",
        ],
    ),
    (
        "preflight-refused",
        &[
            "OPTIONS",
            "/v1/event",
            "-H",
            "origin: https://evil.example",
            "-H",
            "access-control-request-method: POST",
            "--config",
            "local.yaml",
        ],
    ),
    ("foreign", &["/", "-H", "x-token: hush", "--config", "good.yaml"]),
    // What was changed in the path, and what is refused in it.
    ("path-changes", &["//v1/%70roject/p///x%2dy/{z}%7e", "-H", "x-token: hush"]),
    ("path-encoded-slash", &["/v1/project/a%2Fb/resource", "-H", "x-token: hush"]),
    ("path-escape", &["/v1/event/100%", "-H", "x-token: hush"]),
    ("path-git", &["/v1/project/p/resource/a%2f.git%2fconfig", "-H", "x-token: hush"]),
    ("path-octets", &["/v1/project/späti", "-H", "x-token: hush"]),
    // Routes that came close.
    ("near-segment", &["/v1/projects/p/resource/x", "-H", "x-token: hush"]),
    ("near-case", &["/Swagger.json"]),
    ("near-all", &["--all", "/v1/project/p/resource/x", "-H", "x-token: hush"]),
    (
        "near-method",
        &["POST", "/mine/x", "-H", "x-token: hush", "--host", "api.keptn", "--config", "good.yaml"],
    ),
    // Policies.
    ("policy-unknown", &["/v1/events", "-H", "x-token: hush", "--config", "explain.yaml"]),
    ("policy-method", &["DELETE", "/v1/event", "-H", "x-token: hush", "--config", "explain.yaml"]),
    ("policy-described", &["HEAD", "/v1/event", "-H", "x-token: hush", "--config", "explain.yaml"]),
    (
        "policy-prefix",
        &["/configuration-service/v1/projects", "-H", "x-token: hush", "--config", "explain.yaml"],
    ),
    ("policy-own", &["/tools/x", "-H", "x-token: hush", "--config", "explain.yaml"]),
    // The client, and bodies.
    ("client", &["/v1/event", "--client", "2001:db8::7", "-H", "x-token: hush", "-H", "b3: hush"]),
    ("retry-after", &["/v1/event", "-H", "x-token: hush", "--answer", "429", "--retry-after", "7"]),
    ("body", &["POST", "/v1/event", "-H", "x-token: hush", "--body", "2000000"]),
    (
        "body-counted",
        &[
            "POST",
            "/v1/event",
            "-H",
            "x-token: hush",
            "-H",
            "transfer-encoding: chunked",
            "--body",
            "2000000",
        ],
    ),
    // curl lines.
    (
        "curl",
        &[
            "curl",
            "-si",
            "-XPOST",
            "-H",
            "x-token: hush",
            "-d",
            "{}",
            "https://api.keptn.example.org/v1/event",
        ],
    ),
    ("curl-line", &["curl -H 'x-token: hush' 'http://api.keptn/v1/a/../event' 2>/dev/null | jq ."]),
    ("curl-file", &["curl", "http://api.keptn/v1/event", "-Hx-token:hush", "-d@event.json"]),
    (
        "curl-file-length",
        &["--body", "2000000", "curl -Hx-token:hush -d@event.json http://api.keptn/v1/event"],
    ),
    ("curl-variable", &["curl -H \"x-token: $TOKEN\" http://api.keptn/v1/event"]),
    ("curl-unknown", &["curl", "--telepathy", "http://api.keptn/"]),
    ("curl-windows", &["curl ^\"http://api.keptn/^\""]),
    ("curl-and-options", &["-H", "x-token: hush", "curl", "http://api.keptn/"]),
    // What clap does not know: a letter is no token.
    ("letter", &["-Z", "/"]),
    // The same as JSON.
    (
        "json",
        &[
            "--json",
            "PUT",
            "//v1/project/p/resource/x%2fy",
            "-H",
            "x-token: hush",
            "--body",
            "5",
            "--client",
            "192.0.2.7",
        ],
    ),
    ("json-refused", &["--json", "/v1/%2e%2e/event"]),
    ("json-method", &["--json", "DELETE", "/v1/event", "-H", "x-token: hush", "--config", "explain.yaml"]),
    ("json-foreign", &["--json", "/", "-H", "x-token: hush", "--config", "good.yaml"]),
    // On a terminal.
    ("colour", &["--color", "always", "//v1/event", "-H", "x-token: hush"]),
    ("colour-refused", &["--color", "always", "/v1/%2e%2e/event"]),
    ("colour-note", &["--color", "always", "curl", "http://api.keptn/a/../v1/event", "-Hx-token:hush"]),
];

pub(crate) fn golden() -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for (name, args) in EXPLAIN {
        let run = gatectl([&["explain"], *args].concat());
        let quoted = |arg: &&str| {
            if arg.contains('\'') {
                format!("\"{arg}\"")
            } else if arg.contains([' ', '"', '{', '$']) {
                format!("'{arg}'")
            } else {
                (*arg).to_owned()
            }
        };
        let shown: Vec<_> = args.iter().map(quoted).collect();
        all.insert(format!("explain-{name}"), format!("$ gatectl explain {}\n{run}", shown.join(" ")));
    }
    let run = gatectl_reading(["explain", "-"], b"curl 'http://api.keptn/swagger-ui/' \\\n  --compressed\n");
    all.insert("explain-curl-standard-input".to_owned(), format!("$ gatectl explain - < line.txt\n{run}"));
    let help = gatectl(["explain", "--help"]);
    all.insert("help-explain".to_owned(), format!("$ gatectl explain --help\n{help}"));
    all
}
