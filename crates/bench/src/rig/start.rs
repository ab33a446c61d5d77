//! How long a configuration takes: from handing it to Envoy to the first answer by it.
//!
//! A running Envoy gets a listener more, on a new port, and a client asks until it is answered. Starting Envoy is no part of
//! it; the first request, with the check of its token, is.
//!
//! `start/…`: that Envoy had no wasm filter before. It reads and compiles the module and starts a VM in its main
//! thread and in its worker, all on the proxy's core. `reconfigure/…`: it has the filter already, and the new
//! listener has it with another configuration, as after a change of configuration: the VMs are there, and the filter in them
//! reads what is new.

use crate::rig::{
    arguments::Arguments,
    connection::Connection,
    cores::Cores,
    growth::configuration_with_routes,
    load::Load,
    machine,
    nginx::free_address,
    output,
    proxies::{Filter, bootstrap, options},
    services::Services,
};
use bench::results::Sample;
use serde_json::json;
use std::time::Instant;
use testbed::{Envoy, Error, Result, wait::within};

const ROUNDS: u32 = 20;

/// Measures it for each filter and writes `start.csv`. True: nothing was thrown away.
///
/// # Errors
/// The machine has one core, a tool is missing, or the results cannot be written.
pub(crate) async fn run(arguments: &Arguments) -> Result<bool> {
    let cores = Cores::take()?;
    let mut machine = machine::describe(arguments, cores, &[])?;
    let another = Filter::Ours(json!({ "max_body_bytes": 5_242_880 }));
    let mut filters = [
        ("start/do_nothing", 0, Filter::None, Filter::DoNothing),
        ("start/ours", 0, Filter::None, Filter::Ours(json!({}))),
        ("start/ours", 1000, Filter::None, Filter::Ours(configuration_with_routes(1000))),
        ("reconfigure/ours", 0, another.clone(), Filter::Ours(json!({}))),
        ("reconfigure/ours", 1000, another, Filter::Ours(configuration_with_routes(1000))),
    ];
    let mut random = fastrand::Rng::with_seed(arguments.seed);
    let (mut samples, mut thrown_away) = (Vec::new(), Vec::new());
    for round in 1..=arguments.rounds.unwrap_or(ROUNDS) {
        random.shuffle(&mut filters);
        for (name, routes, before, filter) in &filters {
            let (variant, x) = ((*name).to_owned(), f64::from(*routes));
            match start_ms(before, filter, cores).await {
                Ok(value) => {
                    eprintln!("round {round}, {variant}, {routes} routes of one's own: start_ms {value:.1}");
                    samples.push(Sample { variant, x, round, metric: "start_ms".to_owned(), value });
                }
                Err(error) => {
                    eprintln!("round {round}, {variant} THROWN AWAY: {error}");
                    thrown_away.push(format!("{variant} in round {round}"));
                }
            }
        }
    }
    machine.settings.insert("thrown away".to_owned(), output::listed(&thrown_away));
    output::write(&arguments.out, "start", &samples, &machine)?;
    println!("{}", output::medians(&samples));
    Ok(output::nothing_thrown_away(&thrown_away))
}

/// From the file with the new listener to the first answer.
async fn start_ms(before: &Filter, filter: &Filter, cores: Cores) -> Result<f64> {
    let services = Services::start().await?;
    let upstreams = services.upstreams();
    let before = bootstrap(before, upstreams)?;
    let envoy = Envoy::start_with(&before.clone().dynamic_listeners(), &options(cores)).await?;
    let address = free_address()?;
    let mut next = bootstrap(filter, upstreams)?.json()["static_resources"]["listeners"][0].clone();
    next["name"] = json!("next");
    next["address"] = json!({ "socket_address": { "address": "127.0.0.1", "port_value": address.port() } });
    let next = before.edit(|json| {
        let listeners =
            json["static_resources"]["listeners"].as_array_mut().expect("envoy.yaml has listeners");
        listeners.push(next);
    });
    let request = Load::HIT.request(1, 0);
    let start = Instant::now();
    envoy.hand_over_listeners(&next)?;
    let first = within("the first answer by the new configuration", async {
        loop {
            // Refused until Envoy listens there, which it does when the filter is ready.
            if let Ok(mut client) = Connection::open(address).await {
                return client.exchange(&request).await;
            }
            tokio::task::yield_now().await;
        }
    });
    let status = first.await?.map_err(Error::during("the first request"))?;
    let took = start.elapsed();
    if status != 200 {
        return Err(Error::new(format!("the first request is answered {status}")));
    }
    Ok(took.as_secs_f64() * 1000.0)
}
