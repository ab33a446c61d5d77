//! Which core does what, and what processes have used.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::{ffi::OsString, fs, path::Path};
use testbed::{Error, Result};

/// Two cores: what is measured has one of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cores {
    /// All processes of the proxy that is measured.
    pub(crate) proxy: usize,
    /// The load, the services and this program.
    pub(crate) load: usize,
}

impl Cores {
    /// Picks them among those that this process may use, and moves this process to the load's.
    ///
    /// # Errors
    /// There are fewer than two.
    pub(crate) fn take() -> Result<Self> {
        let allowed = sched_getaffinity(None).map_err(Error::during("asking which cores there are"))?;
        let allowed: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|cpu| allowed.is_set(*cpu)).collect();
        let [proxy, rest @ ..] = allowed.as_slice() else { return Err(too_few(0)) };
        // Two threads of one physical core would slow each other down: another core if there is one.
        let siblings = siblings(*proxy);
        let other = rest.iter().find(|cpu| !siblings.contains(cpu)).or(rest.first());
        let load = other.ok_or_else(|| too_few(1))?;
        let cores = Self { proxy: *proxy, load: *load };
        let mut set = CpuSet::new();
        set.set(cores.load);
        // Inherited by whatever is started from here.
        sched_setaffinity(None, &set).map_err(Error::during("moving to the load's core"))?;
        Ok(cores)
    }

    /// What a command of the proxy's is started by.
    pub(crate) fn launcher(&self) -> Vec<OsString> {
        ["taskset", "-c", &self.proxy.to_string()].map(OsString::from).into()
    }
}

fn too_few(count: usize) -> Error {
    Error::new(format!(
        "the bench needs two cores, one for the proxy and one for the load, and this process may use {count}: \
         give it more (cpuset, taskset), or run it on another machine"
    ))
}

/// The CPUs of the physical core of this one, itself included.
fn siblings(cpu: usize) -> Vec<usize> {
    let path = format!("/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list");
    let list = fs::read_to_string(path).unwrap_or_default();
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.parse().ok()?..=last.parse().ok()?)
    };
    list.trim().split(',').filter_map(range).flatten().collect()
}

/// How the kernel tells CPU time here.
pub(crate) fn cpu_clock() -> &'static str {
    if Path::new("/proc/self/schedstat").exists() {
        "/proc/PID/task/*/schedstat, in ns"
    } else {
        "/proc/PID/stat, in ticks of 10 ms: this kernel has no schedstat"
    }
}

/// CPU time that all threads of these processes have used so far, in ns.
///
/// # Errors
/// A process has ended.
pub(crate) fn cpu_ns(pids: &[u32]) -> Result<u64> {
    pids.iter().map(|pid| cpu_ns_of(*pid)).sum()
}

/// What they have used since they had used `before`.
///
/// # Errors
/// A process or a thread has ended, or the kernel counts nothing.
pub(crate) fn cpu_ns_since(before: u64, pids: &[u32]) -> Result<u64> {
    let used = cpu_ns(pids)?.checked_sub(before).filter(|used| *used > 0);
    used.ok_or_else(|| {
        Error::new("the proxy has used no CPU time, or less than before: a thread of it has ended")
    })
}

/// Whether a thread of these processes runs, or waits for a core.
pub(crate) fn is_running(pids: &[u32]) -> bool {
    let tasks =
        pids.iter().filter_map(|pid| fs::read_dir(format!("/proc/{pid}/task")).ok()).flatten().flatten();
    let stats = tasks.filter_map(|task| fs::read_to_string(task.path().join("stat")).ok());
    // The state stands behind the name, which is in brackets and may hold some.
    stats.filter_map(|stat| stat.rsplit_once(") ").map(|(_, rest)| rest.starts_with('R'))).any(|runs| runs)
}

fn cpu_ns_of(pid: u32) -> Result<u64> {
    let ended = || Error::new(format!("process {pid} of the proxy has ended"));
    if !Path::new("/proc/self/schedstat").exists() {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).map_err(|_| ended())?;
        // The name, in brackets, may hold spaces; utime and stime are the 12th and 13th field after it.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks =
            |field: usize| fields.get(field).and_then(|text| text.parse::<u64>().ok()).ok_or_else(ended);
        return Ok((ticks(11)? + ticks(12)?) * 10_000_000);
    }
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).map_err(|_| ended())?;
    let on_cpu =
        |path: &Path| fs::read_to_string(path.join("schedstat")).ok()?.split(' ').next()?.parse::<u64>().ok();
    Ok(tasks.flatten().filter_map(|task| on_cpu(&task.path())).sum())
}

/// What these processes have in memory, in MiB.
///
/// # Errors
/// A process has ended.
pub(crate) fn rss_mib(pids: &[u32]) -> Result<f64> {
    let of = |pid: &u32| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok()).ok_or_else(|| {
            Error::new(format!("process {pid} of the proxy has ended: it has no memory any more"))
        })
    };
    Ok(pids.iter().map(of).sum::<Result<f64>>()? / 1024.0)
}
