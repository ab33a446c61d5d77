//! One variant, once: fresh processes, checked, warmed up, measured.

use crate::rig::{
    bursts,
    checks::check,
    cores::{Cores, cpu_ns, cpu_ns_since, rss_mib},
    load::{Answers, Load},
    open_loop,
    proxies::Proxies,
    services::Services,
    variant::{Variant, Way},
    wrk::Wrk,
};
use std::{path::Path, time::Duration};
use testbed::{Error, Result};

/// How many clients ask at the same time.
pub(crate) const CONNECTIONS: u32 = 16;

/// For how long at full load nothing is measured: V8 compiles a filter's code anew once it is hot.
pub(crate) const WARM_UP_SECONDS: u32 = 1;

/// How many requests a burst has.
const BURST: usize = 64;

/// How often.
const BURSTS: u32 = 200;

/// What holds for all variants.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan<'a> {
    pub(crate) cores: Cores,
    /// How long the closed loop is measured, in seconds.
    pub(crate) closed_s: u32,
    /// How long the open loop runs.
    pub(crate) open: Duration,
    /// Requests per second of the open loop.
    pub(crate) rate: u32,
    /// For the generators' files.
    pub(crate) directory: &'a Path,
}

impl<'a> Plan<'a> {
    /// As all runs have it.
    pub(crate) fn new(cores: Cores, rate: u32, directory: &'a Path) -> Self {
        Self { cores, closed_s: 1, open: Duration::from_millis(1500), rate, directory }
    }
}

/// The figures: a metric's name, with its unit, and its value.
pub(crate) type Figures = Vec<(&'static str, f64)>;

/// Measures it.
///
/// # Errors
/// Something does not start, or one answer is wrong: the run is worth nothing then.
pub(crate) async fn measure(variant: &Variant, plan: &Plan<'_>) -> Result<Figures> {
    let mut services = Services::start().await?;
    let proxies = Proxies::start(&variant.chain, services.upstreams(), plan.cores).await?;
    check(variant, &proxies).await?;
    match variant.way {
        Way::Loops => measure_loops(&variant.load, plan, &mut services, &proxies).await,
        Way::Bursts => measure_bursts(&variant.load, &mut services, &proxies).await,
    }
}

async fn measure_loops(
    load: &Load,
    plan: &Plan<'_>,
    services: &mut Services,
    proxies: &Proxies,
) -> Result<Figures> {
    let (target, pids) = (proxies.address(), proxies.pids());
    let wrk = Wrk { connections: CONNECTIONS, seconds: WARM_UP_SECONDS, run: 1 };
    judge("the warm-up", &wrk.run(plan.directory, target, load)?.answers, load)?;

    let (cpu, checks) = (cpu_ns(&pids)?, services.checks().await?);
    let closed = Wrk { seconds: plan.closed_s, run: 2, ..wrk }.run(plan.directory, target, load)?;
    let (cpu, checks) = (cpu_ns_since(cpu, &pids)?, services.checks().await? - checks);
    judge("the closed loop", &closed.answers, load)?;
    let rss = rss_mib(&pids)?;

    let open = open_loop::run(target, plan.rate, plan.open, |n| load.request(3, n)).await?;
    judge("the open loop", &open.answers, load)?;

    let count = closed.answers.count() as f64;
    Ok(vec![
        ("cpu_us_per_request", cpu as f64 / 1000.0 / count),
        ("requests_per_s", count / closed.took.as_secs_f64()),
        ("callouts_per_request", checks as f64 / count),
        ("rss_mib", rss),
        ("p50_us", open.quantile_us(0.5)),
        ("p99_us", open.quantile_us(0.99)),
        ("p999_us", open.quantile_us(0.999)),
    ])
}

async fn measure_bursts(load: &Load, services: &mut Services, proxies: &Proxies) -> Result<Figures> {
    let (target, pids) = (proxies.address(), proxies.pids());
    let warm_up = bursts::run(target, BURST, BURSTS, 1).await?;
    judge("the warm-up", &warm_up.answers, load)?;
    let (cpu, checks) = (cpu_ns(&pids)?, services.checks().await?);
    let bursts = bursts::run(target, BURST, BURSTS, 2).await?;
    let (cpu, checks) = (cpu_ns_since(cpu, &pids)?, services.checks().await? - checks);
    judge("the bursts", &bursts.answers, load)?;
    let quantile = |share| open_loop::quantile(&bursts.latencies, share).as_secs_f64() * 1e6;
    let count = bursts.answers.count() as f64;
    Ok(vec![
        ("cpu_us_per_request", cpu as f64 / 1000.0 / count),
        ("requests_per_burst", BURST as f64),
        ("callouts_per_burst", checks as f64 / f64::from(BURSTS)),
        ("callouts_per_request", checks as f64 / count),
        ("rss_mib", rss_mib(&pids)?),
        ("burst_p50_us", quantile(0.5)),
        ("burst_p99_us", quantile(0.99)),
    ])
}

/// An error, unless each answer is the load's only right one.
///
/// # Errors
/// Some are not; how many.
pub(crate) fn judge(phase: &str, answers: &Answers, load: &Load) -> Result<()> {
    match answers.wrong(load.status) {
        None => Ok(()),
        Some(wrong) => Err(Error::new(format!("{phase}: {wrong}"))),
    }
}
