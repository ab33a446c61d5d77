//! What the proxy has in memory when much is remembered. The filter that does nothing gets the same load: what Envoy itself
//! keeps of it is not the filter's.

use crate::rig::{
    connection::{Connection, fill},
    cores::rss_mib,
    growth::Points,
    load::{Load, Token},
    measure::Plan,
    proxies::{Chain, Filter, Proxies, Upstreams},
    services::Services,
};
use serde_json::json;
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};
use testbed::{Bootstrap, Error, Result, wait::until};
use tokio::{io::AsyncReadExt, net::TcpListener};

/// What is remembered.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// Good tokens, all in use.
    Tokens,
    /// As many good and wrong tokens, and addresses that showed these, as the defaults have room for.
    Full,
    /// Addresses that showed a wrong token.
    Addresses,
    /// Checks under way.
    Flights,
    /// Nothing, by several workers.
    Workers,
}

/// The defaults of `allow_entries` and `deny_entries`.
const ALLOWED: u32 = 16_384;
const DENIED: u32 = 4096;
/// Of how many addresses the throttle keeps account.
const ADDRESSES: u32 = 16_384;
/// Of flights, an eighth is kept for tokens that are known, so as many new ones can be under way by default.
const FLIGHTS: u32 = 256 - 256 / 8;

/// One process of each for each point: memory that was freed is not given back at once.
///
/// # Errors
/// Something does not start, or one answer is wrong.
pub(crate) async fn measure(kind: Kind, plan: &Plan) -> Result<Points> {
    let beyond = json!({ "auth": { "allow_entries": 131_072, "max_flights": 4096, "allow": "1h" } });
    let default = json!({});
    // So many requests wait as long as it takes.
    let waiting = |most: u32| json!({ "auth": { "max_flights": most, "max_waiters": 4 * most, "timeout": "1m", "deadline": "1m" } });
    let points = match kind {
        Kind::Tokens => {
            vec![(1, default.clone()), (1000, default.clone()), (ALLOWED, default), (50_000, beyond)]
        }
        Kind::Full => vec![(ALLOWED + DENIED, default)],
        Kind::Addresses => vec![(1000, default.clone()), (ADDRESSES, default.clone()), (50_000, default)],
        Kind::Workers => vec![(1, default.clone()), (2, default.clone()), (4, default.clone()), (8, default)],
        Kind::Flights => vec![(64, waiting(256)), (FLIGHTS, waiting(256)), (1000, waiting(4096))],
    };
    let mut figures = Vec::new();
    for (x, configuration) in points {
        for (name, filter) in
            [("do_nothing", Filter::DoNothing), ("ours", Filter::Ours(configuration.clone()))]
        {
            let rss = match kind {
                Kind::Flights => with_flights(filter, x, plan).await?,
                _ => after_load(kind, filter, x, plan).await?,
            };
            figures.push((name, f64::from(x), "rss_mib", rss));
        }
    }
    Ok(figures)
}

/// Envoy takes the client's word for its address: one client of the bench is many.
fn trusting(bootstrap: Bootstrap) -> Bootstrap {
    bootstrap.listener("gateway", |listener| {
        listener.edit_manager(|manager| manager["use_remote_address"] = json!(false))
    })
}

async fn after_load(kind: Kind, filter: Filter, x: u32, plan: &Plan) -> Result<f64> {
    let is_ours = matches!(filter, Filter::Ours(_));
    let services = Services::start().await?;
    let chain = Chain::Envoy(filter);
    let workers = if matches!(kind, Kind::Workers) { usize::try_from(x).unwrap_or(1) } else { 1 };
    let proxies = Proxies::start_edited(&chain, services.upstreams(), plan.cores, workers, trusting).await?;
    let good = |count: u32| Load { token: Token::InTurn(count.into()), addresses: true, ..Load::HIT };
    // The filter that does nothing lets them through.
    let status = if is_ours { 401 } else { 200 };
    let wrong = Load { token: Token::NewWrong, addresses: true, status, ..Load::HIT };
    match kind {
        // Each twice: the second time it is in use, and the filter keeps it for asking again.
        Kind::Tokens => fill(proxies.address(), &good(x), 2 * u64::from(x)).await?,
        Kind::Full => {
            // Each wrong token from another address, as many as the filter remembers; of the tokens it does fewer.
            fill(proxies.address(), &wrong, ADDRESSES.into()).await?;
            fill(proxies.address(), &good(ALLOWED), 2 * u64::from(ALLOWED)).await?;
        }
        Kind::Addresses => fill(proxies.address(), &wrong, x.into()).await?,
        Kind::Workers => fill(proxies.address(), &good(1), 100).await?,
        Kind::Flights => unreachable!("flights are under way, not over"),
    }
    rss_mib(&proxies.pids())
}

/// So many requests that wait: for the check of their tokens, or where nobody checks for the service.
async fn with_flights(filter: Filter, count: u32, plan: &Plan) -> Result<f64> {
    let (silent, asked) = silent_service().await?;
    let upstreams = Upstreams { auth: silent, configuration: silent };
    let proxies = Proxies::start_edited(&Chain::Envoy(filter), upstreams, plan.cores, 1, trusting).await?;
    let load = Load { token: Token::New, addresses: true, ..Load::HIT };
    let mut clients = Vec::new();
    for n in 0..count {
        let mut client = Connection::open(proxies.address()).await.map_err(Error::during("connecting"))?;
        client.send(&load.request(1, n.into())).await.map_err(Error::during("sending"))?;
        clients.push(client);
    }
    let all = usize::try_from(count).unwrap_or(usize::MAX);
    let arrive = until(format!("{count} requests at the silent service"), async || {
        (asked.load(Ordering::Relaxed) >= all).then_some(())
    });
    let seen = || Error::new(format!("{} of {count} have arrived", asked.load(Ordering::Relaxed)));
    arrive.await.map_err(|error| Error::new(format!("{error}: {}", seen())))?;
    rss_mib(&proxies.pids())
}

/// A service that takes requests and answers none, and how many it has. One request comes on each connection.
async fn silent_service() -> Result<(SocketAddr, Arc<AtomicUsize>)> {
    let listener = TcpListener::bind("127.0.0.1:0").await.map_err(Error::during("listening"))?;
    let address = listener.local_addr().map_err(Error::during("listening"))?;
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let counted = Arc::clone(&counted);
            tokio::spawn(async move {
                let mut bytes = [0; 4096];
                let mut is_first = true;
                while stream.read(&mut bytes).await.is_ok_and(|count| count > 0) {
                    if std::mem::take(&mut is_first) {
                        counted.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    Ok((address, asked))
}
