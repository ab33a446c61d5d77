//! Gateways begin anew, one after another or all together: none knows a token.

use bench::plot::{Axis, Scale};

use super::{Curve, Experiment, Point, Size, WARM, checks_over_time, seconds, warming_up};
use crate::model::Pair;
use crate::simulation::{Setup, Simulation};

const ALLOW: f64 = 30.0;

const WORKERS: u32 = 4;

/// Requests per second with one token at one worker.
const RATE: f64 = 0.2;

/// Steps of the model, how many make a point, and how many points there are.
const STEP: f64 = 0.1;
const STEPS_A_POINT: usize = 20;
const POINTS: usize = 90;

/// Checks per second while gateways are restarted within so many seconds.
pub fn run(size: Size) -> Experiment {
    let (gateways, tokens) = size.of((20, 10), (1000, 10));
    let setup = Setup { gateways, workers: WORKERS, tokens, ..warming_up() };
    let setup = Setup { requests: RATE * setup.pairs(), ..setup };
    let curves = [0.0, 30.0, 120.0].map(|within| curve(&setup, within));
    Experiment {
        name: "restart",
        title: format!("{gateways} gateways of {WORKERS} workers restart, with {tokens} tokens in use"),
        x: Axis { label: "seconds since the first restart".to_owned(), scale: Scale::Linear },
        y: Axis { label: "checks per second".to_owned(), scale: Scale::Linear },
        curves: curves.into(),
    }
}

fn curve(setup: &Setup, within: f64) -> Curve {
    let mut simulation = Simulation::new(setup.clone());
    let restarts: Vec<_> =
        (0..setup.gateways).map(|gateway| within * f64::from(gateway) / f64::from(setup.gateways)).collect();
    for (gateway, after) in (0..).zip(&restarts) {
        simulation.restart(gateway, seconds(WARM + after));
    }
    let step = STEP * STEPS_A_POINT as f64;
    let counts = checks_over_time(&mut simulation, WARM, POINTS, step);
    let model = model(setup, &restarts);
    let points = (counts.iter().zip(model.chunks(STEPS_A_POINT)).enumerate()).map(|(at, (count, model))| {
        let model = model.iter().sum::<f64>() / STEPS_A_POINT as f64;
        Point {
            x: (at as f64 + 0.5) * step,
            model: Some(model),
            simulated: count / step,
            // No more than a Poisson count's.
            deviation: (model * step).max(1.0).sqrt() / step,
            slack: 0.0,
        }
    });
    let line = model.iter().enumerate().map(|(at, checks)| ((at as f64 + 0.5) * STEP, *checks));
    let name = match within {
        0.0 => "all at the same moment".to_owned(),
        _ => format!("within {within} s"),
    };
    Curve { name, line: line.collect(), points: points.collect() }
}

/// Checks per second in each step: the steady rate of those that are not restarted yet, and the wave of each that is.
fn model(setup: &Setup, restarts: &[f64]) -> Vec<f64> {
    let steps = POINTS * STEPS_A_POINT;
    let pair = Pair { rate: RATE, allow: ALLOW };
    let wave = pair.wave(&pair.first_after_restart(steps, STEP), STEP);
    let pairs_of_one = setup.pairs() / f64::from(setup.gateways);
    let mut checks = vec![0.0; steps];
    for restart in restarts {
        let begins = (restart / STEP).round() as usize;
        for (step, checks) in checks.iter_mut().enumerate() {
            let per_pair = step.checked_sub(begins).map_or(pair.checks(), |after| wave[after] / STEP);
            *checks += pairs_of_one * per_pair;
        }
    }
    checks
}
