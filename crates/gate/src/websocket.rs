//! WebSocket handshakes: what is looked at, and what is added.

use crate::authn::StreamId;
use crate::denial::Denial;
use crate::request::Field;
use sha2::{Digest, Sha256};

/// The longest channel token that is forwarded, in bytes.
const MAX_CHANNEL_TOKEN_BYTES: usize = 4096;

/// Whether a WebSocket's `Token` header has the form of a signed JWT: three base64url parts.
///
/// api-service verifies the signature; the form alone keeps everything else away from it.
///
/// # Errors
///
/// A denial unless there is exactly one line of that form.
pub(crate) fn check_channel_token(lines: Field<'_>) -> Result<(), Denial> {
    let Field::Once(value) = lines else { return Err(Denial::BadChannelToken) };
    let is_base64url = |part: &[u8]| {
        !part.is_empty()
            && part.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    let mut parts = value.split(|&byte| byte == b'.');
    let three = [parts.next(), parts.next(), parts.next()];
    let jwt = value.len() <= MAX_CHANNEL_TOKEN_BYTES
        && parts.next().is_none()
        && three.iter().all(|part| part.is_some_and(is_base64url));
    if jwt { Ok(()) } else { Err(Denial::BadChannelToken) }
}

/// A `Sec-WebSocket-Key` (RFC 6455 section 4.1) for a handshake that came without one.
///
/// Over HTTP/2 there is none (RFC 8441 section 5), Envoy adds none when it speaks HTTP/1.1 to the service, and
/// services refuse such a handshake. The key proves to a client that it speaks with a WebSocket server; this
/// client has not asked for the proof, so nobody looks at the answer.
pub(crate) fn key(seed: u64, stream: StreamId) -> String {
    const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digest =
        Sha256::new().chain_update(seed.to_le_bytes()).chain_update(stream.0.to_le_bytes()).finalize();
    let character = |index: u8| BASE64.get(usize::from(index)).copied().map(char::from);
    // 16 bytes are 21 characters and 2 bits, which leave 4 bits of the last one empty.
    let full = digest.iter().take(21).filter_map(|byte| character(byte & 0b11_1111));
    let last = digest.iter().skip(21).take(1).filter_map(|byte| character(byte & 0b11_0000));
    full.chain(last).chain("==".chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_token_has_three_parts() {
        for (value, good) in [
            (&b"eyJh.eyJz.c2ln_-"[..], true),
            (b"eyJh.eyJz", false),
            (b"eyJh.eyJz.", false),
            (b"eyJh.eyJz.c2ln.x", false),
            (b"eyJh.ey=z.c2ln", false),
            (b"", false),
        ] {
            assert_eq!(check_channel_token(Field::Once(value)).is_ok(), good, "{value:?}");
        }
        assert!(check_channel_token(Field::Repeated).is_err());
        assert!(check_channel_token(Field::Absent).is_err());
        let long = [b"a.b.".as_slice(), &vec![b'c'; MAX_CHANNEL_TOKEN_BYTES]].concat();
        assert!(check_channel_token(Field::Once(&long)).is_err());
    }

    #[test]
    fn a_key_is_sixteen_bytes_of_base64() {
        let keys: Vec<_> = (0..200).map(|stream| key(7, StreamId(stream))).collect();
        for key in &keys {
            let (value, padding) = key.split_at(22);
            assert_eq!(padding, "==");
            assert!(value.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/')), "{key}");
            assert!(value.ends_with(['A', 'Q', 'g', 'w']), "{key}");
        }
        assert_ne!(keys[0], keys[1]);
        assert_ne!(keys[0], key(8, StreamId(0)));
    }
}
