//! `gatectl token`: what it makes the gateway accepts, and no token is ever seen where it should not be.

use std::collections::HashSet;
use std::fs;
use std::process::{Command, Stdio};

use gate::config::Config;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::run::{Run, command, data, gatectl, gatectl_reading};
use crate::terminal::Terminal;

/// As Keptn's installer makes them.
const TOKEN: &str = "pHB8Tm7xW0+kL/5vQ2sJdA==";

/// What the golden files should hold. Nothing random is in them.
pub(crate) fn golden() -> Vec<(String, String)> {
    let shown = |name: &str, args: &[&str], input: Option<&str>| {
        let run = match input {
            None => gatectl([&["token"], args].concat()),
            Some(input) => gatectl_reading([&["token"], args].concat(), input.as_bytes()),
        };
        let piped = input.map(|input| format!("printf %s {input:?} | ")).unwrap_or_default();
        let args = args.iter().map(|arg| {
            if arg.is_empty() || arg.contains(' ') { format!("'{arg}'") } else { (*arg).to_owned() }
        });
        let args = args.collect::<Vec<_>>().join(" ");
        let text = format!("$ {piped}gatectl token {args}\n{run}");
        (format!("token-{name}"), masked(&text))
    };
    let validity = ["--not-before", "2027-01-01T00:00:00Z", "--not-after", "2027-12-31T23:59:59Z"];
    vec![
        shown("help", &["--help"], None),
        shown("help-new", &["new", "--help"], None),
        shown("help-hash", &["hash", "--help"], None),
        shown("new", &["new", "--name", "ci"], None),
        shown("new-color", &["new", "--name", "ci", "--color", "always"], None),
        shown("new-json", &["new", "--name", "ci", "--json"], None),
        shown("new-api", &["new", "--name", "keptn", "--api"], None),
        shown("hash", &["hash", "--name", "ci"], Some(TOKEN)),
        shown("hash-validity", &[&["hash", "--name", "ci", "--api"], &validity[..]].concat(), Some(TOKEN)),
        shown(
            "hash-days",
            &["hash", "--name", "ci", "--not-before", "2027-01-01T00:00:00Z", "--days", "90"],
            Some(TOKEN),
        ),
        shown("hash-over", &["hash", "--name", "ci", "--not-after", "2020-01-01T00:00:00Z"], Some(TOKEN)),
        shown("hash-only", &["hash", "--hash-only"], Some(TOKEN)),
        shown("hash-encoded", &["hash", "--hash-only"], Some("cEhCOFRtN3hXMCtrTC81dlEyc0pkQT09")),
        shown("hash-empty", &["hash"], Some("")),
        shown("hash-line-break", &["hash"], Some("\n")),
        shown("hash-two-lines", &["hash"], Some("hush\nhush\n")),
        shown("hash-space", &["hash"], Some("hush ")),
        shown("hash-comma", &["hash"], Some("hush,hush")),
        shown("hash-umlaut", &["hash"], Some("hüsh")),
        shown("hash-control", &["hash"], Some("hu\u{7}sh")),
        shown("hash-argument", &["hash", "hush"], None),
        shown(
            "wrong-arguments",
            &["hash", "--name", "hush/hush", "--not-before", "hush", "--not-after", "2027-12-31"],
            Some(TOKEN),
        ),
        shown("empty-name", &["hash", "--name", "", "--not-before", ""], Some(TOKEN)),
        shown("long-name", &["hash", "--name", &"a".repeat(65)], Some(TOKEN)),
        shown(
            "ends-before",
            &[
                "hash",
                "--name",
                "ci",
                "--not-before",
                "2027-12-31T23:59:59Z",
                "--not-after",
                "2027-01-01T00:00:00Z",
            ],
            Some(TOKEN),
        ),
        shown("no-days", &["new", "--days", "0"], None),
        shown("unwritable", &["new", "--name", "ci", "--token-file", "no-such-folder/ci.token"], None),
        shown("there-already", &["new", "--name", "ci", "--token-file", "good.yaml"], None),
    ]
}

/// Without what is another in each run.
fn masked(text: &str) -> String {
    let line = |line: &str| {
        if let Some((before, rest)) = line.split_once("\"sha256\": \"").filter(|_| text.contains(" new ")) {
            format!("{before}\"sha256\": \"(hex)\"{}", rest.split_once('"').unwrap().1)
        } else if let Some((before, rest)) = line.split_once("\"token\": \"") {
            format!("{before}\"token\": \"(random)\"{}", rest.split_once('"').unwrap().1)
        } else if let Some((label, _)) = line
            .split_once("  ")
            .filter(|(label, _)| label.contains("token") && line.len() < 60 && text.contains(" new "))
        {
            format!("{label}  (random)")
        } else {
            line.to_owned()
        }
    };
    let text = text.lines().map(|text| line(text) + "\n").collect::<String>();
    text.replace(&"a".repeat(65), "aaa…")
}

fn sha256(token: &str) -> String {
    Sha256::digest(token).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An entry as the gateway reads it, among others.
fn accepted(entry: &Value) {
    let config = serde_json::json!({ "tokens": [{ "name": "another", "sha256": "00".repeat(32) }, entry] });
    Config::from_value(&config).unwrap();
}

#[test]
fn a_new_token_is_its_entrys_and_nobody_elses() {
    let mut seen = HashSet::new();
    for args in [&["--name", "ci"][..], &["--days", "90"], &["--api", "--not-before", "2027-01-01T00:00:00Z"]]
    {
        for _ in 0..3 {
            let run = gatectl([&["token", "new", "--json"], args].concat());
            assert_eq!(run.code, 0, "{run}");
            let made: Value = serde_json::from_str(&run.stdout).unwrap();
            let token = made["token"].as_str().unwrap();
            // As many characters as 192 bits need, and none that a header, a shell's quotes or a comma list know.
            assert_eq!(token.len(), 32);
            assert!(token.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/'));
            assert_eq!(made["entry"]["sha256"], sha256(token));
            accepted(&made["entry"]);
            assert!(seen.insert(token.to_owned()) && !run.stderr.contains(token), "{run}");
        }
    }
}

#[test]
fn a_tokens_file_is_new_and_its_owners_alone() {
    let folder = tempfile::tempdir().unwrap();
    let new = || -> Run {
        command(["token", "new", "--name", "ci", "--token-file", "ci.token"])
            .current_dir(folder.path())
            .output()
            .unwrap()
            .into()
    };
    let run = new();
    let token = fs::read_to_string(folder.path().join("ci.token")).unwrap();
    assert!(run.code == 0 && !run.stdout.contains(&token) && !run.stderr.contains(&token), "{run}");
    let entry: Value = serde_json::from_str(&run.stdout).unwrap();
    accepted(&entry);
    assert_eq!(entry["sha256"], sha256(&token));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(folder.path().join("ci.token")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    // What is printed for it is what is printed of it.
    let hashed = gatectl_reading(["token", "hash", "--name", "ci"], token.as_bytes());
    assert_eq!(hashed.stdout, run.stdout);

    let again = new();
    assert!(again.code == 2 && again.stdout.is_empty(), "{again}");
    assert_eq!(fs::read_to_string(folder.path().join("ci.token")).unwrap(), token);
}

#[test]
fn one_line_break_is_not_part_of_a_token() {
    for input in [TOKEN.to_owned(), format!("{TOKEN}\n"), format!("{TOKEN}\r\n")] {
        let run = gatectl_reading(["token", "hash", "--hash-only"], input.as_bytes());
        assert_eq!((run.code, run.stdout), (0, format!("{}\n", sha256(TOKEN))));
    }
    let long = "a".repeat(4096);
    assert_eq!(gatectl_reading(["token", "hash"], long.as_bytes()).code, 0);
    let run = gatectl_reading(["token", "hash"], format!("{long}a").as_bytes());
    assert!(run.code == 1 && run.stderr.contains("longer than 4096 bytes"), "{run}");
}

#[test]
fn a_token_in_the_wrong_place_is_not_repeated() {
    for args in [
        &["token", "hash", TOKEN][..],
        &["token", "hash", "--token", TOKEN],
        &["token", "hash", "--name", TOKEN],
        &["token", "hash", "--not-after", TOKEN],
        &["token", "new", TOKEN],
        &["token", "new", "--days", TOKEN],
        &["token", TOKEN],
        &["status", TOKEN],
        &["status", "--endpoint", "http://127.0.0.1:1", TOKEN],
        &["status", "--endpoint", "http://127.0.0.1:1", "--api-token", TOKEN],
        &["status", "--endpoint", "http://127.0.0.1:1", "-a", TOKEN],
        &["status", "--endpoint", "http://127.0.0.1:1", "--token", TOKEN],
        &["status", "--endpoint", TOKEN],
        &["status", "--endpoint", "http://127.0.0.1:1", "--host", TOKEN],
        &["status", "--endpoint", "http://127.0.0.1:1", "--connect-to", TOKEN],
        &["status", "--endpoint", "http://127.0.0.1:1", "--timeout", TOKEN],
    ] {
        let run = gatectl(args);
        assert!(
            run.code == 2 && !run.stderr.contains(TOKEN) && !run.stdout.contains(TOKEN),
            "{args:?}\n{run}"
        );
    }
}

#[test]
fn the_prompt_shows_nothing_of_what_is_typed() {
    for args in [&["token", "hash", "--name", "ci"][..], &["token", "hash", "--hash-only"]] {
        let mut terminal = Terminal::run(&command(args), None);
        terminal.wait_for("Token (it is not shown): ");
        terminal.type_unseen(&format!("{TOKEN}\n"));
        let (code, screen) = terminal.end();
        assert!(code == Some(0) && screen.contains(&sha256(TOKEN)) && !screen.contains(TOKEN), "{screen:?}");
    }
}

/// By its signal, as it ends anything; where that is ignored, as in what a script runs in the background, with a word.
#[test]
fn ctrl_c_ends_the_prompt() {
    for (signal, expected) in [("--default-signal=INT", None), ("--ignore-signal=INT", Some(2))] {
        let program = command(["token", "hash"]);
        let mut env = Command::new("env");
        env.arg(signal).arg(program.get_program()).args(program.get_args());
        let mut terminal = Terminal::run(env.current_dir(data()), None);
        terminal.wait_for("Token (it is not shown): ");
        terminal.type_unseen("\u{3}");
        let (code, screen) = terminal.end();
        assert!(code == expected && !screen.contains("sha256"), "{signal}: {code:?} {screen:?}");
    }
}

/// Where the output goes is nothing to the prompt.
#[test]
fn the_prompt_is_not_in_the_output() {
    let folder = tempfile::tempdir().unwrap();
    let file = fs::File::create(folder.path().join("entry.json")).unwrap();
    let command: Command = command(["token", "hash", "--name", "ci"]);
    let mut terminal = Terminal::run(&command, Some(Stdio::from(file)));
    terminal.wait_for("Token (it is not shown): ");
    terminal.type_unseen(&format!("{TOKEN}\n"));
    assert_eq!(terminal.end().0, Some(0));
    let entry: Value = serde_json::from_slice(&fs::read(folder.path().join("entry.json")).unwrap()).unwrap();
    assert_eq!(entry["sha256"], sha256(TOKEN));
}

/// A token whose entry nobody has seen is of no use.
#[cfg(target_os = "linux")]
#[test]
fn where_the_entry_is_lost_no_token_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ci.token");
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let mut command =
        crate::run::command(["token", "new", "--name", "ci", "--token-file", file.to_str().unwrap()]);
    let run = crate::run::Run::from(command.stdout(full).output().unwrap());
    assert!(run.code == 2 && run.stderr.contains("cannot write the output"), "{run}");
    assert!(!file.exists(), "{run}");
}
