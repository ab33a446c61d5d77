//! A path of a description as a template of the gateway's.

use core::ops::Range;

use gate::path::CanonicalPath;
use gate::request::Field;
use gate::routes;

/// A path as the gateway writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template {
    /// It begins with a slash and ends in none, unless it is one.
    pub(super) text: String,
    /// Its parameters' names as the description has them.
    pub(super) parameters: Vec<String>,
}

/// What is odd about a part of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Odd {
    /// It can be written all the same.
    pub(super) is_warning: bool,
    pub(super) part: Range<usize>,
    pub(super) message: String,
    pub(super) help: &'static str,
}

const BY_HAND: &str = "a route written by hand can let in more, such as {name} for the whole segment";

/// Reads a path; `has_slash` says of a parameter's name that its values may have slashes.
pub(super) fn read(path: &str, has_slash: &dyn Fn(&str) -> bool) -> (Option<Template>, Vec<Odd>) {
    let mut reader = Reader { odd: Vec::new(), text: String::new(), parameters: Vec::new() };
    reader.read(path, has_slash);
    let Reader { mut odd, text, parameters } = reader;
    if odd.iter().any(|odd| !odd.is_warning) {
        return (None, odd);
    }
    let text = if text.is_empty() { "/".to_owned() } else { text };
    match routes::Template::parse(&text) {
        Ok(_) => (Some(Template { text, parameters }), odd),
        Err(error) => {
            let (message, help) = (error.message.to_owned(), error.remedy);
            odd.push(Odd { is_warning: false, part: 0..path.len(), message, help });
            (None, odd)
        }
    }
}

struct Reader {
    odd: Vec<Odd>,
    text: String,
    parameters: Vec<String>,
}

impl Reader {
    fn problem(&mut self, part: Range<usize>, message: impl Into<String>, help: &'static str) {
        self.odd.push(Odd { is_warning: false, part, message: message.into(), help });
    }

    fn warning(&mut self, part: Range<usize>, message: impl Into<String>, help: &'static str) {
        self.odd.push(Odd { is_warning: true, part, message: message.into(), help });
    }

    fn read(&mut self, path: &str, has_slash: &dyn Fn(&str) -> bool) {
        let Some(rest) = path.strip_prefix('/') else {
            return self.problem(0..path.len().min(1), "a path must begin with a slash", "write /…");
        };
        if let Some(at) = path.find('?') {
            let message = "a query tells no routes apart: the gateway never looks at it";
            return self.problem(at..path.len(), message, "describe the path without it, once");
        }
        if let Some(at) = path.find('#') {
            let message = "what stands after # is never sent";
            return self.problem(at..path.len(), message, "describe the path without it, once");
        }
        let mut start = 1_usize;
        let segments: Vec<_> = rest.split('/').collect();
        let last = segments.len().saturating_sub(1);
        for (index, segment) in segments.into_iter().enumerate() {
            let part = start..start.saturating_add(segment.len());
            start = part.end.saturating_add(1);
            match segment {
                // The root.
                "" if last == 0 => {}
                "" if index == last => self.warning(
                    part.start.saturating_sub(1)..part.end,
                    "the gateway lets the path without this slash in as well",
                    "",
                ),
                "" => {
                    let message = "the gateway makes one slash of several, so this path cannot be sent";
                    self.problem(
                        part.start.saturating_sub(1)..part.start.saturating_add(1),
                        message,
                        "write one",
                    );
                }
                segment if segment.contains(['{', '}']) => self.parameter(segment, part, has_slash),
                segment => self.literal(segment, part),
            }
        }
    }

    fn parameter(&mut self, segment: &str, part: Range<usize>, has_slash: &dyn Fn(&str) -> bool) {
        let inner = segment.strip_prefix('{').and_then(|inner| inner.strip_suffix('}'));
        let Some(name) = inner.filter(|inner| !inner.contains(['{', '}'])) else {
            let message = "a parameter of the gateway's is a whole segment, and this is a part of one";
            return self.problem(part, message, BY_HAND);
        };
        let is_kept = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty() {
            return self.problem(part, "this parameter has no name", "write {name}");
        }
        if name.starts_with(['+', '*', '/', '.', ';', '?', '&', '#', '!', '=', ','])
            || name.ends_with(['+', '*'])
            || name.contains([':', '=', '\\', '*', '?', '[', '('])
        {
            let message = "a parameter of the gateway's is a name alone: exactly one segment, whatever it is";
            return self.problem(
                part,
                message,
                "write {name}; where its values may have slashes, --slash name",
            );
        }
        let kept: String = name.chars().map(|c| if is_kept(c) { c } else { '_' }).collect();
        if kept != name {
            self.warning(
                part,
                format!("this parameter is called {{{kept}}}, which changes nothing else"),
                "",
            );
        }
        let sign = if has_slash(name) { "+" } else { "" };
        self.text.push_str(&format!("/{{{sign}{kept}}}"));
        self.parameters.push(name.to_owned());
    }

    fn literal(&mut self, segment: &str, part: Range<usize>) {
        let mut sent = String::from("/");
        for byte in segment.bytes() {
            if byte.is_ascii_graphic() {
                sent.push(char::from(byte));
            } else {
                sent.push_str(&format!("%{byte:02X}"));
            }
        }
        match CanonicalPath::read(Field::Once(sent.as_bytes())) {
            Ok(path) => {
                let canonical = path.as_str();
                let shown = canonical.strip_prefix('/').unwrap_or(canonical);
                if shown != segment {
                    self.warning(part, format!("the gateway writes and sends this as {shown}"), "");
                }
                self.text.push_str(canonical);
            }
            Err(_) => {
                let message = "the gateway refuses every path that has this";
                self.problem(part, message, "`gatectl explain` with such a path says why");
            }
        }
    }
}

/// A template below a prefix, which has no slash at its end.
pub(super) fn below(prefix: &str, template: &str) -> String {
    match (prefix, template) {
        ("", template) => template.to_owned(),
        (prefix, "/") => prefix.to_owned(),
        (prefix, template) => [prefix, template].concat(),
    }
}
