//! Local tokens: hashes in the configuration, recognised without asking anybody.

use std::rc::Rc;

use crate::time::Wall;
use crate::token::Fingerprint;

/// A token that the configuration knows by its hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalToken {
    /// Whose it is. Two tokens may have one name, so that one can take the other's place.
    pub name: Rc<str>,
    /// The token's SHA-256.
    pub hash: Fingerprint,
    /// It is valid from this second on.
    pub not_before: Option<Wall>,
    /// It is not valid from this second on.
    pub not_after: Option<Wall>,
    /// api-service takes it too: it is Keptn's own secret, or Envoy puts that in its place.
    pub api: bool,
}

impl LocalToken {
    /// The wall clock is asked only if it matters. Without one, a token that may have ended has.
    pub fn is_valid(&self, wall: impl FnOnce() -> Option<Wall>) -> bool {
        if self.not_before.is_none() && self.not_after.is_none() {
            return true;
        }
        let Some(now) = wall() else { return false };
        self.not_before.is_none_or(|begin| begin <= now) && self.not_after.is_none_or(|end| now < end)
    }
}

/// The token that has this hash, if it is valid.
///
/// All are compared, each in constant time: how long it takes tells nothing about what is listed.
pub(super) fn find(
    tokens: &[LocalToken],
    hash: Fingerprint,
    wall: impl FnOnce() -> Option<Wall>,
) -> Option<&LocalToken> {
    let mut found = None;
    for token in tokens {
        if token.hash.ct_eq(&hash) {
            found = Some(token);
        }
    }
    found.filter(|token| token.is_valid(wall))
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;

    fn at(second: u64) -> Option<Wall> {
        Some(Wall::since_epoch(Duration::from_secs(second)))
    }

    #[test]
    fn validity_is_kept_to_the_second() {
        let hash = Fingerprint::from_hex(&"0".repeat(64)).unwrap();
        let other = Fingerprint::from_hex(&"1".repeat(64)).unwrap();
        let token = |not_before, not_after| {
            [LocalToken { name: "ci".into(), hash, not_before, not_after, api: false }]
        };
        for (not_before, not_after, now, is_valid) in [
            (None, None, None, true),
            (at(10), None, at(9), false),
            (at(10), None, at(10), true),
            (None, at(20), at(19), true),
            (None, at(20), at(20), false),
            (at(10), at(20), at(15), true),
            (at(10), None, None, false),
            (None, at(20), None, false),
        ] {
            let tokens = token(not_before, not_after);
            assert_eq!(find(&tokens, hash, || now).is_some(), is_valid, "{tokens:?} at {now:?}");
            assert_eq!(find(&tokens, other, || now), None);
        }
        let unlimited = token(None, None);
        assert!(find(&unlimited, hash, || panic!("the clock is not needed")).is_some());
        assert!(find(&token(at(1), None), other, || panic!("the clock is not needed")).is_none());
    }
}
