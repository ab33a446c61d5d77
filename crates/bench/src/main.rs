//! `./build.sh bench`: the gateway and its alternatives, measured in one run.
//!
//! `bench rig [--quick]` compares, `bench growth` shows how cost and memory grow, `bench start` how long a configuration
//! takes from Envoy getting it to the first answer. Each writes CSV and what is known of the machine into `--out`
//! (target/bench), of which `bench report` makes docs/benchmarks.md.
//!
//! It needs `$ENVOY_BIN`, `$PLUGIN_WASM`, `$DO_NOTHING_WASM`, `$DO_NOTHING_TRIMMED_WASM` and `$CALLS_WASM`, and nginx, wrk
//! and taskset on the path;
//! `./build.sh bench` sees to all that.

mod rig;

use rig::arguments::{Arguments, DATA};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::{env, path::Path, process::ExitCode};
use testbed::{Error, Result};

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<bool> {
    let mut words = env::args().skip(1);
    let command = words.next().unwrap_or_default();
    raise_open_files();
    if command == "report" {
        return report(&words.collect::<Vec<_>>());
    }
    let arguments = Arguments::read(words)?;
    let runtime = || {
        // One thread: it shares the load's core with the services.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.map_err(Error::during("starting tokio"))
    };
    match command.as_str() {
        "rig" => runtime()?.block_on(rig::run::run(&arguments)),
        "growth" => runtime()?.block_on(rig::growth::run(&arguments)),
        "start" => runtime()?.block_on(rig::start::run(&arguments)),
        _ => Err(Error::new(format!("no command {command:?}: there are rig, growth, start and report"))),
    }
}

/// `report [DATA [DOCS]]`: the page and its charts, from the folder that the runs have written into.
fn report(folders: &[String]) -> Result<bool> {
    let (data, docs) = match folders {
        [] => (DATA, "docs"),
        [data] => (data.as_str(), "docs"),
        [data, docs] => (data.as_str(), docs.as_str()),
        _ => return Err(Error::new("report takes at most the folder of the data and that of the documents")),
    };
    let written = bench::report::write(Path::new(data), Path::new(docs));
    written.map_err(Error::during("writing the report"))?;
    Ok(true)
}

/// Flights, connections of clients and those to services are files, in this process and in those it starts.
fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    // Where the system does not let us, what needs more files than there are says so.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}
