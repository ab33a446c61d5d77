//! The processes of a variant, all on the proxy's core.

use crate::rig::{cores::Cores, nginx::Nginx};
use serde_json::{Value, json};
use std::{env, net::SocketAddr, path::PathBuf};
use testbed::{Bootstrap, Envoy, Error, Result, envoy::Options, yaml};

const ENVOY: &str = include_str!("configs/envoy.yaml");
const WASM: &str = include_str!("configs/wasm.yaml");
const OUR_ROUTES: &str = include_str!("configs/ours-routes.yaml");
const NGINX: &str = include_str!("configs/nginx.conf");
const NGINX_LOCATIONS: &str = include_str!("configs/nginx-locations.conf");
const NGINX_LOCATIONS_KEPTN: &str = include_str!("configs/nginx-locations-keptn.conf");
const NGINX_CACHE: &str = include_str!("configs/nginx-cache.conf");
const NGINX_CACHE_ZONE: &str = include_str!("configs/nginx-cache-zone.conf");

/// What stands before Envoy's router.
#[derive(Clone, Debug)]
pub(crate) enum Filter {
    /// Nothing.
    None,
    /// A filter of Envoy's own, as YAML.
    Native(&'static str),
    /// The filter that does nothing, with all callbacks that the SDK exports.
    DoNothing,
    /// The same, without the callbacks that ours does not export either.
    DoNothingTrimmed,
    /// The one that makes the calls of a hit, with constants.
    Calls,
    /// The filter, with this configuration.
    Ours(Value),
}

/// How nginx asks about tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NginxAuth {
    /// Not at all.
    None,
    /// Each request, `auth_request`.
    Each,
    /// The same as Keptn has it: each time on a connection of its own, with its regular expressions.
    EachAnew,
    /// `auth_request`, whose answers are kept, `proxy_cache`.
    Cached,
}

/// The proxies that requests go through.
#[derive(Clone, Debug)]
pub(crate) enum Chain {
    /// Envoy.
    Envoy(Filter),
    /// Envoy without a filter, and nginx behind it.
    EnvoyAndNginx(NginxAuth),
    /// nginx.
    Nginx(NginxAuth),
}

/// Where the services are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Upstreams {
    pub(crate) auth: SocketAddr,
    pub(crate) configuration: SocketAddr,
}

/// A variant's processes at work.
#[derive(Debug)]
pub(crate) struct Proxies {
    envoy: Option<Envoy>,
    nginx: Option<Nginx>,
}

impl Proxies {
    /// Starts them. They are ready when this returns.
    ///
    /// # Errors
    /// One does not start; with its log.
    pub(crate) async fn start(chain: &Chain, upstreams: Upstreams, cores: Cores) -> Result<Self> {
        Self::start_edited(chain, upstreams, cores, 1, |bootstrap| bootstrap).await
    }

    /// As [`Proxies::start`], with so many workers of Envoy, and its configuration edited.
    ///
    /// # Errors
    /// As [`Proxies::start`].
    pub(crate) async fn start_edited(
        chain: &Chain,
        upstreams: Upstreams,
        cores: Cores,
        workers: usize,
        edit: impl FnOnce(Bootstrap) -> Bootstrap,
    ) -> Result<Self> {
        let options = Options { concurrency: workers, ..options(cores) };
        let nginx = match chain {
            Chain::Envoy(_) => None,
            Chain::EnvoyAndNginx(auth) | Chain::Nginx(auth) => {
                Some(Nginx::start(&nginx_configuration(*auth, upstreams), &cores.launcher()).await?)
            }
        };
        let (filter, upstreams) = match (chain, &nginx) {
            (Chain::Envoy(filter), _) => (filter, upstreams),
            (_, Some(nginx)) => (&Filter::None, Upstreams { configuration: nginx.address(), ..upstreams }),
            (_, None) => (&Filter::None, upstreams),
        };
        let envoy = match chain {
            Chain::Nginx(_) => None,
            _ => Some(Envoy::start_with(&edit(bootstrap(filter, upstreams)?), &options).await?),
        };
        Ok(Self { envoy, nginx })
    }

    /// Where clients connect to.
    pub(crate) fn address(&self) -> SocketAddr {
        match (&self.envoy, &self.nginx) {
            (Some(envoy), _) => envoy.listener("gateway"),
            (None, Some(nginx)) => nginx.address(),
            (None, None) => unreachable!("a variant has a proxy"),
        }
    }

    /// The processes.
    pub(crate) fn pids(&self) -> Vec<u32> {
        self.envoy.iter().map(Envoy::pid).chain(self.nginx.iter().map(Nginx::pid)).collect()
    }
}

/// How each Envoy of the bench is started: one worker.
pub(crate) fn options(cores: Cores) -> Options {
    Options {
        component_log_level: "wasm:warning".to_owned(),
        launcher: cores.launcher(),
        ..Options::default()
    }
}

/// Envoy's configuration.
///
/// # Errors
/// The variable that names the plugin is not set.
pub(crate) fn bootstrap(filter: &Filter, upstreams: Upstreams) -> Result<Bootstrap> {
    let bootstrap = Bootstrap::from_yaml(ENVOY)
        .cluster("api-service", upstreams.auth)
        .cluster("configuration-service", upstreams.configuration);
    let (filter, routes) = match filter {
        Filter::None => return Ok(bootstrap),
        Filter::Native(filter) => (yaml::to_json(filter), None),
        Filter::DoNothing => (wasm("DO_NOTHING_WASM", &json!({}))?, None),
        Filter::DoNothingTrimmed => (wasm("DO_NOTHING_TRIMMED_WASM", &json!({}))?, None),
        Filter::Calls => (wasm("CALLS_WASM", &json!({}))?, Some(yaml::to_json(OUR_ROUTES))),
        Filter::Ours(configuration) => (wasm("PLUGIN_WASM", configuration)?, Some(yaml::to_json(OUR_ROUTES))),
    };
    Ok(bootstrap.listener("gateway", |listener| {
        let listener = match routes {
            Some(routes) => listener.routes(routes),
            None => listener,
        };
        listener.edit_manager(|manager| {
            let filters = manager["http_filters"].as_array_mut().expect("envoy.yaml has filters");
            filters.insert(0, filter);
        })
    }))
}

fn wasm(variable: &str, configuration: &Value) -> Result<Value> {
    let plugin = plugin(variable)?;
    let mut filter = yaml::to_json(WASM);
    let config = &mut filter["typed_config"]["config"];
    config["vm_config"]["code"]["local"]["filename"] = json!(plugin);
    config["configuration"]["value"] = json!(configuration.to_string());
    Ok(filter)
}

/// The file that the environment names.
///
/// # Errors
/// It names none.
pub(crate) fn plugin(variable: &str) -> Result<PathBuf> {
    env::var_os(variable).map(PathBuf::from).ok_or_else(|| {
        Error::new(format!("{variable} is not set: `./build.sh bench` builds what it names and sets it"))
    })
}

fn nginx_configuration(auth: NginxAuth, upstreams: Upstreams) -> String {
    let (cache, zone) = match auth {
        NginxAuth::Cached => (NGINX_CACHE, NGINX_CACHE_ZONE),
        NginxAuth::None | NginxAuth::Each | NginxAuth::EachAnew => ("", ""),
    };
    let auth_request = if auth == NginxAuth::None { "" } else { "auth_request /v1/auth;" };
    let (locations, check, keepalive) = match auth {
        NginxAuth::EachAnew => (NGINX_LOCATIONS_KEPTN, "/v1/auth", ""),
        _ => (NGINX_LOCATIONS, "^~ /v1/auth", "keepalive 64; keepalive_requests 1000000000;"),
    };
    NGINX
        .replace("@LOCATIONS@", locations)
        .replace("@CHECK_LOCATION@", check)
        .replace("@CACHE@", cache)
        .replace("@CACHE_ZONE@", zone)
        .replace("@AUTH_REQUEST@", auth_request)
        .replace("@KEEPALIVE@", keepalive)
        .replace("@AUTH@", &upstreams.auth.to_string())
        .replace("@CONFIGURATION@", &upstreams.configuration.to_string())
}
