//! `gatectl completions`, in a real shell.

use std::fs;
use std::process::Command;

use crate::run::gatectl;

pub(crate) fn golden() -> Vec<(String, String)> {
    [("help", &["completions", "--help"][..]), ("unknown", &["completions", "tcsh"])]
        .map(|(name, args)| {
            (format!("completions-{name}"), format!("$ gatectl {}\n{}", args.join(" "), gatectl(args)))
        })
        .into()
}

#[test]
fn every_shell_has_its_script() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let run = gatectl(["completions", shell]);
        assert!(run.code == 0 && run.stderr.is_empty(), "{run}");
        for word in ["gatectl", "explain", "completions", "not-after"] {
            assert!(run.stdout.contains(word), "{shell} knows no {word}");
        }
        // What is only there to be refused is offered to nobody.
        assert!(
            !run.stdout.contains("api-token") && !run.stdout.contains("REFUSED"),
            "{shell}: {}",
            run.stdout
        );
    }
}

/// What bash offers after these words.
fn offered(words: &[&str]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("gatectl");
    fs::write(&script, gatectl(["completions", "bash"]).stdout).unwrap();
    let mut bash = Command::new("bash");
    bash.args(["--norc", "--noprofile", "-euc"]).arg(
        "bash -n \"$1\"; source \"$1\"; shift
         COMP_WORDS=(gatectl \"$@\") COMP_CWORD=$#; \"$(complete -p gatectl | sed 's/.* -F \\([^ ]*\\) .*/\\1/')\" gatectl \"${!#}\" gatectl
         printf '%s\\n' \"${COMPREPLY[@]}\"",
    );
    let output = bash.arg("bash").arg(&script).args(words).output().unwrap();
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_commands_and_options() {
    assert_eq!(offered(&["verif"]), ["verify"]);
    assert_eq!(offered(&["token", "n"]), ["new"]);
    assert_eq!(offered(&["token", "new", "--not-"]), ["--not-before", "--not-after"]);
    assert_eq!(offered(&["status", "--end"]), ["--endpoint"]);
    assert_eq!(offered(&["completions", "z"]), ["zsh"]);
    let all = offered(&[""]);
    for command in
        ["validate", "explain", "render", "domain", "cert", "verify", "token", "status", "completions"]
    {
        assert!(all.iter().any(|word| word == command), "{command} is not offered: {all:?}");
    }
}
