//! What an answer of the auth endpoint means.

use core::fmt;
use core::time::Duration;

use crate::denial::Denial;

/// The longest `Retry-After` that is passed on, in seconds. What is over it, or no number, becomes 1.
const MAX_RETRY_AFTER: u8 = 60;

/// An answer as the host reports it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer<'a> {
    status: Option<u16>,
    retry_after: Option<&'a [u8]>,
    keep: Keep,
}

impl<'a> Answer<'a> {
    /// Reads the answer's header pairs, `:status` among them. There are none, and so no status, when the answer
    /// outgrew Envoy's buffer.
    pub fn read(headers: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Self {
        let mut answer = Self::default();
        for (name, value) in headers {
            match name {
                ":status" => {
                    answer.status = core::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
                }
                "retry-after" => answer.retry_after = Some(value),
                "cache-control" => answer.keep = answer.keep.and(value),
                _ => {}
            }
        }
        answer
    }

    /// An answer with this status and nothing else.
    pub fn of(status: u16) -> Self {
        Self { status: Some(status), ..Self::default() }
    }

    /// What the endpoint has said.
    ///
    /// Envoy's own failures arrive like answers: 504 for a time-out, 503 for a connection that was
    /// refused or broke. So only 401 and 403 are a *no*; what cannot be one is *don't know*.
    pub(super) fn said(&self) -> Said {
        match self.status {
            Some(200..=299) => Said::Yes(Yes(()), self.keep),
            Some(401) => Said::No(Denial::WrongToken, self.keep),
            Some(403) => Said::No(Denial::Forbidden, self.keep),
            Some(429) => Said::Busy { retry_after: self.retry_after() },
            Some(300..=499) => Said::Broken,
            Some(504) => Said::DontKnow(Denial::AuthTimeout),
            _ => Said::DontKnow(Denial::AuthUnavailable),
        }
    }

    fn retry_after(&self) -> u8 {
        self.retry_after
            .and_then(|value| core::str::from_utf8(value.trim_ascii()).ok())
            .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))
            .and_then(|text| text.parse().ok())
            .filter(|seconds| *seconds <= MAX_RETRY_AFTER)
            .unwrap_or(1)
    }
}

/// What the auth endpoint says to a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// The token is good.
    Yes(Yes, Keep),
    /// It is not; how the client is told.
    No(Denial, Keep),
    /// Not now.
    Busy { retry_after: u8 },
    /// Something that its contract does not know.
    Broken,
    /// Nothing that decides anything; how the client is told.
    DontKnow(Denial),
}

impl Said {
    /// What those who wait for it get. A yes that is still honoured may be better: [`super::Authn`] looks.
    pub(super) const fn verdict(self) -> Result<Yes, Denial> {
        match self {
            Self::Yes(yes, _) => Ok(yes),
            Self::No(denial, _) | Self::DontKnow(denial) => Err(denial),
            Self::Busy { retry_after } => Err(Denial::Busy { retry_after }),
            Self::Broken => Err(Denial::ContractBroken),
        }
    }
}

/// The only thing that opens a token's routes. Only an answer of the auth endpoint or a listed hash makes one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Yes(());

impl Yes {
    /// The token's hash is listed in the configuration, and valid.
    pub(super) const fn listed() -> Self {
        Self(())
    }
}

impl fmt::Debug for Yes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Yes")
    }
}

/// How long an answer may be kept, by its `Cache-Control` (RFC 9111 section 5.2.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Keep {
    /// As long as the configuration says.
    #[default]
    Freely,
    /// And not longer than this.
    AtMost(Duration),
    /// Not at all.
    Not,
}

impl Keep {
    /// How long that is when the configuration says `lifetime`; nothing: it is not kept.
    pub(super) fn within(self, lifetime: Duration) -> Option<Duration> {
        match self {
            Self::Freely => Some(lifetime),
            Self::AtMost(most) => Some(lifetime.min(most)),
            Self::Not => None,
        }
    }

    /// This, and what one more line of `Cache-Control` says.
    fn and(self, line: &[u8]) -> Self {
        // What cannot be read may have been a prohibition.
        let Ok(line) = core::str::from_utf8(line) else { return Self::Not };
        line.split(',').map(Self::read).fold(self, Self::shorter)
    }

    fn read(directive: &str) -> Self {
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        let (name, value) = (name.trim().to_ascii_lowercase(), value.trim().trim_matches('"'));
        match name.as_str() {
            "no-store" | "no-cache" => Self::Not,
            // An age that is no number is none: the answer is old already (RFC 9111 section 4.2.1).
            "max-age" | "s-maxage" => Self::AtMost(Duration::from_secs(value.parse().unwrap_or(0))),
            _ => Self::Freely,
        }
    }

    fn shorter(self, other: Self) -> Self {
        match (self, other) {
            (Self::Not, _) | (_, Self::Not) => Self::Not,
            (Self::AtMost(one), Self::AtMost(other)) => Self::AtMost(one.min(other)),
            (Self::AtMost(most), Self::Freely) | (Self::Freely, Self::AtMost(most)) => Self::AtMost(most),
            (Self::Freely, Self::Freely) => Self::Freely,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_2xx_is_a_yes_and_only_401_and_403_are_a_no() {
        for status in 0..=999 {
            let expected = match status {
                200..=299 => Said::Yes(Yes(()), Keep::Freely),
                401 => Said::No(Denial::WrongToken, Keep::Freely),
                403 => Said::No(Denial::Forbidden, Keep::Freely),
                429 => Said::Busy { retry_after: 1 },
                300..=499 => Said::Broken,
                504 => Said::DontKnow(Denial::AuthTimeout),
                _ => Said::DontKnow(Denial::AuthUnavailable),
            };
            assert_eq!(Answer::of(status).said(), expected, "{status}");
        }
        assert_eq!(Answer::default().said(), Said::DontKnow(Denial::AuthUnavailable));
        let odd = Answer::read([(":status", &b"2OO"[..])]);
        assert_eq!(odd.said(), Said::DontKnow(Denial::AuthUnavailable));
    }

    #[test]
    fn retry_after_is_passed_on_within_reason() {
        for (value, seconds) in [
            (&b"7"[..], 7),
            (b" 60 ", 60),
            (b"61", 1),
            (b"0", 0),
            (b"-1", 1),
            (b"+1", 1),
            (b"Wed, 21 Oct 2026 07:28:00 GMT", 1),
            (b"99999999999999999999", 1),
            (b"\xff", 1),
            (b"", 1),
        ] {
            let answer = Answer::read([(":status", &b"429"[..]), ("retry-after", value)]);
            assert_eq!(answer.said(), Said::Busy { retry_after: seconds }, "{value:?}");
        }
    }

    #[test]
    fn cache_control_shortens_and_never_lengthens() {
        let configured = Duration::from_secs(30);
        for (lines, kept) in [
            (&[][..], Some(30)),
            (&["public"], Some(30)),
            (&["max-age=5"], Some(5)),
            (&["Max-Age = \"5\""], Some(5)),
            (&["max-age=3600"], Some(30)),
            (&["max-age=99999999999999999999999"], Some(0)),
            (&["max-age=soon"], Some(0)),
            (&["max-age"], Some(0)),
            (&["private, max-age=7, s-maxage=3"], Some(3)),
            (&["max-age=7", "max-age=9"], Some(7)),
            (&["NO-STORE"], None),
            (&["no-cache=\"set-cookie\""], None),
            (&["max-age=5", "no-store"], None),
            (&["no-store", "max-age=5"], None),
            (&["x\u{ff}"], Some(30)),
        ] {
            let lines = lines.iter().map(|line| ("cache-control", line.as_bytes()));
            let Said::Yes(_, keep) = Answer::read([(":status", &b"200"[..])].into_iter().chain(lines)).said()
            else {
                panic!("no yes")
            };
            assert_eq!(keep.within(configured), kept.map(Duration::from_secs));
        }
        assert_eq!(Keep::Freely.and(b"\xff").within(configured), None);
    }
}
