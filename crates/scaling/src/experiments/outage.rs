//! The auth service gives no answer for a while: what passes, what it is asked meanwhile, and when it is back.

use bench::plot::{Axis, Scale};

use super::{
    Curve, Experiment, Point, Size, WARM, checks_over_time, deviation_of_share, evenly, mean_over, seconds,
    warming_up,
};
use crate::model::{Pair, probe_pause};
use crate::simulation::{Happening, Outage, Service, Setup, Simulation};

const ALLOW: f64 = 30.0;
const STALE_IF_ERROR: f64 = 300.0;

const WORKERS: u32 = 4;

/// The share of requests that pass, by how long the outage has been going on.
pub fn passes(size: Size) -> Experiment {
    // From one request with a token at a worker to the next.
    let curves = [10.0, 60.0, 600.0].map(|between| passing(size, between));
    Experiment {
        name: "outage-passes",
        title: "The auth service gives no answer: what passes (stale_if_error: 5 min)".to_owned(),
        x: Axis { label: "seconds since then".to_owned(), scale: Scale::Linear },
        y: Axis { label: "share of requests".to_owned(), scale: Scale::Linear },
        curves: curves.into(),
    }
}

fn passing(size: Size, between: f64) -> Curve {
    const POINTS: usize = 40;
    const STEP: f64 = 10.0;
    let pair = Pair { rate: 1.0 / between, allow: ALLOW };
    let begin = WARM + ALLOW + STALE_IF_ERROR;
    let end = begin + POINTS as f64 * STEP;
    let gateways = size.of(2, 20) * if between > 100.0 { 10 } else { 1 };
    let setup = Setup { gateways, workers: WORKERS, tokens: 50, service: silent(begin, end), ..warming_up() };
    let pairs = setup.pairs();
    let setup = Setup { requests: pair.rate * pairs, ..setup };
    let (mut came, mut passed) = ([0.0_f64; POINTS], [0.0; POINTS]);
    Simulation::new(setup).run(seconds(end), &mut |happening| {
        let Happening::Verdict { came_at, may_pass, .. } = happening else { return };
        let since = came_at.as_secs_f64() - begin;
        if since >= 0.0 {
            let step = (since / STEP) as usize;
            came[step] += 1.0;
            passed[step] += if may_pass.is_ok() { 1.0 } else { 0.0 };
        }
    });
    let passes = |since| pair.passes_in_outage(since, STALE_IF_ERROR);
    let points = (0..POINTS).map(|step| {
        let model = mean_over(step as f64 * STEP, (step + 1) as f64 * STEP, passes);
        Point {
            x: (step as f64 + 0.5) * STEP,
            model: Some(model),
            simulated: passed[step] / came[step],
            deviation: deviation_of_share(model, came[step].min(pairs)),
            slack: 0.0,
        }
    });
    let line = evenly(0.0, POINTS as f64 * STEP, 400).map(|since| (since, passes(since)));
    let name = format!("each token at each worker every {between} s");
    Curve { name, line: line.collect(), points: points.collect() }
}

fn silent(begin: f64, end: f64) -> Service {
    Service::default().with_outage(Outage::Silent, seconds(begin)..seconds(end))
}

/// Checks per second before, during and after an outage.
pub fn checks(size: Size) -> Experiment {
    let (gateways, tokens) = size.of((20, 50), (200, 50));
    let setup = Setup { gateways, workers: WORKERS, tokens, ..warming_up() };
    let setup = Setup { requests: RATE * setup.pairs(), ..setup };
    let setup = Setup { service: silent(BEGIN, BEGIN + DURING), ..setup };
    Experiment {
        name: "outage-checks",
        title: format!(
            "{gateways} gateways of {WORKERS} workers, {tokens} tokens: two minutes without an answer"
        ),
        x: Axis { label: "seconds since its beginning".to_owned(), scale: Scale::Linear },
        y: Axis { label: "checks per second".to_owned(), scale: Scale::Linear },
        curves: asked(setup).into(),
    }
}

/// Requests per second with one token at one worker.
const RATE: f64 = 0.2;

/// Before the outage, it, and after it, in seconds; and when it begins.
const BEFORE: f64 = 20.0;
const DURING: f64 = 120.0;
const AFTER: f64 = 100.0;
const BEGIN: f64 = WARM + BEFORE;

/// From then on every worker fails fast, its pauses have grown, and workers no longer probe in step.
const ALL_FAIL_FAST: f64 = 80.0;

fn asked(setup: Setup) -> [Curve; 3] {
    /// Steps of the model, and how many make a point.
    const STEP: f64 = 0.1;
    const STEPS_A_POINT: usize = 20;
    let step = STEP * STEPS_A_POINT as f64;
    let pair = Pair { rate: RATE, allow: ALLOW };
    let (pairs, tokens) = (setup.pairs(), f64::from(setup.tokens));
    let steady = pairs * pair.checks();
    let probes = f64::from(setup.all_workers()) / probe_pause();
    let steps = (AFTER / STEP).round() as usize;
    let wave: Vec<_> = pair.wave(&Pair::first_after_outage(steps, STEP), STEP);
    let wave: Vec<_> = wave.into_iter().map(|checks| pairs * checks / STEP).collect();

    let all = ((BEFORE + DURING + AFTER) / step).round() as usize;
    let counts = checks_over_time(&mut Simulation::new(setup), WARM, all, step);
    let point = |at: usize, model: Option<f64>, together: f64, slack: f64| {
        let simulated = counts[at] / step;
        let expected = (model.unwrap_or(simulated) * step).max(1.0);
        let x = (at as f64 + 0.5) * step - BEFORE;
        Point { x, model, simulated, deviation: (expected * together).sqrt() / step, slack }
    };
    let index = |time: f64| ((time + BEFORE) / step).round() as usize;
    let before = (0..index(0.0)).map(|at| point(at, Some(steady), 1.0, 0.0));
    let during = (index(0.0)..index(DURING)).map(|at| {
        let fails_fast = at >= index(ALL_FAIL_FAST);
        point(at, fails_fast.then_some(probes), 1.0, 0.0)
    });
    let after = (wave.chunks(STEPS_A_POINT).zip(index(DURING)..)).map(|(wave, at)| {
        let model = wave.iter().sum::<f64>() / STEPS_A_POINT as f64;
        // A worker asks about all its tokens at once, so that they are one case; but for those that it has just
        // probed with, whose turn comes a few seconds later, and one by one.
        point(at, Some(model), tokens, probes)
    });
    let over = (0..).map(|at| DURING + (f64::from(at) + 0.5) * STEP);
    [
        Curve { name: "before".to_owned(), line: level(-BEFORE, 0.0, steady), points: before.collect() },
        Curve {
            name: "without an answer".to_owned(),
            line: level(ALL_FAIL_FAST, DURING, probes),
            points: during.collect(),
        },
        Curve {
            name: "when it is back".to_owned(),
            line: over.zip(wave.iter().copied()).collect(),
            points: after.collect(),
        },
    ]
}

fn level(from: f64, to: f64, y: f64) -> Vec<(f64, f64)> {
    evenly(from, to, 100).map(|x| (x, y)).collect()
}
