//! `wasm-info FILE`: prints what [`wasm_info::read`] finds; exits 1 if it must not be shipped.
//! `wasm-info trim FILE OUT`: leaves in OUT what [`wasm_info::trim`] makes of FILE.

use std::process::ExitCode;
use std::{env, fs};

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let result = match arguments.as_slice() {
        ["trim", file, out] => trim(file, out),
        [file] => info(file),
        _ => Err("usage: wasm-info FILE, or wasm-info trim FILE OUT".to_owned()),
    };
    result.unwrap_or_else(|error| {
        eprintln!("{error}");
        ExitCode::from(2)
    })
}

fn info(file: &str) -> Result<ExitCode, String> {
    let info = wasm_info::read(&read(file)?).map_err(|error| format!("{file}: {error}"))?;
    println!("{info}");
    for problem in &info.problems {
        eprintln!("{file}: {problem}");
    }
    Ok(ExitCode::from(u8::from(!info.problems.is_empty())))
}

fn trim(file: &str, out: &str) -> Result<ExitCode, String> {
    let trimmed = wasm_info::trim(&read(file)?).map_err(|error| format!("{file}: {error}"))?;
    fs::write(out, trimmed).map_err(|error| format!("{out}: {error}"))?;
    Ok(ExitCode::SUCCESS)
}

fn read(file: &str) -> Result<Vec<u8>, String> {
    fs::read(file).map_err(|error| format!("{file}: {error}"))
}
