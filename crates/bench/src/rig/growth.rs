//! The run that shows what cost and memory do when something grows: routes, cached tokens, headers, flights, addresses, workers.
//!
//! Cost, in rounds: `routes/ours`, `tokens/ours`, and `headers/{ours,do_nothing,bare}`, each with
//! `cpu_us_per_request` by x. What is compared is of one round. Memory: `memory_*/{ours,do_nothing}` with `rss_mib` by x,
//! each under the same load; what the filter needs is the difference.

use crate::rig::{
    arguments::Arguments,
    connection::fill,
    cores::{Cores, cpu_ns, cpu_ns_since},
    load::{Load, Token},
    machine,
    measure::{CONNECTIONS, Plan, judge},
    memory, output,
    proxies::{Chain, Filter, Proxies},
    services::Services,
    wrk::Wrk,
};
use bench::results::Sample;
use serde_json::{Value, json};
use testbed::{Error, Result};

const ROUTES: [u32; 4] = [10, 100, 300, 1000];
const TOKENS: [u32; 4] = [1, 1000, 10_000, 100_000];
const HEADERS: [u32; 4] = [9, 20, 40, 80];

/// What grows, and in how many rounds it is looked at.
#[derive(Clone, Copy, Debug)]
struct Experiment {
    name: &'static str,
    rounds: u32,
    kind: Kind,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Routes,
    Tokens,
    Headers,
    Memory(memory::Kind),
}

/// An interval around a median needs six rounds. Memory hardly changes from one to the next, so where no target stands one
/// will do.
const EXPERIMENTS: [Experiment; 8] = [
    Experiment { name: "routes", rounds: 9, kind: Kind::Routes },
    Experiment { name: "tokens", rounds: 6, kind: Kind::Tokens },
    Experiment { name: "headers", rounds: 6, kind: Kind::Headers },
    Experiment { name: "memory_tokens", rounds: 1, kind: Kind::Memory(memory::Kind::Tokens) },
    Experiment { name: "memory_full", rounds: 6, kind: Kind::Memory(memory::Kind::Full) },
    Experiment { name: "memory_workers", rounds: 6, kind: Kind::Memory(memory::Kind::Workers) },
    Experiment { name: "memory_addresses", rounds: 1, kind: Kind::Memory(memory::Kind::Addresses) },
    Experiment { name: "memory_flights", rounds: 1, kind: Kind::Memory(memory::Kind::Flights) },
];

/// One figure at a time, by where it belongs.
pub(crate) type Points = Vec<(&'static str, f64, &'static str, f64)>;

/// Does all experiments and writes `growth.csv`. True: no run had to be thrown away.
///
/// # Errors
/// The machine has one core, a tool is missing, or the results cannot be written.
pub(crate) async fn run(arguments: &Arguments) -> Result<bool> {
    let cores = Cores::take()?;
    let directory = tempfile::tempdir().map_err(Error::during("making a temporary directory"))?;
    let plan = Plan::new(cores, arguments.rate, directory.path());
    let mut experiments = EXPERIMENTS.to_vec();
    output::choose(&mut experiments, &arguments.only, |experiment| experiment.name)?;
    let settings =
        [("connections", CONNECTIONS.to_string()), ("closed loop", format!("{} s", plan.closed_s))];
    let machine = machine::describe(arguments, cores, &settings)?;
    let mut random = fastrand::Rng::with_seed(arguments.seed);
    let mut samples = Vec::new();
    let mut thrown_away = Vec::new();
    let rounds = experiments.iter().map(|experiment| arguments.rounds.unwrap_or(experiment.rounds)).max();
    for round in 1..=rounds.unwrap_or(0) {
        for Experiment { name, kind, rounds } in &experiments {
            if round > arguments.rounds.unwrap_or(*rounds) {
                continue;
            }
            let points = match kind {
                Kind::Routes => routes(&plan, &mut random).await,
                Kind::Tokens => tokens(&plan).await,
                Kind::Headers => headers(&plan, &mut random).await,
                Kind::Memory(kind) => memory::measure(*kind, &plan).await,
            };
            match points {
                Ok(points) => {
                    for (variant, x, metric, value) in points {
                        eprintln!("round {round}, {name}/{variant} {x}: {metric} {value:.2}");
                        let (variant, metric) = (format!("{name}/{variant}"), metric.to_owned());
                        samples.push(Sample { variant, x, round, metric, value });
                    }
                }
                Err(error) => {
                    eprintln!("round {round}, {name} THROWN AWAY: {error}");
                    thrown_away.push(format!("{name} in round {round}"));
                }
            }
        }
    }
    output::write(&arguments.out, "growth", &samples, &machine)?;
    println!("{}", output::medians(&samples));
    Ok(output::nothing_thrown_away(&thrown_away))
}

/// Routes of one's own, beside the profile's, and all of them where the request's own path has to be told from them.
pub(crate) fn configuration_with_routes(count: u32) -> Value {
    let route = |n: u32| {
        json!({
            "path": format!("/configuration-service/v1/extra-{n}/{{item}}"),
            "upstream": "extra",
            "strip": "/configuration-service",
        })
    };
    let routes: Vec<Value> = (0..count).map(route).collect();
    json!({ "upstreams": [{ "name": "extra" }], "routes": routes })
}

async fn routes(plan: &Plan<'_>, random: &mut fastrand::Rng) -> Result<Points> {
    let mut counts = ROUTES;
    random.shuffle(&mut counts);
    let mut points = Vec::new();
    for count in counts {
        let services = Services::start().await?;
        let chain = Chain::Envoy(Filter::Ours(configuration_with_routes(count)));
        let proxies = Proxies::start(&chain, services.upstreams(), plan.cores).await?;
        warm_up(plan, &proxies, &Load::HIT)?;
        points.push(("ours", count.into(), "cpu_us_per_request", cost(plan, &proxies, &Load::HIT)?));
    }
    Ok(points)
}

/// One process, whose cache is filled more and more; all its tokens are used in turn. So many are beyond the defaults,
/// `allow_entries` is raised for it, and `allow` so that none ends meanwhile.
async fn tokens(plan: &Plan<'_>) -> Result<Points> {
    let services = Services::start().await?;
    let configuration = json!({
        "auth": { "allow_entries": 131_072, "allow": "1h", "throttle": { "burst": 0 } },
    });
    let chain = Chain::Envoy(Filter::Ours(configuration));
    let proxies = Proxies::start(&chain, services.upstreams(), plan.cores).await?;
    warm_up(plan, &proxies, &Load::HIT)?;
    let mut points = Vec::new();
    for count in TOKENS {
        let load = Load { token: Token::InTurn(count.into()), ..Load::HIT };
        fill(proxies.address(), &load, count.into()).await?;
        points.push(("ours", count.into(), "cpu_us_per_request", cost(plan, &proxies, &load)?));
    }
    Ok(points)
}

async fn headers(plan: &Plan<'_>, random: &mut fastrand::Rng) -> Result<Points> {
    let mut variants =
        [("bare", Filter::None), ("do_nothing", Filter::DoNothing), ("ours", Filter::Ours(json!({})))];
    random.shuffle(&mut variants);
    let mut points = Vec::new();
    for (name, filter) in variants {
        let services = Services::start().await?;
        let proxies = Proxies::start(&Chain::Envoy(filter), services.upstreams(), plan.cores).await?;
        warm_up(plan, &proxies, &Load::HIT)?;
        let mut counts = HEADERS;
        random.shuffle(&mut counts);
        for count in counts {
            let load = Load { extra_headers: count as usize - crate::rig::load::HEADERS, ..Load::HIT };
            points.push((name, count.into(), "cpu_us_per_request", cost(plan, &proxies, &load)?));
        }
    }
    Ok(points)
}

fn warm_up(plan: &Plan<'_>, proxies: &Proxies, load: &Load) -> Result<()> {
    cost(plan, proxies, load).map(drop)
}

/// CPU time per request of the proxy, at full load.
fn cost(plan: &Plan<'_>, proxies: &Proxies, load: &Load) -> Result<f64> {
    let pids = proxies.pids();
    let wrk = Wrk { connections: CONNECTIONS, seconds: plan.closed_s, run: 1 };
    let before = cpu_ns(&pids)?;
    let answers = wrk.run(plan.directory, proxies.address(), load)?.answers;
    let used = cpu_ns_since(before, &pids)?;
    judge("the closed loop", &answers, load)?;
    Ok(used as f64 / 1000.0 / answers.count() as f64)
}
