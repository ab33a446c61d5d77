//! The model says what the real gate does: each experiment, small, with a fixed seed.
//!
//! How far they may be apart is [`Point::tolerance`]: four standard deviations and a hundredth. `docs/scaling` has the
//! large runs; `tests/document.rs` looks at those.

use std::time::Duration;

use gate::denial::Denial;
use scaling::experiments::capacity::{self, PATIENCE};
use scaling::experiments::{Experiment, Point, Size, guesses, outage, restart, revoke, steady};
use scaling::model::Pair;
use scaling::simulation::{Happening, Outage, Service, Setup, Simulation};

/// At how many points the model has been compared.
#[track_caller]
fn assert_agrees(experiment: &Experiment) -> usize {
    let mut compared = 0;
    for curve in &experiment.curves {
        for point in &curve.points {
            assert!(point.agrees(), "{}, {}: {point:?} ± {}", experiment.name, curve.name, point.tolerance());
            compared += usize::from(point.model.is_some());
        }
    }
    compared
}

#[test]
fn checks_and_hits_in_steady_use_are_the_models() {
    let [checks, hits] = steady::run(Size::Small);
    assert_eq!((assert_agrees(&checks), assert_agrees(&hits)), (6, 6));
    // Were a yes asked about only when it is over, there would be fewer checks: the test tells that apart.
    let without_refreshing = |point: &Point| Point { model: point.model.map(|model| model * 0.85), ..*point };
    let hundred_gateways = checks.curves[0].points.last().map(without_refreshing);
    assert!(hundred_gateways.is_some_and(|point| !point.agrees()));
}

#[test]
fn a_withdrawn_token_passes_for_as_long_as_the_model_says() {
    assert_eq!(assert_agrees(&revoke::run(Size::Small)), 3 * 16 + 33);
}

#[test]
fn the_waves_after_a_restart_are_the_models() {
    assert_eq!(assert_agrees(&restart::run(Size::Small)), 3 * 90);
}

#[test]
fn what_passes_in_an_outage_is_what_the_model_says() {
    assert_eq!(assert_agrees(&outage::passes(Size::Small)), 3 * 40);
}

#[test]
fn probes_in_an_outage_and_the_waves_after_it_are_the_models() {
    let experiment = outage::checks(Size::Small);
    assert!(assert_agrees(&experiment) > 70);
    // 20 gateways of 4 workers with 50 tokens: each pair is asked about about once in the first 10 s.
    let back: f64 = experiment.curves[2].points[..5].iter().map(|point| point.simulated * 2.0).sum();
    assert!((back / 4000.0 - 1.0).abs() < 0.05, "{back}");
}

#[test]
fn one_address_has_as_many_guesses_checked_as_there_are_workers() {
    assert_eq!(assert_agrees(&guesses::run(Size::Small)), 2);
}

#[test]
fn an_auth_service_of_little_more_than_the_steady_rate_does_not_come_back_and_one_of_three_times_that_does() {
    let experiment = capacity::run(Size::Small);
    assert!(capacity::steady(30.0) < 45.0);
    for (curve, recovers_at_45) in experiment.curves[1..].iter().zip([false, true, false]) {
        let [little, enough] = [0, 1].map(|at| curve.points[at].simulated);
        assert_eq!(little < 0.8 * PATIENCE, recovers_at_45, "{}: {little}", curve.name);
        assert!(enough < 15.0, "{}: {enough}", curve.name);
    }
}

fn checks(setup: Setup, from: u64, until: u64) -> f64 {
    let mut checks = 0.0;
    Simulation::new(setup).run(Duration::from_secs(until), &mut |happening| match happening {
        Happening::Check { at } if at >= Duration::from_secs(from) => checks += 1.0,
        _ => {}
    });
    checks
}

#[test]
fn how_long_a_yes_lasts_is_what_the_configuration_says() {
    let config = r#"{ "auth": { "allow": "10s" } }"#.to_owned();
    let ramp = Duration::from_secs(17);
    let setup = Setup { workers: 4, tokens: 50, requests: 400.0, ramp, config, ..Setup::default() };
    let expected = 200.0 * Pair { rate: 2.0, allow: 10.0 }.checks() * 100.0;
    let counted = checks(setup, 30, 130);
    assert!((counted - expected).abs() < 4.0 * expected.sqrt(), "{counted} {expected}");
}

#[test]
fn the_canary_is_one_check_in_its_period_at_each_worker() {
    let config = r#"{ "auth": { "canary": "10s" } }"#.to_owned();
    let counted = checks(Setup { workers: 4, config, ..Setup::default() }, 5, 105);
    assert!((counted - 40.0).abs() <= 4.0, "{counted}");
}

/// How many requests with good tokens are refused after an outage because too much is under way.
fn refused_after_an_outage(max_flights: u32) -> u32 {
    let [begin, end, until] = [60, 180, 200].map(Duration::from_secs);
    let config = format!(r#"{{ "auth": {{ "max_flights": {max_flights} }} }}"#);
    let service = Service::default().with_outage(Outage::Silent, begin..end);
    let setup = Setup { workers: 4, tokens: 60, requests: 480.0, config, service, ..Setup::default() };
    let mut refused = 0;
    Simulation::new(setup).run(until, &mut |happening| {
        if let Happening::Verdict { at, may_pass: Err(denial), .. } = happening {
            assert!(at >= end && denial == Denial::TooManyFlights, "{denial:?} at {at:?}");
            refused += 1;
        }
    });
    refused
}

#[test]
fn with_more_tokens_than_flights_some_are_refused_when_the_auth_service_is_back() {
    assert_eq!(refused_after_an_outage(64), 0);
    assert!(refused_after_an_outage(24) > 0);
}

#[test]
fn a_listed_token_is_never_asked_about() {
    let sha256 = "6c02cf2083469e72758a38be0b7c6eabe9bc58580774daf6b2cf4b6ea1469722";
    let config = format!(r#"{{ "tokens": [{{ "name": "listed", "sha256": "{sha256}" }}] }}"#);
    let setup = Setup { tokens: 2, requests: 10.0, ..Setup::default() };
    let both = checks(setup.clone(), 0, 200);
    let other = checks(Setup { config, ..setup }, 0, 200);
    assert!(other > 0.0 && (both / other - 2.0).abs() < 0.4, "{both} {other}");
}
