//! Tokens that people hand over: from a file, a pipe, a variable or a prompt, and never as an argument.

use core::fmt;
use std::ffi::OsString;
use std::io::{self, IsTerminal as _};
use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use gate::request::Field;
use gate::token::{MAX_TOKEN_BYTES, Token};
use sha2::{Digest as _, Sha256};

use crate::source::bytes_of;

/// Where `gatectl status` looks for the token.
pub(crate) const VARIABLE: &str = "KEPTN_API_TOKEN";

/// Why a token is none.
pub(crate) const NO_ARGUMENT: &str = "a token is never an argument: other users of this machine see those (ps), and the shell \
     writes them into its history";

/// The shortest that no Secret holds by accident what else is meant.
const SHORTEST_DECODED: usize = 8;

/// A token that the gateway would look at. `Debug` does not show it, and nothing else does but [`Self::expose`].
pub(crate) struct Secret(String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl Secret {
    /// Reads a token, one line break after it left away. Nothing else is: what the client sends must be what was
    /// hashed, to the letter.
    ///
    /// # Errors
    ///
    /// What is wrong with its form. Nothing of it is repeated.
    pub(crate) fn read(mut bytes: Vec<u8>) -> Result<Self, String> {
        if bytes.pop_if(|last| *last == b'\n').is_some() {
            bytes.pop_if(|last| *last == b'\r');
        }
        if bytes.is_empty() {
            return Err("it is empty".to_owned());
        }
        if bytes.len() > MAX_TOKEN_BYTES {
            return Err(format!(
                "it is longer than {MAX_TOKEN_BYTES} bytes, and the gateway looks at no such token"
            ));
        }
        if let Some((index, byte)) = bytes.iter().enumerate().find(|(_, byte)| !is_fit(**byte)) {
            let what = match byte {
                b'\n' | b'\r' => "a line break; a token is one line",
                b' ' | b'\t' => "a space; no token has one",
                b',' => "a comma; the gateway takes that for two tokens",
                0x80.. => "not ASCII; a header has nothing else",
                _ => "a control character; no header has one",
            };
            return Err(format!("byte {} of it is {what}", index.saturating_add(1)));
        }
        // The gateway's own word is the last.
        Token::read(Field::Once(&bytes))
            .map_err(|denial| format!("the gateway refuses it: {}", denial.reason()))?;
        String::from_utf8(bytes).map(Self).map_err(|_| "it is not UTF-8".to_owned())
    }

    /// Reads a file; `-` is standard input.
    ///
    /// # Errors
    ///
    /// A line that says why it cannot be read, or what is wrong with the token in it.
    pub(crate) fn of_file(path: &Path) -> Result<Self, String> {
        // The name may be the token, and its file not there.
        let (name, bytes) =
            bytes_of(path, path).map_err(|(_, why)| format!("the file of --token-file {why}"))?;
        Self::read(bytes).map_err(|why| format!("{name}: this is not a token: {why}"))
    }

    /// Reads [`VARIABLE`]; nothing if it is not set.
    ///
    /// # Errors
    ///
    /// A line that says what is wrong with the token in it.
    pub(crate) fn of_variable() -> Option<Result<Self, String>> {
        let bytes = std::env::var_os(VARIABLE)?.into_encoded_bytes();
        Some(Self::read(bytes).map_err(|why| format!("{VARIABLE}: this is not a token: {why}")))
    }

    /// Asks for it, without an echo; nothing where nobody can be asked.
    ///
    /// # Errors
    ///
    /// A line that says why it cannot be had, or what is wrong with it.
    pub(crate) fn of_prompt() -> Option<Result<Self, String>> {
        let read =
            |(name, bytes)| Self::read(bytes).map_err(|why| format!("{name}: this is not a token: {why}"));
        Some(prompt()?.and_then(read))
    }

    /// The token itself.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    /// What `tokens[].sha256` holds.
    pub(crate) fn sha256(&self) -> String {
        let digest: [u8; 32] = Sha256::digest(&self.0).into();
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// What it rather seems to be, if it is no token at all.
    pub(crate) fn seems(&self) -> Option<&'static str> {
        if self.0.len() == 64 && self.0.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Some("it looks like a SHA-256, which is a token's hash and not the token");
        }
        let decoded = BASE64_STANDARD.decode(&self.0).ok()?;
        // Of random bytes so many are no text.
        let is_text =
            decoded.len() >= SHORTEST_DECODED && decoded.trim_ascii_end().iter().all(u8::is_ascii_graphic);
        is_text
            .then_some("it looks like base64 of the token, as a Secret holds it: decode it (base64 --decode)")
    }

    /// `text`, which comes from somebody who was told the token, without it.
    pub(crate) fn hidden_in(&self, text: &str) -> String {
        text.replace(&self.0, "(the token)")
    }
}

/// Asks for a token, without an echo; nothing where nobody can be asked. What was typed, and what errors call it.
///
/// # Errors
///
/// A line that says why there is nothing to read.
pub(crate) fn prompt() -> Option<Result<(String, Vec<u8>), String>> {
    if !io::stdin().is_terminal() {
        return None;
    }
    let typed = rpassword::prompt_password("Token (it is not shown): ");
    let typed = typed.map_err(|error| format!("gatectl: no token was read: {error}"));
    Some(typed.map(|text| ("gatectl".to_owned(), text.into_bytes())))
}

/// What a token may be made of.
fn is_fit(byte: u8) -> bool {
    byte.is_ascii_graphic() && byte != b','
}

/// Refuses a token that was given as an argument.
///
/// # Errors
///
/// Why, and what to do: `instead` says where the token goes.
pub(crate) fn no_argument(arguments: &[OsString], instead: &str) -> Result<(), String> {
    if arguments.is_empty() {
        return Ok(());
    }
    Err(format!("gatectl: {NO_ARGUMENT}; {instead}. If this was one, take a new one"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_secret() {
        assert_eq!(format!("{:?}", Secret::read(b"hush".to_vec())), "Ok(Secret)");
    }

    #[test]
    fn what_is_no_token_is_recognised() {
        let seems =
            |text: &str| Secret::read(text.as_bytes().to_vec()).unwrap().seems().map(|what| what.len() > 10);
        let hash = Secret::read(b"hush".to_vec()).unwrap().sha256();
        assert_eq!(seems(&hash), Some(true));
        // base64 of pHB8Tm7xW0+kL/5vQ2sJdA==, once with a line break.
        assert_eq!(seems("cEhCOFRtN3hXMCtrTC81dlEyc0pkQT09"), Some(true));
        assert_eq!(seems("cEhCOFRtN3hXMCtrTC81dlEyc0pkQT09Cg=="), Some(true));
        for token in ["pHB8Tm7xW0+kL/5vQ2sJdA==", "demo-token", "hush", "c2VjcmV0"] {
            assert_eq!(seems(token), None, "{token}");
        }
    }
}
