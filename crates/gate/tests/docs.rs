//! The documents say what the code does. Tables are made from the code's own descriptions: the keys in
//! docs/configuration.md, the counters and reasons in docs/authentication.md. Examples are read, and asked.

// There are no files to read inside the proxy.
#![cfg(not(target_arch = "wasm32"))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::arithmetic_side_effects,
    reason = "a test ends where it fails"
)]

use core::fmt::Write;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use gate::authn::{Answer, CheckId, StreamId};
use gate::config::{Config, keys};
use gate::denial::Denial;
use gate::gate::{Gate, Verdict};
use gate::request::Request;
use gate::tally::Counter;
use gate::time::Time;
use serde_json::{Map, Value};

const CONFIGURATION: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md");
const AUTHENTICATION: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/authentication.md");

/// What stands in `document` between the marks of this name is `table`, or becomes it.
fn assert_table(document: &str, name: &str, table: &str) {
    let [begin, end] = [format!("<!-- {name} -->\n"), format!("<!-- /{name} -->\n")];
    let text = fs::read_to_string(document).unwrap();
    let (before, rest) = text.split_once(&begin).unwrap_or_else(|| panic!("{document} has no {begin}"));
    let (actual, after) = rest.split_once(&end).unwrap_or_else(|| panic!("{document} has no {end}"));
    if std::env::var_os("UPDATE_DOCS").is_some() {
        return fs::write(document, [before, &begin, table, &end, after].concat()).unwrap();
    }
    assert_eq!(
        actual, table,
        "{document} and the code differ: call UPDATE_DOCS=1 cargo test -p gate --test docs"
    );
}

fn keys() -> String {
    let mut table = "| key | value | default | meaning | example |\n|---|---|---|---|---|\n".to_owned();
    for line in keys::all() {
        let cell = |text: &str| text.replace('|', "\\|");
        let code = |text: &str| format!("`{}`", cell(text));
        let default = if matches!(line.default.as_str(), "none" | "required") {
            line.default.clone()
        } else {
            code(&line.default)
        };
        let (name, kind, doc, example) =
            (code(line.name), cell(&line.kind), cell(line.doc), code(line.example));
        writeln!(table, "| {name} | {kind} | {default} | {doc} | {example} |").unwrap();
    }
    table
}

#[test]
fn the_keys_are_those_of_the_code() {
    assert_table(CONFIGURATION, "keys", &keys());
}

/// One test, because both tables stand in one file.
#[test]
fn the_counters_and_the_reasons_are_those_of_the_code() {
    let mut counters = "| counter | what it counts |\n|---|---|\n".to_owned();
    for counter in Counter::ALL {
        writeln!(counters, "| `{}` | {} |", counter.name(), counter.meaning()).unwrap();
    }
    assert_table(AUTHENTICATION, "counters", &counters);

    let mut reasons = "| reason | status | what the client reads |\n|---|---|---|\n".to_owned();
    for denial in Denial::ALL {
        let body: Value = serde_json::from_str(&denial.response().body).unwrap();
        let message = body["message"].as_str().unwrap();
        writeln!(reasons, "| `{}` | {} | {message} |", denial.reason(), denial.status()).unwrap();
    }
    assert_table(AUTHENTICATION, "reasons", &reasons);
}

/// Puts `value` where `name` says: `auth.timeout`, `routes[].path`.
fn insert(object: &mut Map<String, Value>, name: &str, value: Value) {
    let Some((section, rest)) = name.split_once('.') else {
        object.insert(name.to_owned(), value);
        return;
    };
    let inner = match section.strip_suffix("[]") {
        Some(list) => {
            let items = object.entry(list).or_insert_with(|| Value::Array(Vec::new()));
            // The list's own example makes way for the item that is put together from its parts.
            if items[0].get("§").is_none() {
                *items = serde_json::json!([{ "§": 1 }]);
            }
            &mut items[0]
        }
        None => object.entry(section).or_insert_with(|| Value::Object(Map::new())),
    };
    insert(inner.as_object_mut().unwrap(), rest, value);
}

fn without_marks(value: &mut Value) {
    match value {
        Value::Object(object) => {
            object.remove("§");
            object.values_mut().for_each(without_marks);
        }
        Value::Array(items) => items.iter_mut().for_each(without_marks),
        _ => {}
    }
}

/// A configuration that has every key of the table, each with its example, and the unknown key `§` in the
/// items of lists.
fn full() -> Value {
    let mut full = Map::new();
    for line in keys::all() {
        let example =
            serde_json::from_str(line.example).unwrap_or_else(|error| panic!("{}: {error}", line.name));
        insert(&mut full, line.name, example);
    }
    Value::Object(full)
}

#[test]
fn every_example_is_valid() {
    let mut full = full();
    without_marks(&mut full);
    Config::from_value(&full).unwrap_or_else(|problems| panic!("{full:#}\n{problems}"));

    // The lists' own examples.
    let mut lists = Map::new();
    for line in keys::all().iter().filter(|line| !line.name.contains('.')) {
        lists.insert(line.name.to_owned(), serde_json::from_str(line.example).unwrap());
    }
    let lists = Value::Object(lists);
    Config::from_value(&lists).unwrap_or_else(|problems| panic!("{lists:#}\n{problems}"));
}

/// Asked about an unknown key in each of its sections, the reader itself lists the keys that it reads.
#[test]
fn the_table_has_every_key_that_is_read_and_no_other() {
    let mut full = full();
    full["§"] = Value::from(1);
    for section in ["/auth", "/auth/throttle", "/websocket", "/cors"] {
        full.pointer_mut(section).unwrap()["§"] = Value::from(1);
    }
    let problems = Config::from_value(&full).unwrap_err();
    let mut read: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for problem in problems.iter() {
        let place = problem.place.to_string();
        assert!(place.ends_with('§'), "{problem}");
        let section = place.trim_end_matches(['§', '.']).replace("[0]", "[]");
        let keys = problem.remedy.strip_prefix("the keys here are ").unwrap();
        read.insert(section, keys.split(", ").map(str::to_owned).collect());
    }
    let mut described: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in keys::all() {
        let mut name = line.name;
        // A section is a key of the one around it.
        while !name.is_empty() {
            let (section, key) = name.rsplit_once('.').unwrap_or(("", name));
            described.entry(section.to_owned()).or_default().insert(key.trim_end_matches("[]").to_owned());
            name = section;
        }
    }
    assert_eq!(read, described);
}

#[test]
fn the_configurations_in_the_text_are_valid() {
    let document = fs::read_to_string(AUTHENTICATION).unwrap();
    let blocks: Vec<_> = document.split("```json\n").skip(1).collect();
    assert!(!blocks.is_empty(), "the document has none");
    for block in blocks {
        let (json, _) = block.split_once("```").unwrap();
        Config::from_json(json.as_bytes()).unwrap_or_else(|problems| panic!("{json}\n{problems}"));
    }
}

#[test]
fn the_examples_do_what_is_written_under_them() {
    let document = fs::read_to_string(CONFIGURATION).unwrap();
    let (_, examples) = document.split_once("## Examples").unwrap();
    let mut rows = 0;
    for example in examples.split("\n### ").skip(1) {
        let (title, rest) = example.split_once('\n').unwrap();
        let (_, rest) = rest.split_once("```json\n").unwrap_or_else(|| panic!("{title}: no JSON"));
        let (json, rest) = rest.split_once("```\n").unwrap();
        let config =
            || Config::from_json(json.as_bytes()).unwrap_or_else(|problems| panic!("{title}:\n{problems}"));
        config();
        for row in rest.lines().filter(|line| line.starts_with("| `")) {
            let cells: Vec<_> = row.trim_matches('|').split(" | ").map(str::trim).collect();
            let [request, without, with] = cells.as_slice() else { panic!("{row}") };
            let (method, url) = request.trim_matches('`').split_once(" http://").unwrap();
            let (authority, path) = url.split_at(url.find('/').unwrap());
            let head = [(":method", method), (":authority", authority), (":path", path)];
            assert_eq!(verdict(config(), &head), *without, "{row}");
            assert_eq!(verdict(config(), &[&head[..], &[("x-token", "good")]].concat()), *with, "{row}");
            rows += 1;
        }
    }
    assert!(rows > 10, "the examples' tables are not found");
}

/// What a request gets in the end, if api-service says yes to whatever it is asked.
fn verdict(config: Config, lines: &[(&str, &str)]) -> String {
    let mut gate = Gate::new(config, 7);
    let request = Request::read(lines.iter().map(|(n, v)| (*n, v.as_bytes())), true, &|| None);
    let now = Time::since_start(core::time::Duration::ZERO);
    let mut verdict = gate.on_request(StreamId(1), &request, now);
    if let Verdict::Ask(check) = &verdict {
        assert!(gate.on_sent(check.flight, Some(CheckId(1)), now).is_empty());
        let mut woken = gate.on_answer(CheckId(1), &Answer::of(200), now);
        verdict = woken.pop().unwrap().1;
    }
    match verdict {
        Verdict::Forward(permit) => match (permit.upstream(), permit.path()) {
            (None, _) => "left as it is".to_owned(),
            (Some(upstream), None) => format!("to {upstream}"),
            (Some(upstream), Some(path)) => format!("to {upstream} as {path}"),
        },
        Verdict::Reply(reply) => {
            let response = reply.response();
            format!("{} {}", response.status, response.details.trim_start_matches("keptn_gateway."))
        }
        Verdict::Ask(_) | Verdict::Wait => panic!("{verdict:?}"),
    }
}
