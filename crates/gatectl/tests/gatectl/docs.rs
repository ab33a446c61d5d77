//! docs/gatectl.md: every command in it says what is written under it. After a change that is meant:
//! `UPDATE_DOCS=1 cargo test -p gatectl --test gatectl docs; git diff docs`.

use std::fs;
use std::path::Path;
use std::process::Command;

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/gatectl.md");

/// A line of the shell, in a folder with the files of the document.
fn run(line: &str, folder: &Path) -> String {
    let program = Path::new(env!("CARGO_BIN_EXE_gatectl"));
    let path = format!("{}:{}", program.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let output =
        Command::new("sh").args(["-c", line]).current_dir(folder).env("PATH", path).output().unwrap();
    [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap()).concat()
}

/// A block ```` ```yaml title="gateway.yaml" ```` is a file, and a block ```` ```console ```` a command and its output.
#[test]
fn every_command_says_what_is_written_under_it() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("docs-gatectl");
    fs::create_dir_all(&folder).unwrap();
    let document = fs::read_to_string(DOCUMENT).unwrap();
    let mut actual = String::new();
    let mut commands = 0;
    for (index, part) in document.split("```").enumerate() {
        // Every second part is a block.
        let (kind, text) = part.split_once('\n').unwrap_or((part, ""));
        let title = kind.split_once("title=\"").map(|(_, title)| title.trim_end_matches('"'));
        if let Some(title) = title.filter(|_| index % 2 == 1) {
            fs::write(folder.join(title), text).unwrap();
        }
        let block = match text.strip_prefix("$ ") {
            Some(rest) if index % 2 == 1 && kind == "console" => {
                commands += 1;
                let (line, _) = rest.split_once('\n').unwrap();
                format!("console\n$ {line}\n{}", run(line, &folder))
            }
            _ => part.to_owned(),
        };
        actual.push_str(if index == 0 { "" } else { "```" });
        actual.push_str(&block);
    }
    assert!(commands > 3, "{commands}");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        return fs::write(DOCUMENT, actual).unwrap();
    }
    for (actual, written) in actual.lines().zip(document.lines()) {
        assert_eq!(actual, written, "call UPDATE_DOCS=1 cargo test -p gatectl --test gatectl docs");
    }
    assert_eq!(actual, document);
}
