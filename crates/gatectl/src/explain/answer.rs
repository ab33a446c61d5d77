//! What is supposed of api-service.

use core::fmt;
use core::str::FromStr;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It answers with this status; Envoy reports a time-out so, too.
    Status(u16),
    /// The check cannot be sent.
    Refused,
}

impl FromStr for Answer {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "yes" => Ok(Self::Status(200)),
            "no" => Ok(Self::Status(401)),
            "timeout" => Ok(Self::Status(504)),
            "refused" => Ok(Self::Refused),
            _ => text
                .parse()
                .ok()
                .filter(|status| (200..=599).contains(status))
                .map(Self::Status)
                .ok_or("write yes, no, timeout, refused, or an HTTP status from 200 to 599"),
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(504) => f.write_str("none in time: Envoy reports it as 504"),
            Self::Status(status) => write!(f, "{status}"),
            Self::Refused => f.write_str("none: the check cannot be sent"),
        }
    }
}
