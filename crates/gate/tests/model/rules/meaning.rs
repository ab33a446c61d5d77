//! What an answer of the auth endpoint means.

use super::Refusal;
use crate::event::Said;

/// What the endpoint means.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Meaning {
    Yes,
    No(Refusal),
    Busy(Refusal),
    Broken(Refusal),
    DontKnow(Refusal),
}

impl Meaning {
    pub(super) fn of(said: &Said) -> Self {
        match said.status {
            Some(200..=299) => Self::Yes,
            Some(401) => Self::No(("wrong_token", None)),
            Some(403) => Self::No(("forbidden", None)),
            Some(429) => {
                let seconds = said.retry_after.parse().ok().filter(|seconds| *seconds <= 60).unwrap_or(1);
                Self::Busy(("busy", Some((seconds, seconds))))
            }
            Some(300..=499) => Self::Broken(("auth_contract_broken", AT_ONCE)),
            Some(504) => Self::DontKnow(("auth_timeout", AT_ONCE)),
            _ => Self::DontKnow(("auth_unavailable", AT_ONCE)),
        }
    }

    pub(super) fn verdict(self) -> Result<(), Refusal> {
        match self {
            Self::Yes => Ok(()),
            Self::No(refusal) | Self::Busy(refusal) | Self::Broken(refusal) | Self::DontKnow(refusal) => {
                Err(refusal)
            }
        }
    }
}

pub(super) const AT_ONCE: Option<(u64, u64)> = Some((1, 1));
