//! The run that compares: all variants in rounds, each round in an order of its own.

use crate::rig::{
    arguments::Arguments,
    checks::check_headers,
    cores::Cores,
    machine,
    measure::{CONNECTIONS, Figures, Plan, WARM_UP_TURNS, measure},
    output, turns, variant,
};
use bench::{report, results::Sample};
use std::time::{Duration, Instant};
use testbed::Result;

/// Rounds are started until this much time has passed.
const TIME: Duration = Duration::from_secs(14 * 60 + 30);
const TIME_QUICK: Duration = Duration::from_secs(4 * 60);

/// But so many at least: an interval around a median needs them.
const LEAST_ROUNDS: u32 = 9;
const LEAST_ROUNDS_QUICK: u32 = 8;

/// Measures all variants and writes what came of it. True: no run had to be thrown away.
///
/// # Errors
/// The machine has one core, a tool is missing, or the results cannot be written.
pub(crate) async fn run(arguments: &Arguments) -> Result<bool> {
    let cores = Cores::take()?;
    let plan = Plan::new(cores, arguments.rate);
    let mut variants = variant::all();
    output::choose(&mut variants, &arguments.only, |variant| variant.name)?;
    if arguments.quick && arguments.only.is_empty() {
        variants.retain(|variant| variant.is_quick);
    }
    let (time, least) = if arguments.quick { (TIME_QUICK, LEAST_ROUNDS_QUICK) } else { (TIME, LEAST_ROUNDS) };
    let mut machine = machine::describe(arguments, cores, &settings(&plan))?;
    eprintln!(
        "seed {}; the proxy on core {}, load and services on core {}",
        arguments.seed, cores.proxy, cores.load
    );
    check_headers(cores).await?;

    let mut random = fastrand::Rng::with_seed(arguments.seed);
    let mut samples = output::hostcalls()?;
    samples.retain(|sample| variants.iter().any(|variant| variant.name == sample.variant));
    let mut thrown_away = Vec::new();
    let start = Instant::now();
    let mut longest = Duration::ZERO;
    for round in 1.. {
        let fits = start.elapsed() + longest < time;
        if !arguments.rounds.map_or(round <= least || fits, |rounds| round <= rounds) {
            break;
        }
        let begin = Instant::now();
        random.shuffle(&mut variants);
        for (variant, figures) in measure(&variants, &plan, &mut random).await {
            match figures {
                Ok(figures) => {
                    eprintln!("round {round}, {variant:18} {}", line(&figures));
                    samples.extend(figures.into_iter().map(|(metric, value)| Sample {
                        variant: variant.to_owned(),
                        x: 0.0,
                        round,
                        metric: metric.to_owned(),
                        value,
                    }));
                }
                Err(error) => {
                    eprintln!("round {round}, {variant:18} THROWN AWAY: {error}");
                    thrown_away.push(format!("{variant} in round {round}"));
                }
            }
        }
        longest = longest.max(begin.elapsed());
    }
    machine.settings.insert("thrown away".to_owned(), output::listed(&thrown_away));
    output::write(&arguments.out, "samples", &samples, &machine)?;
    println!("{}", report::summary(&samples, &machine));
    Ok(output::nothing_thrown_away(&thrown_away))
}

/// How it is measured, for the report.
fn settings(plan: &Plan) -> [(&'static str, String); 4] {
    [
        ("connections", CONNECTIONS.to_string()),
        ("warm-up", turns::in_words(WARM_UP_TURNS)),
        ("closed loop", turns::in_words(plan.turns)),
        ("open loop", format!("{} s, {} requests per second", plan.open.as_secs_f64(), plan.rate)),
    ]
}

fn line(figures: &Figures) -> String {
    let figure =
        |(metric, value): &(&str, f64)| format!("{metric} {value:.*}", if *value < 10.0 { 2 } else { 0 });
    figures.iter().map(figure).collect::<Vec<_>>().join("  ")
}
