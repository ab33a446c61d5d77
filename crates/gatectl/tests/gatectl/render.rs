//! `gatectl render` and `gatectl domain`: the checked-in manifests, folders, and what is refused.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use saphyr::{LoadableYamlNode as _, SafelyIndex as _, Yaml};
use tempfile::TempDir;

use crate::run::{Run, command, gatectl};

const MARK: &str = "# Made by gatectl render.\n";

/// Command lines by the names of their golden files. They run in a folder with the files of [`scene`].
const GOLDEN: [(&str, &[&str]); 28] = [
    ("domain-url", &["render", "--domain", "https://api.keptn.example.org/"]),
    ("domain-address", &["domain", "10.0.0.1:31390"]),
    (
        "everything",
        &[
            "render",
            "--install=wasmplugin",
            "--domain=exa_mple.org",
            "--namespace=Keptn",
            "--gateway-namespace=istio.system",
            "--upstream=shop",
            "--upstream=shop=10.0.0.1:80",
            "--plugin-url=http//registry",
            "--plugin-sha256=abc",
            "--trusted-hops=1",
            "--image=a",
        ],
    ),
    ("problems", &["render", "--config=problems.yaml"]),
    ("hosts", &["render", "--config=hosts.yaml"]),
    ("upstreams", &["render", "--config=upstreams.yaml"]),
    ("upstream-unknown", &["render", "--upstream=shop=shop.example:80"]),
    ("upstream-twice", &["render", "--upstream=shop=a.example:80", "--upstream=shop=b.example:80"]),
    ("no-such-file", &["render", "--config=no-such.yaml"]),
    ("password", &["render", "--install=wasmplugin", "--plugin-url=oci://user:hush@registry.example/a"]),
    (
        "two-digests",
        &[
            "render",
            "--install=wasmplugin",
            "--plugin-url=oci://registry.example/a@sha256:1111111111111111111111111111111111111111111111111111111111111111",
            "--plugin-sha256=2222222222222222222222222222222222222222222222222222222222222222",
        ],
    ),
    ("nothing-fetched", &["render", "--plugin-url=oci://registry.example/a"]),
    ("file-not-image", &["render", "--install=istio-http", "--plugin-url=oci://registry.example/a"]),
    ("hops-in-istio", &["render", "--trusted-hops=1"]),
    (
        "not-for-this",
        &["render", "--install=standalone", "--credential-name=tls", "--cluster-domain=cluster..local"],
    ),
    ("pull-secret", &["render", "--image-pull-secret=pull"]),
    ("image", &["render", "--install=standalone", "--image=oci://registry.example/a"]),
    ("install-unknown", &["render", "--install=nginx"]),
    ("stream-without-plugin", &["render", "--install=wasmplugin"]),
    (
        "stream-without-digest",
        &["render", "--install=trafficextension", "--plugin-url=oci://registry.example/a:1"],
    ),
    ("stream-without-file", &["render", "--install=istio-http"]),
    ("compose-stream", &["render", "--install=compose"]),
    ("domain-compose", &["domain", "example.org", "--install=compose", "-o", "out"]),
    ("domain-all-stream", &["domain", "example.org", "--install=all"]),
    ("domain-without-plugin", &["domain", "example.org", "--install=wasmplugin"]),
    ("domain-not-rendered", &["domain", "example.org", "-o", "out"]),
    ("foreign-files", &["render", "-o", "foreign"]),
    ("file-as-folder", &["render", "-o", "hosts.yaml"]),
];

/// A folder with configurations and with files of somebody else's.
fn scene() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("hosts.yaml", "hosts:\n- api.keptn.example.com\n"),
        ("problems.yaml", "hosts: [api.keptn]\ninternal: maybe\nauth:\n  timeout: 1 parsec\n"),
        ("upstreams.yaml", "upstreams:\n- name: shop\n- name: files\n"),
        ("foreign/istio/kustomization.yaml", "resources: []\n"),
        ("foreign/istio/base/routes.yaml/notes", ""),
        ("foreign/istio/base/public-gateway.yaml", MARK),
    ] {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn run_in(folder: &Path, args: &[&str]) -> Run {
    command(args).current_dir(folder).output().unwrap().into()
}

/// What the golden files should hold.
pub(crate) fn golden() -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    let folder = scene();
    let before = tree(folder.path());
    for (name, args) in GOLDEN {
        let run = run_in(folder.path(), args);
        assert!(run.code != 0 && run.stdout.is_empty(), "{name}\n{run}");
        assert_eq!(tree(folder.path()), before, "{name}");
        all.insert(format!("render-{name}"), format!("$ gatectl {}\n{run}", args.join(" ")));
    }
    for command in ["render", "domain"] {
        let run = gatectl([command, "--help"]);
        all.insert(format!("help-{command}"), format!("$ gatectl {command} --help\n{run}"));
    }
    all
}

/// All files of a folder, and its empty folders, by their paths.
fn tree(folder: &Path) -> BTreeMap<PathBuf, String> {
    let mut all = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        let entries: Vec<_> = fs::read_dir(&next).unwrap().map(|entry| entry.unwrap().path()).collect();
        if entries.is_empty() {
            all.insert(next.strip_prefix(folder).unwrap().to_owned(), String::new());
        }
        for path in entries {
            if path.is_dir() {
                folders.push(path);
            } else {
                let text = fs::read_to_string(&path).unwrap();
                all.insert(path.strip_prefix(folder).unwrap().to_owned(), text);
            }
        }
    }
    all
}

fn rendered(args: &[&str]) -> BTreeMap<PathBuf, String> {
    let folder = tempfile::tempdir().unwrap();
    let run = run_in(folder.path(), &[&["render", "-o", "."], args].concat());
    assert_eq!((run.code, run.stdout.as_str()), (0, ""), "{run}");
    tree(folder.path())
}

fn good(args: &[&str]) -> String {
    let run = gatectl(args);
    assert_eq!(run.code, 0, "{run}");
    run.stdout
}

/// To write them anew from the templates: `UPDATE_MANIFESTS=1 cargo test -p gatectl manifests`.
#[test]
fn the_manifests_are_what_render_makes_of_the_defaults() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../manifests");
    let made = rendered(&["--install", "all"]);
    let stored = || {
        let mut files = tree(&folder);
        // Where compose.yaml looks for a certificate, which people make.
        files.retain(|path, _| !path.starts_with("compose/certs"));
        files
    };
    if std::env::var_os("UPDATE_MANIFESTS").is_some() {
        for path in stored().keys().filter(|path| !made.contains_key(*path)) {
            fs::remove_file(folder.join(path)).unwrap();
        }
        for (path, text) in &made {
            fs::create_dir_all(folder.join(path).parent().unwrap()).unwrap();
            fs::write(folder.join(path), text).unwrap();
        }
    }
    let stored = stored();
    assert_eq!(stored.keys().collect::<Vec<_>>(), made.keys().collect::<Vec<_>>());
    for (path, text) in &made {
        let mut lines = stored[path].lines().zip(text.lines()).zip(1..);
        let first = lines.find(|((stored, made), _)| stored != made);
        assert!(stored[path] == *text, "manifests/{} is not its template's: {first:#?}", path.display());
    }
}

#[test]
fn each_installation_is_a_part_of_all() {
    let all = rendered(&["--install", "all"]);
    let mut seen = Vec::new();
    for install in ["istio", "istio-http", "wasmplugin", "trafficextension", "standalone", "compose"] {
        for (path, text) in rendered(&["--install", install]) {
            // It names the overlay.
            if path != Path::new("istio/kustomization.yaml") {
                assert_eq!(all[&path], text, "{install}: {}", path.display());
            }
            seen.push(path);
        }
    }
    seen.sort();
    seen.dedup();
    assert_eq!(all.keys().collect::<Vec<_>>(), seen.iter().collect::<Vec<_>>());
}

/// The kind, the namespace and the name of each object of a stream.
fn objects(stream: &str) -> Vec<String> {
    let text = |object: &Yaml<'_>, key: &str| object[key].as_str().unwrap().to_owned();
    let documents = Yaml::load_from_str(stream).unwrap();
    let shown = documents.iter().map(|object| {
        let meta = &object["metadata"];
        format!("{} {}/{}", text(object, "kind"), text(meta, "namespace"), text(meta, "name"))
    });
    shown.collect()
}

#[test]
fn a_stream_has_everything_of_an_installation() {
    let base = [
        "Gateway istio-system/public-gateway",
        "VirtualService keptn/keptn-gateway",
        "EnvoyFilter istio-system/keptn-gateway-routes",
        "DestinationRule keptn/keptn-gateway-api-service",
        "DestinationRule keptn/keptn-gateway-configuration-service",
    ];
    let digest = format!("--plugin-sha256={}", "a".repeat(64));
    let image = ["--plugin-url=oci://registry.example/a:1", &digest];
    let file = ["--plugin-url=https://files.example/a.wasm", &digest];
    for (install, options, filter) in [
        ("istio", &[][..], "EnvoyFilter"),
        ("istio-http", &file, "EnvoyFilter"),
        ("wasmplugin", &image, "WasmPlugin"),
        ("trafficextension", &image, "TrafficExtension"),
    ] {
        let filter = format!("{filter} istio-system/keptn-gateway");
        let stream = good(&[&["render", "--install", install], options].concat());
        assert_eq!(objects(&stream), [&base[..], &[&filter]].concat(), "{install}");
    }
}

/// So pods are replaced when it changes.
#[test]
fn another_configuration_without_istio_is_another_config_map() {
    let names = |hops: &str| {
        let args = ["render", "--install=standalone", "--image=a/b:1", "--trusted-hops", hops];
        let documents = Yaml::load_from_str(&good(&args)).unwrap();
        let of = |kind: &str| documents.iter().find(|it| it["kind"].as_str() == Some(kind)).unwrap();
        let name = of("ConfigMap")["metadata"]["name"].as_str().unwrap();
        let volumes = &of("Deployment")["spec"]["template"]["spec"]["volumes"];
        assert_eq!(volumes[0]["configMap"]["name"].as_str(), Some(name));
        name.to_owned()
    };
    assert_eq!(names("1"), names("1"));
    assert_ne!(names("1"), names("2"));
}

/// Requests for other hosts are left alone: the probe of the gate must not be one.
#[test]
fn without_istio_the_probe_asks_for_a_host_that_is_ours() {
    let folder = scene();
    for (args, expected) in [(&[][..], "api.keptn"), (&["--config=hosts.yaml"][..], "api.keptn.example.com")]
    {
        for (install, path) in
            [("standalone", "standalone/base/envoy.yaml"), ("compose", "compose/envoy.yaml")]
        {
            let out = folder.path().join(format!("{install}-{expected}"));
            let out = out.to_str().unwrap();
            let args = [&["render", "--install", install, "-o", out], args].concat();
            let run = run_in(folder.path(), &args);
            assert_eq!(run.code, 0, "{run}");
            let envoy_yaml = fs::read_to_string(Path::new(out).join(path)).unwrap();
            assert!(envoy_yaml.contains(&format!("host_rewrite_literal: {expected},")), "{install}");
        }
    }
}

#[test]
fn a_domain_with_a_port_is_in_the_config_map_with_it_and_in_hosts_without() {
    let run = gatectl(["domain", "10.0.0.1.nip.io:31390", "--namespace", "123"]);
    assert_eq!(run.code, 0, "{run}");
    let filter = "EnvoyFilter istio-system/keptn-gateway";
    assert_eq!(
        objects(&run.stdout),
        ["ConfigMap 123/keptn-domain", "VirtualService 123/keptn-gateway", filter]
    );
    let documents = Yaml::load_from_str(&run.stdout).unwrap();
    assert_eq!(documents[0]["data"]["app_domain"].as_str(), Some("10.0.0.1.nip.io:31390"));
    let hosts = documents[1]["spec"]["hosts"].as_sequence().unwrap();
    let hosts: Vec<_> = hosts.iter().map(|host| host.as_str().unwrap()).collect();
    assert_eq!(hosts, ["api.keptn.10.0.0.1.nip.io", "api.keptn"]);
    assert!(run.stdout.contains(r#""hosts": ["api.keptn.10.0.0.1.nip.io", "api.keptn"]"#), "{run}");
    for word in [
        "if there is one of your own, give it with --config, or let `--config -` read what `kubectl get` says of",
        "Where the Gateway is the modern one, give --credential-name.\n",
        "- the policy for other teams (istio/tenants), where it is applied: render with -o, and apply it anew\n",
        "cert self-signed 10.0.0.1.nip.io:31390 | kubectl apply -f -, or gatectl cert own; for the modern Gateway with \
         --credential-name keptn-gateway-certificate\n",
        "--endpoint=https://api.keptn.10.0.0.1.nip.io:31390",
    ] {
        assert!(run.stderr.contains(word), "{run}");
    }
}

#[test]
fn without_istio_nothing_is_told_of_what_is_only_there() {
    let run = gatectl(["domain", "other.example", "--install=standalone"]);
    assert_eq!(run.code, 0, "{run}");
    assert!(run.stderr.contains("cert self-signed other.example --install standalone |"), "{run}");
    for word in ["onboarded", "bridge", "tenants", "credential-name", "configuration"] {
        assert!(!run.stderr.contains(word), "{word}: {run}");
    }
}

/// A configuration that nobody may lose.
const OWN: &str = r#"{
  "internal": "deny",
  "tokens": [{ "name": "ci", "sha256": "4b00c40ef6bd3c84b9ae2cbbfa1d8ea9b0e5d30c0d0bbdd2c1ac0f7b5c9b8e0d" }],
  "upstreams": [{ "name": "shop" }]
}"#;
const SHOP: [&str; 2] = ["--config=own.json", "--upstream=shop=shop.example:8080"];

/// After `domain` the folder is as if it had been rendered for the domain, and has Keptn's ConfigMap. Its configuration
/// need not be said again.
#[test]
fn a_folder_gets_another_domain_and_keeps_its_configuration() {
    let digest = format!("--plugin-sha256={}", "a".repeat(64));
    let image = "--plugin-url=oci://registry.example/a:1";
    for options in [
        &["--install=istio"][..],
        &["--install=istio", "--credential-name=tls"],
        &["--install=istio-http", "--plugin-url=https://files.example/a.wasm", &digest],
        &["--install=wasmplugin", image, &digest, "--image-pull-secret=pull"],
        &["--install=trafficextension", image, &digest],
        &["--install=standalone", "--image=a/b:1"],
        &["--install=all"],
    ] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("own.json"), OWN).unwrap();
        let run = run_in(folder.path(), &[&["render", "-o", "out"], options, &SHOP].concat());
        assert_eq!(run.code, 0, "{run}");
        let change = [&["domain", "other.example:31390", "-o", "out"], options].concat();
        let run = run_in(folder.path(), &change);
        assert_eq!((run.code, run.stdout.as_str()), (0, ""), "{run}");
        let is_kept = run.stderr.contains("filter.yaml: the configuration is the one that was there\n");
        assert_eq!(is_kept, options != ["--install=standalone", "--image=a/b:1"], "{run}");
        let mut changed = tree(&folder.path().join("out"));
        let config_map = changed.remove(Path::new("keptn-domain.yaml")).unwrap();
        assert!(config_map.contains("  app_domain: other.example:31390\n"), "{config_map}");
        let other = [&["render", "-o", "other", "--domain", "other.example:31390"], options, &SHOP].concat();
        assert_eq!(run_in(folder.path(), &other).code, 0);
        assert_eq!(changed, tree(&folder.path().join("other")), "{options:?}");
        let run = run_in(folder.path(), &change);
        assert!(run.code == 0 && run.stderr.contains("out: nothing has changed\n"), "{run}");
    }
}

#[test]
fn a_folder_with_two_configurations_is_asked_which() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(run_in(folder.path(), &["render", "-o", "out", "--install=all"]).code, 0);
    let filter = folder.path().join("out/istio/overlays/envoyfilter/filter.yaml");
    let text = fs::read_to_string(&filter).unwrap();
    fs::write(&filter, text.replace("\"hosts\":", "\"internal\": \"deny\", \"hosts\":")).unwrap();
    let before = tree(folder.path());
    let change = ["domain", "other.example", "-o", "out", "--install=all"];
    let run = run_in(folder.path(), &change);
    assert_eq!((run.code, tree(folder.path())), (2, before), "{run}");
    assert!(run.stderr.contains("different configurations: out/istio/"), "{run}");
    fs::write(folder.path().join("own.json"), "{\"internal\": \"deny\"}").unwrap();
    let run = run_in(folder.path(), &[&change[..], &["--config=own.json"]].concat());
    assert_eq!(run.code, 0, "{run}");
}

/// `kubectl get … -o json | gatectl domain D --config -`: whatever is there stays, but its hosts.
#[test]
fn the_configuration_comes_out_of_the_object_that_is_there() {
    let digest = format!("--plugin-sha256={}", "a".repeat(64));
    let image = ["--plugin-url=oci://registry.example/a:1", digest.as_str()];
    for (install, options) in [("istio", &[][..]), ("wasmplugin", &image), ("trafficextension", &image)] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("own.json"), OWN).unwrap();
        let options = [&["--install", install], options].concat();
        let rendered =
            run_in(folder.path(), &[&["render", "--domain=old.example"], options.as_slice(), &SHOP].concat());
        let filter = rendered.stdout.split("---\n").last().unwrap();
        fs::write(folder.path().join("object.yaml"), filter).unwrap();
        let domain = ["domain", "new.example:31390"];
        let expected = run_in(folder.path(), &[&domain, options.as_slice(), &SHOP].concat());
        assert_eq!(expected.code, 0, "{expected}");
        assert!(expected.stdout.contains("deny") && expected.stdout.contains("4b00c40e"), "{expected}");
        let read = [&domain, options.as_slice(), &["--config=-"]].concat();
        let mut command = command(read);
        let object = fs::File::open(folder.path().join("object.yaml")).unwrap();
        let run = Run::from(command.current_dir(folder.path()).stdin(object).output().unwrap());
        assert_eq!((run.code, &run.stdout), (0, &expected.stdout), "{run}");
    }
    // Hosts that no domain makes are not thrown away.
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("own.json"), r#"{"hosts": ["api.keptn", "shop.example"]}"#).unwrap();
    let run = run_in(folder.path(), &["domain", "new.example", "--config=own.json"]);
    assert!(run.code == 1 && run.stderr.contains("hosts: these are other hosts"), "{run}");
    // And to render, any hosts but the domain's may be a mistake.
    fs::write(folder.path().join("own.json"), r#"{"hosts": ["api.keptn", "api.keptn.old.example"]}"#)
        .unwrap();
    let run = run_in(folder.path(), &["render", "--domain=new.example", "--config=own.json"]);
    assert_eq!(run.code, 1, "{run}");
}

/// Who has no verdict, or an Istio that would drop the demand for it, gets no route; and nothing that may have reached a
/// service is sent twice.
#[test]
fn each_route_demands_a_verdict_of_a_proxy_that_knows_it() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("own.json"), OWN).unwrap();
    let run = run_in(folder.path(), &[&["render"][..], &SHOP].concat());
    let documents = Yaml::load_from_str(&run.stdout).unwrap();
    let is_routes = |it: &&Yaml<'_>| it["metadata"]["name"].as_str() == Some("keptn-gateway-routes");
    let routes = documents.iter().find(is_routes).unwrap();
    let mut verdicts = Vec::new();
    for patch in routes["spec"]["configPatches"].as_sequence().unwrap() {
        assert_eq!(patch["patch"]["operation"].as_str(), Some("INSERT_FIRST"));
        let place = &patch["match"];
        let before = place["routeConfiguration"]["vhost"]["route"]["name"].as_str();
        assert_eq!((place["context"].as_str(), before), (Some("GATEWAY"), Some("keptn-gateway-not-loaded")));
        let proxies = place["proxy"]["proxyVersion"].as_str().unwrap();
        // What it fits is tried in a lab (tests/istio/dumps.rs).
        assert_eq!(proxies, r"^(1\.(2[6-9]|[3-9][0-9]|[1-9][0-9]{2,})|[2-9])\.");
        let route = &patch["patch"]["value"];
        let [demand] = route["match"]["filter_state"].as_sequence().unwrap().as_slice() else {
            panic!("one verdict: {route:#?}")
        };
        assert_eq!(demand["key"].as_str(), Some("wasm.keptn.upstream"));
        assert_eq!(demand.as_mapping().unwrap().len(), 2, "nothing inverts it: {demand:#?}");
        let string = demand["string_match"].as_mapping().unwrap();
        assert_eq!(string.len(), 1, "{demand:#?}");
        let verdict = demand["string_match"]["exact"].as_str().unwrap();
        let cluster = route["route"]["cluster"].as_str().unwrap();
        assert!(cluster.split(['|', '.']).any(|part| part == verdict), "{verdict} leads to {cluster}");
        let retries = &route["route"]["retry_policy"];
        assert_eq!(retries["retry_on"].as_str(), Some("connect-failure,refused-stream"));
        verdicts.push(verdict);
    }
    let [config, api] = ["configuration-service", "api-service"];
    assert_eq!(verdicts, [config, config, api, api, "shop"]);
}

/// The Gateway and where the filter is: on the ports with TLS alone.
#[test]
fn the_modern_gateway_redirects_and_the_filter_is_not_before_that() {
    let digest = format!("--plugin-sha256={}", "a".repeat(64));
    let image = ["--plugin-url=oci://registry.example/a:1", digest.as_str()];
    let file = ["--plugin-url=https://registry.example/a", digest.as_str()];
    let ports = |object: &Yaml<'_>| -> Vec<i64> {
        let spec = &object["spec"];
        let Some(patches) = spec.get("configPatches") else {
            let matches = spec.get("match").and_then(Yaml::as_sequence);
            let ports = matches.into_iter().flatten().flat_map(|it| it["ports"].as_sequence().unwrap());
            return ports.map(|port| port["number"].as_integer().unwrap()).collect();
        };
        let of_filter = patches.as_sequence().unwrap().iter();
        let of_filter = of_filter.filter(|patch| patch["applyTo"].as_str() == Some("HTTP_FILTER"));
        let port = |patch: &Yaml<'_>| patch["match"]["listener"].get("portNumber")?.as_integer();
        of_filter.filter_map(port).collect()
    };
    for (install, options) in
        [("istio", &[][..]), ("istio-http", &file), ("wasmplugin", &image), ("trafficextension", &image)]
    {
        let options = [&["--install", install], options].concat();
        let modern = ["--credential-name=keptn-tls"];
        for command in [&["render"][..], &["domain", "example.org"]] {
            let [old, new] = [&[][..], &modern].map(|more| good(&[command, &options, more].concat()));
            let (old, new) = (Yaml::load_from_str(&old).unwrap(), Yaml::load_from_str(&new).unwrap());
            assert_eq!(ports(old.last().unwrap()), [0; 0], "{install}");
            assert_eq!(ports(new.last().unwrap()), [443, 8443], "{install}");
        }
        let stream = good(&[&["render"], options.as_slice(), &modern].concat());
        let documents = Yaml::load_from_str(&stream).unwrap();
        let gateway = documents.iter().find(|it| it["kind"].as_str() == Some("Gateway")).unwrap();
        let servers = &gateway["spec"]["servers"];
        assert_eq!(servers[0]["tls"]["httpsRedirect"].as_bool(), Some(true), "{install}");
        assert_eq!(servers[1]["tls"]["credentialName"].as_str(), Some("keptn-tls"), "{install}");
        assert!(servers[1]["tls"].get("privateKey").is_none(), "{install}");

        let files = rendered(&[options.as_slice(), &modern].concat());
        let kustomization = &files[Path::new("istio/kustomization.yaml")];
        assert!(kustomization.ends_with("\ncomponents:\n- components/credential-name\n"), "{kustomization}");
        let component = &files[Path::new("istio/components/credential-name/public-gateway.yaml")];
        assert!(component.contains("\n      credentialName: keptn-tls\n"), "{component}");
    }
}

#[test]
fn images_are_pulled_with_a_secret_where_there_is_one() {
    let digest = format!("--plugin-sha256={}", "a".repeat(64));
    let image = ["--plugin-url=oci://registry.example/a:1", digest.as_str()];
    for (install, options, place) in [
        ("wasmplugin", &image[..], "\n  imagePullSecret: \"123\"\n"),
        ("trafficextension", &image, "\n    imagePullSecret: \"123\"\n"),
        ("standalone", &["--image=a/b:1"], "\n      imagePullSecrets:\n      - name: \"123\"\n"),
    ] {
        let options = [&["render", "--install", install], options].concat();
        assert!(!good(&options).contains("imagePullSecret"), "{install}");
        let with = good(&[options.as_slice(), &["--image-pull-secret=123"]].concat());
        assert!(with.contains(place), "{with}");
    }
}

#[test]
fn the_clusters_domain_is_in_every_name() {
    for install in ["all", "istio", "standalone"] {
        let files = rendered(&["--install", install, "--cluster-domain=corp.internal."]);
        let text = files.values().map(String::as_str).collect::<String>();
        assert!(text.contains("configuration-service.keptn.svc.corp.internal"), "{install}");
        assert!(!text.contains("cluster.local"), "{install}");
    }
}

#[test]
fn a_folder_is_written_as_a_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let render = |domain: &str| run_in(folder.path(), &["render", "-o", "out", "--domain", domain]);
    assert_eq!(render("one.example").code, 0);
    // Files of somebody else's stay, and our own may be edited.
    fs::write(out.join("istio/base/notes"), "").unwrap();
    let routes = out.join("istio/base/routes.yaml");
    fs::write(&routes, format!("{MARK}# Mine.\n")).unwrap();
    let before = tree(&out);

    let filter = out.join("istio/overlays/envoyfilter/filter.yaml");
    let text = fs::read_to_string(&filter).unwrap();
    fs::write(&filter, text.strip_prefix(MARK).unwrap()).unwrap();
    let run = render("two.example");
    assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{run}");
    assert!(
        run.stderr.starts_with("out/istio/overlays/envoyfilter/filter.yaml: this file is not gatectl's"),
        "{run}"
    );
    fs::write(&filter, text).unwrap();
    assert_eq!(tree(&out), before);

    let mut permissions = fs::metadata(&filter).unwrap().permissions();
    permissions.set_readonly(true);
    fs::set_permissions(&filter, permissions.clone()).unwrap();
    let run = render("two.example");
    assert!(
        run.code == 2 && run.stderr.contains("filter.yaml: cannot be written: it is read-only\n"),
        "{run}"
    );
    assert_eq!(tree(&out), before);

    #[allow(clippy::permissions_set_readonly_false, reason = "the file is the test's own")]
    permissions.set_readonly(false);
    fs::set_permissions(&filter, permissions).unwrap();
    let run = render("two.example");
    assert_eq!((run.code, run.stdout.as_str()), (0, ""), "{run}");
    let changed = [
        "base/virtual-service.yaml",
        "base/routes.yaml",
        "overlays/envoyfilter/filter.yaml",
        "tenants/admission-policy.yaml",
    ];
    assert_eq!(run.stderr, changed.map(|file| format!("out/istio/{file}: changed\n")).concat());
    let mut after = tree(&out);
    assert_eq!(after.remove(Path::new("istio/base/notes")).as_deref(), Some(""));
    assert_eq!(after, rendered(&["--domain", "two.example"]));
}

#[cfg(unix)]
#[test]
fn a_folder_that_cannot_be_made_leaves_none_behind() {
    let folder = tempfile::tempdir().unwrap();
    // A link that leads nowhere is found only when its folder's files are written.
    fs::create_dir_all(folder.path().join("out/istio")).unwrap();
    std::os::unix::fs::symlink("nowhere/at/all", folder.path().join("out/istio/overlays")).unwrap();
    let run = run_in(folder.path(), &["render", "-o", "out"]);
    assert!(run.code == 2 && run.stderr.contains("filter.yaml: cannot be written"), "{run}");
    let left: Vec<_> =
        fs::read_dir(folder.path().join("out/istio")).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert_eq!(left, ["overlays"]);
}

/// Warnings do not get between the objects.
#[test]
fn what_may_surprise_is_on_standard_error() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("w.yaml"), "auth: { allow: 0s, stale_if_error: 1h }\n").unwrap();
    let run = run_in(folder.path(), &["render", "--config", "w.yaml", "--install", "standalone"]);
    assert_eq!(run.code, 0, "{run}");
    assert!(run.stderr.contains("w.yaml:1:") && run.stderr.contains("--domain, --image"), "{run}");
    assert!(objects(&run.stdout).len() > 5);
    for empty in ["", "# Nothing.\n", "null\n"] {
        fs::write(folder.path().join("empty.yaml"), empty).unwrap();
        let run = run_in(folder.path(), &["render", "--config", "empty.yaml", "--domain=example.org"]);
        assert_eq!(run.code, 0, "{run}");
        assert_eq!(run.stderr, "warning: empty.yaml: there is no configuration in it: all defaults hold\n");
    }
    let run = run_in(folder.path(), &["render", "-o", "out", "--install", "wasmplugin"]);
    assert!(run.code == 0 && run.stderr.contains("--plugin-url, --plugin-sha256"), "{run}");
}

/// As in a file that was made for another way to run.
#[test]
fn hosts_that_are_the_domains_may_stay() {
    let folder = tempfile::tempdir().unwrap();
    let render = |hosts: &str| {
        fs::write(folder.path().join("gateway.yaml"), format!("hosts: {hosts}\ninternal: deny\n")).unwrap();
        run_in(folder.path(), &["render", "--domain=example.com", "--config=gateway.yaml"])
    };
    let expected = render("null");
    assert_eq!((expected.code, expected.stderr.as_str()), (0, ""), "{expected}");
    assert!(expected.stdout.contains(r#""hosts": ["api.keptn.example.com", "api.keptn"]"#), "{expected}");
    for same in ["[]", "[api.keptn, api.keptn.example.com]", "[\"API.keptn.:80\", Api.keptn.example.com]"] {
        assert_eq!(render(same), expected, "{same}");
    }
    for other in
        ["[api.keptn]", "[api.keptn.example.com]", "[api.keptn, api.keptn.example.com, shop.example.com]"]
    {
        let run = render(other);
        assert!(
            run.code == 1 && run.stdout.is_empty() && run.stderr.contains("gateway.yaml:1:8: hosts: "),
            "{run}"
        );
    }
}

/// The plugin's configuration may still be inside an Envoy's.
#[test]
fn a_configuration_comes_out_of_a_bootstrap() {
    let bootstrap = |config: &str| {
        format!(
            "static_resources:\n  http_filters:\n  - name: keptn-gateway\n    typed_config:\n      \
             \"@type\": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm\n      config:\n        \
             configuration:\n          \"@type\": type.googleapis.com/google.protobuf.StringValue\n          \
             value: |\n            {config}\n"
        )
    };
    let folder = tempfile::tempdir().unwrap();
    let render = |config: &str| {
        fs::write(folder.path().join("envoy.yaml"), bootstrap(config)).unwrap();
        run_in(folder.path(), &["render", "--domain=example.org", "--config=envoy.yaml"])
    };
    let run = render(r#"{ "max_body_bytes": 5 }"#);
    assert!(run.code == 0 && run.stdout.contains("\"max_body_bytes\": 5\n"), "{run}");
    let run = render(r#"{ "hosts": ["shop.example.org"] }"#);
    assert!(run.code == 1 && run.stderr.contains("envoy.yaml:10:24: hosts: "), "{run}");
    let run = render(r#"{ "upstreams": [{ "name": "shop" }] }"#);
    assert!(run.code == 1 && run.stderr.contains("envoy.yaml:10:39: upstreams[0].name: "), "{run}");
}
