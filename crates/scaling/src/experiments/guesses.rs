//! One address guesses, and each worker has a bucket for it.

use bench::plot::{Axis, Scale};

use super::{Curve, Experiment, Point, Size, by_factors, checks_over_time};
use crate::simulation::{Setup, Simulation};

const WORKERS: u32 = 4;

/// `auth.throttle.per_second`'s default.
const PER_SECOND: f64 = 1.0;

/// Guesses per second at each worker: enough to empty its bucket soon.
const AT_EACH: f64 = 3.0;

/// From then on every bucket is empty.
const EMPTY: f64 = 20.0;

/// Checks of guesses per second by the number of gateways.
pub fn run(size: Size) -> Experiment {
    let gateways = size.of(&[1, 10][..], &[1, 10, 100, 1000]);
    let time = size.of(60.0, 30.0);
    let curve = Curve {
        name: "3 guesses per second at each worker".to_owned(),
        line: by_factors(1.0, 1000.0, 30).map(|gateways| (gateways, model(gateways))).collect(),
        points: gateways.iter().map(|gateways| point(*gateways, time)).collect(),
    };
    Experiment {
        name: "guesses",
        title: format!("One address guesses, at gateways of {WORKERS} workers"),
        x: Axis { label: "gateways".to_owned(), scale: Scale::Logarithmic },
        y: Axis { label: "checks per second".to_owned(), scale: Scale::Logarithmic },
        curves: vec![curve],
    }
}

fn model(gateways: f64) -> f64 {
    gateways * f64::from(WORKERS) * PER_SECOND.min(AT_EACH)
}

fn point(gateways: u32, time: f64) -> Point {
    let setup = Setup { gateways, workers: WORKERS, ..Setup::default() };
    let setup = Setup { guesses: AT_EACH * f64::from(setup.all_workers()), ..setup };
    let workers = f64::from(setup.all_workers());
    let counts = checks_over_time(&mut Simulation::new(setup), EMPTY, 1, time);
    Point {
        x: f64::from(gateways),
        model: Some(model(f64::from(gateways))),
        simulated: counts[0] / time,
        // Each bucket's count is off by one at most at either end.
        deviation: (2.0 * workers).sqrt() / time,
        slack: 0.0,
    }
}
