//! `gatectl validate`: what the golden files cannot show.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::run::{Run, data, gatectl, gatectl_reading};

/// One file with problems, one with warnings, and two that have nothing to judge: one of them is nowhere.
const MIXED: [&str; 4] = ["istio.yaml", "warnings.yaml", "broken-secret.yaml", "no-such-file"];

/// What the golden files should hold, besides the text for each file in the data.
pub(crate) fn golden() -> Vec<(String, String)> {
    let run = |name: &str, args: &[&str]| {
        let args = [&["validate"], args].concat();
        let shown = gatectl(&args).to_string().replace('\u{1b}', "␛");
        (format!("validate-{name}"), format!("$ gatectl {}\n{shown}", args.join(" ")))
    };
    let formats = ["json", "github", "gitlab"].map(|format| {
        let args = [&["--format", format], &MIXED[..]].concat();
        run(&format!("format-{format}"), &args)
    });
    let colours = run("colours", &["--color", "always", "warnings.yaml", "config-maps.json", "no-such-file"]);
    formats.into_iter().chain([colours]).collect()
}

/// A folder with these files.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

/// `gatectl` on a folder, which is called `.` in what is returned.
fn gatectl_on(folder: &tempfile::TempDir, args: &[&str]) -> Run {
    let path = folder.path().to_str().unwrap();
    let Run { code, stdout, stderr } = gatectl([&["validate"], args, &[path]].concat());
    Run { code, stdout: stdout.replace(path, "."), stderr: stderr.replace(path, ".") }
}

/// The problems of an output, without their places in the file, sorted.
fn problems(output: &str) -> Vec<String> {
    let starts_with_place =
        |line: &&str| line.split(':').nth(1).is_some_and(|part| part.parse::<usize>().is_ok());
    let heads = output.lines().filter(starts_with_place);
    let mut problems: Vec<_> = heads.map(|line| line.splitn(4, ':').nth(3).unwrap().to_owned()).collect();
    problems.sort();
    problems
}

#[test]
fn the_shipped_envoy_yaml_is_good() {
    let run = gatectl(["validate", concat!(env!("CARGO_MANIFEST_DIR"), "/../../envoy.yaml")]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run}");
    assert!(run.stdout.ends_with("envoy.yaml: good\n"), "{run}");
}

/// Everything that is shipped, so that what people begin with has neither problems nor warnings.
#[test]
fn the_shipped_manifests_are_good() {
    let run = gatectl(["validate", "--json", concat!(env!("CARGO_MANIFEST_DIR"), "/../../manifests")]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run}");
    let files: Value = serde_json::from_str(&run.stdout).unwrap();
    let mut found: Vec<_> = files
        .as_array()
        .unwrap()
        .iter()
        .map(|file| {
            assert_eq!(
                (&file["verdict"], &file["problems"]),
                (&"good".into(), &Value::Array(vec![])),
                "{file}"
            );
            let (_, name) = file["file"].as_str().unwrap().split_once("/manifests/").unwrap();
            format!("{name} {}", file["objects"][0].as_str().unwrap_or_default())
        })
        .collect();
    found.sort();
    assert_eq!(
        found,
        [
            "compose/envoy.yaml ",
            "istio/overlays/envoyfilter-http/filter.yaml EnvoyFilter istio-system/keptn-gateway",
            "istio/overlays/envoyfilter/filter.yaml EnvoyFilter istio-system/keptn-gateway",
            "istio/overlays/trafficextension/filter.yaml TrafficExtension istio-system/keptn-gateway",
            "istio/overlays/wasmplugin/filter.yaml WasmPlugin istio-system/keptn-gateway",
            "standalone/base/envoy.yaml ",
        ]
    );
}

/// As printed for kubectl: many documents in one stream.
#[test]
fn what_render_prints_is_good() {
    let image = ["--plugin-url", "oci://registry.example.org/plugin", "--plugin-sha256", &"0".repeat(64)];
    for (install, options, object) in [
        ("istio", &[][..], "EnvoyFilter istio-system/keptn-gateway"),
        ("wasmplugin", &image, "WasmPlugin istio-system/keptn-gateway"),
        ("standalone", &["--image", "registry.example.org/envoy"], "ConfigMap keptn/keptn-gateway-"),
    ] {
        let rendered =
            gatectl([&["render", "--domain", "example.org", "--install", install], options].concat());
        let run = gatectl_reading(["validate", "-"], rendered.stdout.as_bytes());
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{install}\n{rendered}\n{run}");
        assert!(run.stdout.starts_with("standard input: good") && run.stdout.contains(object), "{run}");
    }
}

/// As in `kubectl get … | gatectl validate -`, when kubectl fails.
#[test]
fn nothing_at_all_is_not_good() {
    for nothing in ["", "\n"] {
        let run = gatectl_reading(["validate", "-"], nothing.as_bytes());
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{run}");
        assert!(run.stderr.starts_with("standard input: there is nothing in it\n"), "{run}");
    }
}

#[test]
fn of_a_folder_the_files_with_ours_are_judged() {
    let files = [
        ("b/gateway.yml", "intern: deny\nhosts: [api.keptn]\n"),
        ("a.yaml", "apiVersion: v1\nkind: ConfigMap\ndata: { a.json: '{\"internal\": \"deny\"}' }\n"),
        ("kustomization.yaml", "resources: [a.yaml]\n"),
        ("values.yaml", "image: { tag: latest }\n"),
        ("package.json", "{ \"name\": \"x\" }"),
        ("empty.json", ""),
        ("notes.txt", "internal: maybe\n"),
        (".hidden/gateway.json", "{ \"internal\": \"maybe\" }"),
    ];
    let run = gatectl_on(&folder(&files), &[]);
    assert_eq!((run.code, run.stderr.as_str()), (1, ""), "{run}");
    assert!(
        run.stdout.starts_with("./a.yaml: good (ConfigMap, a.json)\n./b/gateway.yml:1:1: intern: "),
        "{run}"
    );
    let end = "./b/gateway.yml: 1 problem\n.: 2 of 6 YAML and JSON files have a configuration\n";
    assert!(run.stdout.ends_with(end), "{run}");

    let run = gatectl_on(&folder(&files[2..]), &[]);
    assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{run}");
    assert!(run.stderr.starts_with(".: none of its 4 YAML and JSON files has a configuration "), "{run}");

    // What cannot be read might be ours.
    let run = gatectl_on(&folder(&[("a.yaml", "internal: deny\n"), ("b.json", "{,}")]), &[]);
    assert_eq!(run.code, 2, "{run}");
    assert!(run.stdout.starts_with("./a.yaml: good\n") && run.stderr.starts_with("./b.json:1:2: "), "{run}");
}

#[cfg(unix)]
#[test]
fn a_link_in_a_circle_is_not_followed() {
    let folder = folder(&[("a.yaml", "internal: deny\n")]);
    std::os::unix::fs::symlink(folder.path(), folder.path().join("again")).unwrap();
    std::os::unix::fs::symlink(folder.path().join("a.yaml"), folder.path().join("b.yaml")).unwrap();
    let run = gatectl_on(&folder, &[]);
    assert_eq!(
        run.stdout,
        "./a.yaml: good\n./b.yaml: good\n.: 2 of 2 YAML and JSON files have a configuration\n"
    );
}

#[test]
fn json_is_the_same_by_either_name_and_says_why_a_file_is_not_judged() {
    let run = gatectl([&["validate", "--json"], &MIXED[..]].concat());
    assert_eq!(run, gatectl([&["validate", "--format", "json"], &MIXED[..]].concat()));
    assert_eq!((run.code, run.stderr.as_str()), (2, ""));
    let files: Value = serde_json::from_str(&run.stdout).unwrap();
    let verdicts: Vec<_> = files.as_array().unwrap().iter().map(|file| &file["verdict"]).collect();
    assert_eq!(verdicts, ["bad", "good", "unread", "unread"]);
    assert_eq!(files[2]["problems"][0]["line"], 4);
    assert_eq!(files[3]["problems"][0]["line"], Value::Null);
    assert!(!run.stdout.contains("hush"), "{run}");
    assert_eq!(gatectl(["validate", "--json", "--format", "text", "good.yaml"]).code, 2);
}

/// What explains a request takes the configuration from where validate finds it.
#[test]
fn a_request_is_explained_by_what_is_in_an_object() {
    let run = gatectl(["explain", "/swagger.json", "--config", "istio-good.yaml"]);
    assert_eq!(run.stderr, "istio-good.yaml: there is more than one configuration in it\n", "{run}");
    let folder = folder(&[(
        "plugin.yaml",
        "kind: WasmPlugin\napiVersion: extensions.istio.io/v1alpha1\nspec: { pluginName: keptn-gateway, pluginConfig: { hosts: [a] } }\n",
    )]);
    let plugin = folder.path().join("plugin.yaml");
    let run = gatectl(["explain", "http://a/swagger.json", "--config", plugin.to_str().unwrap()]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run}");
}

#[test]
fn yaml_and_json_have_the_same_problems() {
    let [yaml, json] =
        ["problems.yaml", "problems.json"].map(|file| problems(&gatectl(["validate", file]).stdout));
    assert!(yaml.len() > 30, "{yaml:?}");
    assert_eq!(yaml, json);
}

/// A caret that points beside its word would be worse than none.
#[test]
fn every_position_is_the_carets() {
    for file in [
        "problems.yaml",
        "problems.json",
        "bootstrap-literal.yaml",
        "bootstrap-quoted.yaml",
        "strings.yaml",
        "tokens.yaml",
        "warnings.yaml",
        "istio.yaml",
        "bootstrap-static.yaml",
    ] {
        let text = fs::read_to_string(data().join(file)).unwrap();
        let stdout = gatectl(["validate", file]).stdout;
        let lines: Vec<_> = stdout.lines().collect();
        let mut seen = 0;
        for block in lines.windows(4).filter(|block| block[1].trim() == "|" && block[0].starts_with(file)) {
            let mut head = block[0].split(':').skip(1).map(|part| part.parse::<usize>());
            let (line, column) = (head.next().unwrap().unwrap(), head.next().unwrap().unwrap());
            let of_file = text.lines().nth(line - 1).unwrap();
            let before: String = of_file.chars().take(column - 1).collect();
            let gutter = line.to_string().len() + " | ".len();
            // Wide characters take two columns of a terminal.
            let wide = before.chars().filter(|character| *character >= '\u{2e80}').count();
            assert_eq!(block[3].find('^'), Some(gutter + before.chars().count() + wide), "{block:#?}");
            seen += 1;
        }
        assert!(seen > 0 && seen == problems(&stdout).len(), "{file}: {seen}");
    }
}

/// Where a hash belongs people paste the token.
#[test]
fn a_token_in_the_place_of_its_hash_is_never_shown() {
    for (file, problems) in [
        ("tokens.yaml", 18),
        ("tokens-twice.yaml", 2),
        ("bootstrap-tokens.yaml", 11),
        ("broken-secret.yaml", 1),
        ("misplaced-tokens.yaml", 4),
        ("broken-tokens.json", 1),
        ("broken-tokens.yaml", 1),
    ] {
        // What the files say in their comments is not shown either.
        let text = fs::read_to_string(data().join(file)).unwrap();
        assert!(text.contains("hush"), "{file}");
        for run in [gatectl(["validate", file]), gatectl(["explain", "/", "--config", file])] {
            // `explain` leaves to `validate` what is around a configuration.
            let is_around = file == "misplaced-tokens.yaml" && run.stdout.is_empty();
            let problems = if is_around { problems - 1 } else { problems };
            let shown = format!("{}{}", run.stdout, run.stderr);
            assert!(!shown.contains("hush") && !shown.contains("2718281"), "{run}");
            let places = shown.lines().filter(|line| line.starts_with(&format!("{file}:")));
            let places =
                places.filter(|line| line.split(':').nth(1).is_some_and(|part| part.parse::<u32>().is_ok()));
            assert_eq!(places.count(), problems, "{run}");
        }
    }
}

#[test]
fn warnings_are_no_problems() {
    let run = gatectl(["validate", "warnings.yaml"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run}");
    assert!(run.stdout.ends_with("\nwarnings.yaml: good, 4 warnings\n"), "{run}");
    let run = gatectl(["validate", "bootstrap-warnings.yaml"]);
    assert_eq!(run.code, 1);
    assert!(run.stdout.ends_with("\nbootstrap-warnings.yaml: 1 problem, 1 warning\n"), "{run}");
    let run = gatectl(["explain", "/swagger.json", "--config", "warnings.yaml"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run}");
}

#[test]
fn files_are_judged_in_order_and_the_worst_decides() {
    let run = gatectl(["validate", "list.yaml", "good.yaml", "list.yaml"]);
    let sums: Vec<_> =
        run.stdout.lines().filter(|line| line.ends_with(": good") || line.ends_with("1 problem")).collect();
    assert_eq!(sums, ["list.yaml: 1 problem", "good.yaml: good", "list.yaml: 1 problem"]);
    assert_eq!(run.code, 1);

    let run = gatectl(["validate", "broken.yaml", "list.yaml", "no-such-file", "good.yaml"]);
    let alone = gatectl(["validate", "list.yaml"]);
    assert_eq!(run.stdout, format!("{}good.yaml: good\n", alone.stdout));
    assert!(run.stderr.starts_with("broken.yaml:3:10: "), "{run}");
    assert!(run.stderr.lines().last().unwrap().starts_with("no-such-file: cannot be read: "), "{run}");
    assert_eq!(run.code, 2);
}

#[test]
fn standard_input_is_a_file_too() {
    let run = gatectl_reading(["validate", "-"], b"{}");
    assert_eq!((run.code, run.stdout.as_str()), (0, "standard input: good\n"));
    let run = gatectl_reading(["validate", "good.yaml", "-"], b"internal: maybe\n");
    assert_eq!(run.code, 1);
    assert!(run.stdout.starts_with("good.yaml: good\nstandard input:1:11: internal: "), "{run}");
}

#[test]
fn a_document_without_anything_is_all_defaults() {
    for nothing in ["# nothing\n", "---\n", "null", "{}"] {
        assert_eq!(gatectl_reading(["validate", "-"], nothing.as_bytes()).code, 0, "{nothing:?}");
    }
}

#[test]
fn what_cannot_be_read_is_not_judged() {
    assert_eq!(gatectl(["validate", "."]).code, 2);
    assert_eq!(gatectl(["validate", ""]).code, 2);
    assert_eq!(gatectl(["validate"]).code, 2);
    let run = gatectl_reading(["validate", "-"], &vec![b' '; 16 * 1024 * 1024 + 1]);
    assert_eq!(run.stderr, "standard input: cannot be read: it is longer than 16 MiB\n");
    assert_eq!((run.code, run.stdout.as_str()), (2, ""));
}

/// Twenty thousand problems, all on one line.
#[test]
fn large_files_are_judged_to_the_end() {
    let keys: Vec<_> = (0..20_000).map(|index| format!("\"key-{index}\": 1")).collect();
    let run = gatectl_reading(["validate", "-"], format!("{{ {} }}", keys.join(", ")).as_bytes());
    assert_eq!(run.code, 1);
    assert!(run.stdout.ends_with("\nstandard input: 20000 problems\n"));
}

/// Every beginning of every file, and every file with one byte changed: all in one run, so that one panic
/// fails it.
#[test]
fn mutations_never_end_in_a_panic() {
    const BYTES: &[u8] = b"{}[]:,\"'|>&*!#%@-?~\\ \t\r\n0a\x00\xc3\xff";
    let folder = tempfile::tempdir().unwrap();
    let mut files = Vec::new();
    let mut add = |name: String, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        files.push(path);
    };
    let mut sources: Vec<_> = fs::read_dir(data()).unwrap().map(|file| file.unwrap().path()).collect();
    sources.sort();
    for (index, source) in sources.iter().enumerate() {
        let text = fs::read(source).unwrap();
        let extension = source.extension().and_then(|extension| extension.to_str()).unwrap_or("yaml");
        // A step that is prime to most lengths of lines: about 30 places in each file.
        let step = (text.len() / 30).max(1) | 1;
        for at in (0..text.len()).step_by(step) {
            add(format!("{index}-{at}-cut.{extension}"), &text[..at]);
            let mut changed = text.clone();
            changed[at] = BYTES[(at + index) % BYTES.len()];
            add(format!("{index}-{at}-changed.{extension}"), &changed);
            changed = text.clone();
            changed.insert(at, BYTES[(at / step) % BYTES.len()]);
            add(format!("{index}-{at}-added.{extension}"), &changed);
        }
    }
    assert!(files.len() > 2000, "{}", files.len());
    let args: Vec<_> = [OsString::from("validate")].into_iter().chain(files.iter().map(Into::into)).collect();
    let run = gatectl(args);
    assert!(!run.stderr.contains("panicked"), "{}", run.stderr);
    assert_eq!(run.code, 2);
    // Each file has a word said about it.
    let lines = run.stdout.lines().chain(run.stderr.lines());
    let told: HashSet<_> = lines.filter_map(|line| line.split(':').next()).map(Path::new).collect();
    let untold: Vec<_> = files.iter().filter(|path| !told.contains(path.as_path())).collect();
    assert!(untold.is_empty(), "{untold:?}");
}
