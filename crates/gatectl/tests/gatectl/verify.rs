//! `gatectl verify`: real dumps, with one thing changed at a time.
#![allow(clippy::indexing_slicing, clippy::string_slice, reason = "test equipment may panic")]

mod edit;
mod spoilt;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write as _;

use serde_json::{Value, json};

use crate::run::{Run, gatectl, gatectl_reading};
use edit::{configure, filters, istio, listener, plugin, section, standalone};

fn verify(dump: &Value) -> Run {
    gatectl_reading(["verify", "-"], dump.to_string().as_bytes())
}

/// The checks that have found a problem.
fn problems(run: &Run) -> BTreeSet<&str> {
    let lines = run.stdout.lines().filter_map(|line| line.strip_prefix("PROBLEM"));
    lines.filter_map(|line| line.split_whitespace().next()).collect()
}

/// For the golden files: whole outputs of what is good, and what there is besides `ok` of what is not.
pub(crate) fn golden() -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for (name, dump) in [("istio", istio()), ("standalone", standalone())] {
        all.insert(format!("verify-{name}"), format!("$ gatectl verify - <{name}.json\n{}", verify(&dump)));
    }
    let run = gatectl(["verify", "--help"]);
    all.insert("verify-help".to_owned(), format!("$ gatectl verify --help\n{run}"));
    let mut dump = istio();
    filters(&mut dump)[0]["disabled"] = json!(true);
    let run = gatectl_reading(["verify", "--json", "-"], dump.to_string().as_bytes());
    all.insert("verify-json".to_owned(), format!("$ gatectl verify --json - <disabled.json\n{run}"));
    let run = gatectl_reading(
        [
            "verify",
            "--domain",
            "example.com",
            "--cluster",
            "outbound|8080||bridge.keptn.svc.cluster.local",
            "-",
        ],
        istio().to_string().as_bytes(),
    );
    let line =
        "$ gatectl verify --domain example.com --cluster 'outbound|8080||bridge.keptn.svc.cluster.local' -";
    all.insert("verify-wanted".to_owned(), format!("{line} <istio.json\n{run}"));

    let mut spoilt = String::new();
    for (name, _, spoil) in spoilt::ALL {
        let mut dump = istio();
        spoil(&mut dump);
        let run = verify(&dump);
        write!(spoilt, "{name}: exit code {}\n{}", run.code, run.stderr).unwrap();
        for line in run.stdout.lines().filter(|line| !line.starts_with("ok ")) {
            writeln!(spoilt, "  {line}").unwrap();
        }
    }
    all.insert("verify-spoilt".to_owned(), spoilt);
    for (name, text) in hostile() {
        let run = gatectl_reading(["verify", "-"], text.as_bytes());
        all.insert(format!("verify-no-dump-{name}"), format!("$ gatectl verify - # {name}\n{run}"));
    }
    all
}

/// What is no dump.
fn hostile() -> [(&'static str, String); 8] {
    let dump = istio().to_string();
    [
        ("empty", "\n".to_owned()),
        ("cut", dump[..dump.len() / 2].to_owned()),
        ("text", "upstream connect error or disconnect/reset before headers".to_owned()),
        ("list", json!([istio()]).to_string()),
        ("parts", json!({ "configs": [{ "@type": "type.googleapis.com/envoy.admin.v3.ListenersConfigDump.DynamicListener" }] }).to_string()),
        ("types", json!({ "configs": [null, 1, "x", [], { "@type": 1 }] }).to_string()),
        ("bootstrap", json!({ "static_resources": {} }).to_string()),
        ("deep", format!("{{\"configs\": {}", "[".repeat(100_000))),
    ]
}

#[test]
fn each_change_is_seen_by_its_check_and_by_no_other() {
    for dump in [istio(), standalone()] {
        let run = verify(&dump);
        assert_eq!((run.code, problems(&run).len()), (0, 0), "{run}");
        assert!(!run.stdout.contains("note "), "{run}");
    }
    for (name, checks, spoil) in spoilt::ALL {
        let mut dump = istio();
        spoil(&mut dump);
        assert_ne!(dump, istio(), "{name}: nothing was changed");
        let run = verify(&dump);
        assert_eq!(problems(&run), checks.iter().copied().collect(), "{name}: {run}");
        assert_eq!((run.code, run.stderr.as_str()), (i32::from(!checks.is_empty()), ""), "{name}: {run}");
        assert!(!checks.is_empty() || run.stdout.contains("\nnote "), "{name}: {run}");
    }
}

#[test]
fn the_filter_is_known_by_each_of_its_names() {
    for name in [
        "keptn-gateway",
        "extensions.istio.io/trafficextension/istio-system.keptn-gateway",
        "extensions.istio.io/trafficextension/istio-system.keptn-gateway~istio-translated-wasmplugin",
        "extensions.istio.io/wasmplugin/istio-system.keptn-gateway",
    ] {
        // Also of what is not there a name can say that it should be.
        for is_there in [true, false] {
            let mut dump = istio();
            edit::discovered(&mut dump)["name"] = json!(if is_there { name } else { "other" });
            let listeners = section(&mut dump, "Listeners");
            for index in 0..2 {
                let chain = &mut listeners["dynamic_listeners"][index]["active_state"]["listener"]["filter_chains"]
                    [0];
                chain["filters"][0]["typed_config"]["http_filters"][0]["name"] = json!(name);
            }
            let run = verify(&dump);
            assert_eq!(run.code, i32::from(!is_there), "{name}: {run}");
            let seen = if is_there { ": {name}, before " } else { ": {name} is not loaded" };
            assert!(run.stdout.contains(&seen.replace("{name}", name)), "{name}: {run}");
        }
    }
    // By its root within the listener, and as a TypedStruct.
    let mut dump = istio();
    let config = plugin(&mut dump).clone();
    let wasm = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm";
    filters(&mut dump)[0] = json!({ "name": "inline", "typed_config": { "@type": wasm, "config": config } });
    assert_eq!(verify(&dump).code, 0);
    let typed = json!({
        "@type": "type.googleapis.com/xds.type.v3.TypedStruct", "type_url": wasm, "value": { "config": config },
    });
    filters(&mut dump)[0] = json!({ "name": "inline", "typed_config": typed });
    let run = verify(&dump);
    assert!(run.code == 0 && run.stdout.contains(": inline, before "), "{run}");
}

#[test]
fn services_of_others_may_be_called_so() {
    let mut dump = istio();
    edit::behind(&mut dump, json!({ "name": "outbound|80||api-service.shop.svc.cluster.local" }));
    let run = verify(&dump);
    assert_eq!(run.code, 0, "{run}");
    edit::behind(&mut dump, json!({ "name": "outbound|80||my-api-service.keptn.svc.cluster.local" }));
    let run = verify(&dump);
    assert_eq!(run.code, 0, "{run}");
}

/// As with components/credential-name: port 80 has no filter.
#[test]
fn who_only_redirects_needs_no_filter() {
    let mut dump = istio();
    filters(&mut dump).remove(0);
    edit::host(&mut dump)["require_tls"] = json!("ALL");
    let run = verify(&dump);
    assert_eq!(run.code, 0, "{run}");
    assert!(run.stdout.contains("listener 0.0.0.0_80: not there, and all is redirected to https"), "{run}");
    assert!(run.stdout.contains("virtual host api.keptn.example.org:80 redirects to https"), "{run}");
    // Another way to the service, beside.
    edit::foreign(&mut dump)["route"]["cluster"] = json!(edit::API);
    assert_eq!(problems(&verify(&dump)), BTreeSet::from(["filter", "route"]));
    // What an internal client need not follow is no redirect for all.
    let mut dump = istio();
    filters(&mut dump).remove(0);
    edit::host(&mut dump)["require_tls"] = json!("EXTERNAL_ONLY");
    assert_eq!(problems(&verify(&dump)), BTreeSet::from(["filter"]));
}

#[test]
fn without_istio_the_same_is_seen() {
    let mut dump = standalone();
    let routes =
        |dump: &mut Value| section(dump, "Routes")["static_route_configs"][0]["route_config"].clone();
    let mut config = routes(&mut dump);
    config["virtual_hosts"][0]["routes"][1]["match"]["filter_state"] = json!([]);
    section(&mut dump, "Routes")["static_route_configs"][0]["route_config"] = config.clone();
    let run = verify(&dump);
    // The listener's own copy is still good.
    assert_eq!(run.stdout.matches("PROBLEM").count(), 1, "{run}");
    let listeners = section(&mut dump, "Listeners");
    let manager =
        &mut listeners["static_listeners"][0]["listener"]["filter_chains"][0]["filters"][0]["typed_config"];
    manager["route_config"] = config;
    let run = verify(&dump);
    assert_eq!((run.code, run.stdout.matches("PROBLEM").count()), (1, 1), "{run}");
    assert_eq!(problems(&run), BTreeSet::from(["route"]), "{run}");
}

#[test]
fn nothing_secret_is_printed() {
    let hush = "hush".repeat(16);
    let mut dump = istio();
    configure(
        &mut dump,
        &json!({
            "hosts": ["api.keptn"], "tokens": [{ "name": "ci", "sha256": hush, "sha": hush }, { "name": hush.repeat(2) }],
        }),
    );
    listener(&mut dump)["active_state"]["listener"]["filter_chains"][0]["transport_socket"] =
        json!({ "typed_config": { "tls_certificates": [{ "private_key": { "inline_string": hush } }] } });
    let secret = json!({ "name": "inject", "typed_config": { "credential": { "generic_secret": hush } } });
    filters(&mut dump).insert(1, secret);
    section(&mut dump, "Secrets")["dynamic_active_secrets"][0]["secret"] = json!({ "tls_certificate": hush });
    edit::routes(&mut dump)[0]["request_headers_to_add"][0]["header"]["value"] = json!(hush);
    edit::routes(&mut dump)[0]["match"]["filter_state"] = json!([]);
    listener(&mut dump)["error_state"]["details"] = json!(format!(
        "Proto constraint validation failed (TlsCertificateValidationError.PrivateKey: is odd): key: \"{hush}\" a {{ }}"
    ));
    section(&mut dump, "Routes")["dynamic_route_configs"][0]["error_state"]["details"] =
        json!(format!("Unable to parse: {{\"key\": \"{hush}\"}}"));
    let text = dump.to_string();
    let half = &text[..text.len() - 1];
    for input in [text.as_str(), half] {
        for args in [["verify", "-"].as_slice(), &["verify", "--json", "-"]] {
            let run = match args {
                ["verify", "-"] => gatectl_reading(["verify", "-"], input.as_bytes()),
                _ => gatectl_reading(["verify", "--json", "-"], input.as_bytes()),
            };
            assert!(run.code > 0 && !format!("{run}").contains("hush"), "{run}");
        }
    }
}

#[test]
fn what_is_no_dump_is_said_so() {
    for (name, text) in hostile() {
        let run = gatectl_reading(["verify", "-"], text.as_bytes());
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{name}: {run}");
        assert!(
            run.stderr.starts_with("standard input") && run.stderr.contains("config_dump"),
            "{name}: {run}"
        );
    }
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&vec![b' '; 16 * 1024 * 1024 + 1]).unwrap();
    let run = gatectl([std::ffi::OsStr::new("verify"), file.path().as_os_str()]);
    assert!(run.code == 2 && run.stderr.contains("longer than 16 MiB"), "{run}");
    let run = gatectl(["verify", "no-such-file"]);
    assert!(run.code == 2 && run.stderr.starts_with("no-such-file: cannot be read"), "{run}");
    let run = gatectl(["verify", "--domain", "https://example.org", "no-such-file"]);
    assert!(run.code == 2 && run.stderr.contains("this is a URL"), "{run}");
    // The others are judged all the same.
    let good = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/dumps/istio.json");
    let run = gatectl(["verify", "no-such-file", good, "--json"]);
    let printed: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(
        (run.code, printed[0]["closed"].as_bool(), printed.as_array().unwrap().len()),
        (2, Some(true), 1)
    );
}

/// Whatever stands where something else should: an answer, not a panic.
#[test]
fn wrong_types_make_no_panic() {
    fn pointers(value: &Value, at: String, all: &mut Vec<String>) {
        match value {
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    pointers(item, format!("{at}/{index}"), all);
                }
            }
            Value::Object(object) => {
                for (key, item) in object {
                    pointers(item, format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")), all);
                }
            }
            _ => {}
        }
        all.push(at);
    }
    let odd =
        [json!(null), json!(1e300), json!("*"), json!([]), json!({}), json!([[{}]]), json!("\u{202e}\n|")];
    let mut all = Vec::new();
    pointers(&istio(), String::new(), &mut all);
    assert!(all.len() > 500, "{}", all.len());
    // Each place is wrong once in seven runs; the steps have no factor in common.
    for (index, pointer) in all.iter().enumerate().step_by(5) {
        let mut dump = istio();
        *dump.pointer_mut(pointer).unwrap() = odd[index % odd.len()].clone();
        let run = verify(&dump);
        assert!((0..=2).contains(&run.code) && !run.stderr.contains("panicked"), "{pointer}: {run}");
        assert!(!run.stdout.contains('\u{202e}'), "{pointer}: {run}");
    }
}
