//! `gatectl validate`: what the golden files cannot show.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs;
use std::path::Path;

use crate::run::{data, gatectl, gatectl_reading};

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
        ("broken-tokens.json", 1),
        ("broken-tokens.yaml", 1),
    ] {
        // What the files say in their comments is not shown either.
        let text = fs::read_to_string(data().join(file)).unwrap();
        assert!(text.contains("hush"), "{file}");
        for run in [gatectl(["validate", file]), gatectl(["explain", "/", "--config", file])] {
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
fn nothing_at_all_is_all_defaults() {
    for nothing in ["", "\n \n", "# nothing\n", "---\n", "null", "{}"] {
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
        // A step that is prime to most lengths of lines: about 60 places in each file.
        let step = (text.len() / 60).max(1) | 1;
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
