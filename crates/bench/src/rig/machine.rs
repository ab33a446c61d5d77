//! On what it was measured, and with what.

use crate::rig::{
    arguments::Arguments,
    cores::{Cores, cpu_clock},
    proxies::plugin,
};
use bench::results::Machine;
use std::{
    env, fs,
    path::Path,
    process::{Command, Stdio},
};
use testbed::{Error, Result};

/// All that a reader must know to judge the numbers, and to get them again. `settings` are the run's own.
///
/// # Errors
/// A tool or a plugin is not there.
pub(crate) fn describe(arguments: &Arguments, cores: Cores, settings: &[(&str, String)]) -> Result<Machine> {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let memory = memory.lines().next().and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    let envoy =
        env::var("ENVOY_BIN").map_err(|_| Error::new("ENVOY_BIN is not set: `./build.sh bench` sets it"))?;
    let (plugin_bytes, plugin_gzip_bytes) = sizes(&plugin("PLUGIN_WASM")?)?;
    let (do_nothing_bytes, do_nothing_gzip_bytes) = sizes(&plugin("DO_NOTHING_WASM")?)?;
    let command = env::var("BENCH_COMMAND").unwrap_or_else(|_| env::args().collect::<Vec<_>>().join(" "));
    let fixed = [
        ("command", command),
        ("seed", arguments.seed.to_string()),
        ("core of the proxy", cores.proxy.to_string()),
        ("core of load and services", cores.load.to_string()),
        ("CPU time from", cpu_clock().to_owned()),
        ("filter that does nothing", format!("{do_nothing_bytes} bytes, {do_nothing_gzip_bytes} gzipped")),
    ];
    let settings = settings.iter().map(|(name, value)| (*name, value.clone())).chain(fixed);
    let versions = [
        // "envoy  version: COMMIT/1.40.0/Clean/RELEASE/BoringSSL"
        (
            "Envoy",
            part(&said(&envoy, &["--version"])?, '/', |part| {
                part.starts_with(|c: char| c.is_ascii_digit()) && part.contains('.')
            }),
        ),
        // "nginx version: nginx/1.22.1"
        ("nginx", part(&said("nginx", &["-v"])?, '/', |part| !part.contains(' '))),
        // "wrk debian/4.1.0-3+b2 [epoll] Copyright …"
        ("wrk", part(&said("wrk", &["-v"])?, ' ', |part| part != "wrk")),
        // "rustc 1.95.0 (59807616e 2026-04-14)"
        ("rustc", part(&said("rustc", &["--version"])?, ' ', |part| part != "rustc")),
    ];
    Ok(Machine {
        date: said("date", &["-u", "+%Y-%m-%d"])?,
        cpu: model.map_or("unknown", |(_, model)| model).to_owned(),
        cores: u32::try_from(cpuinfo.matches("processor\t").count()).unwrap_or(0),
        memory_mib: memory.unwrap_or(0) / 1024,
        system: said("uname", &["-sr"])?,
        revision: said("git", &["describe", "--always", "--dirty"]).unwrap_or_else(|_| "unknown".to_owned()),
        plugin_bytes,
        plugin_gzip_bytes,
        versions: versions.map(|(name, version)| (name.to_owned(), version)).into(),
        settings: settings.map(|(name, value)| (name.to_owned(), value)).collect(),
    })
}

/// The first line that a program says.
fn said(program: &str, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output();
    let output = output.map_err(Error::during(format!("running {program}")))?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let line = text.lines().map(str::trim).find(|line| !line.is_empty());
    line.map(str::to_owned).ok_or_else(|| Error::new(format!("{program} says nothing")))
}

/// The first part that is as it should be; all, if none is.
fn part(text: &str, separator: char, is_it: impl Fn(&str) -> bool) -> String {
    text.split(separator).find(|part| is_it(part)).unwrap_or(text).to_owned()
}

/// Bytes, and bytes when gzipped.
fn sizes(file: &Path) -> Result<(u64, u64)> {
    let size = fs::metadata(file).map_err(Error::during(format!("reading {}", file.display())))?.len();
    let gzip = Command::new("gzip").arg("-9c").arg(file).output().map_err(Error::during("running gzip"))?;
    Ok((size, gzip.stdout.len() as u64))
}
