//! Good files, spoilt at random: whatever it is, it is said where.
#![allow(clippy::arithmetic_side_effects, clippy::string_slice, reason = "test equipment may panic")]

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use serde_json::Value;

use super::report::{Level, Report};
use super::{Format, outcome};
use crate::outcome::Exit;
use crate::source::Source;
use crate::style::plain;

/// What must never be shown, though it stands where a hash belongs.
const HASH: &str = "2718281828459045235360287471352662497757247093699959574966967627";

const OWN: &str = r#"{
  "hosts": ["api.keptn.example.org", "api.keptn"],
  "auth": { "timeout": "1s", "allow": "30s", "throttle": { "burst": 10 } },
  "tokens": [{ "name": "ci", "sha256": "2718281828459045235360287471352662497757247093699959574966967627" }],
  "upstreams": [{ "name": "bridge" }],
  "routes": [{ "path": "/bridge/{*rest}", "upstream": "bridge", "methods": ["GET", "POST"], "access": "token" }],
  "cors": { "origins": ["https://bridge.example.org"] },
  "internal": "deny"
}
"#;

/// Good files of each kind, by names and texts.
static GOOD: LazyLock<Vec<(&str, String)>> = LazyLock::new(|| {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let read = |file: &str| fs::read_to_string(root.join(file)).unwrap();
    let overlay = |name: &str| read(&format!("manifests/istio/overlays/{name}/filter.yaml"));
    let envoy = read("envoy.yaml").replace("                    {}\n", &indented(20, OWN));
    assert!(envoy.contains(HASH));
    let config_map = |key: &str, text: &str| {
        let text = indented(4, text);
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: keptn-gateway\ndata:\n  {key}: |\n{text}"
        )
    };
    let plugin = overlay("wasmplugin");
    let own: Value = serde_json::from_str(OWN).unwrap();
    let list = serde_json::json!({ "apiVersion": "v1", "kind": "List", "items": [
        { "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "gate" }, "data": { "gateway.json": OWN } },
        { "apiVersion": "extensions.istio.io/v1alpha1", "kind": "WasmPlugin", "metadata": { "name": "keptn-gateway" },
          "spec": { "failStrategy": "FAIL_RELOAD", "pluginConfig": own } },
    ] });
    vec![
        ("own.json", OWN.to_owned()),
        ("own.yaml", OWN.to_owned()),
        ("config-map.yaml", config_map("envoy.yaml", &envoy)),
        ("config-map-of-ours.yaml", config_map("gateway.json", OWN)),
        ("crlf.yaml", config_map("gateway.json", OWN).replace('\n', "\r\n")),
        ("several.yaml", format!("{}---\n{plugin}", overlay("envoyfilter"))),
        ("trafficextension.yaml", overlay("trafficextension")),
        ("list.json", format!("{list:#}")),
        ("envoy.yaml", envoy),
        ("wasmplugin.yaml", plugin),
    ]
});

fn indented(columns: usize, text: &str) -> String {
    text.lines().map(|line| format!("{:columns$}{line}\n", "").trim_end().to_owned() + "\n").collect()
}

/// What people, editors and templates do to files.
#[derive(Clone, Debug)]
enum Edit {
    Cut,
    DeleteCharacter,
    Insert(&'static str),
    DeleteLine,
    DuplicateLine,
    SwapLines(usize),
    Indent(usize),
    Outdent(usize),
    /// The line's value becomes another.
    Value(&'static str),
    /// From here to there only.
    DeleteUpTo(usize),
}

const ODD: &[&str] = &[
    "\u{0}",
    "\u{7}",
    "\t",
    "\r",
    "\n",
    "\u{85}",
    "\u{2028}",
    "\u{feff}",
    "\u{202e}",
    "é",
    "\u{301}",
    "𝔘",
    "\"",
    "'",
    "\\",
    "{",
    "}",
    "[",
    "]",
    ":",
    ": ",
    ",",
    "#",
    " #",
    "&a ",
    "*a",
    "!",
    "!!int ",
    "%",
    "|",
    ">",
    "---\n",
    "...\n",
    "? ",
    "- ",
    "{{ .Values.x }}",
    "@",
    "`",
];

const VALUES: &[&str] = &[
    "null",
    "true",
    "1",
    "-0.0",
    "1e999",
    "99999999999999999999",
    "\"\"",
    "''",
    "[]",
    "{}",
    "[[[[]]]]",
    "~",
    ".nan",
    "|",
    ">-",
    "|+\n",
    "&x *x",
    "*x",
    "!!binary x",
    "\"\\ud800\"",
    "\"a\\\n  b\"",
    "2026-01-01",
    "é",
    "FAIL_OPEN",
    "https://a",
    "\u{0}",
];

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        Just(Edit::Cut),
        Just(Edit::DeleteCharacter),
        prop::sample::select(ODD).prop_map(Edit::Insert),
        Just(Edit::DeleteLine),
        Just(Edit::DuplicateLine),
        (1_usize..9).prop_map(Edit::SwapLines),
        (1_usize..5).prop_map(Edit::Indent),
        (1_usize..5).prop_map(Edit::Outdent),
        prop::sample::select(VALUES).prop_map(Edit::Value),
        (1_usize..200).prop_map(Edit::DeleteUpTo),
    ]
}

fn spoil(text: &str, at: f64, edit: &Edit) -> String {
    let at = (0..=(text.len() as f64 * at) as usize).rev().find(|at| text.is_char_boundary(*at)).unwrap();
    let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
    if lines.is_empty() {
        return text.to_owned();
    }
    let line = text[..at].matches('\n').count().min(lines.len() - 1);
    match edit {
        Edit::Cut => return text[..at].to_owned(),
        Edit::DeleteCharacter => {
            let rest = text[at..].chars().next().map_or(at, |next| at + next.len_utf8());
            return format!("{}{}", &text[..at], &text[rest..]);
        }
        Edit::DeleteUpTo(bytes) => {
            let end = (at..=text.len()).find(|end| *end >= at + bytes && text.is_char_boundary(*end));
            return format!("{}{}", &text[..at], &text[end.unwrap_or(text.len())..]);
        }
        Edit::Insert(odd) => return format!("{}{odd}{}", &text[..at], &text[at..]),
        Edit::DeleteLine => drop(lines.remove(line)),
        Edit::DuplicateLine => lines.insert(line, lines[line].clone()),
        Edit::SwapLines(distance) => {
            let other = (line + distance).min(lines.len() - 1);
            lines.swap(line, other);
        }
        Edit::Indent(columns) => lines[line].insert_str(0, &" ".repeat(*columns)),
        Edit::Outdent(columns) => {
            let spaces = lines[line].len() - lines[line].trim_start_matches(' ').len();
            drop(lines[line].drain(..spaces.min(*columns)));
        }
        Edit::Value(value) => {
            if let Some(colon) = lines[line].find(": ") {
                let comma = if lines[line].trim_end().ends_with(',') { "," } else { "" };
                lines[line] = format!("{}{value}{comma}\n", &lines[line][..colon + 2]);
            }
        }
    }
    lines.concat()
}

/// Everything that is said of a text, in every format, held against the text.
fn check(name: &str, text: &str) -> Result<(), TestCaseError> {
    let report = Report::of_source(Source::new(name.to_owned(), text.to_owned()), true);
    let lines: Vec<_> = text.split('\n').map(|line| line.trim_end_matches('\r').chars().count()).collect();
    for finding in &report.findings {
        let Some(place) = finding.place else {
            // Nothing of ours is in it: there is no place but the file.
            prop_assert_eq!((finding.level, report.findings.len()), (Level::Unread, 1));
            continue;
        };
        for (line, column) in [(place.line, place.column), (place.end_line, place.end_column)] {
            let length = line.checked_sub(1).and_then(|index| lines.get(index));
            prop_assert!(length.is_some_and(|length| (1..=length + 1).contains(&column)), "{:?}", finding);
        }
        prop_assert!((place.line, place.column) <= (place.end_line, place.end_column), "{:?}", finding);
        let head = format!("{name}:{}:{}: ", place.line, place.column);
        prop_assert!(plain(&finding.shown).starts_with(&head), "{}", finding.shown);
    }
    prop_assert!(!report.findings.is_empty() || report.configurations > 0);

    let reports = [report];
    let [as_text, as_json, as_github, as_gitlab] =
        [Format::Text, Format::Json, Format::Github, Format::Gitlab].map(|format| outcome(&reports, format));
    let [report] = &reports;
    let expected = report.findings.len();
    let heads = format!("{}{}", plain(&as_text.stdout), plain(&as_text.stderr));
    // The summary begins so as well.
    let summaries = usize::from(!as_text.stdout.is_empty());
    let heads = heads.lines().filter(|line| line.starts_with(&format!("{name}:"))).count() - summaries;
    prop_assert_eq!(heads, expected);
    let json: Value = serde_json::from_str(&as_json.stdout).unwrap();
    prop_assert_eq!(json[0]["problems"].as_array().map(Vec::len), Some(expected));
    prop_assert_eq!(as_github.stdout.lines().filter(|line| line.starts_with("::")).count(), expected);
    let gitlab: Value = serde_json::from_str(&as_gitlab.stdout).unwrap();
    let issues = gitlab.as_array().unwrap();
    let fingerprints: HashSet<_> = issues.iter().map(|issue| issue["fingerprint"].as_str()).collect();
    prop_assert_eq!((issues.len(), fingerprints.len()), (expected, expected));

    let worst = report.findings.iter().map(|finding| match finding.level {
        Level::Warning => Exit::Good,
        Level::Problem => Exit::Bad,
        Level::Unread => Exit::CannotRun,
    });
    let worst = worst.max().unwrap_or_default();
    for outcome in [&as_text, &as_json, &as_github, &as_gitlab] {
        prop_assert_eq!(outcome.exit, worst);
    }
    Ok(())
}

#[test]
fn the_files_are_good_before_they_are_spoilt() {
    for (name, text) in GOOD.iter() {
        let report = Report::of_source(Source::new((*name).to_owned(), text.clone()), true);
        let problems = report.count(Level::Problem) + report.count(Level::Unread);
        assert!(problems == 0 && report.configurations > 0, "{name}: {report:#?}");
        check(name, text).unwrap();
    }
}

/// Deep enough to end the stack of whoever recurses without a limit.
#[test]
fn depth_has_an_end() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("- ", ""), ("{a: ", "}"), ("? ", "")] {
        for name in ["deep.json", "deep.yaml"] {
            let deep = format!("{}1{}", open.repeat(20_000), close.repeat(20_000));
            check(name, &deep).unwrap();
            let text = serde_json::to_string(&deep).unwrap();
            check(name, &format!("{{\"apiVersion\": \"v1\", \"kind\": \"ConfigMap\", \"data\": {{\"keptn-gateway.json\": {text}}}}}"))
                .unwrap();
        }
    }
}

/// What an alias repeats is judged once, however often it stands there.
#[test]
fn aliases_repeat_nothing() {
    let text = indented(4, OWN).replace("\"deny\"", "\"maybe\"");
    let again: String = (0..200).map(|index| format!("  {index}.json: *it\n")).collect();
    let map = format!("apiVersion: v1\nkind: ConfigMap\ndata:\n  0.yaml: &it |\n{text}{again}");
    let report = Report::of_source(Source::new("aliases.yaml".to_owned(), map.clone()), true);
    assert_eq!((report.configurations, report.count(Level::Problem)), (1, 1));
    check("aliases.yaml", &map).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 200,
        failure_persistence: Some(Box::new(FileFailurePersistence::Off)),
        ..ProptestConfig::default()
    })]

    #[test]
    fn whatever_is_wrong_has_a_place(
        index in any::<prop::sample::Index>(),
        edits in prop::collection::vec((0.0..1.0, edit()), 1..4),
    ) {
        let (name, text) = index.get(&GOOD[..]);
        let mut text = text.clone();
        for (at, edit) in &edits {
            text = spoil(&text, *at, edit);
        }
        check(name, &text)?;
    }

    /// One edit, as people make them: the hash stays out of sight.
    #[test]
    fn no_hash_is_shown(
        index in any::<prop::sample::Index>(),
        at in 0.0..1.0,
        edit in edit(),
    ) {
        let (name, text) = index.get(&GOOD[..]);
        let text = spoil(text, at, &edit);
        let reports = [Report::of_source(Source::new((*name).to_owned(), text), true)];
        for format in [Format::Text, Format::Json, Format::Github, Format::Gitlab] {
            let outcome = outcome(&reports, format);
            let shown = format!("{}{}", outcome.stdout, outcome.stderr);
            prop_assert!(!shown.contains("2718281828"), "{}", shown);
        }
    }
}
