//! The corpus: what a request gets. `tests/cases/*.toml` are its files, and every engine reads them with this.
//!
//! A file has an optional `[config]`, the plugin's configuration, and `[[case]]` entries, whose keys are those of
//! [`Case`]. Unknown keys are errors. Strings hold bytes: `"\u00ff"` is the byte 0xff. `<a*4097>` in a string is
//! 4097 times `a`. A case with `each.x = [ … ]` stands for as many cases, with `<x>` replaced in all its strings.
//!
//! No case depends on another: nothing is remembered of tokens and addresses ([`forgetful`]). The one thing that cannot be
//! switched off is that `/v1/auth` repeats an answer for a second, so those of its cases that ask have tokens of their own.

mod expect;
mod outcome;

use std::collections::BTreeMap;

use serde::Deserialize;

pub(crate) use expect::{Expect, Verdict};
pub(crate) use outcome::{Outcome, judge};

/// Header lines: names as sent, values as bytes.
pub(crate) type Lines = Vec<(String, Vec<u8>)>;

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../cases/", $name, ".toml")))),*]
    };
}

/// All files: name and text. Not read from the disk, which wasm32 does not have.
pub(crate) const FILES: &[(&str, &str)] = files![
    "body",
    "cors",
    "differences",
    "forwarding",
    "hosts",
    "internal_allow",
    "internal_deny",
    "local_tokens",
    "method",
    "own_routes",
    "path",
    "policies",
    "public",
    "resource_names",
    "strict",
    "strict_deny_internal",
    "token",
    "v1_auth",
    "websocket",
    "websocket_channel_id",
];

/// One file.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) name: &'static str,
    /// The plugin's configuration.
    pub(crate) config: serde_json::Value,
    pub(crate) cases: Vec<Case>,
}

/// One request and what it gets.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    /// A sentence, and the only one of its kind.
    pub(crate) name: String,
    /// Method and target, with one space between.
    request: String,
    #[serde(default)]
    pub(crate) http: Http,
    /// `Host` or `:authority`, unless the headers have it.
    #[serde(default = "default_host")]
    host: String,
    /// Neither is sent.
    #[serde(default)]
    pub(crate) no_host: bool,
    /// Short for the header line `x-token: …`.
    token: Option<String>,
    /// Header lines, `name: value`.
    #[serde(default)]
    headers: Vec<String>,
    /// A body with this declared length, and sent.
    pub(crate) body: Option<usize>,
    /// A body of this length that is not declared.
    pub(crate) chunked: Option<usize>,
    /// The `:protocol` of HTTP/2's extended CONNECT.
    pub(crate) protocol: Option<String>,
    /// What the auth endpoint answers, if it is asked. By default it knows one token: `good`.
    pub(crate) auth: Option<Auth>,
    /// What the request gets.
    pub(crate) expect: Expect,
    /// What it gets in Envoy, when that is something else: say why in a comment.
    envoy: Option<Expect>,
    /// What it gets in an Envoy that normalizes paths, when that is something else again.
    normalized: Option<Expect>,
    /// And what it may get there as well, in an older Envoy that normalizes less.
    normalized_before: Option<Expect>,
    /// What it gets in Istio's ingress gateway, which normalizes paths too, when that is something else again: say why in
    /// a comment.
    istio: Option<Expect>,
    /// Why an engine does not run it.
    #[serde(default)]
    pub(crate) skip: Skip,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) enum Http {
    #[serde(rename = "1.0")]
    One0,
    #[default]
    #[serde(rename = "1.1")]
    One1,
    #[serde(rename = "2")]
    Two,
}

/// The auth endpoint's answer: a status, or a table.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Auth {
    Status(u16),
    Answer(AuthAnswer),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AuthAnswer {
    status: u16,
    retry_after: String,
}

impl Auth {
    pub(crate) fn status(&self) -> u16 {
        match self {
            Self::Status(status) | Self::Answer(AuthAnswer { status, .. }) => *status,
        }
    }

    pub(crate) fn retry_after(&self) -> Option<Vec<u8>> {
        match self {
            Self::Status(_) => None,
            Self::Answer(answer) => Some(bytes(&answer.retry_after)),
        }
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Skip {
    /// In the core, native and on wasm32.
    pub(crate) gate: Option<String>,
    /// In Envoy, also in Istio's.
    pub(crate) envoy: Option<String>,
    /// In Istio.
    pub(crate) istio: Option<String>,
}

/// Where the filter runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proxy {
    /// The shipped `envoy.yaml`.
    Plain,
    /// The same with Envoy's own path normalization.
    Normalized,
    /// Istio's ingress gateway as its installation has it, which normalizes paths, but merges no slashes.
    Istio,
}

fn default_host() -> String {
    "gateway.test".to_owned()
}

impl Case {
    pub(crate) fn method(&self) -> Vec<u8> {
        bytes(self.request.split_once(' ').map_or(self.request.as_str(), |(method, _)| method))
    }

    pub(crate) fn target(&self) -> Vec<u8> {
        bytes(self.request.split_once(' ').map_or("", |(_, target)| target))
    }

    /// All header lines as they are sent, `host` among them.
    pub(crate) fn lines(&self) -> Lines {
        let mut lines: Lines = self.headers.iter().map(|line| parse_line(line)).collect();
        if let Some(token) = &self.token {
            lines.push(("x-token".to_owned(), bytes(token)));
        }
        if !self.no_host && !lines.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            lines.insert(0, ("host".to_owned(), bytes(&self.host)));
        }
        lines
    }

    /// What it gets there: one of these, depending on the version.
    pub(crate) fn expect_in(&self, proxy: Proxy) -> Vec<&Expect> {
        let special: Vec<_> = match proxy {
            Proxy::Plain => Vec::new(),
            Proxy::Istio if self.istio.is_some() => self.istio.iter().collect(),
            Proxy::Normalized | Proxy::Istio => {
                [&self.normalized, &self.normalized_before].into_iter().flatten().collect()
            }
        };
        if special.is_empty() { vec![self.envoy.as_ref().unwrap_or(&self.expect)] } else { special }
    }

    /// Whether it is run there.
    pub(crate) fn runs_in(&self, proxy: Proxy) -> bool {
        self.skip.envoy.is_none() && (proxy != Proxy::Istio || self.skip.istio.is_none())
    }

    /// The values of all lines called `name` as they are sent.
    pub(crate) fn sent(&self, name: &str) -> Vec<Vec<u8>> {
        values(&self.lines(), name)
    }
}

/// The values of all lines called `name`, without case.
pub(crate) fn values(lines: &Lines, name: &str) -> Vec<Vec<u8>> {
    lines.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone()).collect()
}

/// A string of a file as bytes: each character is one.
fn bytes(text: &str) -> Vec<u8> {
    let byte =
        |c: char| u8::try_from(u32::from(c)).unwrap_or_else(|_| panic!("{c:?} in {text:?} is not a byte"));
    text.chars().map(byte).collect()
}

fn parse_line(line: &str) -> (String, Vec<u8>) {
    let (name, value) = line.split_once(':').unwrap_or_else(|| panic!("{line:?} is not a header line"));
    (name.to_owned(), bytes(value.strip_prefix(' ').unwrap_or(value)))
}

/// Reads all files.
pub(crate) fn read() -> Vec<File> {
    FILES.iter().map(|(name, text)| read_file(name, text)).collect()
}

fn read_file(name: &'static str, text: &str) -> File {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Raw {
        #[serde(default)]
        config: toml::Table,
        case: Vec<toml::Table>,
    }
    let raw: Raw = toml::from_str(text).unwrap_or_else(|error| panic!("{name}.toml: {error}"));
    let config = serde_json::to_value(raw.config).unwrap_or_else(|error| panic!("{name}.toml: {error}"));
    let config = forgetful(config);
    let cases = raw.case.into_iter().flat_map(expand).map(|case| {
        let shown = case.get("name").cloned();
        case.try_into().unwrap_or_else(|error| panic!("{name}.toml, case {shown:?}: {error}"))
    });
    File { name, config, cases: cases.collect() }
}

/// The configuration of a file, and that nothing is remembered: each case asks for itself, or not at all.
fn forgetful(mut config: serde_json::Value) -> serde_json::Value {
    let auth = &mut config["auth"];
    auth["allow"] = "0s".into();
    auth["deny"] = "0s".into();
    auth["throttle"]["burst"] = 0.into();
    config
}

/// The cases that one entry stands for.
fn expand(mut case: toml::Table) -> Vec<toml::Table> {
    let each: BTreeMap<String, Vec<String>> = match case.remove("each") {
        None => BTreeMap::new(),
        Some(each) => {
            each.try_into().unwrap_or_else(|error| panic!("each of {:?}: {error}", case.get("name")))
        }
    };
    let mut cases = vec![case];
    for (key, values) in each {
        let mark = format!("<{key}>");
        let with = |case: &toml::Table, value: &str| {
            let mut case = case.clone();
            let before = case.clone();
            replace_in_table(&mut case, &|text| text.replace(&mark, value));
            assert!(case != before, "{mark} occurs nowhere in {case:?}");
            // So that names stay unique.
            if let Some(toml::Value::String(name)) = case.get_mut("name") {
                name.push_str(&format!(" [{value}]"));
            }
            case
        };
        cases = cases.iter().flat_map(|case| values.iter().map(move |value| with(case, value))).collect();
    }
    for (_, value) in cases.iter_mut().flatten().filter(|(key, _)| *key != "name") {
        replace_in(value, &repeat);
    }
    cases
}

fn replace_in_table(table: &mut toml::Table, replace: &impl Fn(&str) -> String) {
    for (_, value) in table.iter_mut() {
        replace_in(value, replace);
    }
}

fn replace_in(value: &mut toml::Value, replace: &impl Fn(&str) -> String) {
    match value {
        toml::Value::String(text) => *text = replace(text),
        toml::Value::Array(items) => items.iter_mut().for_each(|item| replace_in(item, replace)),
        toml::Value::Table(table) => replace_in_table(table, replace),
        _ => {}
    }
}

/// `<a*3>` becomes `aaa`.
fn repeat(text: &str) -> String {
    let part = |rest: &str| {
        let (inner, after) = rest.split_once('>')?;
        let (what, count) = inner.split_once('*')?;
        Some((what.repeat(count.parse().ok()?), after.to_owned()))
    };
    let mut out = String::new();
    let mut rest = text.to_owned();
    while let Some((before, after)) = rest.split_once('<') {
        out.push_str(before);
        rest = match part(after) {
            Some((repeated, tail)) => {
                out.push_str(&repeated);
                tail
            }
            None => {
                out.push('<');
                after.to_owned()
            }
        };
    }
    out + &rest
}
