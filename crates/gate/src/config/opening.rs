//! Warnings of what is open although one may think it shut.

use super::problem::Place;
use super::reader::Report;
use crate::request::{Method, Methods};
use crate::routes::{self, Access, Lacking, Openings, Route, Routes, Taken, Target};

/// Warns of routes of one's own, which stand in the table after the profile's.
pub(super) fn warn(table: &Routes, warnings: &Report) {
    let Ok(profile) = routes::keptn_0_6() else { return };
    let of_profile = profile.0.len();
    let openings = Openings::new(table, profile);
    for (index, (at, route)) in table.iter().enumerate().skip(of_profile).enumerate() {
        let place = Place::default().key("routes").index(index);
        let text = route.template.to_string();
        if let Some((from, message, remedy)) = of_route(table, &openings, at, route) {
            warnings.add_in(place.key("path"), &text, from..text.len(), message, remedy);
        }
    }
    if let Some(route) = openings.way_round() {
        let prefix = route.template.beginning();
        let upstream = upstream(route);
        let message =
            format!("{upstream} is shut below a prefix, but {} leads to it too, and is open", route.template);
        let remedy = format!(
            "add {{ \"prefix\": \"{prefix}\", \"policy\": \"strict\" }}, or the same with \"open\" if that is meant"
        );
        warnings.add(Place::default().key("policies"), message, remedy);
    }
}

/// The worst that there is to say of a route: from where in its template, what, and what to do.
fn of_route(
    table: &Routes,
    openings: &Openings<'_>,
    at: usize,
    route: &Route,
) -> Option<(usize, String, String)> {
    if let Some(Taken { methods, template, upstream }) = openings.taken_by(at) {
        let whose = match route.access {
            Access::Public => "and asks for no token",
            Access::Token | Access::Upstream => "from the profile",
        };
        let message =
            format!("this takes {} {template}, an operation of {upstream}'s, {whose}", names(methods));
        let remedy = "make the template more specific, or its methods fewer, unless it is meant";
        return Some((0, message, remedy.to_owned()));
    }
    let Target::Upstream { upstream, .. } = &route.target else { return None };
    if !routes::upstreams().contains(upstream) || !table.are_strict_in(&route.template) {
        return None;
    }
    let upstream = &upstream.name;
    let prefix = route.template.beginning();
    let meant = if prefix.is_empty() {
        "\"policy\": \"open\"".to_owned()
    } else {
        format!("\"policies\": [{{ \"prefix\": \"{prefix}\", \"policy\": \"open\" }}]")
    };
    // A route of one's own describes whatever it matches.
    if let Some(from) = route.template.to_string().find("{*") {
        let message = format!("everything below passes to {upstream}, although the policy is strict here");
        return Some((
            from,
            message,
            format!("write a route for each operation, or say that it is meant: {meant}"),
        ));
    }
    let Lacking { methods, is_path } = openings.lacking(at)?;
    let (what, remedy) = if is_path {
        ("such path".to_owned(), "leave the route away")
    } else {
        (format!("{} here", names(methods)), "list the others as its \"methods\"")
    };
    let message = format!("{upstream} describes no {what}, but this passes, although the policy is strict");
    Some((0, message, format!("{remedy}, or say that it is meant: {meant}")))
}

fn upstream(route: &Route) -> &str {
    match &route.target {
        Target::Upstream { upstream, .. } => &upstream.name,
        Target::TokenCheck => "",
    }
}

fn names(methods: Methods) -> String {
    methods.iter().map(Method::name).collect::<Vec<_>>().join(", ")
}
