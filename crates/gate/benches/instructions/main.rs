//! The instruction bench: `./build.sh bench instructions`.
//!
//! Callgrind counts the instructions of each case's calls, and a count over the case's ceiling fails. Nothing is
//! timed, so it is the same on a busy machine, and a change of one hundredth shows.
//!
//! The counts are the same on every x86_64 machine because what is executed is the same: there is no `cpuid` in the
//! program. The target is musl's, whose library comes with the compiler; glibc's differs by version and chooses its
//! `memcpy` by the CPU. SHA-256 is compiled without the CPU's own instructions, which wasm32 does not have either. The
//! allocator is dlmalloc, as there; the lock around it is not there. Seeds are fixed, and the environment is empty. It
//! is compiled for size, as the filter is. It is still not the code that ships: it says what becomes more and what becomes less, and `./build.sh bench` what
//! that is in time.
//!
//! gungraun 0.20 (once iai-callgrind) was looked at first, and is more than is needed: its runner has to be installed
//! in the library's version, which compiles for more than three minutes, the library would add fifteen crates to
//! Cargo.lock, and its limits know nothing of compilers. Left are these few lines around valgrind.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::panic,
    clippy::unwrap_used,
    reason = "it does not run inside the proxy, and ends where it fails"
)]

mod cases;
mod ceilings;
mod judge;
mod scene;

use std::path::Path;
use std::process::{Command, ExitCode};

use cases::{ALL, Case, MEASURED};
use ceilings::{CEILINGS, COMPILER, GROWTH, TARGET};
use judge::{Line, counted};

/// As on wasm32, where std has it from the same crate.
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

/// By which this program tells itself to run one case.
const RUN: &str = "--run";

fn main() -> ExitCode {
    // `cargo bench` adds an option of its own.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let outcome = match arguments.split_first() {
        Some((first, [name])) if first == RUN => find(name).map(|case| println!("{}", (case.run)())),
        Some(_) => {
            arguments.iter().map(|name| find(name)).collect::<Result<Vec<_>, _>>().and_then(|it| bench(&it))
        }
        None => bench(&ALL.iter().collect::<Vec<_>>()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

fn find(name: &str) -> Result<&'static Case, String> {
    let names = || ALL.map(|case| case.name).join(", ");
    ALL.iter()
        .find(|case| case.name == name)
        .ok_or_else(|| format!("no case \"{name}\": there are {}", names()))
}

/// Counts these cases, prints the table, and says what is wrong.
fn bench(cases: &[&Case]) -> Result<(), String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let out = folder.join(format!("callgrind.{}", std::process::id()));
    let program = std::env::current_exe().map_err(|error| format!("where is this program? {error}"))?;
    let mut lines = Vec::new();
    println!("{}", Line::title());
    for case in cases {
        let line = count(case, &program, folder, &out);
        // Whatever came of it.
        drop(std::fs::remove_file(&out));
        let line = line?;
        println!("{line}");
        lines.push(line);
    }
    let said = judge::verdict(&lines, &GROWTH, &build(COMPILER, TARGET, true), &here()?).map_err(|faults| {
        let program = program.display();
        let valgrind = format!("valgrind --tool=callgrind --toggle-collect='{MEASURED}' {program} {RUN} CASE");
        format!("{faults}\n`{valgrind}`, then `callgrind_annotate` of the file that it writes, shows where they are.")
    })?;
    print!("{said}");
    Ok(())
}

/// One case, in a process of its own: no case finds the memory as another has left it.
fn count(case: &Case, program: &Path, folder: &Path, out: &Path) -> Result<Line, String> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--quiet"])
        .arg(format!("--toggle-collect={MEASURED}"))
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(program)
        .args([RUN, case.name])
        // Neither VALGRIND_OPTS nor a .valgrindrc: and the stack begins at the same place.
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .current_dir(folder)
        .output()
        .map_err(|error| {
            format!("valgrind cannot be run ({error}): `./build.sh bench instructions` gets it")
        })?;
    let name = case.name;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{name}: it does something else than it should, or valgrind failed:\n{said}"));
    }
    let calls = String::from_utf8_lossy(&output.stdout);
    let calls =
        calls.trim().parse().map_err(|_| format!("{name}: the number of calls is missing: {calls}"))?;
    let written = std::fs::read_to_string(out).map_err(|error| format!("{}: {error}", out.display()))?;
    let total = counted(&written).ok_or_else(|| {
        format!("{name}: nothing was counted: the program has no symbols (strip in [profile.counted])")
    })?;
    Ok(Line::new(name, total, calls, CEILINGS))
}

/// This build, in the words in which ceilings.rs has the one that the ceilings hold for.
fn here() -> Result<String, String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("--version").output();
    let output = output.map_err(|error| format!("rustc --version cannot be run: {error}"))?;
    let target = format!("{}-{}-{}", std::env::consts::ARCH, std::env::consts::OS, LIBC);
    #[allow(unexpected_cfgs, reason = "sha2's own")]
    let is_soft = cfg!(sha2_256_backend = "soft");
    Ok(build(String::from_utf8_lossy(&output.stdout).trim(), &target, is_soft))
}

const LIBC: &str = match () {
    () if cfg!(target_env = "musl") => "musl",
    () if cfg!(target_env = "gnu") => "gnu",
    () => "other",
};

fn build(compiler: &str, target: &str, is_soft: bool) -> String {
    let sha = if is_soft { "" } else { ", SHA-256 by the CPU where it can" };
    format!("{compiler} for {target}{sha}")
}
