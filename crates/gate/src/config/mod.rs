//! The configuration: JSON in, what the gate works with out, or everything that is wrong with it.

mod authn;
mod cors;
pub mod keys;
mod problem;
mod reader;
mod tokens;

use std::rc::Rc;

pub use problem::{Excerpt, Place, Problem, Problems, Step};
use serde_json::Value;

use crate::authn::Settings;
use crate::cors::Cors;
use crate::host::Hosts;
use crate::request::{Method, Methods};
use crate::routes::{self, Access, InternalOperation, Protocol, Route, Routes, Target, Template, Upstream};
use reader::{Report, Section};

/// A configuration without problems.
#[derive(Clone, Debug)]
pub struct Config {
    pub(crate) hosts: Hosts,
    pub(crate) routes: Routes,
    pub(crate) authn: Settings,
    pub(crate) max_body_bytes: u64,
    pub(crate) allow_internal: bool,
    pub(crate) require_channel_id: bool,
    pub(crate) cors: Option<Cors>,
    pub(crate) client_header: bool,
    warnings: Vec<Problem>,
}

impl Config {
    /// Reads a configuration as Envoy hands it over. Nothing at all is the same as `{}`: all defaults.
    ///
    /// # Errors
    ///
    /// All problems at once.
    ///
    /// ```
    /// use gate::config::Config;
    ///
    /// assert!(Config::from_json(b"{}").is_ok());
    /// let problems = Config::from_json(br#"{"auth": {"timeout": "2 parsecs"}, "host": []}"#).unwrap_err();
    /// assert_eq!(
    ///     problems.to_string(),
    ///     "auth.timeout: this is not a duration
    ///     2 parsecs
    ///       ^^^^^^^
    ///   help: write a number and a unit (ms, s, m, h), such as \"500ms\"
    /// host: there is no such key
    ///   help: did you mean \"hosts\"?"
    /// );
    /// ```
    pub fn from_json(json: &[u8]) -> Result<Self, Problems> {
        if json.trim_ascii().is_empty() {
            return Self::from_value(&Value::Null);
        }
        match serde_json::from_slice(json) {
            Ok(value) => Self::from_value(&value),
            Err(error) => Err(Problems(vec![Problem {
                place: Place::default(),
                is_about_key: false,
                message: format!("this is not JSON: {error}"),
                // Envoy hands a Struct over as protobuf, not as JSON: seen with 1.36 and 1.40.
                remedy: "write a JSON object, in envoy.yaml as the text of a google.protobuf.StringValue; \
                         {} takes all defaults"
                    .to_owned(),
                excerpt: None,
            }])),
        }
    }

    /// The same, for JSON that is parsed already.
    ///
    /// # Errors
    ///
    /// All problems at once.
    pub fn from_value(value: &Value) -> Result<Self, Problems> {
        let (report, warnings) = <(Report, Report)>::default();
        let config = read(value, &report, &warnings);
        let problems = report.into_problems();
        match config {
            Some(config) if problems.is_empty() => Ok(Self { warnings: warnings.into_problems(), ..config }),
            _ => Err(Problems(problems)),
        }
    }

    /// The profile's routes, then those of the configuration's own.
    pub fn routes(&self) -> &Routes {
        &self.routes
    }

    /// What is valid, but not what one may expect of it.
    ///
    /// ```
    /// use gate::config::Config;
    ///
    /// let config = Config::from_json(br#"{"auth": {"allow": "0s", "stale_if_error": "1h"}}"#).unwrap();
    /// assert_eq!(
    ///     config.warnings().next().unwrap().to_string(),
    ///     "auth.stale_if_error: this does nothing, because auth.allow is 0s: no yes is remembered
    ///   help: set auth.allow to more than 0s, or leave this away"
    /// );
    /// ```
    pub fn warnings(&self) -> impl Iterator<Item = &Problem> {
        self.warnings.iter()
    }
}

fn read(value: &Value, report: &Report, warnings: &Report) -> Option<Config> {
    let top = Section::new(Some(value), Place::default(), report);
    // There is one profile; asking for another is reported.
    top.text(&keys::PROFILE);
    let hosts = hosts(&top, report);
    let auth = top.section("auth");
    let tokens = tokens::read(&top, report);
    let authn = authn::read(&auth, &tokens, report, warnings);
    let client_header = auth.flag(&keys::CLIENT_HEADER);
    let max_body_bytes = top.number(&keys::MAX_BODY_BYTES);
    let allow_internal = top.text(&keys::INTERNAL) == "allow";
    let require_channel_id = top.section("websocket").flag(&keys::REQUIRE_CHANNEL_ID);
    let cors = cors::read(&top, report, warnings);
    let (routes, behind_tokens) = routes(&top, report)?;
    tokens::warn(&tokens, &behind_tokens, warnings);
    Some(Config {
        hosts,
        routes,
        authn,
        max_body_bytes,
        allow_internal,
        require_channel_id,
        cors,
        client_header,
        warnings: Vec::new(),
    })
}

fn hosts(top: &Section<'_>, report: &Report) -> Hosts {
    let names = top.list(&keys::HOSTS).into_iter().filter_map(|(place, item)| {
        let name = reader::text(item, place.clone(), report)?;
        let odd = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']'));
        let remedy = "write each host in full, without a scheme or wildcards";
        if let Some(at) = name.find(odd) {
            report.add_in(place, name, at..at.saturating_add(1), "no host name has this", remedy);
        } else if name.is_empty() {
            report.add(place, "this is empty", "write a host, or leave the item away");
        } else if !Hosts::is_host(name) {
            report.add_in(place, name, 0..name.len(), "this is not a host", remedy);
        } else {
            return Some(name);
        }
        None
    });
    Hosts::new(names.collect::<Vec<_>>())
}

/// The profile's routes and those of the configuration's own, and where those with a token lead to.
fn routes(top: &Section<'_>, report: &Report) -> Option<(Routes, Vec<Upstream>)> {
    let (mut all, internal): (_, Vec<InternalOperation>) = match routes::keptn_0_6() {
        Ok(profile) => profile,
        Err(error) => {
            report.add(Place::default(), format!("the profile is broken: {}", error.message), error.remedy);
            return None;
        }
    };
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
    Routes::new(all, &internal)
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
    Some(Route { template, methods, protocol: Protocol::Http, access, target })
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
