//! Kubernetes' objects that may have our configuration.

use core::fmt;
use core::ops::Range;
use std::collections::HashSet;
use std::rc::Rc;

use super::node::{Data, Node};
use super::text::within;
use super::{Judged, configuration, envoy, read, secrets};
use crate::recognise::{NAME, is_ours};
use crate::source::{Source, visible};

/// How much of a name is shown, in characters. Kubernetes' names have 253 at most.
const SHOWN: usize = 253;

/// An object.
#[derive(Clone, Copy, Debug)]
pub(super) struct Object<'a> {
    node: &'a Node,
    kind: &'a str,
    name: Option<&'a str>,
    namespace: Option<&'a str>,
}

impl fmt::Display for Object<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |text: &str| visible(text).chars().take(SHOWN).collect::<String>();
        f.write_str(&shown(self.kind))?;
        match (self.namespace, self.name) {
            (Some(namespace), Some(name)) => write!(f, " {}/{}", shown(namespace), shown(name)),
            (None, Some(name)) => write!(f, " {}", shown(name)),
            (_, None) => Ok(()),
        }
    }
}

impl<'a> Object<'a> {
    /// Whether a document is an object, or a list of them.
    pub(super) fn is_one(document: &Node) -> bool {
        document.get("apiVersion").is_some() && document.get("kind").is_some()
    }

    /// The objects in a document: itself, or those of a list.
    pub(super) fn all(document: &'a Node) -> Vec<Self> {
        let mut all = Vec::new();
        if Self::is_one(document) {
            Self::add(document, None, &mut all);
        }
        all
    }

    /// Those of a `ConfigMapList` need not say that they are ConfigMaps.
    fn add(node: &'a Node, kind: Option<&'a str>, all: &mut Vec<Self>) {
        let kind = node.get("kind").and_then(|kind| kind.as_str()).or(kind).unwrap_or("object");
        if let (Some(of_items), Some(Data::List(items))) =
            (kind.strip_suffix("List"), node.get("items").map(|items| &items.data))
        {
            let of_items = (!of_items.is_empty()).then_some(of_items);
            items.iter().for_each(|item| Self::add(item, of_items, all));
            return;
        }
        let metadata = |key| node.get("metadata").and_then(|metadata| metadata.get(key)?.as_str());
        all.push(Self { node, kind, name: metadata("name"), namespace: metadata("namespace") });
    }

    /// Whether it is a plugin of Istio's, anybody's.
    pub(super) fn is_plugin(&self) -> bool {
        matches!(self.kind, "WasmPlugin" | "TrafficExtension")
    }

    /// Judges the configurations in it. What is called an object in these is a part of this one.
    pub(super) fn judge(&self, source: &Source) -> Vec<Judged> {
        let spec = self.node.get("spec");
        match self.kind {
            "WasmPlugin" => spec.and_then(|spec| self.plugin(spec, source)).into_iter().collect(),
            "TrafficExtension" => {
                let wasm = spec.and_then(|spec| spec.get("wasm"));
                wasm.and_then(|wasm| self.plugin(wasm, source)).into_iter().collect()
            }
            "ConfigMap" => self.texts(source),
            // An EnvoyFilter, or whatever else has a part of Envoy's configuration.
            _ => envoy::judge(self.node, source),
        }
    }

    /// A plugin of Istio's, which makes JSON text of its `pluginConfig`.
    fn plugin(&self, spec: &Node, source: &Source) -> Option<Judged> {
        let name = spec.get("pluginName");
        if !is_ours(self.name, None, name.and_then(|name| name.as_str())) {
            return None;
        }
        let mut judged = match spec.get("pluginConfig").filter(|config| !config.is_null()) {
            Some(config) => configuration::judge(config, source),
            None => Judged::defaults(),
        };
        let strategies = ["FAIL_RELOAD", "FAIL_CLOSE", "FAIL_OPEN"];
        let strategy = spec.get("failStrategy").map(|strategy| &**strategy);
        judged.around = envoy::failure(None, strategy, &strategies, spec).into_iter().collect();
        judged.around.extend(envoy::other_root(name.map(|name| &**name)));
        Some(judged)
    }

    fn texts(&self, source: &Source) -> Vec<Judged> {
        let mut seen = HashSet::new();
        let mut all = Vec::new();
        for entry in self.node.get("data").into_iter().flat_map(|data| data.entries()) {
            // An alias is the same text again.
            if !seen.insert(Rc::as_ptr(&entry.value)) {
                continue;
            }
            let key = visible(&entry.key).chars().take(SHOWN).collect::<String>();
            let judged = if entry.value.as_str().is_some() {
                within(&entry.value, source, &entry.key, |inner| self.text(inner))
            } else if configuration::is_ours(&entry.value, self.is_named(&entry.key)) {
                let help = "put | after the key";
                vec![Judged::wrong(envoy::note(entry.value.opening(), "a ConfigMap holds texts only", help))]
            } else {
                Vec::new()
            };
            all.extend(judged.into_iter().map(|judged| Judged { object: Some(key.clone()), ..judged }));
        }
        all
    }

    /// Whether it, or this key of it, is called after us.
    fn is_named(&self, key: &str) -> bool {
        key.contains(NAME) || self.name.is_some_and(|name| name.contains(NAME))
    }

    /// A text of a ConfigMap, and what of it is not to be shown.
    fn text(&self, inner: &Source) -> (Vec<Judged>, Vec<Range<usize>>) {
        let key = inner.name();
        let named = self.is_named(key);
        let is_document = [".yaml", ".yml", ".json"].iter().any(|end| key.ends_with(end));
        let documents = match read(inner) {
            Ok(documents) => documents,
            Err(note) if is_document && (named || inner.text().contains(NAME)) => {
                return (vec![Judged::wrong(note)], secrets::unread(inner.text()));
            }
            Err(_) => return (Vec::new(), Vec::new()),
        };
        let hidden = documents.iter().flat_map(|document| secrets::of(document, inner.text())).collect();
        let judge = |document: &Rc<Node>| {
            if envoy::is_one(document) {
                envoy::judge(document, inner)
            } else if configuration::is_ours(document, named) {
                vec![configuration::judge(document, inner)]
            } else {
                Vec::new()
            }
        };
        (documents.iter().flat_map(judge).collect(), hidden)
    }
}
