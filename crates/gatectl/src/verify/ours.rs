//! Which clusters must be shut.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Wanted;
use super::dump::Dump;
use super::json::{field, items, path, text};
use super::plugin::Plugin;
use super::route::{Goal, Route};
use crate::recognise::SERVICES;

/// The clusters behind the gate, and the verdicts that there are.
#[derive(Debug)]
pub(super) struct Ours {
    /// What stands behind `api-service.` in Istio's names, such as `keptn.svc.cluster.local`; if it is known.
    suffix: Option<String>,
    named: BTreeSet<String>,
    /// Which verdicts there can be; none if no configuration of the filter is known.
    pub(super) verdicts: Option<BTreeSet<String>>,
}

impl Ours {
    pub(super) fn new(dump: &Dump<'_>, plugins: &[Plugin<'_>], wanted: &Wanted<'_>) -> Self {
        let auth = || plugins.iter().filter_map(Plugin::auth_cluster);
        let suffixes: BTreeSet<_> =
            auth().filter_map(|name| Some(istio_host(name)?.split_once('.')?.1.to_owned())).collect();
        let upstreams = plugins.iter().flat_map(Plugin::upstreams);
        let verdicts = SERVICES.into_iter().chain(upstreams).map(str::to_owned).collect();
        let mut ours = Self {
            // With two of them there are two Keptns here, and neither is foreign.
            suffix: suffixes.first().filter(|_| suffixes.len() == 1).cloned(),
            named: auth().chain(wanted.clusters.iter().map(String::as_str)).map(str::to_owned).collect(),
            verdicts: (!plugins.is_empty()).then_some(verdicts),
        };
        // Services of one's own: what one route opens to a verdict only, no other may open to everybody.
        for route in dump.routes.iter().flat_map(|config| Route::all(config.value)) {
            if route.demand().is_ok() {
                ours.named.extend(route.goals().into_iter().filter_map(|goal| match goal {
                    Goal::Cluster { name, is_copy: false } => Some(name.to_owned()),
                    Goal::Cluster { .. } | Goal::Anywhere(_) => None,
                }));
            }
        }
        // Other names of the same: clusters made of ours, and those that connect to where ours do. Each round finds
        // one more layer.
        let mut before = None;
        while before != Some(ours.named.len()) {
            before = Some(ours.named.len());
            let (known, others): (Vec<_>, Vec<_>) = dump
                .clusters
                .iter()
                .partition(|cluster| text(cluster, "name").is_some_and(|name| ours.has(name)));
            let places: BTreeSet<_> = known.into_iter().flat_map(|cluster| places(dump, cluster)).collect();
            let same = others.into_iter().filter(|cluster| {
                members(cluster).any(|name| ours.has(name))
                    || self::places(dump, cluster)
                        .iter()
                        .any(|place| places.contains(place) || ours.is_host(&place.0))
            });
            let found: Vec<_> = same.filter_map(|cluster| text(cluster, "name")).map(str::to_owned).collect();
            ours.named.extend(found);
        }
        ours
    }

    /// Whether this cluster must be shut.
    pub(super) fn has(&self, cluster: &str) -> bool {
        self.named.contains(cluster) || SERVICES.iter().any(|service| self.is(cluster, service))
    }

    /// Whether this is the name of a cluster that must be shut, and of one only: not a guess by a part of it.
    pub(super) fn is_named(&self, cluster: &str) -> bool {
        self.named.contains(cluster) || SERVICES.contains(&cluster)
    }

    /// Whether this is the cluster of one of Keptn's services. Of other names than Istio's a part is enough.
    fn is(&self, cluster: &str, service: &str) -> bool {
        match istio_host(cluster).map(|host| host.split_once('.').unwrap_or((host, ""))) {
            Some((first, rest)) => {
                first == service
                    && (rest.is_empty() || self.suffix.as_ref().is_none_or(|suffix| suffix == rest))
            }
            None => cluster.contains(service),
        }
    }

    /// Whether this is one of Keptn's services, as Kubernetes' DNS knows it: `api-service.keptn`.
    fn is_host(&self, host: &str) -> bool {
        let (first, rest) = host.split_once('.').unwrap_or((host, ""));
        SERVICES.contains(&first)
            && self.suffix.as_ref().is_none_or(|suffix| rest.is_empty() || suffix.starts_with(rest))
    }

    /// The verdict that a cluster is for, if its name says so.
    pub(super) fn verdict_of(&self, cluster: &str) -> Option<&'static str> {
        let mut fitting = SERVICES.into_iter().filter(|service| self.is(cluster, service));
        fitting.next().filter(|_| fitting.next().is_none())
    }

    /// The clusters of ours among these goals, each once, and whether copies alone go there.
    pub(super) fn among<'g>(&self, goals: &[Goal<'g>]) -> BTreeMap<&'g str, bool> {
        let mut found = BTreeMap::new();
        for goal in goals {
            if let Goal::Cluster { name, is_copy } = goal
                && self.has(name)
            {
                found.entry(*name).and_modify(|copies| *copies &= *is_copy).or_insert(*is_copy);
            }
        }
        found
    }
}

/// The namespace of the Service that a cluster's name is of, and that of what istiod made the cluster of.
pub(super) fn namespaces(cluster: &Value) -> Option<(&str, &str)> {
    let host = istio_host(text(cluster, "name")?)?;
    let (_, wanted) = host.split_once(".svc.")?.0.split_once('.')?;
    let makers = items(path(cluster, &["metadata", "filter_metadata", "istio"]), "services");
    let maker = makers.iter().find(|maker| text(maker, "host") == Some(host))?;
    Some((wanted, text(maker, "namespace")?))
}

/// The host in a cluster's name as Istio makes it: `outbound|8080||api-service.keptn.svc.cluster.local`.
fn istio_host(cluster: &str) -> Option<&str> {
    let mut parts = cluster.split('|');
    match (parts.next()?, parts.next()?, parts.next()?, parts.next()?, parts.next()) {
        (_, port, _, host, None) if port.bytes().all(|byte| byte.is_ascii_digit()) => Some(host),
        _ => None,
    }
}

/// What an aggregate or composite cluster is made of.
fn members(cluster: &Value) -> impl Iterator<Item = &str> {
    let config = path(cluster, &["cluster_type", "typed_config"]);
    let listed = items(config, "clusters").iter();
    listed.filter_map(|one| one.as_str().or_else(|| field(one, "name").as_str()))
}

/// The addresses of a cluster, as DNS compares names, with their ports. Those of most of Istio's clusters are discovered
/// (EDS), and in the dump if it was asked for them.
fn places(dump: &Dump<'_>, cluster: &Value) -> BTreeSet<(String, Option<u64>)> {
    let name = text(cluster, "name");
    let discovered = dump.endpoints.iter().filter(|found| text(found, "cluster_name") == name);
    let assignments = [field(cluster, "load_assignment")].into_iter().chain(discovered.copied());
    let localities = assignments.flat_map(|assignment| items(assignment, "endpoints"));
    let endpoints = localities.flat_map(|locality| items(locality, "lb_endpoints"));
    let addresses = endpoints.map(|endpoint| path(endpoint, &["endpoint", "address"]));
    addresses
        .filter_map(|address| {
            let socket = field(address, "socket_address");
            let internal = field(address, "envoy_internal_address");
            text(socket, "address")
                .map(|host| host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase())
                .map(|host| (host, field(socket, "port_value").as_u64()))
                .or_else(|| Some((text(internal, "server_listener_name")?.to_owned(), None)))
        })
        .collect()
}
