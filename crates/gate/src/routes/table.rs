//! The route table: how the route for a request is found.

use std::rc::Rc;

use super::operation::{Operation, Operations};
use super::policy::{Policies, Policy};
use super::tree::Tree;
use super::{Access, Found, Lookup, Protocol, Route, Template};
use crate::denial::Denial;
use crate::path::CanonicalPath;
use crate::request::{Method, Methods};

/// Two routes that claim the same requests, by their places in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The one that came first.
    pub first: usize,
    /// The one that cannot be told from it.
    pub second: usize,
}

/// The route table.
#[derive(Clone, Debug, Default)]
pub struct Routes {
    pub(super) all: Vec<Rc<Route>>,
    tree: Tree<Rc<Route>>,
    pub(super) operations: Operations,
    pub(super) policies: Policies,
}

impl Routes {
    /// Builds the table.
    ///
    /// # Errors
    ///
    /// Routes that claim the same template, protocol and method as one before them, each with the first such: which
    /// of them was meant?
    pub(crate) fn new(
        routes: Vec<Route>,
        operations: Vec<Operation>,
        policies: Policies,
    ) -> Result<Self, Vec<Conflict>> {
        let mut table = Self { operations: Operations::new(operations), policies, ..Self::default() };
        let mut places: Tree<(usize, Methods, Protocol)> = Tree::default();
        let mut conflicts = Vec::new();
        for (second, route) in routes.into_iter().enumerate() {
            let same = places.entry(&route.template);
            let claims = |(_, methods, protocol): &&(usize, Methods, Protocol)| {
                methods.overlaps(route.methods) && *protocol == route.protocol
            };
            conflicts.extend(same.iter().find(claims).map(|&(first, ..)| Conflict { first, second }));
            same.push((second, route.methods, route.protocol));
            let route = Rc::new(route);
            table.tree.entry(&route.template).push(Rc::clone(&route));
            table.all.push(route);
        }
        if conflicts.is_empty() { Ok(table) } else { Err(conflicts) }
    }

    /// A table of this route alone, and no policy: what would it take if there were no other? `gatectl explain` asks it.
    pub fn alone(route: &Route) -> Self {
        // One route cannot conflict.
        Self::new(vec![route.clone()], Vec::new(), Policies::default()).unwrap_or_default()
    }

    /// All routes, in the order in which they were given.
    pub fn iter(&self) -> impl Iterator<Item = &Route> {
        self.all.iter().map(Rc::as_ref)
    }

    /// The policy for `path`.
    pub fn policy(&self, path: &CanonicalPath<'_>) -> Policy {
        self.policies.of(path)
    }

    /// Whether some of the paths of `template` are under the policy `strict`.
    pub(crate) fn are_strict_in(&self, template: &Template) -> bool {
        self.policies.are_strict_in(template)
    }

    /// The prefix whose policy that is, by its place in `policies`; nothing where `policy` holds.
    pub fn policy_prefix(&self, path: &CanonicalPath<'_>) -> Option<(usize, String)> {
        self.policies.prefix_of(path)
    }

    /// The route for `path`: that of the most specific template which has one for this protocol.
    ///
    /// # Errors
    ///
    /// `upgrade_refused` when no route offers a WebSocket here, `encoded_slash` when the path has the route's
    /// form but not its manners. The rest is for after the token, so that strangers learn nothing: see [`Lookup`].
    pub fn find(
        &self,
        path: &CanonicalPath<'_>,
        method: Method,
        protocol: Protocol,
    ) -> Result<Lookup, Denial> {
        let candidates = self.tree.find(path, |route| route.protocol == protocol).unwrap_or_default();
        let of_protocol = || candidates.iter().filter(|route| route.protocol == protocol);
        let policy = self.policies.of(path);
        let offers = |method| of_protocol().find(|route| route.methods.contains(method));
        let is_head = policy == Policy::Strict && protocol == Protocol::Http && method == Method::Head;
        let offered = offers(method).or_else(|| if is_head { offers(Method::Get) } else { None });
        let Some(route) = offered.or_else(|| of_protocol().next()) else {
            return if protocol == Protocol::WebSocket {
                Err(Denial::UpgradeRefused)
            } else {
                Ok(Lookup::Nothing)
            };
        };
        route.template.check(path).map_err(Denial::BadPath)?;
        if offered.is_some() {
            Ok(self.describe(route, path, method, policy))
        } else if protocol == Protocol::WebSocket {
            Err(Denial::UpgradeRefused)
        } else {
            let allow = of_protocol().fold(Methods::of(&[]), |allow, route| allow.union(route.methods));
            let allow = if policy == Policy::Strict { allow.with_head() } else { allow };
            // Whatever the order of the routes: strangers learn of none that asks for a token.
            let asks = of_protocol().any(|route| route.access == Access::Token);
            let access = if asks { Access::Token } else { route.access };
            Ok(Lookup::WrongMethod { access, allow })
        }
    }

    /// What the upstream's description has to say about a request for this route.
    fn describe(
        &self,
        route: &Rc<Route>,
        path: &CanonicalPath<'_>,
        method: Method,
        policy: Policy,
    ) -> Lookup {
        let (upstream, strip) = route.target.described_by();
        let sent = path.without(strip);
        let operation = self.operations.find(upstream, &sent, method).map(Rc::clone);
        if policy == Policy::Strict && !route.describes && operation.is_none() {
            let allow = self.operations.allow(upstream, &sent);
            return if allow.is_empty() {
                Lookup::Undescribed(Rc::clone(route))
            } else {
                Lookup::WrongMethod { access: route.access, allow }
            };
        }
        let is_internal =
            route.is_internal || operation.as_ref().is_some_and(|operation| operation.is_internal);
        Lookup::Route(Found { route: Rc::clone(route), operation, is_internal })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path::PathProblem;
    use crate::request::Field;
    use crate::routes::Target;

    fn route(template: &str, methods: Methods, protocol: Protocol) -> Route {
        let target = Target::TokenCheck;
        Route {
            template: Template::parse(template).unwrap(),
            methods,
            protocol,
            access: Access::Token,
            target,
            describes: true,
            is_internal: false,
        }
    }

    fn table(routes: Vec<Route>) -> Result<Routes, Vec<Conflict>> {
        Routes::new(routes, Vec::new(), Policies::default())
    }

    fn find(routes: &Routes, path: &str, method: Method, protocol: Protocol) -> Result<String, Denial> {
        let path = CanonicalPath::read(Field::Once(path.as_bytes())).unwrap();
        routes.find(&path, method, protocol).map(|lookup| match lookup {
            Lookup::Route(found) => found.route.template.to_string(),
            Lookup::WrongMethod { allow, .. } => format!("not {method:?} but {allow:?}"),
            Lookup::Nothing | Lookup::Undescribed(_) => "nothing".to_owned(),
            Lookup::Preflight => panic!("routes know nothing of browsers"),
        })
    }

    const GET: Methods = Methods::of(&[Method::Get]);
    const POST: Methods = Methods::of(&[Method::Post]);

    #[test]
    fn routes_that_claim_the_same_requests_are_named() {
        let routes = vec![
            route("/a/{x}", Methods::ANY, Protocol::Http),
            route("/a/{x}", Methods::ANY, Protocol::WebSocket),
            route("/a/{+y}", GET, Protocol::Http),
            route("/a/b", GET, Protocol::Http),
            route("/a%3Ab", GET, Protocol::Http),
            route("/a:b", Methods::ANY, Protocol::Http),
        ];
        let conflicts = [Conflict { first: 0, second: 2 }, Conflict { first: 4, second: 5 }];
        assert_eq!(table(routes).unwrap_err(), conflicts);
    }

    #[test]
    fn each_route_is_named_once_with_the_first_that_it_conflicts_with() {
        let routes = vec![route("/a/{x}", Methods::ANY, Protocol::Http); 250];
        let conflicts: Vec<_> = (1..250).map(|second| Conflict { first: 0, second }).collect();
        assert_eq!(table(routes).unwrap_err(), conflicts);
    }

    #[test]
    fn strangers_learn_no_methods_where_one_route_asks_for_a_token() {
        let public = |methods| Route { access: Access::Public, ..route("/s/{id}", methods, Protocol::Http) };
        let token = || route("/s/{id}", POST, Protocol::Http);
        for (routes, asks) in [
            (vec![public(GET), token()], Access::Token),
            (vec![token(), public(GET)], Access::Token),
            (vec![public(GET), public(POST)], Access::Public),
        ] {
            let path = CanonicalPath::read(Field::Once(b"/s/1")).unwrap();
            let lookup = table(routes).unwrap().find(&path, Method::Put, Protocol::Http).unwrap();
            let Lookup::WrongMethod { access, allow } = lookup else { panic!("{lookup:?}") };
            assert_eq!((access, allow), (asks, GET.union(POST)));
        }
    }

    #[test]
    fn method_and_protocol_choose_among_routes_of_one_template() {
        let routes = table(vec![
            route("/a", GET, Protocol::Http),
            route("/a", POST, Protocol::Http),
            route("/ws", GET, Protocol::WebSocket),
        ])
        .unwrap();
        assert_eq!(find(&routes, "/a", Method::Post, Protocol::Http).unwrap(), "/a");
        assert_eq!(
            find(&routes, "/a", Method::Put, Protocol::Http).unwrap(),
            format!("not Put but {:?}", GET.union(POST))
        );
        assert_eq!(find(&routes, "/b", Method::Get, Protocol::Http).unwrap(), "nothing");
        assert_eq!(find(&routes, "/ws", Method::Get, Protocol::Http).unwrap(), "nothing");
        assert_eq!(find(&routes, "/ws", Method::Get, Protocol::WebSocket).unwrap(), "/ws");
        assert_eq!(find(&routes, "/ws", Method::Post, Protocol::WebSocket), Err(Denial::UpgradeRefused));
        assert_eq!(find(&routes, "/a", Method::Get, Protocol::WebSocket), Err(Denial::UpgradeRefused));
    }

    #[test]
    fn an_encoded_slash_is_for_resource_names_alone() {
        let routes =
            table(vec![route("/p/{x}/{+name}", GET, Protocol::Http), route("/{*rest}", GET, Protocol::Http)])
                .unwrap();
        assert!(find(&routes, "/p/a/b%2Fc", Method::Get, Protocol::Http).is_ok());
        for path in ["/p/a%2Fb/c", "/p/a/b/c%2Fd", "/a%2Fb"] {
            let denied = Err(Denial::BadPath(PathProblem::EncodedSlash));
            assert_eq!(find(&routes, path, Method::Get, Protocol::Http), denied, "{path}");
        }
    }
}
