//! How long a token passes that the auth service no longer knows.

use bench::plot::{Axis, Scale};

use super::{
    Curve, Experiment, Point, Size, WARM, deviation_of_share, evenly, mean_over, seconds, warming_up,
};
use crate::model::Pair;
use crate::simulation::{Happening, Setup, Simulation};

const ALLOW: f64 = 30.0;

const WORKERS: u32 = 4;

/// Points of the chart, and what each is the mean over.
const POINTS: usize = 16;
const STEP: f64 = 2.0;

/// How often a token is used at a worker within `allow`.
const USED: [f64; 3] = [0.3, 3.0, 30.0];

/// The share of requests that still pass, by how long ago their token was withdrawn.
pub fn run(size: Size) -> Experiment {
    let mut curves = Vec::new();
    for used in USED {
        let observed = observe(size, used);
        let name = format!("used {used} times within \"allow\"");
        curves.push(observed.share_that_passes(name));
        if used == 30.0 {
            curves
                .push(observed.passes_anywhere(format!("the same, at any of {} workers", observed.workers)));
        }
    }
    Experiment {
        name: "revoke",
        title: "A token is withdrawn: what still passes (allow: 30 s)".to_owned(),
        x: Axis { label: "seconds since then".to_owned(), scale: Scale::Linear },
        y: Axis { label: "share of requests".to_owned(), scale: Scale::Linear },
        curves,
    }
}

/// What was seen of requests with tokens that have been withdrawn.
struct Observed {
    pair: Pair,
    workers: f64,
    tokens: f64,
    came: [f64; POINTS],
    passed: [f64; POINTS],
    /// How long after its withdrawal each token passed for the last time; nothing: it did not.
    last: Vec<Option<f64>>,
}

fn observe(size: Size, used: f64) -> Observed {
    let pair = Pair { rate: used / ALLOW, allow: ALLOW };
    // The seldom used need more of them for as many requests.
    let (gateways, tokens) = (10, size.of(30, 200) * if used < 1.0 { 5 } else { 1 });
    let mut setup = Setup { gateways, workers: WORKERS, tokens, ..warming_up() };
    setup.requests = pair.rate * setup.pairs();
    let withdrawn_at: Vec<_> = evenly(WARM, WARM + ALLOW, tokens).collect();
    for (token, at) in (0..tokens).zip(&withdrawn_at) {
        setup.service.withdraw(token, seconds(*at));
    }
    let (workers, tokens) = (f64::from(setup.all_workers()), f64::from(tokens));
    let last = vec![None; withdrawn_at.len() - 1];
    let mut seen = Observed { pair, workers, tokens, came: [0.0; POINTS], passed: [0.0; POINTS], last };
    let end = WARM + ALLOW + POINTS as f64 * STEP;
    Simulation::new(setup).run(seconds(end), &mut |happening| {
        let Happening::Verdict { came_at, token: Some(token), may_pass, .. } = happening else { return };
        let after = came_at.as_secs_f64() - withdrawn_at[token as usize];
        if after < 0.0 || after >= POINTS as f64 * STEP {
            return;
        }
        let step = (after / STEP) as usize;
        seen.came[step] += 1.0;
        if may_pass.is_ok() {
            seen.passed[step] += 1.0;
            seen.last[token as usize] = Some(after);
        }
    });
    seen
}

impl Observed {
    fn share_that_passes(&self, name: String) -> Curve {
        let points = (0..POINTS).map(|step| {
            let x = (step as f64 + 0.5) * STEP;
            let model = mean_over(x - STEP / 2.0, x + STEP / 2.0, |x| self.pair.passes_after_withdrawal(x));
            // Requests of one pair within a step are no independent cases.
            let cases = self.came[step].min(self.workers * self.tokens);
            Point {
                x,
                model: Some(model),
                simulated: self.passed[step] / self.came[step],
                deviation: deviation_of_share(model, cases),
                slack: 0.0,
            }
        });
        let line = evenly(0.0, POINTS as f64 * STEP, 320).map(|x| (x, self.pair.passes_after_withdrawal(x)));
        Curve { name, line: line.collect(), points: points.collect() }
    }

    fn passes_anywhere(&self, name: String) -> Curve {
        let passes = |after: f64| self.pair.is_let_pass_after(after, self.workers);
        let points = evenly(0.0, 32.0, 32).map(|x| {
            let model = passes(x);
            let later = self.last.iter().filter(|last| last.is_some_and(|last| last > x)).count();
            Point {
                x,
                model: Some(model),
                simulated: later as f64 / self.tokens,
                deviation: deviation_of_share(model, self.tokens),
                slack: 0.0,
            }
        });
        let line = evenly(0.0, 32.0, 320).map(|x| (x, passes(x)));
        Curve { name, line: line.collect(), points: points.collect() }
    }
}
