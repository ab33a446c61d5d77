//! The checks, one by one.

mod clusters;
mod filter;
mod order;
mod plugin;
mod routes;
mod updates;
mod version;

use std::collections::BTreeSet;

use super::Wanted;
use super::dump::{Chain, Dump, Manager};
use super::filter::{Gate, Loaded, gates};
use super::json::{items, text};
use super::ours::Ours;
use super::plugin::{Plugin, canonical};
use super::route::{Route, matcher_goals};
use crate::findings::Findings;

/// Everything that the checks look at.
#[derive(Debug)]
struct Scene<'s, 'a> {
    dump: &'s Dump<'a>,
    /// The plugin, in each of the ways it is configured here.
    plugins: &'s [Plugin<'a>],
    ours: Ours,
    /// The hosts that are ours, as they are compared; none: all.
    hosts: BTreeSet<String>,
    /// Those of them that must be served.
    wanted: &'s [String],
    doors: Vec<Door<'s, 'a>>,
}

/// A connection manager, and our filters in it.
#[derive(Debug)]
struct Door<'s, 'a> {
    chain: &'s Chain<'a>,
    manager: &'s Manager<'a>,
    gates: Vec<Gate<'a>>,
}

pub(super) fn all(dump: &Dump<'_>, wanted: &Wanted<'_>, findings: &mut Findings) {
    let chains = dump.listeners.iter().flat_map(|listener| &listener.chains);
    let doors: Vec<_> = chains
        .flat_map(|chain| {
            chain.managers.iter().map(move |manager| {
                let gates = gates(manager, dump);
                Door { chain, manager, gates }
            })
        })
        .collect();
    let mut plugins: Vec<Plugin<'_>> = Vec::new();
    for gate in doors.iter().flat_map(|door| &door.gates) {
        if let Loaded::Wasm(config) = gate.loaded
            && !plugins.iter().any(|known| known.name == gate.name && known.config == config)
        {
            plugins.push(Plugin::new(gate.name, config));
        }
    }
    let ours = Ours::new(dump, &plugins, wanted);
    let all_hosts = plugins.iter().any(|plugin| plugin.hosts().next().is_none());
    let named = plugins.iter().filter(|_| !all_hosts).flat_map(Plugin::hosts);
    let hosts = named.chain(wanted.hosts.iter().map(|host| canonical(host))).collect();
    let scene = Scene { dump, plugins: &plugins, ours, hosts, wanted: &wanted.hosts, doors };

    whole(&scene, findings);
    version::check(&scene, findings);
    filter::check(&scene, findings);
    plugin::check(&scene, findings);
    routes::check(&scene, findings);
    order::check(&scene, findings);
    updates::check(&scene, findings);
    clusters::check(&scene, findings);
}

fn whole(scene: &Scene<'_, '_>, findings: &mut Findings) {
    for section in &scene.dump.missing {
        findings.problem(
            "dump",
            format!("the section {section}ConfigDump is not there"),
            "take the whole dump, without mask, resource or name_regex",
        );
    }
}

impl Scene<'_, '_> {
    /// Whether a route configuration leads to our services at all.
    fn leads(&self, config: usize) -> bool {
        self.dump.routes.get(config).is_some_and(|config| {
            Route::all(config.value).any(|route| !self.ours.among(&route.goals()).is_empty())
                || items(config.value, "virtual_hosts")
                    .iter()
                    .any(|host| !self.ours.among(&matcher_goals(host)).is_empty())
        })
    }

    /// Whether a route configuration is for hosts of ours by their names, or has our refusal.
    fn names_us(&self, config: usize) -> bool {
        let Some(config) = self.dump.routes.get(config) else { return false };
        let hosts = items(config.value, "virtual_hosts").iter();
        let mut domains = hosts.flat_map(|host| items(host, "domains")).filter_map(|domain| domain.as_str());
        domains.any(|domain| self.hosts.contains(&canonical(domain)))
            || Route::all(config.value).any(|route| route.is_not_loaded())
    }

    /// Whether a connection manager should have the filter.
    fn is_ours(&self, manager: &Manager<'_>) -> bool {
        manager.routes.iter().any(|config| self.leads(*config) || self.names_us(*config))
    }

    /// Whether a connection manager redirects every request for our hosts to https, and has no other way to our services.
    /// Envoy redirects before it looks at routes.
    fn only_redirects(&self, manager: &Manager<'_>) -> bool {
        let configs = manager.routes.iter().filter_map(|config| self.dump.routes.get(*config));
        let mut hosts = configs
            .flat_map(|config| items(config.value, "virtual_hosts").iter().map(|host| (host, config.value)));
        hosts.all(|(host, config)| {
            let mut routes = Route::of(host, config);
            let is_ours = routes
                .any(|route| route.is_not_loaded() || !self.ours.among(&route.goals()).is_empty())
                || !self.ours.among(&matcher_goals(host)).is_empty()
                || items(host, "domains")
                    .iter()
                    .filter_map(|domain| domain.as_str())
                    .any(|domain| self.hosts.contains(&canonical(domain)));
            !is_ours || text(host, "require_tls") == Some("ALL")
        })
    }
}
