//! What any command line does: pipes, odd arguments, full disks.

use std::io::Write as _;
use std::process::Stdio;

use crate::run::{Run, command, gatectl};

/// As in `gatectl completions bash | head -1`: what it prints is more than a pipe holds.
#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let mut child =
        command(["completions", "bash"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let run = Run::from(child.wait_with_output().unwrap());
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run}");
}

/// As in `gatectl … | head -0`: the reader is gone before the first word.
#[test]
fn a_reader_that_leaves_is_no_error() {
    let mut child = command(["validate", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    child.stdin.take().unwrap().write_all(b"internal: maybe\n").unwrap();
    let run = Run::from(child.wait_with_output().unwrap());
    assert_eq!((run.code, run.stderr.as_str()), (1, ""), "{run}");
}

#[cfg(target_os = "linux")]
#[test]
fn an_output_that_cannot_be_written_is_one() {
    let full = || std::fs::File::options().write(true).open("/dev/full").unwrap();
    let run = Run::from(command(["validate", "good.yaml"]).stdout(full()).output().unwrap());
    assert_eq!(run.code, 2);
    assert!(run.stderr.starts_with("gatectl: cannot write the output: "), "{run}");
    // Nobody has seen the token then.
    let run = Run::from(command(["token", "new", "--name", "ci"]).stdout(full()).output().unwrap());
    assert!(run.code == 2 && run.stderr.contains("cannot write the output"), "{run}");
    // And where there is nobody to tell, nothing is told.
    let status = command(["validate", "no-such-file"]).stdout(full()).stderr(full()).status().unwrap();
    assert_eq!(status.code(), Some(2));
}

#[cfg(unix)]
#[test]
fn arguments_may_be_any_bytes() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;

    let odd = OsStr::from_bytes(b"/\xff");
    let [explain, validate, header] = ["explain", "validate", "-H"].map(OsStr::new);
    let line = OsStr::from_bytes(b"x-token: \xff");
    let name = OsStr::from_bytes(b"x-\xff: a");
    let run = gatectl([explain, odd]);
    assert!(run.code == 1 && run.stdout.contains("keptn_gateway.bad_path\n"), "{run}");
    let run = gatectl([explain, OsStr::new("/v1/event"), header, line]);
    assert!(run.code == 1 && run.stdout.contains("keptn_gateway.malformed_token\n"), "{run}");
    for args in [
        &[explain, odd, OsStr::new("/")][..],
        &[
            explain,
            OsStr::new("/"),
            OsStr::new("--host"),
            odd,
            OsStr::new("--config"),
            OsStr::new("good.yaml"),
        ],
        &[explain, OsStr::new("/"), header, name],
        &[explain, OsStr::new("/"), OsStr::new("--answer"), odd],
        &[explain, OsStr::new("/"), OsStr::new("--config"), odd],
        &[explain, OsStr::new("/"), odd, odd],
        &[validate, odd],
        &[OsStr::new("token"), OsStr::new("hash"), odd],
        &[OsStr::new("token"), OsStr::new("new"), OsStr::new("--name"), odd],
        &[
            OsStr::new("token"),
            OsStr::new("new"),
            OsStr::new("--token-file"),
            OsStr::from_bytes(b"no-such-\xff/a"),
        ],
        &[OsStr::new("status"), OsStr::new("--endpoint"), odd],
        &[OsStr::new("completions"), odd],
        &[odd],
    ] {
        let run = gatectl(args);
        assert!((0..=2).contains(&run.code) && !run.stderr.contains("panicked"), "{args:?}\n{run}");
    }
}

#[test]
fn help_and_version_are_for_standard_output() {
    for args in [&["--help"][..], &["--version"], &["help", "explain"], &["validate", "-h"]] {
        let run = gatectl(args);
        assert!(run.code == 0 && run.stderr.is_empty() && !run.stdout.is_empty(), "{args:?}\n{run}");
    }
    let run = gatectl::<&str>([]);
    assert!(run.code == 2 && run.stdout.is_empty() && run.stderr.contains("Usage: gatectl"), "{run}");
}
