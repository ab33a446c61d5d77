//! One route: where it leads, and what it demands.

use serde_json::Value;

use super::json::{any_object, field, is_true, items, path, strings, text};
use crate::recognise::KEY;

/// The route of our VirtualService.
pub(super) const NOT_LOADED: &str = "keptn-gateway-not-loaded";

/// Where a route, or what else moves traffic, leads.
#[derive(Debug)]
pub(super) enum Goal<'a> {
    Cluster {
        name: &'a str,
        is_copy: bool,
    },
    /// The request itself says where; why.
    Anywhere(&'static str),
}

/// A route with what is around it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Route<'a> {
    pub(super) value: &'a Value,
    pub(super) host: &'a Value,
    pub(super) config: &'a Value,
}

impl<'a> Route<'a> {
    /// All routes of a route configuration, in the order in which they are tried.
    pub(super) fn all(config: &'a Value) -> impl Iterator<Item = Self> {
        items(config, "virtual_hosts").iter().flat_map(move |host| Self::of(host, config))
    }

    /// The routes of a virtual host.
    pub(super) fn of(host: &'a Value, config: &'a Value) -> impl Iterator<Item = Self> {
        items(host, "routes").iter().map(move |value| Self { value, host, config })
    }

    /// For people.
    pub(super) fn name(&self) -> String {
        let host = virtual_host(self.host);
        match text(self.value, "name") {
            Some(name) => format!("{name} of {host}"),
            None => {
                let index =
                    items(self.host, "routes").iter().position(|route| core::ptr::eq(route, self.value));
                format!("number {} of {host}", index.unwrap_or_default().saturating_add(1))
            }
        }
    }

    /// Whether it asks for the verdict at all, rightly or not.
    pub(super) fn asks(&self) -> bool {
        items(field(self.value, "match"), "filter_state")
            .iter()
            .any(|matcher| text(matcher, "key") == Some(KEY))
    }

    /// What it is called among its virtual host's, and whose it is or what it does.
    pub(super) fn short(&self) -> String {
        let name = text(self.value, "name").map_or_else(|| "one without a name".to_owned(), str::to_owned);
        match (self.virtual_service(), text(field(self.value, "route"), "cluster")) {
            (Some(maker), _) => format!("{name} (of VirtualService {maker})"),
            (None, Some(cluster)) => format!("{name} (to {cluster})"),
            (None, None) => name,
        }
    }

    /// The namespace and name of the VirtualService that istiod made it of.
    pub(super) fn virtual_service(&self) -> Option<String> {
        let maker = path(self.value, &["metadata", "filter_metadata", "istio", "config"]).as_str()?;
        let (_, place) = maker.split_once("/namespaces/")?;
        place.split_once("/virtual-service/").map(|(namespace, name)| format!("{namespace}/{name}"))
    }

    /// What is other than in the routes that we make, and will surprise.
    pub(super) fn surprises(&self) -> Vec<&'static str> {
        let action = field(self.value, "route");
        let mut found = Vec::new();
        if field(action, "internal_redirect_policy").is_object()
            || text(action, "internal_redirect_action") == Some("HANDLE_INTERNAL_REDIRECT")
        {
            found.push("follows the service's redirects by itself; what they lead to is judged anew");
        }
        let retries = [action, self.host].map(|around| text(field(around, "retry_policy"), "retry_on"));
        let is_safe = |on: &str| ["connect-failure", "refused-stream"].contains(&on.trim());
        if retries.into_iter().flatten().next().is_some_and(|on| !on.split(',').all(is_safe)) {
            found.push("repeats requests that may have reached the service, a POST as well");
        }
        if text(action, "timeout").is_none() {
            found.push("ends answers after Envoy's 15 s; those that wait for Git take longer");
        }
        found
    }

    pub(super) fn goals(&self) -> Vec<Goal<'a>> {
        let action = field(self.value, "route");
        let mut goals = destination(action);
        for plugin in ["cluster_specifier_plugin", "inline_cluster_specifier_plugin"] {
            if !field(action, plugin).is_null() {
                goals.push(Goal::Anywhere("a plugin chooses the cluster"));
            }
        }
        // Only of something that is sent anywhere are copies sent. The closest list holds.
        let mirrors = [action, self.host, self.config].map(|around| items(around, "request_mirror_policies"));
        let mirrors = mirrors.into_iter().find(|list| !list.is_empty()).filter(|_| action.is_object());
        for mirror in mirrors.unwrap_or_default() {
            goals.extend(destination(mirror).into_iter().map(|goal| match goal {
                Goal::Cluster { name, .. } => Goal::Cluster { name, is_copy: true },
                Goal::Anywhere(why) => Goal::Anywhere(why),
            }));
        }
        goals
    }

    /// The verdict that the route opens to; or why it opens to more than one, as the end of a sentence.
    pub(super) fn demand(&self) -> Result<&'a str, String> {
        let all = items(field(self.value, "match"), "filter_state");
        let mut why = format!("does not demand the filter state {KEY}");
        for matcher in all.iter().filter(|matcher| text(matcher, "key") == Some(KEY)) {
            let string = field(matcher, "string_match");
            let is_inverted = ["invert", "invert_match"].iter().any(|key| is_true(matcher, key));
            match text(string, "exact") {
                Some(_) if is_inverted => why = format!("opens to every value of {KEY} but one"),
                Some(exact) => return Ok(exact),
                None => {
                    let kind = string
                        .as_object()
                        .and_then(|object| object.keys().next())
                        .map_or("nothing", |key| key);
                    why = format!("compares {KEY} by {kind}, which fits more than one verdict");
                }
            }
        }
        Err(why)
    }

    /// Whether this is the refusal that stands after the routes.
    pub(super) fn is_not_loaded(&self) -> bool {
        text(self.value, "name") == Some(NOT_LOADED)
            && path(self.value, &["direct_response", "status"]).as_u64() == Some(503)
    }
}

/// Where a `RouteAction`, a mirror policy or a TCP proxy leads.
pub(super) fn destination(action: &Value) -> Vec<Goal<'_>> {
    let weighted = items(field(action, "weighted_clusters"), "clusters").iter().chain([action]);
    let mut goals = Vec::new();
    for one in weighted {
        goals.extend(
            [text(one, "cluster"), text(one, "name")]
                .into_iter()
                .flatten()
                .map(|name| Goal::Cluster { name, is_copy: false }),
        );
        if text(one, "cluster_header").is_some() {
            goals.push(Goal::Anywhere("a header of the request names the cluster"));
        }
    }
    goals
}

/// What a virtual host's `matcher`, which takes the place of routes, leads to.
pub(super) fn matcher_goals(host: &Value) -> Vec<Goal<'_>> {
    let matcher = field(host, "matcher");
    let mut found = Vec::new();
    strings(matcher, &mut found);
    let mut goals: Vec<_> = found.into_iter().map(|name| Goal::Cluster { name, is_copy: false }).collect();
    if any_object(matcher, &|object| text(object, "cluster_header").is_some()) {
        goals.push(Goal::Anywhere("a header of the request names the cluster"));
    }
    goals
}

/// A virtual host, for people.
pub(super) fn virtual_host(host: &Value) -> String {
    format!("virtual host {}", text(host, "name").unwrap_or("without a name"))
}
