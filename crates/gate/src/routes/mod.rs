//! Where a request goes: routes, and how the one for a request is found.

mod keptn_0_6;
mod let_in;
mod opening;
mod operation;
mod policy;
mod table;
mod template;
mod tree;

use std::rc::Rc;

pub(crate) use keptn_0_6::{keptn_0_6, upstreams};
pub use let_in::{LetIn, Sent};
pub(crate) use opening::{Lacking, Openings, Taken};
pub use operation::{Operation, OperationError};
pub use policy::Policy;
pub(crate) use policy::{Policies, Prefix};
pub use table::{Conflict, Routes};
pub use template::{Template, TemplateError};

use crate::request::Methods;

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

impl Target {
    /// The service whose description says what there is, and the prefix that it does not know.
    fn described_by(&self) -> (&str, &str) {
        match self {
            Self::Upstream { upstream, strip } => (&upstream.name, strip.as_deref().unwrap_or_default()),
            // The gateway answers in its place.
            Self::TokenCheck => (keptn_0_6::API_SERVICE, ""),
        }
    }
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
    /// Whether it describes what passes. Others dispatch: what passes is for their upstream to say, or, where the
    /// policy is strict, for its description.
    pub describes: bool,
    /// It is marked as internal itself, whatever its upstream describes.
    pub is_internal: bool,
}

/// The route for a request.
#[derive(Debug)]
pub struct Found {
    /// The route.
    pub route: Rc<Route>,
    /// What the upstream describes for it, if it does.
    pub operation: Option<Rc<Operation>>,
    /// The route or the operation is marked as internal.
    pub is_internal: bool,
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
    /// A route that dispatches, where the policy is strict, to an upstream that describes nothing for the path.
    Undescribed(Rc<Route>),
    /// None is looked for: it is a browser's question before the request itself, which the gateway answers.
    Preflight,
}
