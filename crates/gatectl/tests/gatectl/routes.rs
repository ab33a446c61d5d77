//! `gatectl routes`: what is let in, in every form.

use std::collections::BTreeMap;
use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::run::{Run, gatectl};

/// Command lines of `routes`, by the names of their golden files.
const GOLDEN: [(&str, &str); 17] = [
    ("default", ""),
    ("strict", "--config ../routes/strict.yaml"),
    ("own", "--config ../routes/shop.yaml"),
    ("own-color", "--config ../routes/shop.yaml --color always"),
    ("public", "--access public"),
    ("delete", "--method delete --upstream configuration-service"),
    ("internal", "--internal --config ../routes/strict.yaml"),
    ("markdown", "--config ../routes/shop.yaml --format markdown"),
    ("json", "--config ../routes/shop.yaml --upstream shop --json"),
    ("hosts", "--config ../routes/hosts.yaml --upstream shop"),
    ("hosts-markdown", "--config ../routes/hosts.yaml --upstream shop --format markdown"),
    ("hosts-json", "--config ../routes/hosts.yaml --upstream shop --json"),
    ("nothing", "--access public --method POST"),
    ("broken", "--config problems.yaml"),
    ("bad-method", "--method hush"),
    ("bad-upstream", "--upstream hush"),
    ("help", "--help"),
];

pub(crate) fn golden() -> BTreeMap<String, String> {
    let one = |(name, line)| {
        (
            format!("routes-{name}"),
            format!("{}\n{}", format!("$ gatectl routes {line}").trim_end(), routes(line)),
        )
    };
    GOLDEN.into_iter().map(one).collect()
}

/// Arguments between spaces.
fn routes(line: &str) -> Run {
    gatectl(["routes"].into_iter().chain(line.split_whitespace()))
}

/// The page of `line`'s list.
fn page(line: &str) -> String {
    let run = routes(&format!("{line} --format html"));
    assert_eq!(run.code, 0, "{run}");
    run.stdout
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    text.split_once(start).unwrap().1.split_once(end).unwrap().0
}

/// The page needs nothing from elsewhere, and could not get it: its policy allows its own style and script alone.
#[test]
fn the_page_is_self_contained() {
    let page = page("--config ../routes/shop.yaml");
    let policy = between(&page, "http-equiv=\"Content-Security-Policy\" content=\"", "\"");
    let hash = |text: &str| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text)));
    assert_eq!(
        policy,
        format!(
            "default-src 'none'; style-src {}; script-src {}; base-uri 'none'; form-action 'none'",
            hash(between(&page, "<style>", "</style>")),
            hash(between(&page, "<script>", "</script>")),
        )
    );
    for foreign in ["://", " src=", " href=", "url(", "@import", "innerHTML", " style=", " onclick="] {
        assert!(!page.contains(foreign), "{foreign}");
    }
}

/// It has the rows that `--json` has, and says whether they are all.
#[test]
fn the_page_has_every_row() {
    for line in ["", "--config ../routes/shop.yaml", "--config ../routes/shop.yaml --upstream shop"] {
        let page = page(line);
        let list: Value = serde_json::from_str(&routes(&format!("{line} --json")).stdout).unwrap();
        let rows = list["routes"].as_array().unwrap();
        let found = page.matches("<tr data-access=").count();
        assert!(found == rows.len() && found > 0, "{line}: {found}");
        let internal = rows.iter().filter(|row| row["internal"] == true).count();
        assert_eq!(page.matches("data-internal=\"true\"").count(), internal, "{line}");
        assert_eq!(page.contains("What is not listed is refused."), !line.contains("--upstream"), "{line}");
        for access in ["public", "token", "upstream"] {
            let count = rows.iter().filter(|row| row["access"] == access).count();
            assert!(
                page.contains(&format!("<dt>{access}</dt><dd><b>{count}</b> ")),
                "{line}: {access} {count}"
            );
        }
    }
}

/// What is not listed is refused for the hosts alone that the configuration names.
#[test]
fn the_page_says_for_which_hosts_it_is() {
    let page = page("--config ../routes/hosts.yaml");
    let line = "For the hosts <strong>api.keptn</strong>, <strong>keptn.example.org</strong>; requests for other hosts are \
                left alone.\nWhat is not listed is refused.";
    assert!(page.contains(line), "{}", between(&page, "<header>", "</header>"));
    assert!(!self::page("").contains("other hosts"));
}

/// Nothing of the configuration, its name included, is taken for HTML, Markdown or colours.
#[test]
fn what_comes_from_the_configuration_is_text() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("<img src=x>\"'&.json");
    fs::write(
        &file,
        r#"{"upstreams": [{"name": "a_b_c"}], "routes": [{"path": "/a&lt;'*'/$(x)/{_x_}", "upstream": "a_b_c"}]}"#
            .replace("&lt;'*'", "&lt'b'"),
    )
    .unwrap();
    let run = |format: &str| {
        gatectl(["routes", "--config", file.to_str().unwrap(), "--upstream", "a_b_c", "--format", format])
            .stdout
    };
    let html = run("html");
    assert!(!html.contains("<img") && html.contains("&lt;img src=x&gt;&quot;&#x27;&amp;.json"), "{html}");
    assert!(html.contains("a&amp;lt&#x27;b&#x27;") && html.contains("<i>{_x_}</i>"), "{html}");
    assert!(run("markdown").contains("| `/a&lt'b'/$(x)/{_x_}` | a\\_b\\_c |"), "{}", run("markdown"));
}

/// The file's ending says in which form it is written; there are no colours in it.
#[test]
fn a_file_gets_the_form_of_its_name() {
    let folder = tempfile::tempdir().unwrap();
    for (name, begin) in [
        ("list.html", "<!DOCTYPE html>"),
        ("list.md", "| access | methods |"),
        ("list.json", "{\n  \"hosts\": [],\n  \"routes\": ["),
        ("list.txt", "ACCESS    METHODS"),
    ] {
        let file = folder.path().join(name);
        let run = gatectl(["routes", "--color", "always", "-o", file.to_str().unwrap()]);
        assert_eq!((run.code, run.stdout.as_str(), run.stderr.as_str()), (0, "", ""), "{name}");
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.starts_with(begin) && !text.contains('\x1b'), "{name}: {text}");
    }
    let run = gatectl(["routes", "-o", folder.path().join("no/such/folder").to_str().unwrap()]);
    assert_eq!(run.code, 2, "{run}");
}
