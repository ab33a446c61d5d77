//! The configuration: JSON in, what the gate works with out, or everything that is wrong with it.

mod authn;
mod cors;
pub mod keys;
mod opening;
mod problem;
mod reader;
mod routes;
mod tokens;

pub use problem::{Excerpt, Place, Problem, Problems, Step};
use serde_json::Value;

use crate::authn::{LocalToken, Settings};
use crate::cors::Cors;
use crate::host::Hosts;
use crate::routes::{LetIn, Routes};
use crate::token::Token;
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

    /// Everything that is let in, in the order of the routes.
    ///
    /// ```
    /// use gate::config::Config;
    ///
    /// let config = Config::from_json(br#"{"policy": "strict"}"#).unwrap();
    /// let event = config.let_in().into_iter().find(|it| it.template.to_string() == "/v1/event").unwrap();
    /// let methods: Vec<_> = event.methods.iter().map(|method| method.name()).collect();
    /// assert_eq!((methods, event.described), (vec!["GET", "HEAD", "POST"], true));
    /// ```
    pub fn let_in(&self) -> Vec<LetIn> {
        let mut all = self.routes.let_in();
        for entry in &mut all {
            entry.is_denied = entry.is_internal && !self.allow_internal;
        }
        all
    }

    /// The hosts that are ours, sorted; none: all. Requests for others are left alone.
    ///
    /// ```
    /// use gate::config::Config;
    ///
    /// let config = Config::from_json(br#"{"hosts": ["b.example", "A.example"]}"#).unwrap();
    /// assert_eq!(config.hosts(), ["a.example", "b.example"]);
    /// ```
    pub fn hosts(&self) -> Vec<&str> {
        self.hosts.names()
    }

    /// The entry of `tokens` that this token's hash is in, valid or not. `gatectl explain` shows its name.
    pub fn local_token(&self, token: Token<'_>) -> Option<&LocalToken> {
        let hash = token.fingerprint();
        self.authn.tokens.iter().rfind(|local| local.hash.ct_eq(&hash))
    }

    /// What is open although one may think it shut. It takes a look at each route of one's own against each operation,
    /// so the filter, which starts in every worker, leaves it to `gatectl`.
    ///
    /// ```
    /// use gate::config::Config;
    ///
    /// let json = br#"{"routes": [{"path": "/v1/{x}", "upstream": "api-service", "access": "public"}]}"#;
    /// let openings = Config::from_json(json).unwrap().openings();
    /// assert!(openings.first().unwrap().to_string().starts_with("routes[0].path: this takes "));
    /// ```
    pub fn openings(&self) -> Vec<Problem> {
        let warnings = Report::default();
        opening::warn(&self.routes, &warnings);
        warnings.into_problems()
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
    let (routes, behind_tokens) = routes::read(&top, report)?;
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
