//! What a wasm filter of ours is configured with.

use gate::config::Config;
use serde_json::Value;

use super::json::{field, is_true, items, path, text};
use crate::recognise::{
    Failure, NO_STRUCT, NO_SUCH_TYPE, STRING_VALUE, STRUCT, WRITE_STRING_VALUE, type_name,
};

/// The plugin as one or more chains have it.
#[derive(Debug)]
pub(super) struct Plugin<'a> {
    /// The filter's name.
    pub(super) name: &'a str,
    /// Envoy's configuration of it.
    pub(super) config: &'a Value,
    /// Ours, as far as it can be read.
    own: Value,
    /// What the gate says to ours: what is wrong, and what to do.
    pub(super) problems: Vec<(String, String)>,
    pub(super) warnings: Vec<String>,
}

impl<'a> Plugin<'a> {
    pub(super) fn new(name: &'a str, config: &'a Value) -> Self {
        let mut plugin = Self { name, config, own: Value::Null, problems: Vec::new(), warnings: Vec::new() };
        plugin.judge();
        plugin
    }

    fn judge(&mut self) {
        let any = field(self.config, "configuration");
        let value = field(any, "value");
        let judged = match text(any, "@type").map(type_name) {
            None if any.is_null() => Config::from_json(b""),
            Some(STRING_VALUE) => {
                let json = value.as_str().unwrap_or_default();
                self.own = serde_json::from_str(json).unwrap_or_default();
                Config::from_json(json.as_bytes())
            }
            Some(STRUCT) => {
                self.own = value.clone();
                self.problems.push((NO_STRUCT.to_owned(), WRITE_STRING_VALUE.to_owned()));
                Config::from_value(value)
            }
            _ => {
                self.problems.push((NO_SUCH_TYPE.to_owned(), WRITE_STRING_VALUE.to_owned()));
                return;
            }
        };
        match judged {
            Ok(config) => {
                let warnings = config.warnings().cloned().chain(config.openings());
                self.warnings = warnings.map(|warning| said(&warning).0).collect();
            }
            Err(problems) => self.problems.extend(problems.iter().map(said)),
        }
    }

    /// The hosts that are ours, as they are compared; none: all.
    pub(super) fn hosts(&self) -> impl Iterator<Item = String> {
        items(&self.own, "hosts").iter().filter_map(Value::as_str).map(canonical)
    }

    /// The cluster that tokens are checked with, if it is not the default.
    pub(super) fn auth_cluster(&self) -> Option<&str> {
        text(field(&self.own, "auth"), "cluster")
    }

    /// Services of one's own.
    pub(super) fn upstreams(&self) -> impl Iterator<Item = &str> {
        items(&self.own, "upstreams").iter().filter_map(|upstream| text(upstream, "name"))
    }

    pub(super) fn failure(&self) -> Failure {
        Failure::of(is_true(self.config, "fail_open"), text(self.config, "failure_policy"))
    }

    /// Where the module is to be from; a dump does not say whether it was found there.
    pub(super) fn module(&self) -> String {
        let code = path(self.config, &["vm_config", "code"]);
        let local = field(code, "local");
        let remote = field(code, "remote");
        match (text(local, "filename"), text(path(remote, &["http_uri"]), "uri")) {
            (Some(file), _) => file.to_owned(),
            (None, Some(uri)) => {
                format!("{uri}, SHA-256 {}", text(remote, "sha256").unwrap_or("not given"))
            }
            (None, None) if local.is_object() => "within the configuration".to_owned(),
            (None, None) => "from nowhere".to_owned(),
        }
    }
}

/// A host as the gate compares it: without case, port and trailing dot.
pub(super) fn canonical(host: &str) -> String {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port == "*" || port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

/// Without the offending string: where a hash belongs people paste the token.
fn said(problem: &gate::config::Problem) -> (String, String) {
    (format!("{}: {}", problem.place, problem.message), problem.remedy.clone())
}
