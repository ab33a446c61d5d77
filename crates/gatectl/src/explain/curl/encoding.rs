//! How curl escapes what it puts into a query, a form or a file's name.

/// What --data-urlencode makes of its value; nothing if that names a file.
pub(super) fn urlencoded(value: &[u8]) -> Option<Vec<u8>> {
    let at = value.iter().position(|byte| matches!(byte, b'=' | b'@'));
    let (name, content) = match at.and_then(|at| value.split_at_checked(at)) {
        Some((_, [b'@', ..])) => return None,
        Some((b"", [_, content @ ..])) => (Vec::new(), content),
        Some((name, [_, content @ ..])) => ([name, b"="].concat(), content),
        _ => (Vec::new(), value),
    };
    Some(name.into_iter().chain(content.iter().flat_map(|byte| encoded(*byte, "+"))).collect())
}

/// A byte in a query or as a file's name.
pub(super) fn encoded(byte: u8, space: &str) -> Vec<u8> {
    match byte {
        b' ' => space.as_bytes().to_vec(),
        b'-' | b'.' | b'_' | b'~' => vec![byte],
        _ if byte.is_ascii_alphanumeric() => vec![byte],
        _ => format!("%{byte:02X}").into_bytes(),
    }
}
