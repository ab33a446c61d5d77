//! One round: fresh processes for each variant, checked, warmed up, measured.

use crate::rig::{
    bursts,
    checks::check,
    cores::{Cores, cpu_ns, cpu_ns_since, rss_mib},
    load::{Answers, Load},
    open_loop,
    proxies::Proxies,
    services::Services,
    turns::{self, Entrant, Outcome},
    variant::{Variant, Way},
};
use std::time::Duration;
use testbed::{Error, Result};

/// How many clients ask at the same time.
pub(crate) const CONNECTIONS: u32 = 16;

/// For how many turns at full load nothing is measured: memory is taken for the first time, and connections to the services
/// are opened.
pub(crate) const WARM_UP_TURNS: u32 = 3;

/// How many requests a burst has.
const BURST: usize = 64;

/// How often.
const BURSTS: u32 = 200;

/// What holds for all variants.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) cores: Cores,
    /// How many turns of the closed loop are measured.
    pub(crate) turns: u32,
    /// How long the open loop runs.
    pub(crate) open: Duration,
    /// Requests per second of the open loop.
    pub(crate) rate: u32,
}

impl Plan {
    /// As all runs have it.
    pub(crate) fn new(cores: Cores, rate: u32) -> Self {
        Self { cores, turns: 20, open: Duration::from_millis(1500), rate }
    }
}

/// The figures: a metric's name, with its unit, and its value.
pub(crate) type Figures = Vec<(&'static str, f64)>;

/// A variant's name, and its figures.
pub(crate) type Measured = (&'static str, Result<Figures>);

/// Measures them side by side: all are up at the same time, and only one is at work.
///
/// Of each by itself there is an error if something does not start, or one answer is wrong: its round is worth nothing then.
pub(crate) async fn measure(variants: &[Variant], plan: &Plan, random: &mut fastrand::Rng) -> Vec<Measured> {
    let mut measured = Vec::new();
    let mut stands = Vec::new();
    for variant in variants {
        match Stand::start(variant, plan).await {
            Ok(stand) => stands.push(stand),
            Err(error) => measured.push((variant.name, Err(error))),
        }
    }
    let (loops, mut bursts): (Vec<_>, Vec<_>) =
        stands.into_iter().partition(|stand| stand.variant.way == Way::Loops);

    let (mut loops, failed) = take_turns("the warm-up", loops, WARM_UP_TURNS, 1, random).await;
    measured.extend(failed);
    // What it was like then counts for nothing.
    loops.iter_mut().for_each(|stand| stand.figures.clear());
    let (mut loops, failed) = take_turns("the closed loop", loops, plan.turns, 2, random).await;
    measured.extend(failed);
    for stand in &mut loops {
        let figures = measure_open_loop(stand, plan).await;
        measured.push(stand.whole(figures));
    }
    for stand in &mut bursts {
        let figures = measure_bursts(stand).await;
        measured.push(stand.whole(figures));
    }
    measured
}

/// A variant whose processes are up.
#[derive(Debug)]
struct Stand<'a> {
    variant: &'a Variant,
    services: Services,
    proxies: Proxies,
    figures: Figures,
}

impl<'a> Stand<'a> {
    /// Starts them, and checks that they do what the variant should.
    async fn start(variant: &'a Variant, plan: &Plan) -> Result<Self> {
        let services = Services::start().await?;
        let proxies = Proxies::start(&variant.chain, services.upstreams(), plan.cores).await?;
        check(variant, &proxies).await?;
        Ok(Self { variant, services, proxies, figures: Figures::new() })
    }

    /// Notes the figures of the closed loop, before which the auth service had been asked so often.
    async fn note(&mut self, outcome: Result<Outcome>, before: Result<u64>) -> Result<()> {
        let (outcome, checks) = (outcome?, self.services.checks().await? - before?);
        let count = outcome.count as f64;
        self.figures.extend([
            ("cpu_us_per_request", outcome.cpu_us_per_request()),
            ("requests_per_s", count / outcome.took.as_secs_f64()),
            ("callouts_per_request", checks as f64 / count),
            ("rss_mib", rss_mib(&self.proxies.pids())?),
        ]);
        Ok(())
    }

    /// All its figures: those so far, and these.
    fn whole(&mut self, figures: Result<Figures>) -> Measured {
        let whole = figures.map(|figures| [std::mem::take(&mut self.figures), figures].concat());
        (self.variant.name, whole)
    }
}

/// The closed loop. Those whose figures are worth something come back with them, and apart from them the others.
async fn take_turns<'a>(
    phase: &str,
    mut stands: Vec<Stand<'a>>,
    turns: u32,
    run: u32,
    random: &mut fastrand::Rng,
) -> (Vec<Stand<'a>>, Vec<Measured>) {
    let mut before = Vec::new();
    for stand in &mut stands {
        before.push(stand.services.checks().await);
    }
    let entrant = |stand: &Stand<'_>| {
        let (target, pids) = (stand.proxies.address(), stand.proxies.pids());
        Entrant { load: stand.variant.load, target, pids, run }
    };
    let outcomes = turns::run(phase, stands.iter().map(entrant), turns, random);
    let (mut good, mut failed) = (Vec::new(), Vec::new());
    for ((mut stand, outcome), before) in stands.into_iter().zip(outcomes).zip(before) {
        match stand.note(outcome, before).await {
            Ok(()) => good.push(stand),
            Err(error) => failed.push((stand.variant.name, Err(error))),
        }
    }
    (good, failed)
}

async fn measure_open_loop(stand: &Stand<'_>, plan: &Plan) -> Result<Figures> {
    let load = &stand.variant.load;
    let open = open_loop::run(stand.proxies.address(), plan.rate, plan.open, |n| load.request(3, n)).await?;
    judge("the open loop", &open.answers, load)?;
    Ok(vec![
        ("p50_us", open.quantile_us(0.5)),
        ("p99_us", open.quantile_us(0.99)),
        ("p999_us", open.quantile_us(0.999)),
    ])
}

async fn measure_bursts(stand: &mut Stand<'_>) -> Result<Figures> {
    let Stand { variant: Variant { load, .. }, services, proxies, .. } = stand;
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
