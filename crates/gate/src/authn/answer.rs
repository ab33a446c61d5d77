//! What an answer of the auth endpoint means.

use core::fmt;

use crate::denial::Denial;

/// The longest `Retry-After` that is passed on, in seconds. What is over it, or no number, becomes 1.
const MAX_RETRY_AFTER: u8 = 60;

/// An answer as the host reports it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Answer<'a> {
    /// `:status`, or nothing: Envoy reports an answer that outgrew its buffer without any headers.
    pub status: Option<u16>,
    /// `retry-after`.
    pub retry_after: Option<&'a [u8]>,
}

/// The only thing that opens a token's routes. Only an answer of the auth endpoint makes one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Yes(());

impl fmt::Debug for Yes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Yes")
    }
}

impl Answer<'_> {
    /// Yes, or why not.
    ///
    /// Envoy's own failures arrive like answers: 504 for a time-out, 503 for a connection that was
    /// refused or broke. So only 401 and 403 are a *no*; what cannot be one is *don't know*.
    ///
    /// # Errors
    ///
    /// The denial for every waiting request.
    pub fn meaning(self) -> Result<Yes, Denial> {
        match self.status {
            Some(200..=299) => Ok(Yes(())),
            Some(401) => Err(Denial::WrongToken),
            Some(403) => Err(Denial::Forbidden),
            Some(429) => Err(Denial::Busy { retry_after: self.retry_after() }),
            Some(300..=499) => Err(Denial::ContractBroken),
            _ => Err(Denial::AuthUnavailable),
        }
    }

    fn retry_after(self) -> u8 {
        self.retry_after
            .and_then(|value| core::str::from_utf8(value.trim_ascii()).ok())
            .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))
            .and_then(|text| text.parse().ok())
            .filter(|seconds| *seconds <= MAX_RETRY_AFTER)
            .unwrap_or(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_2xx_is_a_yes_and_only_401_and_403_are_a_no() {
        for status in 0..=999 {
            let expected = match status {
                200..=299 => Ok(Yes(())),
                401 => Err(Denial::WrongToken),
                403 => Err(Denial::Forbidden),
                429 => Err(Denial::Busy { retry_after: 1 }),
                300..=499 => Err(Denial::ContractBroken),
                _ => Err(Denial::AuthUnavailable),
            };
            assert_eq!(Answer { status: Some(status), retry_after: None }.meaning(), expected, "{status}");
        }
        assert_eq!(Answer::default().meaning(), Err(Denial::AuthUnavailable));
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
            let answer = Answer { status: Some(429), retry_after: Some(value) };
            assert_eq!(answer.meaning(), Err(Denial::Busy { retry_after: seconds }), "{value:?}");
        }
    }
}
