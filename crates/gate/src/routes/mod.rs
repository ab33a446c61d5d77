//! Where a request goes: routes, and how the one for a request is found.

mod keptn_0_6;
mod template;
mod tree;

use std::rc::Rc;

pub use keptn_0_6::keptn_0_6;
pub(crate) use keptn_0_6::upstreams;
pub use template::{Template, TemplateError};

use crate::denial::Denial;
use crate::path::CanonicalPath;
use crate::request::{Method, Methods};
use tree::Tree;

/// Who is asked whether a request may pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// The gateway asks api-service who the token belongs to.
    Token,
    /// Nobody is asked.
    Public,
    /// The upstream asks by itself; the gateway looks at the form alone.
    Upstream,
}

/// A service behind the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// The value of the filter state by which Envoy's routes select the cluster.
    pub name: Rc<str>,
    /// Whether the service wants to see `x-token`. Others get none: a secret that is not needed is not sent.
    pub keeps_token: bool,
}

/// What becomes of a request that may pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// It is sent on.
    Upstream {
        /// Where to.
        upstream: Upstream,
        /// A prefix (without a slash at its end) that the upstream does not know.
        strip: Option<Rc<str>>,
    },
    /// It is answered here: the token is good. This is `/v1/auth`.
    TokenCheck,
}

/// For which requests a route is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Ordinary ones.
    Http,
    /// WebSocket handshakes.
    WebSocket,
}

/// A path template and methods, and what becomes of requests for them.
#[derive(Clone, Debug)]
pub struct Route {
    /// Which paths.
    pub template: Template,
    /// Which methods. A path that matches with another method is 405.
    pub methods: Methods,
    /// Ordinary requests or WebSocket handshakes.
    pub protocol: Protocol,
    /// Who is asked.
    pub access: Access,
    /// Where it goes.
    pub target: Target,
}

/// An operation that its service marks as internal.
#[derive(Clone, Debug)]
pub struct InternalOperation {
    /// The service.
    pub upstream: Rc<str>,
    /// Which paths, as the service sees them: a route of one's own is no way round.
    pub template: Template,
    /// Which method.
    pub method: Method,
}

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
    all: Vec<Rc<Route>>,
    routes: Tree<Rc<Route>>,
    internal: Tree<InternalOperation>,
}

/// The route for a request.
#[derive(Debug)]
pub struct Found {
    /// The route.
    pub route: Rc<Route>,
    /// The operation is marked as internal.
    pub is_internal: bool,
}

impl Routes {
    /// Builds the table.
    ///
    /// # Errors
    ///
    /// All pairs of routes that claim the same template, protocol and method: which of them was meant?
    pub fn new(routes: Vec<Route>, internal: &[InternalOperation]) -> Result<Self, Vec<Conflict>> {
        let mut table = Self::default();
        let mut places: Tree<(usize, Methods, Protocol)> = Tree::default();
        let mut conflicts = Vec::new();
        for (second, route) in routes.into_iter().enumerate() {
            let same = places.entry(&route.template);
            conflicts.extend(
                same.iter()
                    .filter(|(_, methods, protocol)| {
                        methods.overlaps(route.methods) && *protocol == route.protocol
                    })
                    .map(|&(first, ..)| Conflict { first, second }),
            );
            same.push((second, route.methods, route.protocol));
            let route = Rc::new(route);
            table.routes.entry(&route.template).push(Rc::clone(&route));
            table.all.push(route);
        }
        for operation in internal {
            table.internal.entry(&operation.template).push(operation.clone());
        }
        if conflicts.is_empty() { Ok(table) } else { Err(conflicts) }
    }

    /// All routes, in the order in which they were given.
    pub fn iter(&self) -> impl Iterator<Item = &Route> {
        self.all.iter().map(Rc::as_ref)
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
        let candidates = self.routes.find(path, |route| route.protocol == protocol).unwrap_or_default();
        let of_protocol = || candidates.iter().filter(|route| route.protocol == protocol);
        let offers = |route: &Rc<Route>| route.methods.contains(method);
        let Some(route) = of_protocol().find(|route| offers(route)).or_else(|| of_protocol().next()) else {
            return if protocol == Protocol::WebSocket {
                Err(Denial::UpgradeRefused)
            } else {
                Ok(Lookup::Nothing)
            };
        };
        route.template.check(path).map_err(Denial::BadPath)?;
        if offers(route) {
            let is_internal = self.is_internal(route, path, method);
            Ok(Lookup::Route(Found { route: Rc::clone(route), is_internal }))
        } else if protocol == Protocol::WebSocket {
            Err(Denial::UpgradeRefused)
        } else {
            let allow = of_protocol().fold(Methods::of(&[]), |allow, route| allow.union(route.methods));
            Ok(Lookup::WrongMethod { access: route.access, allow })
        }
    }

    fn is_internal(&self, route: &Route, path: &CanonicalPath<'_>, method: Method) -> bool {
        let Target::Upstream { upstream, strip } = &route.target else { return false };
        let sent = path.without(strip.as_deref().unwrap_or_default());
        let is_it =
            |operation: &InternalOperation| operation.upstream == upstream.name && operation.method == method;
        self.internal.find(&sent, is_it).is_some()
    }
}

/// What there is for a request.
#[derive(Debug)]
pub enum Lookup {
    /// A route.
    Route(Found),
    /// Routes for the path, but none for the method.
    WrongMethod {
        /// Who is asked before this is told.
        access: Access,
        /// What the routes offer.
        allow: Methods,
    },
    /// No route.
    Nothing,
    /// None is looked for: it is a browser's question before the request itself, which the gateway answers.
    Preflight,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path::PathProblem;
    use crate::request::Field;

    fn route(template: &str, methods: Methods, protocol: Protocol) -> Route {
        let target = Target::TokenCheck;
        Route {
            template: Template::parse(template).unwrap(),
            methods,
            protocol,
            access: Access::Token,
            target,
        }
    }

    fn find(routes: &Routes, path: &str, method: Method, protocol: Protocol) -> Result<String, Denial> {
        let path = CanonicalPath::read(Field::Once(path.as_bytes())).unwrap();
        routes.find(&path, method, protocol).map(|lookup| match lookup {
            Lookup::Route(found) => found.route.template.to_string(),
            Lookup::WrongMethod { allow, .. } => format!("not {method:?} but {allow:?}"),
            Lookup::Nothing => "nothing".to_owned(),
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
        ];
        assert_eq!(Routes::new(routes, &[]).unwrap_err(), [Conflict { first: 0, second: 2 }]);
    }

    #[test]
    fn method_and_protocol_choose_among_routes_of_one_template() {
        let routes = Routes::new(
            vec![
                route("/a", GET, Protocol::Http),
                route("/a", POST, Protocol::Http),
                route("/ws", GET, Protocol::WebSocket),
            ],
            &[],
        )
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
        let routes = Routes::new(
            vec![route("/p/{x}/{+name}", GET, Protocol::Http), route("/{*rest}", GET, Protocol::Http)],
            &[],
        )
        .unwrap();
        assert!(find(&routes, "/p/a/b%2Fc", Method::Get, Protocol::Http).is_ok());
        for path in ["/p/a%2Fb/c", "/p/a/b/c%2Fd", "/a%2Fb"] {
            let denied = Err(Denial::BadPath(PathProblem::EncodedSlash));
            assert_eq!(find(&routes, path, Method::Get, Protocol::Http), denied, "{path}");
        }
    }
}
