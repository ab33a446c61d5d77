//! `wasm-info FILE`: prints what [`wasm_info::read`] finds; exits 1 if it must not be shipped.

use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(file) = std::env::args_os().nth(1) else {
        eprintln!("usage: wasm-info FILE");
        return ExitCode::from(2);
    };
    let info = std::fs::read(&file)
        .map_err(|e| e.to_string())
        .and_then(|bytes| wasm_info::read(&bytes).map_err(|e| e.to_string()));
    match info {
        Ok(info) => {
            println!("{info}");
            for problem in &info.problems {
                eprintln!("{}: {problem}", file.display());
            }
            ExitCode::from(u8::from(!info.problems.is_empty()))
        }
        Err(e) => {
            eprintln!("{}: {e}", file.display());
            ExitCode::from(2)
        }
    }
}
