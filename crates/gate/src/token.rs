//! Tokens: their form, and the fingerprint by which everything else knows them.

use core::fmt;

use constant_time_eq::constant_time_eq_32;
use sha2::{Digest, Sha256};

use crate::denial::Denial;
use crate::request::Field;

/// The longest token that is looked at, in bytes. Keptn's own has 24 characters.
pub const MAX_TOKEN_BYTES: usize = 4096;

/// A token as a client sent it: one header line, visible ASCII, no comma.
///
/// It is judged by nobody yet. `Debug` does not show it.
#[derive(Clone, Copy)]
pub struct Token<'a>(&'a str);

impl<'a> Token<'a> {
    /// Reads the token from the request's `x-token` lines.
    ///
    /// # Errors
    ///
    /// A denial when there is none, more than one (as two lines, or as a comma list, which is how HTTP
    /// joins lines), or one that no honest client sends. With two tokens, one would be judged here and the
    /// other could be believed by the upstream.
    pub fn read(lines: Field<'a>) -> Result<Self, Denial> {
        let value = match lines {
            Field::Absent => return Err(Denial::NoToken),
            Field::Once(value) => value.trim_ascii(),
            Field::Repeated => return Err(Denial::ManyTokens),
        };
        if value.is_empty() {
            return Err(Denial::NoToken);
        }
        if value.contains(&b',') {
            return Err(Denial::ManyTokens);
        }
        if value.len() > MAX_TOKEN_BYTES || !value.iter().all(u8::is_ascii_graphic) {
            return Err(Denial::MalformedToken);
        }
        match core::str::from_utf8(value) {
            Ok(text) => Ok(Self(text)),
            Err(_) => Err(Denial::MalformedToken),
        }
    }

    /// What the token is known by from here on.
    pub fn fingerprint(self) -> Fingerprint {
        Fingerprint::of(self.0)
    }

    /// The token itself, for the check alone.
    pub(crate) fn expose(self) -> &'a str {
        self.0
    }
}

impl fmt::Debug for Token<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(secret)")
    }
}

/// The SHA-256 of a token: tokens are never kept as keys, so that no memory dump of a table shows one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// That of `token`.
    pub(crate) fn of(token: &str) -> Self {
        Self(Sha256::digest(token).into())
    }

    /// Reads 64 hex digits, as `sha256sum` writes them.
    pub fn from_hex(hex: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        let (pairs, rest) = hex.as_bytes().as_chunks::<2>();
        if pairs.len() != bytes.len() || !rest.is_empty() {
            return None;
        }
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            let digit = |digit: u8| char::from(digit).to_digit(16);
            *byte = u8::try_from((digit(*high)? << 4) | digit(*low)?).ok()?;
        }
        Some(Self(bytes))
    }

    /// Compares without telling by its duration where the first difference is.
    pub(crate) fn ct_eq(&self, other: &Self) -> bool {
        constant_time_eq_32(&self.0, &other.0)
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fingerprint(secret)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_one_line_of_visible_ascii() {
        let long = vec![b'a'; MAX_TOKEN_BYTES];
        let too_long = vec![b'a'; MAX_TOKEN_BYTES + 1];
        let cases: [(Field<'_>, Result<&str, Denial>); 10] = [
            (Field::Once(b"dG9rZW4=="), Ok("dG9rZW4==")),
            (Field::Once(b" padded\t"), Ok("padded")),
            (Field::Once(&long), Ok(core::str::from_utf8(&long).unwrap())),
            (Field::Once(&too_long), Err(Denial::MalformedToken)),
            (Field::Absent, Err(Denial::NoToken)),
            (Field::Once(b"  "), Err(Denial::NoToken)),
            (Field::Repeated, Err(Denial::ManyTokens)),
            (Field::Once(b"a,b"), Err(Denial::ManyTokens)),
            (Field::Once(b"a, b"), Err(Denial::ManyTokens)),
            (Field::Once(b"a\xff"), Err(Denial::MalformedToken)),
        ];
        for (lines, expected) in cases {
            assert_eq!(Token::read(lines).map(Token::expose), expected, "{lines:?}");
        }
    }

    #[test]
    fn a_fingerprint_is_what_sha256sum_writes() {
        let hex = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
        let hello = Token::read(Field::Once(b"hello")).unwrap().fingerprint();
        assert_eq!(Fingerprint::from_hex(hex), Some(hello));
        assert_eq!(Fingerprint::from_hex(&hex.to_uppercase()), Some(hello));
        for odd in [
            "",
            hex.trim_end_matches('4'),
            &format!("{hex}0"),
            &hex.replace('c', "g"),
            &hex.replace('c', "+"),
        ] {
            assert_eq!(Fingerprint::from_hex(odd), None, "{odd}");
        }
        let other = Fingerprint::from_hex(&hex.replace("24", "25")).unwrap();
        assert!(hello.ct_eq(&hello) && !hello.ct_eq(&other));
    }

    #[test]
    fn debug_shows_no_secret() {
        let token = Token::read(Field::Once(b"hush")).unwrap();
        assert_eq!(format!("{token:?} {:?}", token.fingerprint()), "Token(secret) Fingerprint(secret)");
        assert!(!format!("{:?}", Field::Once(b"hush")).contains("hush"));
    }
}
