//! Whether the plugin is configured so that the gate accepts it, and closed when it fails.

use super::Scene;
use crate::recognise::Failure;
use crate::verify::finding::{Findings, few};
use crate::verify::json::{items, text};
use crate::verify::plugin::{Plugin, canonical};
use crate::verify::route::Route;

const CHECK: &str = "plugin";

/// What Keptn's command line sends as `Host`, whatever the domain.
const CLI: &str = "api.keptn";

pub(super) fn check(scene: &Scene<'_, '_>, findings: &mut Findings) {
    for plugin in scene.plugins {
        findings.good(CHECK, format!("{}: the module is to be {}", plugin.name, plugin.module()));
        failure(plugin, findings);
        configuration(plugin, findings);
        hosts(plugin, scene, findings);
    }
}

fn failure(plugin: &Plugin<'_>, findings: &mut Findings) {
    let name = plugin.name;
    let failure = plugin.failure();
    let message = format!("{name}: {}", failure.message());
    match failure {
        Failure::Reload => findings.good(CHECK, message),
        Failure::Closed => findings.note(CHECK, message),
        Failure::Open => findings.problem(CHECK, message, Failure::REMEDY),
    }
}

fn configuration(plugin: &Plugin<'_>, findings: &mut Findings) {
    let name = plugin.name;
    for (message, help) in &plugin.problems {
        findings.problem(CHECK, format!("{name}: configuration refused: {message}"), help);
    }
    for warning in &plugin.warnings {
        findings.note(CHECK, format!("{name}: configuration: {warning}"));
    }
}

fn hosts(plugin: &Plugin<'_>, scene: &Scene<'_, '_>, findings: &mut Findings) {
    let name = plugin.name;
    let accepted = if plugin.problems.is_empty() { "configuration accepted, " } else { "" };
    let hosts: Vec<_> = plugin.hosts().collect();
    if hosts.is_empty() && plugin.problems.is_empty() {
        let others: Vec<_> = foreign(scene).collect();
        if others.is_empty() {
            findings.good(CHECK, format!("{name}: {accepted}its hosts are all"));
        } else {
            let others = few(others);
            findings.note(
                CHECK,
                format!("{name}: its hosts are all, also those of other applications here ({others}): it refuses their requests; set hosts"),
            );
        }
        return;
    }
    let missing = scene.wanted.iter().map(|host| canonical(host)).filter(|host| !hosts.contains(host));
    let missing: Vec<_> = missing.collect();
    let shown = few(hosts.iter().map(String::as_str));
    if missing.is_empty() {
        if !hosts.is_empty() {
            findings.good(CHECK, format!("{name}: {accepted}its hosts are {shown}"));
        }
        if !hosts.is_empty() && !hosts.iter().any(|host| host == CLI) {
            findings.note(
                CHECK,
                format!("{name}: {CLI} is none of its hosts: Keptn's command line names that one"),
            );
        }
    } else {
        let missing = few(missing.iter().map(String::as_str));
        findings.problem(
            CHECK,
            format!("{name}: its hosts are {shown}, without {missing}"),
            "`gatectl domain DOMAIN | kubectl apply -f -` sets them, and the virtual hosts with them",
        );
    }
}

/// Virtual hosts beside ours that lead somewhere else.
fn foreign<'a>(scene: &Scene<'_, 'a>) -> impl Iterator<Item = &'a str> {
    let leading = scene.dump.routes.iter().enumerate().filter(|(index, _)| scene.leads(*index));
    let hosts = leading
        .flat_map(|(_, config)| items(config.value, "virtual_hosts").iter().map(|host| (host, config.value)));
    let foreign = hosts.filter(|(host, config)| {
        let mut routes = Route::of(host, config).peekable();
        routes.peek().is_some() && routes.all(|route| scene.ours.among(&route.goals()).is_empty())
    });
    foreign.filter_map(|(host, _)| text(host, "name"))
}
