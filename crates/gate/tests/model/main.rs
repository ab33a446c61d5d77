//! Events in any order against a simple model of the gate, written from the rules and not from the code.
//!
//! Requests, answers of every kind and none, clients that leave, ticks wanted and unwanted, time that passes, jumps and
//! goes back, new configurations: the model knows what each must lead to. `ledger.rs` has what must hold above all:
//! nothing is forwarded without a yes, a no is a no at once, no yes outlives its limits, nobody guesses faster than
//! allowed. What the sequences have gone through is printed (`--nocapture`), and all of it must have been.

// proptest wants threads and files.
#![cfg(not(target_arch = "wasm32"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a test ends where it fails"
)]
#![allow(unreachable_pub, missing_docs, reason = "nobody sees this from outside")]

mod coverage;
mod event;
mod ledger;
mod rules;
mod settings;
mod world;

use gate::config::Config;
use proptest::test_runner::{Config as Proptest, FileFailurePersistence, TestRunner};
use settings::Settings;
use world::World;

const SEQUENCES: u32 = 100_000;

/// One for each of them, on a machine that has two.
const THREADS: u32 = 2;

thread_local! {
    /// Reading one takes longer than a whole sequence.
    static CONFIGS: Vec<Config> = settings::ALL.iter().map(Settings::config).collect();
}

fn config(which: usize) -> (Settings, Config) {
    (settings::ALL[which], CONFIGS.with(|configs| configs[which].clone()))
}

/// Sequences that once failed are kept in a file and tried first. What a seed stands for changes with `event.rs`.
fn proptest() -> Proptest {
    let seeds = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/model.proptest-regressions");
    Proptest {
        cases: SEQUENCES / THREADS,
        max_shrink_iters: 20_000,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(seeds))),
        ..Proptest::default()
    }
}

#[test]
fn whatever_happens_the_gate_does_what_the_rules_say() {
    let run = || {
        TestRunner::new(proptest()).run(&event::case(), |case| {
            World::run(config, &case);
            Ok(())
        })
    };
    let results = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(run)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    for result in results {
        result.unwrap_or_else(|failure| panic!("{failure}"));
    }
    let never = coverage::report();
    assert!(never.is_empty(), "never seen: {never:#?}");
}
