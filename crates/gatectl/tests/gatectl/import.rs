//! `gatectl import`: from descriptions to routes.

mod described;
mod property;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::run::{Run, gatectl, gatectl_reading};

/// Command lines of `import openapi`, by the names of their golden files.
const GOLDEN: [(&str, &str); 17] = [
    ("shop", "../openapi/shop.yaml --upstream shop --prefix /shop --strip --policy strict --slash file"),
    ("base-path", "../openapi/shop.yaml --upstream shop --base-path / --slash file --policy strict"),
    ("operations", "../openapi/shop.yaml --slash file --format operations"),
    ("access", "../openapi/separate/shop.yaml --upstream shop --access token --policy open"),
    ("separate", "../openapi/separate/shop.yaml --upstream shop"),
    ("problems", "../openapi/problems.yaml --upstream shop"),
    ("problems-color", "../openapi/problems.yaml --upstream shop --color always"),
    ("servers", "../openapi/servers.yaml --upstream shop"),
    ("profile", "../openapi/keptn-0.6.2/api-service.yaml --upstream api-service"),
    (
        "configuration-service",
        "../openapi/keptn-0.6.2/configuration-service.yaml --upstream configuration-service --base-path /v1 --prefix /config \
         --strip --slash resourceURI",
    ),
    ("two-files", "../openapi/separate/shop.yaml ../openapi/again.json --upstream shop --policy strict"),
    ("slash-unknown", "../openapi/separate/shop.yaml --upstream shop --slash hush"),
    ("no-upstream", "../openapi/shop.yaml"),
    ("no-openapi", "good.yaml --upstream shop"),
    ("not-yaml", "broken.yaml no-such-file --upstream shop"),
    ("arguments", "../openapi/shop.yaml --upstream shop --prefix hush"),
    ("not-written", "../openapi/problems.yaml --upstream shop -o never.json"),
];

pub(crate) fn golden() -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for (name, line) in GOLDEN {
        all.insert(format!("import-{name}"), format!("$ gatectl import openapi {line}\n{}", import(line)));
    }
    for (name, args) in [
        ("import-help", &["import", "--help"][..]),
        ("import-help-openapi", &["import", "openapi", "--help"]),
    ] {
        all.insert(name.to_owned(), format!("$ gatectl {}\n{}", args.join(" "), gatectl(args)));
    }
    all
}

/// Arguments between spaces.
fn import(line: &str) -> Run {
    gatectl(["import", "openapi"].into_iter().chain(line.split_whitespace()))
}

/// The core's data of Keptn 0.6.2 is what `import` makes of its services' descriptions.
#[test]
fn the_profile_is_made_by_import() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../gate/src/routes/keptn_0_6");
    for (service, arguments) in
        [("api-service", ""), ("configuration-service", "--base-path /v1 --slash resourceURI")]
    {
        let run = import(&format!("../openapi/keptn-0.6.2/{service}.yaml --format operations {arguments}"));
        let operations = fs::read_to_string(data.join(format!("{service}.operations"))).unwrap();
        assert_eq!((run.code, run.stdout), (0, operations), "{service}\n{}", run.stderr);
    }
}

/// With -o nothing is written that is not whole, unless it is asked for; and never half of it.
#[test]
fn a_file_is_written_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("routes.json");
    let shown = file.to_str().unwrap();
    let run = import(&format!("../openapi/problems.yaml --upstream shop -o {shown}"));
    assert!(run.code == 1 && run.stdout.is_empty() && !file.exists(), "{run}");
    let run = import(&format!("../openapi/problems.yaml --upstream shop -o {shown} --keep-going"));
    assert!(run.code == 1 && run.stdout.is_empty(), "{run}");
    let printed = import("../openapi/problems.yaml --upstream shop").stdout;
    assert_eq!(fs::read_to_string(&file).unwrap(), printed);
    let run = import(&format!("../openapi/separate/shop.yaml --upstream shop -o {shown}"));
    assert_eq!(run.code, 0, "{run}");
    let validated = gatectl(["validate", shown]);
    assert_eq!(validated.code, 0, "{validated}");
    let run = import(&format!(
        "../openapi/separate/shop.yaml --upstream shop -o {}/missing/x.json",
        folder.path().display()
    ));
    assert_eq!(run.code, 2, "{run}");
}

#[test]
fn a_description_may_come_from_a_pipe() {
    let text = br#"{"openapi": "3.0.4", "paths": {"/a": {"get": {}}, "/b": {"$ref": "no-such-file"}}}"#;
    let run = gatectl_reading(["import", "openapi", "-", "--upstream", "shop"], text);
    assert!(run.code == 1 && run.stdout.contains(r#""path": "/a", "methods": ["GET"]"#), "{run}");
    assert!(run.stderr.contains("standard input:1:66: the file of this $ref cannot be read"), "{run}");
}

/// What YAML's `<<` takes over from elsewhere counts as if it stood there.
#[test]
fn merged_keys_are_keys() {
    let text = b"openapi: 3.1.0
x-private: &private { security: [{ key: [] }], x-internal: true }
components: { securitySchemes: { key: { type: apiKey, in: header, name: x-token } } }
paths:
  /a: { get: { <<: *private } }
  /b: { get: { <<: *private, security: [] } }
";
    let run = gatectl_reading(["import", "openapi", "-", "--format", "operations"], text);
    assert_eq!(
        (run.code, run.stdout.as_str()),
        (0, "GET /a token internal\nGET /b public internal\n"),
        "{run}"
    );
}

/// What stands beside a `$ref`, and where that leads, counts; of two that are said the stricter.
#[test]
fn what_stands_beside_a_ref_counts() {
    let text = |operation: &str, target: &str, item: &str| {
        format!(
            "openapi: 3.1.0
components: {{ securitySchemes: {{ key: {{ type: apiKey, in: header, name: x-token }} }} }}
x-ops: {{ list: {{ {target} }} }}
x-merged: &merged {{ $ref: '#/x-ops/list' }}
paths:
  /a: {{ {item} get: {{ {operation} }} }}
"
        )
    };
    let reference = "$ref: '#/x-ops/list'";
    let token = "security: [{ key: [] }]";
    let public = "security: []";
    let twice = "stands beside the $ref and where that leads";
    let mark = "'internal endpoint: hush'";
    for (operation, target, item, code, line, said) in [
        (&*format!("{reference}, {token}, x-internal: true"), public, "", 1, "token internal", twice),
        (&format!("{reference}, {public}"), token, "", 1, "token", twice),
        (&format!("{reference}, x-internal: false"), "x-internal: true", "", 1, "public internal", twice),
        (&format!("{reference}, {token}, x-internal: true"), "responses: {}", "", 0, "token internal", ""),
        (&format!("{reference}, summary: a"), &format!("summary: {mark}"), "", 0, "public internal", ""),
        (&format!("{reference}, description: {mark}"), token, "", 0, "token internal", ""),
        ("<<: *merged", &format!("{token}, x-internal: true"), "", 0, "token internal", ""),
        (token, "", &format!("summary: {mark},"), 0, "token internal", ""),
        (token, "", &format!("description: {mark},"), 0, "token internal", ""),
        (token, "", "summary: plain,", 0, "token", ""),
    ] {
        let text = text(operation, target, item);
        let run = gatectl_reading(["import", "openapi", "-", "--format", "operations"], text.as_bytes());
        assert_eq!((run.code, run.stdout.clone()), (code, format!("GET /a {line}\n")), "{text}{run}");
        assert!(run.stderr.contains(said), "{text}{run}");
    }
    // What cannot be read might have asked for the token.
    let text = text("$ref: '#/x-ops/none', summary: a", "", "");
    let run = gatectl_reading(["import", "openapi", "-", "--format", "operations"], text.as_bytes());
    assert!(run.code == 1 && run.stdout.is_empty() && run.stderr.contains("leads to nothing"), "{run}");
}

/// Not every value of a server's variable is tried out, and that is said.
#[test]
fn that_not_all_values_are_looked_at_is_said() {
    for (count, is_said) in [(100, false), (101, true)] {
        let values: Vec<_> = (0..count).map(|number| format!("'{number}'")).collect();
        let text = format!(
            "openapi: 3.1.0
servers: [{{ url: 'https://{{x}}.example/', variables: {{ x: {{ default: '0', enum: [{}] }} }} }}]
paths: {{ /a: {{ get: {{}} }} }}
",
            values.join(", ")
        );
        let run = gatectl_reading(["import", "openapi", "-", "--format", "operations"], text.as_bytes());
        assert_eq!((run.code, run.stdout.as_str()), (0, "GET /a public\n"), "{run}");
        assert_eq!(run.stderr.contains("only the first 100 are looked at"), is_said, "{run}");
    }
}

/// A few lines that stand for very much are refused, and soon.
#[test]
fn bombs_do_not_go_off() {
    let mut aliases = String::from("openapi: 3.1.0\nx0: &x0 [a, a, a, a, a, a, a, a, a, a]\n");
    for level in 1..12 {
        let below = format!("*x{}, ", level - 1).repeat(10);
        aliases.push_str(&format!("x{level}: &x{level} [{below}]\n"));
    }
    aliases.push_str("paths: *x11\n");
    let run = gatectl_reading(["import", "openapi", "-", "--upstream", "shop"], aliases.as_bytes());
    assert!(run.code == 2 && run.stderr.contains("the aliases stand for too many values"), "{run}");

    let mut chain = String::from("openapi: 3.1.0\npaths:\n  /a: { $ref: \"#/x/0\" }\nx:\n");
    for level in 0..1000 {
        chain.push_str(&format!("  - {{ $ref: \"#/x/{}\" }}\n", level + 1));
    }
    let run = gatectl_reading(["import", "openapi", "-", "--upstream", "shop"], chain.as_bytes());
    assert!(run.code == 1 && run.stderr.contains("this $ref leads back to itself"), "{run}");

    let deep = format!("{{\"openapi\": \"3.1.0\", \"paths\": {}", "{\"/a\":".repeat(100_000));
    let run = gatectl_reading(["import", "openapi", "-", "--upstream", "shop"], deep.as_bytes());
    assert_eq!(run.code, 2, "{}", run.stderr.chars().take(500).collect::<String>());
}

/// A `$ref` leads no further than to the folder of the description, by a link neither.
#[cfg(unix)]
#[test]
fn no_ref_leads_out_of_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("inner");
    fs::create_dir(&inner).unwrap();
    fs::write(folder.path().join("outside.yaml"), "get: {}\n").unwrap();
    std::os::unix::fs::symlink("../outside.yaml", inner.join("link.yaml")).unwrap();
    let absolute = folder.path().join("outside.yaml");
    for reference in ["../outside.yaml", "link.yaml", "%2e%2e/outside.yaml", absolute.to_str().unwrap()] {
        let file = inner.join("openapi.yaml");
        fs::write(&file, format!("openapi: 3.1.0\npaths:\n  /a: {{ $ref: \"{reference}\" }}\n")).unwrap();
        let file = file.to_str().unwrap();
        let run = import(&format!("{file} --upstream shop"));
        assert!(
            run.code == 1 && run.stderr.contains("out of the description's folder"),
            "{reference}\n{run}"
        );
        let run = import(&format!("{file} --upstream shop --root {}", folder.path().display()));
        assert!(run.code == 0 && run.stdout.contains("\"/a\""), "{reference}\n{run}");
    }
}
