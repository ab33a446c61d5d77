//! What looks like a hash or a token, wherever it stands: keys may be misspelt.

use core::ops::Range;

/// From here on letters and digits are a hash, if one is a digit.
const LEAST_OF_A_HASH: usize = 32;

/// From here on a word of base64 is a token.
const LEAST: usize = 16;

/// The words of `text` that look like a hash or a token.
pub(crate) fn opaque(text: &str) -> impl Iterator<Item = Range<usize>> {
    let is_hash =
        |word: &str| word.len() >= LEAST_OF_A_HASH && word.bytes().any(|byte| byte.is_ascii_digit());
    let hashes = words(text, |byte| byte.is_ascii_alphanumeric()).filter(move |(word, _)| is_hash(word));
    let tokens = words(text, is_of_base64).filter(|(word, span)| is_token(word, text, span));
    hashes.chain(tokens).map(|(_, span)| span)
}

/// `text` with stars in the place of such words, byte for byte as long as itself.
pub(crate) fn masked(text: &str) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for span in opaque(text) {
        bytes.get_mut(span).into_iter().flatten().for_each(|byte| *byte = b'*');
    }
    // Whole words of ASCII are replaced.
    String::from_utf8(bytes).unwrap_or_default()
}

const fn is_of_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'_' | b'-' | b'=')
}

/// Upper, lower and digits, or the end that base64 has.
fn is_token(word: &str, text: &str, span: &Range<usize>) -> bool {
    // Something `=` value is no padding.
    let ends = word.ends_with('=')
        && !text.get(span.end..).is_some_and(|rest| rest.starts_with(['{', '$', '<', '"']));
    let body = word.trim_end_matches('=');
    if word.len() >= LEAST && ends && !body.contains('=') {
        return true;
    }
    // What begins with a slash, or goes on a host or a parameter, is a path: its segments are words of their own.
    let before = text.get(..span.start).unwrap_or_default();
    let is_path = word.starts_with('/') || before.ends_with(['.', '}']);
    word.split(|character| character == '=' || (is_path && character == '/')).any(is_mixed)
}

fn is_mixed(word: &str) -> bool {
    let has = |is: fn(&u8) -> bool| word.bytes().any(|byte| is(&byte));
    word.len() >= LEAST
        && has(u8::is_ascii_uppercase)
        && has(u8::is_ascii_lowercase)
        && has(u8::is_ascii_digit)
}

/// The longest pieces of such bytes, which are ASCII, and where they stand.
fn words(text: &str, is_of: impl Fn(u8) -> bool) -> impl Iterator<Item = (&str, Range<usize>)> {
    let mut at = 0_usize;
    core::iter::from_fn(move || {
        let rest = text.as_bytes().get(at..)?;
        let start = at.saturating_add(rest.iter().position(|byte| is_of(*byte))?);
        let rest = text.as_bytes().get(start..)?;
        let end = start.saturating_add(rest.iter().position(|byte| !is_of(*byte)).unwrap_or(rest.len()));
        at = end;
        Some((text.get(start..end)?, start..end))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_masked_and_names_are_not() {
        for token in [
            "b3BlbiBzZXNhbWU=",
            "aB3dE6gH9jK2mN5p",
            "x: aB3/E6gH9jK2mN5p",
            "token=aB3dE6gH9jK2mN5p",
            "/aB3dE6gH9jK2mN5p/x",
            "5358a94869c15ea2b2cf5c29c8603ec60e7ecf423bd4240f56162e4603f24eec",
        ] {
            assert!(masked(token).contains("******") && masked(token).len() == token.len(), "{token}");
        }
        for name in [
            "outbound|8080||api-service.keptn.svc.cluster.local",
            "/configuration-service/v1/project/{projectName}/stage/{stageName}/resource",
            "https://api.keptn.example.org/v1/projectsOfMine/stageName",
            "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
            "keptn-ws-channel-id",
            "ünter",
        ] {
            assert_eq!(masked(name), name);
        }
    }
}
