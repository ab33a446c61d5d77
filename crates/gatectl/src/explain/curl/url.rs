//! A URL, as curl reads it: not as a browser does.

/// What curl asks for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Url {
    /// As in the `Host` header.
    pub(super) host: Vec<u8>,
    /// Name and password.
    pub(super) user: Option<Vec<u8>>,
    pub(super) path: Vec<u8>,
    /// From the `?` on, or empty.
    pub(super) query: Vec<u8>,
    /// curl has taken `.` and `..` segments out.
    pub(super) lost_dots: bool,
}

/// Reads a URL.
///
/// # Errors
///
/// Why curl would not take it, or would ask for something else.
pub(super) fn read(text: &[u8], path_as_is: bool, globs: bool) -> Result<Url, &'static str> {
    if text.iter().any(|byte| byte.is_ascii_control() || *byte == b' ') {
        return Err("the URL has a space or a control character in it, which curl does not take");
    }
    let scheme = |name: &str| {
        let (start, rest) = text.split_at_checked(name.len())?;
        start.eq_ignore_ascii_case(name.as_bytes()).then_some(rest)
    };
    let (rest, default_port): (_, &[u8]) = match (scheme("http:/"), scheme("https:/")) {
        (Some(rest), _) => (rest, b"80"),
        (_, Some(rest)) => (rest, b"443"),
        _ if text.windows(3).any(|window| window == b"://") && !text.contains(&b'?') => {
            return Err("the URL is neither http:// nor https://");
        }
        // As curl guesses.
        _ => (text, b"80"),
    };
    // It takes one slash, and three.
    let rest = rest.strip_prefix(b"/").unwrap_or(rest);
    let rest = if rest.len() < text.len() { rest.strip_prefix(b"/").unwrap_or(rest) } else { rest };
    let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?' | b'#')).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at_checked(end).unwrap_or((rest, b""));
    let at = authority.iter().rposition(|byte| *byte == b'@');
    let (user, host) = match at.and_then(|at| authority.split_at_checked(at)) {
        Some((user, host)) => (Some(decoded(user)), host.strip_prefix(b"@").unwrap_or(host)),
        None => (None, authority),
    };
    let is_glob = |text: &[u8]| text.iter().any(|byte| matches!(byte, b'{' | b'}' | b'[' | b']'));
    if globs && ((is_glob(host) && !host.starts_with(b"[")) || is_glob(rest)) {
        return Err(
            "curl reads { } [ ] in a URL as patterns, for more than one request: add -g if they are none",
        );
    }
    let rest = rest.split(|byte| *byte == b'#').next().unwrap_or(rest);
    let at = rest.iter().position(|byte| *byte == b'?').unwrap_or(rest.len());
    let (path, query) = rest.split_at_checked(at).unwrap_or((rest, b""));
    let path = if path.is_empty() { b"/".to_vec() } else { escaped(path) };
    let plain = if path_as_is { path.clone() } else { without_dots(&path) };
    let lost_dots = plain != path;
    Ok(Url { host: host_of(host, default_port)?, user, path: plain, query: query.to_vec(), lost_dots })
}

/// The host as it is asked for: the scheme's own port is left away.
fn host_of(authority: &[u8], default_port: &[u8]) -> Result<Vec<u8>, &'static str> {
    let (host, port) = match authority.iter().rposition(|byte| *byte == b':') {
        Some(at) if !authority.ends_with(b"]") => authority.split_at_checked(at).unwrap_or((authority, b"")),
        _ => (authority, &b""[..]),
    };
    let port = port.strip_prefix(b":").unwrap_or(port);
    let host = if host.starts_with(b"[") { host.to_vec() } else { decoded(host) };
    if host.is_empty() {
        return Err("the URL has no host");
    }
    if !port.iter().all(u8::is_ascii_digit) || port.len() > 5 {
        return Err("the URL's port is no number");
    }
    Ok(if port.is_empty() || port == default_port { host } else { [&host, &b":"[..], port].concat() })
}

fn decoded(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        if byte == b'%'
            && let [high, low, after @ ..] = tail
            && let (Some(high), Some(low)) = (digit(*high), digit(*low))
        {
            out.push(high << 4 | low);
            rest = after;
        } else {
            out.push(byte);
        }
    }
    out
}

/// What is no ASCII is escaped in a path, in small letters; in a query it stays.
fn escaped(path: &[u8]) -> Vec<u8> {
    let escape = |byte: &u8| if byte.is_ascii() { vec![*byte] } else { format!("%{byte:02x}").into_bytes() };
    path.iter().flat_map(escape).collect()
}

/// RFC 3986 section 5.2.4.
fn without_dots(path: &[u8]) -> Vec<u8> {
    let mut kept: Vec<&[u8]> = Vec::new();
    let mut segments = path.split(|byte| *byte == b'/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        match segment {
            b"." | b".." => {
                if segment == b".." {
                    kept.pop();
                }
                if is_last {
                    kept.push(b"");
                }
            }
            _ => kept.push(segment),
        }
    }
    kept.iter().flat_map(|segment| [b"/", *segment].concat()).collect()
}
