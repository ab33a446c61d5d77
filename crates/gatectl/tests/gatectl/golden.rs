//! Whole outputs. After a change that is meant, write them anew and read the difference:
//! `UPDATE_GOLDEN=1 cargo test -p gatectl golden; git diff crates/gatectl/tests/golden`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::run::{data, gatectl};

/// Command lines of `explain`, by the names of their golden files. `hush` is always the token.
const EXPLAIN: [(&str, &[&str]); 27] = [
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
];

/// What every golden file should hold.
fn actual() -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for file in fs::read_dir(data()).unwrap() {
        let file = file.unwrap().file_name().into_string().unwrap();
        if !file.starts_with('.') {
            let run = gatectl(["validate", &file]);
            all.insert(format!("validate-{file}"), format!("$ gatectl validate {file}\n{run}"));
        }
    }
    for (name, args) in EXPLAIN {
        let run = gatectl([&["explain"], args].concat());
        let shown =
            args.iter().map(|arg| if arg.contains(' ') { format!("'{arg}'") } else { (*arg).to_owned() });
        let shown = shown.collect::<Vec<_>>().join(" ");
        all.insert(format!("explain-{name}"), format!("$ gatectl explain {shown}\n{run}"));
    }
    for (name, args) in [
        ("help", &["--help"][..]),
        ("help-validate", &["validate", "--help"]),
        ("help-explain", &["explain", "--help"]),
    ] {
        all.insert(name.to_owned(), format!("$ gatectl {}\n{}", args.join(" "), gatectl(args)));
    }
    all.extend(crate::cert::golden());
    all.extend(crate::verify::golden());
    all.extend(crate::render::golden());
    all.extend(crate::validate::golden());
    all
}

#[test]
fn golden() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let actual = actual();
    let stored = || {
        let files = fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path());
        files
            .map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), path))
            .collect::<BTreeMap<_, _>>()
    };
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        for (name, path) in stored() {
            if !actual.contains_key(&name) {
                fs::remove_file(path).unwrap();
            }
        }
        for (name, text) in &actual {
            fs::write(folder.join(format!("{name}.txt")), text).unwrap();
        }
    }
    let expected: BTreeMap<_, _> =
        stored().into_iter().map(|(name, path)| (name, fs::read_to_string(path).unwrap())).collect();
    assert_eq!(expected.keys().collect::<Vec<_>>(), actual.keys().collect::<Vec<_>>());
    for (name, text) in &actual {
        assert_eq!(text, &expected[name], "\n{name}, now:\n{text}\n{name}, before:\n{}", expected[name]);
    }
}
