//! The run that shows what cost and memory do when something grows: routes, cached tokens, headers, flights, addresses, workers.
//!
//! Cost, in rounds: `routes/ours`, `tokens/ours`, and `headers/{ours,do_nothing,bare}`, each with
//! `cpu_us_per_request` by x. What is compared is of one round. Memory: `memory_*/{ours,do_nothing}` with `rss_mib` by x,
//! each under the same load; what the filter needs is the difference.

use crate::rig::{
    arguments::Arguments,
    connection::fill,
    cores::Cores,
    load::{Load, Token},
    machine,
    measure::{CONNECTIONS, Plan, WARM_UP_TURNS},
    memory, output,
    proxies::{Chain, Filter, Proxies},
    services::Services,
    turns::{self, Entrant, Outcome},
};
use bench::results::Sample;
use serde_json::{Value, json};
use testbed::Result;

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

/// An interval around a median needs six rounds; a target that is near needs more of them. Memory hardly changes from one to
/// the next, so where no target stands one will do.
const EXPERIMENTS: [Experiment; 8] = [
    Experiment { name: "routes", rounds: 20, kind: Kind::Routes },
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
    let plan = Plan::new(cores, arguments.rate);
    let mut experiments = EXPERIMENTS.to_vec();
    output::choose(&mut experiments, &arguments.only, |experiment| experiment.name)?;
    let settings = [("connections", CONNECTIONS.to_string()), ("closed loop", turns::in_words(plan.turns))];
    let mut machine = machine::describe(arguments, cores, &settings)?;
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
                Kind::Tokens => tokens(&plan, &mut random).await,
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
    machine.settings.insert("thrown away".to_owned(), output::listed(&thrown_away));
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

async fn routes(plan: &Plan, random: &mut fastrand::Rng) -> Result<Points> {
    let mut stands = Vec::new();
    for count in ROUTES {
        let stand = Stand::start(Filter::Ours(configuration_with_routes(count)), plan).await?;
        stands.push((count, stand));
    }
    let entrants = stands.iter().map(|(count, stand)| ("ours", *count, stand.entrant(Load::HIT)));
    costs(entrants.collect(), plan, random)
}

/// Of each process all its tokens are used in turn. So many are beyond the defaults, `allow_entries` is raised for it, and
/// `allow` so that none ends meanwhile.
async fn tokens(plan: &Plan, random: &mut fastrand::Rng) -> Result<Points> {
    let configuration = json!({
        "auth": { "allow_entries": 131_072, "allow": "1h", "throttle": { "burst": 0 } },
    });
    let load = |count: u32| Load { token: Token::InTurn(count.into()), ..Load::HIT };
    let mut stands = Vec::new();
    for count in TOKENS {
        let stand = Stand::start(Filter::Ours(configuration.clone()), plan).await?;
        fill(stand.proxies.address(), &load(count), count.into()).await?;
        stands.push((count, stand));
    }
    let entrants = stands.iter().map(|(count, stand)| ("ours", *count, stand.entrant(load(*count))));
    costs(entrants.collect(), plan, random)
}

async fn headers(plan: &Plan, random: &mut fastrand::Rng) -> Result<Points> {
    let load = |count: u32| Load { extra_headers: count as usize - crate::rig::load::HEADERS, ..Load::HIT };
    let mut stands = Vec::new();
    for (name, filter) in
        [("bare", Filter::None), ("do_nothing", Filter::DoNothing), ("ours", Filter::Ours(json!({})))]
    {
        stands.push((name, Stand::start(filter, plan).await?));
    }
    let entrants = stands
        .iter()
        .flat_map(|(name, stand)| HEADERS.map(|count| (*name, count, stand.entrant(load(count)))));
    costs(entrants.collect(), plan, random)
}

/// An Envoy that is up, with what stands behind it.
#[derive(Debug)]
struct Stand {
    proxies: Proxies,
    _services: Services,
}

impl Stand {
    async fn start(filter: Filter, plan: &Plan) -> Result<Self> {
        let services = Services::start().await?;
        let proxies = Proxies::start(&Chain::Envoy(filter), services.upstreams(), plan.cores).await?;
        Ok(Self { proxies, _services: services })
    }

    fn entrant(&self, load: Load) -> Entrant {
        Entrant { load, target: self.proxies.address(), pids: self.proxies.pids(), run: 1 }
    }
}

/// CPU time per request of all of these, side by side.
fn costs(
    entrants: Vec<(&'static str, u32, Entrant)>,
    plan: &Plan,
    random: &mut fastrand::Rng,
) -> Result<Points> {
    let mut take_turns = |phase: &str, count| {
        turns::run(phase, entrants.iter().map(|(_, _, entrant)| entrant.clone()), count, random)
    };
    take_turns("the warm-up", WARM_UP_TURNS).into_iter().collect::<Result<Vec<_>>>()?;
    let cost = |((name, x, _), outcome): (&(&'static str, u32, Entrant), Result<Outcome>)| {
        Ok((*name, f64::from(*x), "cpu_us_per_request", outcome?.cpu_us_per_request()))
    };
    entrants.iter().zip(take_turns("the closed loop", plan.turns)).map(cost).collect()
}
