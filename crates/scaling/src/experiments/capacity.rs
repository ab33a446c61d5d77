//! The auth service can answer so many checks in a second and no more: how long it takes until nobody notices any more that
//! there was an outage, or a restart of all gateways.

use std::time::Duration;

use bench::plot::{Axis, Scale};

use super::{Curve, Experiment, Point, Size, by_factors, seconds};
use crate::model::Pair;
use crate::simulation::{Happening, Outage, Service, Setup, Simulation};

const WORKERS: u32 = 4;
const TOKENS: u32 = 50;

/// Requests per second with one token at one worker.
const RATE: f64 = 0.2;

/// How long the outage is.
const OUTAGE: f64 = 120.0;

/// How long is waited for the end.
pub const PATIENCE: f64 = 180.0;

/// Who waits longer has noticed.
const NOTICED: Duration = Duration::from_secs(1);

#[derive(Clone, Copy)]
enum Cause {
    Outage,
    Restart,
}

/// Seconds until all is well, by the capacity for each thousand pairs.
pub fn run(size: Size) -> Experiment {
    let gateways = size.of(5, 20);
    let capacities =
        size.of(&[45.0, 120.0][..], &[45.0, 52.0, 60.0, 70.0, 80.0, 100.0, 120.0, 160.0, 240.0, 400.0]);
    let causes = [
        ("outage of two minutes", Cause::Outage, 30.0),
        ("the same with \"allow\": \"2m\"", Cause::Outage, 120.0),
        ("restart of all gateways at once", Cause::Restart, 30.0),
    ];
    let curves = causes.map(|(name, cause, allow)| {
        let points = capacities.iter().map(|capacity| Point {
            x: *capacity,
            model: None,
            simulated: until_all_is_well(gateways, *capacity, cause, allow),
            deviation: 0.0,
            slack: 0.0,
        });
        Curve { name: name.to_owned(), line: Vec::new(), points: points.collect() }
    });
    // The model has a bound only: nothing is asked in vain there.
    let line = by_factors(45.0, 400.0, 60).map(|capacity| (capacity, 1000.0 / capacity));
    let bound = Curve { name: "pairs / capacity".to_owned(), line: line.collect(), points: Vec::new() };
    let curves = [bound].into_iter().chain(curves);
    Experiment {
        name: "capacity",
        title: format!(
            "Until no request is refused or waits for more than a second ({PATIENCE} s: not at all)"
        ),
        x: Axis {
            label: "capacity, checks per second for each 1,000 pairs".to_owned(),
            scale: Scale::Logarithmic,
        },
        y: Axis { label: "seconds".to_owned(), scale: Scale::Linear },
        curves: curves.collect(),
    }
}

/// How many checks per second there are in steady use for each thousand pairs.
pub fn steady(allow: f64) -> f64 {
    1000.0 * Pair { rate: RATE, allow }.checks()
}

fn until_all_is_well(gateways: u32, capacity: f64, cause: Cause, allow: f64) -> f64 {
    let setup = Setup {
        gateways,
        workers: WORKERS,
        tokens: TOKENS,
        ramp: seconds(1.7 * allow),
        config: format!(r#"{{ "auth": {{ "allow": "{allow}s" }} }}"#),
        ..Setup::default()
    };
    let warm = 3.0 * allow;
    let service = Service::default().with_capacity(capacity * setup.pairs() / 1000.0);
    let (service, begin) = match cause {
        Cause::Outage => {
            let over = warm + OUTAGE;
            (service.with_outage(Outage::Silent, seconds(warm)..seconds(over)), seconds(over))
        }
        Cause::Restart => (service, seconds(warm)),
    };
    let setup = Setup { requests: RATE * setup.pairs(), service, ..setup };
    let mut simulation = Simulation::new(setup);
    if matches!(cause, Cause::Restart) {
        (0..gateways).for_each(|gateway| simulation.restart(gateway, begin));
    }
    let mut noticed = begin;
    simulation.run(begin + seconds(PATIENCE), &mut |happening| {
        if let Happening::Verdict { at, came_at, may_pass, .. } = happening
            && came_at >= begin
            && (may_pass.is_err() || at - came_at > NOTICED)
        {
            noticed = noticed.max(at);
        }
    });
    (noticed - begin).as_secs_f64()
}
