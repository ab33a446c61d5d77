//! Whatever a description describes is let in, each of it once, and nothing else is.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use gate::authn::{Answer, CheckId, StreamId};
use gate::config::Config;
use gate::gate::{Gate, Verdict};
use gate::request::Request;
use gate::time::Time;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::Value;

use super::described::{Described, METHODS, asked, described, template};
use crate::run::{data, gatectl};

/// The configuration that `import` makes of the description, as a file.
fn imported(described: &Described, folder: &tempfile::TempDir) -> String {
    let (description, configuration) =
        (folder.path().join("openapi.json"), folder.path().join("routes.json"));
    fs::write(&description, described.document().to_string()).unwrap();
    let (description, configuration) = (description.to_str().unwrap(), configuration.to_str().unwrap());
    let arguments =
        ["--upstream", "shop", "--prefix", "/shop", "--strip", "--policy", "strict", "-o", configuration];
    let run = gatectl(["import", "openapi", description].iter().chain(&arguments));
    assert_eq!(run.code, 0, "{}\n{run}", described.document());
    configuration.to_owned()
}

/// Where a request goes, or with which status it is refused. The token is always good.
fn verdict(gate: &mut Gate, method: &str, path: &str, token: Option<&str>) -> Result<(String, String), u16> {
    let pairs = [(":method", method), (":path", path), (":authority", "api.keptn")];
    let pairs = pairs.into_iter().chain(token.map(|token| ("x-token", token)));
    let client = || None;
    let request = Request::read(pairs.map(|(name, value)| (name, value.as_bytes())), true, &client);
    let now = Time::since_start(Duration::ZERO);
    let mut verdict = gate.on_request(StreamId(7), &request, now);
    if let Verdict::Ask(check) = verdict {
        drop(gate.on_sent(check.flight, Some(CheckId(3)), now));
        verdict = gate.on_answer(CheckId(3), &Answer::of(200), now).pop().unwrap().1;
    }
    match verdict {
        Verdict::Forward(permit) => {
            Ok((permit.upstream().unwrap().to_string(), permit.path().unwrap_or(path).to_owned()))
        }
        Verdict::Reply(reply) => Err(reply.response().status),
        Verdict::Ask(_) | Verdict::Wait => panic!("it was answered"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn each_operation_is_listed_once(described in described()) {
        let folder = tempfile::tempdir().unwrap();
        let file = imported(&described, &folder);
        let run = gatectl(["routes", "--config", &file, "--upstream", "shop", "--json"]);
        let listed: Value = serde_json::from_str(&run.stdout).unwrap();
        let mut rows: BTreeMap<(String, String), Vec<(bool, bool)>> = BTreeMap::new();
        for row in listed["routes"].as_array().unwrap() {
            let what = (row["access"] == "public", row["internal"] == true);
            let (path, sent) = (row["path"].as_str().unwrap(), row["sent"].as_str().unwrap());
            prop_assert_eq!(path.strip_prefix("/shop"), Some(sent));
            for method in row["methods"].as_array().unwrap() {
                let place = (sent.to_owned(), method.as_str().unwrap().to_owned());
                rows.entry(place).or_default().push(what);
            }
        }
        for (segments, methods) in &described.paths {
            let path = format!("{}{}", described.base, template(segments));
            for (method, operation) in methods {
                let row = rows.remove(&(path.clone(), (*method).to_owned()));
                prop_assert_eq!(row, Some(vec![(operation.is_public, operation.is_internal)]), "{} {}", method, &path);
            }
            // HEAD is let in where GET is.
            if let Some(get) = methods.get("GET").filter(|_| !methods.contains_key("HEAD")) {
                let row = rows.remove(&(path.clone(), "HEAD".to_owned()));
                prop_assert_eq!(row, Some(vec![(get.is_public, get.is_internal)]), "HEAD {}", &path);
            }
        }
        prop_assert!(rows.is_empty(), "{:?}", rows);
    }

    #[test]
    fn exactly_what_is_described_is_let_in(
        described in described(),
        asked in vec((asked(), any::<Index>(), any::<bool>(), select(&METHODS[..])), 40),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let file = imported(&described, &folder);
        let mut gate = Gate::new(Config::from_json(&fs::read(file).unwrap()).unwrap(), 1);
        for (path, index, is_known, method) in asked {
            // Half of them begin as something that is described.
            let known = described.paths.keys().nth(index.index(described.paths.len())).unwrap();
            let known = template(known).replace(['{', '}'], "");
            let path = match (is_known, path.as_str()) {
                (true, path) if path.len() % 2 == 0 => format!("{}{known}", described.base),
                (true, path) if path.len() % 3 == 0 => format!("{}{known}/", described.base),
                _ => path,
            };
            let client = format!("/shop{path}");
            let verdict_with = verdict(&mut gate, method, &client, Some("hush"));
            let found = described.find(&path);
            let operation = found.and_then(|methods| {
                methods.get(method).or_else(|| if method == "HEAD" { methods.get("GET") } else { None })
            });
            match operation {
                // No parameter may have a slash in it.
                Some(_) if path.contains("%2F") => prop_assert_eq!(verdict_with, Err(400), "{} {}", method, &client),
                Some(operation) => {
                    prop_assert_eq!(verdict_with, Ok(("shop".to_owned(), path)), "{} {}", method, &client);
                    let without = verdict(&mut gate, method, &client, None);
                    prop_assert_eq!(without.is_ok(), operation.is_public, "{} {}: {:?}", method, &client, without);
                }
                None if path.contains("%2F") => prop_assert!(verdict_with.is_err(), "{} {}", method, &client),
                None => {
                    let status = if found.is_some() { 405 } else { 404 };
                    prop_assert_eq!(verdict_with, Err(status), "{} {}", method, &client);
                }
            }
        }
    }

    /// Whatever is done to a description: never a panic, and where something is wrong it is said where.
    #[test]
    fn spoilt_descriptions_are_refused_with_a_place(
        file in select(&["shop.yaml", "problems.yaml", "servers.yaml", "again.json", "keptn-0.6.2/api-service.yaml"][..]),
        edits in vec((any::<Index>(), 0_usize..4, select(&[b'{', b'}', b'[', b':', b'&', b'*', b'#', b'/', b'"', b' ', b'\n', b'1', b'x', 0xff][..])), 1..6),
    ) {
        let mut text = fs::read(data().join("../openapi").join(file)).unwrap();
        for (index, edit, byte) in edits {
            let at = index.index(text.len());
            match edit {
                0 => text[at] = byte,
                1 => text.insert(at, byte),
                2 => drop(text.remove(at)),
                _ => drop(text.drain(at..at.saturating_add(30).min(text.len()))),
            }
        }
        let folder = tempfile::tempdir().unwrap();
        // Both are tried: as what it is, and as what it is not.
        let spoilt = folder.path().join("spoilt.yaml");
        fs::write(&spoilt, &text).unwrap();
        let run = gatectl(["import", "openapi", spoilt.to_str().unwrap(), "--upstream", "shop", "--prefix", "/shop"]);
        prop_assert!((0..=2).contains(&run.code) && !run.stderr.contains("panicked"), "{}", run);
        if run.code > 0 {
            let place = format!("{}:", spoilt.display());
            let has_place = |line: &str| {
                let mut numbers = line.strip_prefix(&place)?.split(':').map(|number| number.parse::<usize>().ok());
                Some(numbers.next()??.min(numbers.next()??) > 0)
            };
            prop_assert!(run.stderr.lines().any(|line| has_place(line) == Some(true)), "{}", run);
        }
    }
}
