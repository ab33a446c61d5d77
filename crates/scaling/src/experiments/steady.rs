//! How much the auth service is asked, and how many requests wait for that: in the long run.

use bench::plot::{Axis, Scale};

use super::{Curve, Experiment, Point, Size, WARM, by_factors, seconds, warming_up};
use crate::model::Pair;
use crate::simulation::{Happening, Setup, Simulation};

/// How long a yes is in force: the default.
const ALLOW: f64 = 30.0;

const WORKERS: u32 = 4;

/// Requests per second, to all gateways together.
const REQUESTS: f64 = 2000.0;

/// What was counted in a second, on average.
#[derive(Clone, Copy, Debug)]
pub struct Counted {
    /// Requests.
    pub requests: f64,
    /// Requests that had to wait.
    pub waited: f64,
    /// Checks.
    pub checks: f64,
}

/// Counts for so many seconds, once all have come in.
pub fn count(setup: Setup, time: f64) -> Counted {
    let mut counted = Counted { requests: 0.0, waited: 0.0, checks: 0.0 };
    Simulation::new(setup).run(seconds(WARM + time), &mut |happening| match happening {
        Happening::Check { at } if at >= seconds(WARM) => counted.checks += 1.0 / time,
        Happening::Verdict { at, came_at, .. } if at >= seconds(WARM) => {
            counted.requests += 1.0 / time;
            counted.waited += if came_at < at { 1.0 / time } else { 0.0 };
        }
        _ => {}
    });
    counted
}

/// The same load over ever more gateways: checks per second, and the hit ratio.
pub fn run(size: Size) -> [Experiment; 2] {
    let gateways = size.of(&[1, 10, 100][..], &[1, 3, 10, 30, 100, 300, 1000]);
    let tokens = size.of(&[10, 100][..], &[10, 100, 1000]);
    let time = size.of(30.0, 120.0);
    let requests = size.of(REQUESTS / 4.0, REQUESTS);
    let (mut checks, mut hits) = (Vec::new(), Vec::new());
    for tokens in tokens {
        let points = gateways.iter().map(|gateways| point(*gateways, *tokens, requests, time));
        let (asked, hit): (Vec<_>, Vec<_>) = points.unzip();
        let line = by_factors(1.0, 1000.0, 60).map(|gateways| {
            let pairs = gateways * f64::from(WORKERS * tokens);
            (gateways, pairs * pair(gateways, f64::from(*tokens), requests).checks())
        });
        checks.push(Curve { name: format!("{tokens} tokens"), line: line.collect(), points: asked });
        hits.push(Curve { name: format!("{tokens} tokens"), line: Vec::new(), points: hit });
    }
    let line = by_factors(0.01, 2000.0, 200).map(|used| (used, hit_ratio(used)));
    // There is one line for all: only how often a pair is used matters.
    hits.insert(0, Curve { name: "model".to_owned(), line: line.collect(), points: Vec::new() });
    let requests = requests as u64;
    let axis = |label: &str, scale| Axis { label: label.to_owned(), scale };
    [
        Experiment {
            name: "checks",
            title: format!("{requests} requests per second over ever more gateways of {WORKERS} workers"),
            x: axis("gateways", Scale::Logarithmic),
            y: axis("checks per second", Scale::Logarithmic),
            curves: checks,
        },
        Experiment {
            name: "hit-ratio",
            title: "Requests that need not wait for the auth service".to_owned(),
            x: axis("requests with a token at one worker within \"allow\"", Scale::Logarithmic),
            y: axis("share of all requests", Scale::Linear),
            curves: hits,
        },
    ]
}

fn pair(gateways: f64, tokens: f64, requests: f64) -> Pair {
    Pair { rate: requests / (gateways * f64::from(WORKERS) * tokens), allow: ALLOW }
}

/// By how many requests there are within `allow`, on average.
fn hit_ratio(used: f64) -> f64 {
    Pair { rate: used / ALLOW, allow: ALLOW }.hit_ratio()
}

fn point(gateways: u32, tokens: u32, requests: f64, time: f64) -> (Point, Point) {
    let setup = Setup { gateways, workers: WORKERS, tokens, requests, ..warming_up() };
    let pairs = setup.pairs();
    let pair = pair(f64::from(gateways), f64::from(tokens), requests);
    let counted = count(setup, time);
    // A pair is asked about at more even intervals than chance would: less than a Poisson count deviates.
    let deviation = |per_second: f64| (per_second * time).max(1.0).sqrt() / time;
    let checks = Point {
        x: f64::from(gateways),
        model: Some(pairs * pair.checks()),
        simulated: counted.checks,
        deviation: deviation(counted.checks),
        slack: 0.0,
    };
    let hits = Point {
        x: pair.rate * ALLOW,
        model: Some(pair.hit_ratio()),
        simulated: 1.0 - counted.waited / counted.requests,
        deviation: deviation(counted.waited) / counted.requests,
        slack: 0.0,
    };
    (checks, hits)
}
