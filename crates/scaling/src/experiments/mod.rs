//! Each puts one question to the model and to the simulation.

pub mod capacity;
pub mod guesses;
pub mod outage;
pub mod restart;
pub mod revoke;
pub mod steady;

use std::time::Duration;

use bench::plot::{Axis, Lines, Series};
use bench::results::Sample;

use crate::simulation::{Happening, Setup, Simulation};

/// How large an experiment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// For the tests: seconds, unoptimised.
    Small,
    /// For the document.
    Full,
}

impl Size {
    fn of<T>(self, small: T, full: T) -> T {
        match self {
            Self::Small => small,
            Self::Full => full,
        }
    }
}

/// What was asked, and what the model and the simulation say.
#[derive(Clone, Debug)]
pub struct Experiment {
    /// The name of its files in `docs/scaling`.
    pub name: &'static str,
    /// What stands above the chart.
    pub title: String,
    /// What the points are over.
    pub x: Axis,
    /// What they show.
    pub y: Axis,
    /// One for each setting.
    pub curves: Vec<Curve>,
}

/// One setting's answer.
#[derive(Clone, Debug)]
pub struct Curve {
    /// The setting.
    pub name: String,
    /// The model's line, finer than the points.
    pub line: Vec<(f64, f64)>,
    /// What was simulated.
    pub points: Vec<Point>,
}

/// A point that was simulated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Where.
    pub x: f64,
    /// What the model says; nothing: it does not apply here.
    pub model: Option<f64>,
    /// What came out.
    pub simulated: f64,
    /// The standard deviation of what another seed would give, or more than that.
    pub deviation: f64,
    /// What the model is known to leave out here, at most. Mostly nothing.
    pub slack: f64,
}

impl Point {
    /// How far they may be apart: four standard deviations, which chance alone exceeds once in 16,000 points, and a hundredth
    /// for what the model leaves out (that an answer takes 5 ms, that points are means over a while).
    pub fn tolerance(&self) -> f64 {
        4.0 * self.deviation + 0.01 * self.model.unwrap_or(0.0).abs() + self.slack
    }

    /// Whether the model and the simulation agree.
    pub fn agrees(&self) -> bool {
        self.model.is_none_or(|model| (model - self.simulated).abs() <= self.tolerance())
    }
}

impl Experiment {
    /// What a CSV file has of it.
    pub fn samples(&self) -> Vec<Sample> {
        let mut samples = Vec::new();
        for curve in &self.curves {
            for point in &curve.points {
                let values = [
                    ("model", point.model),
                    ("simulated", Some(point.simulated)),
                    ("deviation", Some(point.deviation)),
                    ("slack", Some(point.slack).filter(|slack| *slack > 0.0)),
                ];
                for (metric, value) in values {
                    samples.extend(value.map(|value| Sample {
                        variant: curve.name.clone(),
                        x: rounded(point.x),
                        round: 0,
                        metric: metric.to_owned(),
                        value: rounded(value),
                    }));
                }
            }
        }
        samples
    }

    /// The chart: the model's lines, and dots for what was simulated.
    pub fn chart(&self) -> Lines {
        let mut series = Vec::new();
        for curve in &self.curves {
            let dots = curve.points.iter().map(|point| (point.x, point.simulated)).collect();
            let line = Series { name: curve.name.clone(), points: curve.line.clone(), ..Series::default() };
            let name = if curve.line.is_empty() { &curve.name } else { "simulated" };
            let dots = Series { name: name.to_owned(), points: dots, is_dots: true, ..Series::default() };
            series.extend([line, dots].into_iter().filter(|series| !series.points.is_empty()));
        }
        Lines { title: self.title.clone(), x: self.x.clone(), y: self.y.clone(), series }
    }
}

/// What the points of a CSV file are, curve by curve.
///
/// # Panics
///
/// If something is missing in it.
pub fn curves(samples: &[Sample]) -> Vec<(String, Vec<Point>)> {
    let mut curves: Vec<(String, Vec<Point>)> = Vec::new();
    let mut model = None;
    for sample in samples {
        if curves.last().is_none_or(|(name, _)| *name != sample.variant) {
            curves.push((sample.variant.clone(), Vec::new()));
        }
        let (_, points) = curves.last_mut().expect("one was pushed");
        match sample.metric.as_str() {
            "model" => model = Some(sample.value),
            "simulated" => {
                let model = model.take();
                points.push(Point {
                    x: sample.x,
                    model,
                    simulated: sample.value,
                    deviation: 0.0,
                    slack: 0.0,
                });
            }
            "deviation" => points.last_mut().expect("after what was simulated").deviation = sample.value,
            "slack" => points.last_mut().expect("after what was simulated").slack = sample.value,
            other => panic!("nobody knows the metric {other:?}"),
        }
    }
    curves
}

/// An experiment, or several that take the same runs.
type Run = fn(Size) -> Vec<Experiment>;

/// All of them, in the order of the document.
pub const ALL: [Run; 7] = [
    |size| steady::run(size).into(),
    |size| vec![revoke::run(size)],
    |size| vec![restart::run(size)],
    |size| vec![outage::passes(size)],
    |size| vec![outage::checks(size)],
    |size| vec![capacity::run(size)],
    |size| vec![guesses::run(size)],
];

/// The length of a cycle in steady use with `allow`'s default: 85 % of 30 s.
const CYCLE: f64 = 25.5;

/// To six digits: more are noise.
fn rounded(value: f64) -> f64 {
    format!("{value:.5e}").parse().unwrap_or(value)
}

/// When what began at the run's beginning is over: the ramp, and a while more.
const WARM: f64 = 90.0;

/// A setup whose pairs come in over two cycles, so that there is no beat in what they ask.
fn warming_up() -> Setup {
    Setup { ramp: seconds(2.0 * CYCLE), ..Setup::default() }
}

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// How many checks there are in each step of time from `begin` on, over so many steps.
fn checks_over_time(simulation: &mut Simulation, begin: f64, steps: usize, step: f64) -> Vec<f64> {
    let mut counts = vec![0.0; steps];
    simulation.run(seconds(begin + steps as f64 * step), &mut |happening| {
        if let Happening::Check { at } = happening
            && at >= seconds(begin)
        {
            let index = ((at.as_secs_f64() - begin) / step) as usize;
            counts[index.min(steps - 1)] += 1.0;
        }
    });
    counts
}

/// What lies evenly between two numbers, both included.
fn evenly(from: f64, to: f64, count: u32) -> impl Iterator<Item = f64> {
    (0..=count).map(move |at| from + (to - from) * f64::from(at) / f64::from(count))
}

/// The same, by the same factor from each to the next.
fn by_factors(from: f64, to: f64, count: u32) -> impl Iterator<Item = f64> {
    evenly(from.ln(), to.ln(), count).map(f64::exp)
}

/// The mean of a line that may have bends: what is counted is counted over a while.
fn mean_over(from: f64, to: f64, of: impl Fn(f64) -> f64) -> f64 {
    evenly(from, to, 100).map(of).sum::<f64>() / 101.0
}

/// The deviation of a share that was counted in `count` independent cases.
fn deviation_of_share(share: f64, count: f64) -> f64 {
    (share * (1.0 - share) / count).sqrt().max(1.0 / count)
}
