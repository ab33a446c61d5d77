//! What the gateway answers by itself.

use crate::cors::{Cors, Grant};
use crate::denial::{Denial, Response};

/// What an answer of the gateway's is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyKind {
    /// The request is refused.
    Denied(Denial),
    /// `/v1/auth`: the token is good.
    TokenGood,
    /// A browser may send the request that it asks about.
    Preflight,
}

/// An answer of the gateway's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    kind: ReplyKind,
    /// What browsers have to know.
    sharing: Vec<(&'static str, String)>,
}

impl Reply {
    pub(super) fn new(kind: ReplyKind, cors: Option<&Cors>, grant: Option<&Grant>) -> Self {
        let sharing = match (cors, kind) {
            (None, _) => Vec::new(),
            (Some(cors), ReplyKind::Preflight | ReplyKind::Denied(Denial::OriginNotAllowed)) => {
                cors.preflight(grant)
            }
            (Some(cors), _) => cors.share(grant),
        };
        Self { kind, sharing }
    }

    /// What it is about.
    pub const fn kind(&self) -> ReplyKind {
        self.kind
    }

    /// Why the request is refused, if it is.
    pub const fn denial(&self) -> Option<Denial> {
        match self.kind {
            ReplyKind::Denied(denial) => Some(denial),
            ReplyKind::TokenGood | ReplyKind::Preflight => None,
        }
    }

    /// The answer as it goes to the client.
    pub fn response(self) -> Response {
        let mut response = match self.kind {
            ReplyKind::Denied(denial) => denial.response(),
            ReplyKind::TokenGood => Response::token_good(),
            ReplyKind::Preflight => Response::preflight(),
        };
        response.headers.extend(self.sharing);
        response
    }
}
