//! The canonical path: what is judged is what is sent.
//!
//! Two readers of one path may disagree about escapes, dots and slashes, and every disagreement is a way
//! round a rule. So there is one spelling here for everything that servers agree on, and a refusal for
//! everything that they do not. The spelling is also the one that Envoy's `normalize_path` leaves alone:
//! the verdict is the same with and without it.

use std::borrow::Cow;

use crate::request::Field;

/// The longest `:path` that is judged, in bytes, query included.
pub const MAX_PATH_BYTES: usize = 8192;

/// How deep an escape may be escaped (`%2525…`): deeper ones are refused, no client means them.
const MAX_ESCAPE_DEPTH: usize = 4;

/// Why a path is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathProblem {
    /// Missing, repeated, not starting with a slash, or with bytes outside visible ASCII.
    NotAPath,
    /// Over [`MAX_PATH_BYTES`].
    TooLong,
    /// A `.` or `..` segment, in any spelling and at any depth of escaping.
    DotSegment,
    /// A backslash, which some servers take for a slash.
    Backslash,
    /// A raw `;`, which some servers cut a segment at.
    Semicolon,
    /// A raw `#`, which some servers cut the path at.
    Fragment,
    /// An escaped control character.
    ControlCharacter,
    /// A `%` without two hexadecimal digits, or escapes within escapes within escapes.
    BadEscape,
    /// `%2F` in a segment that is not a resource's name.
    EncodedSlash,
    /// A segment that leads into Git's own folder, in any spelling and at any depth of escaping.
    GitFolder,
    /// A segment that is a colon, which Keptn's router takes for one of its own parameters.
    Colon,
}

impl PathProblem {
    pub(crate) const fn reason(self) -> &'static str {
        match self {
            Self::NotAPath => "bad_path",
            Self::TooLong => "path_too_long",
            Self::DotSegment => "dot_segment",
            Self::Backslash => "backslash",
            Self::Semicolon => "semicolon",
            Self::Fragment => "fragment",
            Self::ControlCharacter => "control_character",
            Self::BadEscape => "bad_escape",
            Self::EncodedSlash => "encoded_slash",
            Self::GitFolder => "git_folder",
            Self::Colon => "colon",
        }
    }

    pub(crate) const fn message(self) -> &'static str {
        match self {
            Self::NotAPath => "the request's path is not a path",
            Self::TooLong => "the request's path is too long",
            Self::DotSegment => "the path must not contain . or .. segments",
            Self::Backslash => "the path must not contain backslashes",
            Self::Semicolon => "the path must not contain semicolons, write %3B",
            Self::Fragment => "the path must not contain a fragment, write %23",
            Self::ControlCharacter => "the path must not contain control characters",
            Self::BadEscape => "the path contains a bad percent escape",
            Self::EncodedSlash => "the path must not contain %2F here",
            Self::GitFolder => "the path must not lead into .git",
            Self::Colon => "the path must not contain a colon as a segment, write %3A",
        }
    }
}

/// A path that everybody reads alike, and the query that came with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CanonicalPath<'a> {
    path: Cow<'a, str>,
    /// From the `?` on, or empty. Never judged, always kept.
    query: &'a str,
}

impl<'a> CanonicalPath<'a> {
    /// Reads the request's `:path`.
    ///
    /// # Errors
    ///
    /// The first problem found.
    ///
    /// ```
    /// use gate::path::{CanonicalPath, PathProblem};
    /// use gate::request::Field;
    ///
    /// let read = |path: &'static str| CanonicalPath::read(Field::Once(path.as_bytes()));
    /// assert_eq!(read("//v1/%70roject/a%2fb?x=%20/..").unwrap().target(), "/v1/project/a%2Fb?x=%20/..");
    /// assert_eq!(read("/v1/%2e%2E/x").unwrap_err(), PathProblem::DotSegment);
    /// assert_eq!(read("/v1/%252e%252e/x").unwrap_err(), PathProblem::DotSegment);
    /// ```
    pub fn read(path: Field<'a>) -> Result<Self, PathProblem> {
        let raw = path.once().ok_or(PathProblem::NotAPath)?;
        if raw.len() > MAX_PATH_BYTES {
            return Err(PathProblem::TooLong);
        }
        // HTTP/2 lets any byte from 0x80 up through to filters.
        let raw = core::str::from_utf8(raw)
            .ok()
            .filter(|text| text.starts_with('/') && text.bytes().all(|byte| byte.is_ascii_graphic()))
            .ok_or(PathProblem::NotAPath)?;
        if raw.bytes().any(|byte| byte == b'#') {
            return Err(PathProblem::Fragment);
        }
        let question_mark = raw.bytes().position(|byte| byte == b'?');
        let (path, query) = question_mark.and_then(|at| raw.split_at_checked(at)).unwrap_or((raw, ""));
        if is_simple(path) {
            return Ok(Self { path: Cow::Borrowed(path), query });
        }
        let path = canonical(path)?;
        check_segments(&path)?;
        Ok(Self { path, query })
    }

    /// The path without the query.
    pub fn as_str(&self) -> &str {
        &self.path
    }

    /// Its segments: what stands between the slashes. The last is empty when the path ends in a slash.
    pub fn segments(&self) -> impl Iterator<Item = &str> + Clone {
        split(self.path.strip_prefix('/').unwrap_or(&self.path))
    }

    /// What is sent: the path and the query.
    pub fn target(&self) -> String {
        let mut target = String::with_capacity(self.path.len().saturating_add(self.query.len()));
        target.push_str(&self.path);
        target.push_str(self.query);
        target
    }

    /// The same path for an upstream that does not know `prefix`, which has no slash at its end.
    pub(crate) fn without(&self, prefix: &str) -> CanonicalPath<'_> {
        let same_spelling = || self.path.strip_prefix(prefix).filter(|rest| rest.starts_with('/'));
        let any_spelling = || {
            split(prefix).skip(1).try_fold(self.as_str(), |path, literal| {
                let path = path.strip_prefix('/')?;
                let (segment, rest) = path.split_at_checked(path.find('/')?)?;
                (folded(segment) == folded(literal)).then_some(rest)
            })
        };
        let rest = same_spelling().or_else(any_spelling);
        CanonicalPath { path: Cow::Borrowed(rest.unwrap_or(&self.path)), query: self.query }
    }

    /// Whether the client wrote it differently.
    pub fn is_rewritten(&self) -> bool {
        matches!(self.path, Cow::Owned(_))
    }
}

/// A segment of a canonical path as it is compared: what may stand there raw or escaped is raw.
///
/// RFC 3986 keeps `a:b` and `a%3Ab` apart, and so does what is sent. But servers decode a segment before they look
/// at it: a literal must not be walked round by its escape.
pub(crate) fn folded(segment: &str) -> Cow<'_, str> {
    // Most segments have no escape at all.
    if !has_escape(segment.as_bytes()) {
        return Cow::Borrowed(segment);
    }
    let mut parts = segment.split('%');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let mut digits = part.bytes();
        let decoded = hex(digits.next(), digits.next());
        if let Some(byte) = decoded.filter(|byte| is_sub_delimiter(*byte) || *byte == b';') {
            out.push(char::from(byte));
            out.push_str(part.get(2..).unwrap_or_default());
        } else {
            out.push('%');
            out.push_str(part);
        }
    }
    Cow::Owned(out)
}

/// Whether a look is enough: only characters that stand for themselves, and no segment that is empty or begins with what
/// begins those that are refused. Most paths are so. [`canonical`] and [`check_segments`] would leave such a path as it
/// is, and let it pass (`a_simple_path_needs_no_second_look`).
fn is_simple(path: &str) -> bool {
    let mut before = None;
    path.bytes().all(|byte| {
        let begins_badly = before.replace(byte) == Some(b'/') && matches!(byte, b'/' | b'.' | b':');
        is_plain(byte) && !begins_badly
    })
}

/// What stands in a canonical path as it is.
fn is_plain(byte: u8) -> bool {
    is_unreserved(byte) || byte == b'/' || is_sub_delimiter(byte)
}

/// One spelling: escapes of unreserved characters decoded, all others upper-cased (RFC 3986 section 6.2.2),
/// characters that RFC 3986 does not allow in a path escaped, and slashes merged.
fn canonical(path: &str) -> Result<Cow<'_, str>, PathProblem> {
    let mut out = String::with_capacity(path.len());
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => {
                let decoded = hex(bytes.next(), bytes.next()).ok_or(PathProblem::BadEscape)?;
                match decoded {
                    0..0x20 | 0x7f => return Err(PathProblem::ControlCharacter),
                    b'\\' => return Err(PathProblem::Backslash),
                    _ if is_unreserved(decoded) => out.push(char::from(decoded)),
                    _ => push_escaped(&mut out, decoded),
                }
            }
            b'\\' => return Err(PathProblem::Backslash),
            b';' => return Err(PathProblem::Semicolon),
            b'/' if out.ends_with('/') => {}
            _ if is_plain(byte) => out.push(char::from(byte)),
            _ => push_escaped(&mut out, byte),
        }
    }
    Ok(if out == path { Cow::Borrowed(path) } else { Cow::Owned(out) })
}

/// RFC 3986 section 2.3.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// What RFC 3986 section 3.3 allows raw in a segment, but for `;`.
fn is_sub_delimiter(byte: u8) -> bool {
    matches!(byte, b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b'=' | b':' | b'@')
}

fn push_escaped(out: &mut String, byte: u8) {
    const DIGITS: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
    let [high, low] = [byte >> 4, byte & 15].map(|digit| DIGITS.get(usize::from(digit)));
    out.push('%');
    out.extend(high.into_iter().chain(low));
}

fn hex(high: Option<u8>, low: Option<u8>) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some((digit(high?)? << 4) | digit(low?)?)
}

/// Refuses segments that lead somewhere else than they seem to.
///
/// Keptn 0.6.2's configuration-service joins projects', services' and resources' names to a folder that is a Git
/// repository: who may write `.git/config` there may run commands. And the router of both services
/// (go-openapi's) files its own parameters under `:`: a segment that is nothing else matches a route but fills
/// no parameter, so that `DELETE /v1/project/:` has no project's name, and names stand one place off.
fn check_segments(path: &str) -> Result<(), PathProblem> {
    split(path).try_for_each(|segment| {
        if segment == ":" {
            return Err(PathProblem::Colon);
        }
        in_every_spelling(segment, &|part| match part {
            b"." | b".." => Err(PathProblem::DotSegment),
            _ if part.eq_ignore_ascii_case(b".git") => Err(PathProblem::GitFolder),
            _ if part.iter().any(u8::is_ascii_control) => Err(PathProblem::ControlCharacter),
            _ => Ok(()),
        })
    })
}

/// Applies `check` to each part between slashes of `segment`, after no decoding, one decoding, two, …
/// until there is nothing left to decode. configuration-service decodes a resource's name once in Keptn 0.6.2,
/// and twice to read it from 0.8.3 on: nobody here knows how often an upstream will.
fn in_every_spelling(
    segment: &str,
    check: &impl Fn(&[u8]) -> Result<(), PathProblem>,
) -> Result<(), PathProblem> {
    let mut spelling = Cow::Borrowed(segment.as_bytes());
    for _ in 0..=MAX_ESCAPE_DEPTH {
        spelling.split(|byte| matches!(byte, b'/' | b'\\')).try_for_each(check)?;
        match decode_once(&spelling) {
            Some(decoded) => spelling = Cow::Owned(decoded),
            None => return Ok(()),
        }
    }
    Err(PathProblem::BadEscape)
}

/// What stands between the slashes. Segments are short: to look for a slash with the standard library's searcher for one
/// character, which prepares itself for long texts, takes longer.
fn split(path: &str) -> impl Iterator<Item = &str> + Clone {
    fn is_slash(character: char) -> bool {
        character == '/'
    }
    path.split(is_slash)
}

/// Whether there may be an escape in `text`.
fn has_escape(text: &[u8]) -> bool {
    text.contains(&b'%')
}

/// `None` when there is no escape in `text`. What is not an escape stays.
fn decode_once(text: &[u8]) -> Option<Vec<u8>> {
    if !has_escape(text) {
        return None;
    }
    let mut out = Vec::with_capacity(text.len());
    let mut found = false;
    let mut rest = text;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte == b'%'
            && let [high, low, after @ ..] = tail
            && let Some(decoded) = hex(Some(*high), Some(*low))
        {
            out.push(decoded);
            rest = after;
            found = true;
        } else {
            out.push(byte);
        }
    }
    found.then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &str) -> Result<String, PathProblem> {
        CanonicalPath::read(Field::Once(path.as_bytes())).map(|path| path.target())
    }

    #[test]
    fn one_spelling_for_what_servers_agree_on() {
        for (path, expected) in [
            ("/", "/"),
            ("//", "/"),
            ("/v1/event", "/v1/event"),
            ("/v1//event/", "/v1/event/"),
            ("/%76%31/event", "/v1/event"),
            ("/a%2fb/%c3%a4", "/a%2Fb/%C3%A4"),
            ("/a%20b%3b%25", "/a%20b%3B%25"),
            ("/a{b}|\"", "/a%7Bb%7D%7C%22"),
            ("/...", "/..."),
            ("/..a/b..", "/..a/b.."),
            ("/a:b@c!$&'()*+,=", "/a:b@c!$&'()*+,="),
            ("/x?a=//;\\..%zz", "/x?a=//;\\..%zz"),
            ("/?", "/?"),
            ("/100%25", "/100%25"),
            ("/a%252Fb", "/a%252Fb"),
        ] {
            assert_eq!(read(path).as_deref(), Ok(expected), "{path}");
        }
    }

    #[test]
    fn a_refusal_for_what_they_do_not() {
        use PathProblem::*;
        for (path, expected) in [
            ("", NotAPath),
            ("*", NotAPath),
            ("v1/event", NotAPath),
            ("/ä", NotAPath),
            ("/a b", NotAPath),
            ("/a/../b", DotSegment),
            ("/a/.", DotSegment),
            ("/./a", DotSegment),
            ("/%2e%2E/a", DotSegment),
            ("/a/.%2e", DotSegment),
            ("/a%2F..%2Fb", DotSegment),
            ("/..%2fb", DotSegment),
            ("/%252e%252e/b", DotSegment),
            ("/a%252F%252e%252e%252Fb", DotSegment),
            ("/a%255C..%255Cb", DotSegment),
            ("/a\\b", Backslash),
            ("/a%5cb", Backslash),
            ("/a;b", Semicolon),
            ("/..;/a", Semicolon),
            ("/a#b", Fragment),
            ("/a?b#c", Fragment),
            ("/a%00", ControlCharacter),
            ("/a%7f", ControlCharacter),
            ("/a%250a", ControlCharacter),
            ("/a%", BadEscape),
            ("/a%2", BadEscape),
            ("/a%zz", BadEscape),
            ("/%252525252525", BadEscape),
        ] {
            assert_eq!(read(path), Err(expected), "{path}");
        }
        assert_eq!(CanonicalPath::read(Field::Absent), Err(NotAPath));
        assert_eq!(CanonicalPath::read(Field::Repeated), Err(NotAPath));
        assert_eq!(CanonicalPath::read(Field::Once(b"/\xff")), Err(NotAPath));
        assert_eq!(read(&format!("/{}", "a".repeat(MAX_PATH_BYTES))), Err(TooLong));
    }

    /// All paths of up to six of the characters that matter, and one that does not.
    #[test]
    fn a_simple_path_needs_no_second_look() {
        let characters = ['/', '.', ':', 'g', '%', '2', ';', '\\', '@'];
        let mut paths = vec!["/".to_owned()];
        let mut simple = 0;
        for _ in 0..5 {
            paths = paths.iter().flat_map(|path| characters.map(|next| format!("{path}{next}"))).collect();
            for path in paths.iter().filter(|path| is_simple(path)) {
                assert_eq!(canonical(path), Ok(Cow::Borrowed(path.as_str())));
                assert_eq!(check_segments(path), Ok(()), "{path}");
                simple += 1;
            }
        }
        assert!(simple > 1000, "{simple}");
        assert!(is_simple("/v1/project/a-b_c.d~e/stage/$&'()*+,=@:!/"));
    }

    #[test]
    fn only_a_changed_path_is_a_rewritten_one() {
        let rewritten =
            |path: &'static str| CanonicalPath::read(Field::Once(path.as_bytes())).unwrap().is_rewritten();
        assert!(!rewritten("/v1/event?x"));
        assert!(!rewritten("/v1/a%20b"));
        assert!(rewritten("/v1//event"));
        assert!(rewritten("/%76"));
    }

    #[test]
    fn what_may_be_raw_or_escaped_is_compared_raw() {
        let raw = "!$&'()*+,;=:@";
        let escaped: String = raw.bytes().map(|byte| format!("%{byte:02X}")).collect();
        assert_eq!(folded(&escaped), raw);
        for (segment, expected) in [
            ("a%3Ab", "a:b"),
            ("%40a%2B", "@a+"),
            ("a:b", "a:b"),
            // What is always escaped in a canonical path has one spelling already.
            ("a%20%2F%25b%C3%A4", "a%20%2F%25b%C3%A4"),
            // Only one decoding.
            ("a%253Ab", "a%253Ab"),
            ("%", "%"),
        ] {
            assert_eq!(folded(segment), expected, "{segment}");
        }
    }

    #[test]
    fn a_prefix_is_left_away_in_any_spelling() {
        for (path, prefix, rest) in [
            ("/a:b/c%3Ad?x", "/a:b", "/c%3Ad?x"),
            ("/a%3Ab/c", "/a:b", "/c"),
            ("/a:b/c", "/a%3Ab", "/c"),
            ("/x/a%2Bb/", "/x/a+b", "/"),
            ("/x/y", "", "/x/y"),
            ("/xy/z", "/x", "/xy/z"),
        ] {
            let path = CanonicalPath::read(Field::Once(path.as_bytes())).unwrap();
            assert_eq!(path.without(prefix).target(), rest, "{path:?}");
        }
    }

    #[test]
    fn no_segment_leads_into_git() {
        for (segment, good) in [
            ("dir%2Fa.yaml", true),
            (".gitignore", true),
            ("a%2F.github%2Fx", true),
            (".git", false),
            (".GIT", false),
            (".git%2Fconfig", false),
            ("a%2F.GIT%2Fconfig", false),
            (".git%252Fconfig", false),
            ("%252Egit", false),
        ] {
            let read = read(&format!("/service/{segment}/resource"));
            assert_eq!(read.is_ok(), good, "{segment}");
            assert!(good || read == Err(PathProblem::GitFolder), "{segment}");
        }
    }

    #[test]
    fn a_colon_is_no_segment() {
        assert_eq!(read("/v1/project/:"), Err(PathProblem::Colon));
        assert_eq!(read("/v1/project/:/resource"), Err(PathProblem::Colon));
        assert!(read("/v1/project/%3A").is_ok());
        assert!(read("/v1/project/a:b").is_ok());
        assert!(read("/v1/project/::").is_ok());
    }
}
