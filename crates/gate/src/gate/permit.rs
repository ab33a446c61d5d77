//! The permit: the value without which nothing is forwarded.

use std::rc::Rc;

use crate::authn::Yes;
use crate::routes::Upstream;

/// What is to be done to a request that is sent to an upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Forwarding {
    pub(super) upstream: Upstream,
    /// The `:path` to set; nothing when the client's is the canonical one.
    pub(super) path: Option<String>,
    /// The names of the client's header lines to take away, in its spelling.
    pub(super) remove: Vec<String>,
    /// The token is taken away too.
    pub(super) removes_token: bool,
    /// Header lines to set.
    pub(super) set: Vec<(&'static str, String)>,
    /// The name of the local token, for the upstream.
    pub(super) client: Option<Rc<str>>,
    pub(super) is_internal: bool,
}

/// Why a request may pass. There is no fourth reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ground {
    /// Its route is public.
    Public,
    /// Its upstream asks by itself, and what it will ask about has the right form.
    UpstreamAsks,
    /// The auth endpoint said yes to its token, or the token's hash is listed.
    Token(Yes),
}

/// Leave to pass. Only the gate makes one.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a request that may pass is still waiting for it"]
pub struct Permit(Leave);

#[derive(Debug, PartialEq, Eq)]
enum Leave {
    /// For a host that is not ours: nothing is touched, so no route to our upstreams can match.
    Foreign,
    To(Forwarding),
}

impl Permit {
    pub(super) fn foreign() -> Self {
        Self(Leave::Foreign)
    }

    pub(super) fn to(forwarding: Forwarding, ground: Ground) -> Self {
        // Exhaustive, so that whoever adds a ground comes by here.
        match ground {
            Ground::Public | Ground::UpstreamAsks | Ground::Token(Yes { .. }) => Self(Leave::To(forwarding)),
        }
    }

    fn forwarding(&self) -> Option<&Forwarding> {
        match &self.0 {
            Leave::Foreign => None,
            Leave::To(forwarding) => Some(forwarding),
        }
    }

    /// The upstream to select; `None` for a foreign request, which is to be left as it is.
    pub fn upstream(&self) -> Option<&Rc<str>> {
        self.forwarding().map(|forwarding| &forwarding.upstream.name)
    }

    /// The `:path` to set, if it is not to stay as it is.
    pub fn path(&self) -> Option<&str> {
        self.forwarding()?.path.as_deref()
    }

    /// The names of the header lines to take away.
    pub fn remove(&self) -> impl Iterator<Item = &str> {
        self.forwarding().into_iter().flat_map(|forwarding| {
            let token = forwarding.removes_token.then_some("x-token");
            forwarding.remove.iter().map(String::as_str).chain(token)
        })
    }

    /// The header lines to set, whatever there was of that name.
    pub fn set(&self) -> impl Iterator<Item = (&str, &str)> {
        self.forwarding().into_iter().flat_map(|forwarding| {
            let lines = forwarding.set.iter().map(|(name, value)| (*name, value.as_str()));
            lines.chain(forwarding.client.as_deref().map(|name| ("x-keptn-client", name)))
        })
    }

    /// Whether it is for an operation that is marked as internal.
    pub fn is_internal(&self) -> bool {
        self.forwarding().is_some_and(|forwarding| forwarding.is_internal)
    }
}
