//! Routes and upstreams of one's own, and what the profile's routes let through.

use std::rc::Rc;

use super::keys;
use super::problem::Place;
use super::reader::{self, Report, Section};
use crate::request::{Method, Methods};
use crate::routes::{
    self, Access, Policies, Policy, Prefix, Protocol, Route, Routes, Target, Template, Upstream,
};

/// The profile's routes and those of the configuration's own, and where those with a token lead to.
pub(super) fn read(top: &Section<'_>, report: &Report) -> Option<(Routes, Vec<Upstream>)> {
    let (mut all, operations) = match routes::keptn_0_6() {
        Ok(profile) => profile,
        Err(message) => {
            let remedy = "this is a mistake of keptn-gateway's: please report it";
            report.add(Place::default(), format!("the profile is broken: {message}"), remedy);
            return None;
        }
    };
    let policies = policies(top, report);
    let of_profile = all.len();
    let upstreams = upstreams(top, report);
    let mut places = Vec::new();
    for (place, item) in top.list(&keys::ROUTES) {
        if let Some(route) = route(&Section::item(item, place.clone(), report), &upstreams, report) {
            all.push(route);
            places.push(place);
        }
    }
    let is_behind_tokens = |upstream: &Upstream| {
        all.iter().any(|route| match &route.target {
            Target::Upstream { upstream: target, .. } => route.access == Access::Token && target == upstream,
            Target::TokenCheck => false,
        })
    };
    let behind_tokens = upstreams.into_iter().filter(is_behind_tokens).collect();
    let templates: Vec<_> = all.iter().map(|route| route.template.to_string()).collect();
    Routes::new(all, operations, policies)
        .map(|routes| (routes, behind_tokens))
        .map_err(|conflicts| {
            for conflict in conflicts {
                let place_of = |index: usize| index.checked_sub(of_profile).and_then(|own| places.get(own));
                let Some(place) = place_of(conflict.second) else { continue };
                let other = place_of(conflict.first).map_or("the profile".to_owned(), Place::to_string);
                let template = templates.get(conflict.first).map_or("", String::as_str);
                report.add(
                    place.clone(),
                    format!("this claims the same requests as {template} of {other}"),
                    "make one template more specific, or their methods disjoint",
                );
            }
        })
        .ok()
}

fn upstreams(top: &Section<'_>, report: &Report) -> Vec<Upstream> {
    let mut upstreams = Vec::from(routes::upstreams());
    for (place, item) in top.list(&keys::UPSTREAMS) {
        let section = Section::item(item, place, report);
        let name = section.text(&keys::UPSTREAM_NAME);
        let keeps_token = section.text(&keys::UPSTREAM_TOKEN) == "keep";
        let is_odd = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
        if let Some(at) = name.find(is_odd) {
            let span = at..at.saturating_add(1);
            let remedy = "use letters, digits, - _ and .";
            report.add_in(
                section.at(&keys::UPSTREAM_NAME),
                name,
                span,
                "an upstream's name has none of this",
                remedy,
            );
        } else if upstreams.iter().any(|known| known.name.as_ref() == name) {
            let remedy = "give each upstream a name of its own";
            report.add(
                section.at(&keys::UPSTREAM_NAME),
                format!("there is an upstream \"{name}\" already"),
                remedy,
            );
        } else if !name.is_empty() {
            upstreams.push(Upstream { name: name.into(), keeps_token });
        }
    }
    upstreams
}

fn route(section: &Section<'_>, upstreams: &[Upstream], report: &Report) -> Option<Route> {
    let text = section.text(&keys::ROUTE_PATH);
    let methods = methods(section, report);
    let name = section.text(&keys::ROUTE_UPSTREAM);
    let access = if section.text(&keys::ROUTE_ACCESS) == "public" { Access::Public } else { Access::Token };
    let strip = section.text(&keys::ROUTE_STRIP);
    let is_internal = section.flag(&keys::ROUTE_INTERNAL);
    let upstream = upstreams.iter().find(|upstream| upstream.name.as_ref() == name);
    if upstream.is_none() && !name.is_empty() {
        let names: Vec<_> = upstreams.iter().map(|upstream| upstream.name.as_ref()).collect();
        let remedy = match reader::closest(name, &names) {
            Some(known) => format!("did you mean \"{known}\"?"),
            None => format!("add it to \"upstreams\", or use one of {}", names.join(", ")),
        };
        report.add_in(
            section.at(&keys::ROUTE_UPSTREAM),
            name,
            0..name.len(),
            "there is no such upstream",
            remedy,
        );
    }
    if text.is_empty() {
        return None;
    }
    let template = Template::parse(text)
        .map_err(|error| {
            report.add_in(section.at(&keys::ROUTE_PATH), text, error.span, error.message, error.remedy);
        })
        .ok()?;
    let begins = |rest: &str| rest.starts_with('/') && !strip.contains(['{', '}']) && !strip.ends_with('/');
    if !strip.is_empty() && !text.strip_prefix(strip).is_some_and(begins) {
        let remedy = format!("strip whole segments from the beginning of {text}, without parameters");
        report.add_in(
            section.at(&keys::ROUTE_STRIP),
            strip,
            0..strip.len(),
            "the path does not begin so",
            remedy,
        );
    }
    let strip = (!strip.is_empty()).then(|| Rc::from(strip));
    let target = Target::Upstream { upstream: upstream?.clone(), strip };
    Some(Route { template, methods, protocol: Protocol::Http, access, target, describes: true, is_internal })
}

fn methods(section: &Section<'_>, report: &Report) -> Methods {
    let items = section.list(&keys::ROUTE_METHODS);
    if items.is_empty() {
        return Methods::ANY;
    }
    let parse = |(place, item): (Place, _)| {
        let name = reader::text(item, place.clone(), report)?;
        let method = Method::parse(name.as_bytes());
        if method.is_none() {
            let all: Vec<_> = Method::ALL.into_iter().map(Method::name).collect();
            let remedy = format!("write one of {}", all.join(", "));
            report.add_in(place, name, 0..name.len(), "there is no such method", remedy);
        }
        method
    };
    Methods::of(&items.into_iter().filter_map(parse).collect::<Vec<_>>())
}

fn policies(top: &Section<'_>, report: &Report) -> Policies {
    let policy = |word: &str| if word == "strict" { Policy::Strict } else { Policy::Open };
    let elsewhere = policy(top.text(&keys::POLICY));
    let mut prefixes: Vec<(Prefix, Policy)> = Vec::new();
    let mut known: Vec<(Prefix, Place)> = Vec::new();
    for (place, item) in top.list(&keys::POLICIES) {
        let section = Section::item(item, place, report);
        let text = section.text(&keys::POLICY_PREFIX);
        let policy = policy(section.text(&keys::POLICY_THERE));
        if text.is_empty() {
            continue;
        }
        let at = section.at(&keys::POLICY_PREFIX);
        let prefix = match Prefix::parse(text) {
            Ok(prefix) => prefix,
            Err(error) => {
                report.add_in(at, text, error.span, error.message, error.remedy);
                continue;
            }
        };
        match known.iter().find(|(known, _)| known.is_same(&prefix)) {
            Some((_, first)) => {
                let message = format!("{first} is the same prefix");
                report.add_in(at, text, 0..text.len(), message, "leave one of them away");
            }
            None => {
                known.push((prefix.clone(), at));
                prefixes.push((prefix, policy));
            }
        }
    }
    Policies::new(elsewhere, prefixes)
}
