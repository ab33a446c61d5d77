//! Path templates: how a route says which paths it is for.

use core::fmt;
use core::ops::Range;

use crate::path::{CanonicalPath, PathProblem, folded};
use crate::request::Field;

/// One segment of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Segment {
    /// Exactly this, as it is compared: see [`folded`].
    Literal(Box<str>),
    /// `{name}`: any one segment, but an empty one.
    Parameter,
    /// `{+name}`: the same, and it may contain `%2F`. The sign is RFC 6570's for reserved expansion.
    SlashParameter,
}

/// A path template, such as `/v1/project/{project}/resource/{+resource}` or `/v1/{*rest}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    pub(super) segments: Vec<Segment>,
    /// Ends in `{*rest}`: whatever follows, be it nothing.
    pub(super) is_prefix: bool,
    text: Box<str>,
}

/// What is wrong with a template, and where in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateError {
    /// What is wrong.
    pub message: &'static str,
    /// What to do.
    pub remedy: &'static str,
    /// The offending bytes of the template.
    pub span: Range<usize>,
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    ///
    /// The first thing in it that is not a template, with its place.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let whole = 0..text.len();
        let error =
            |message, remedy, span: &Range<usize>| Err(TemplateError { message, remedy, span: span.clone() });
        let Some(rest) = text.strip_prefix('/') else {
            return error("a template must start with a slash", "write /…", &(0..text.len().min(1)));
        };
        let mut segments = Vec::new();
        let mut is_prefix = false;
        let mut start = 1_usize;
        for segment in rest.split('/') {
            let span = start..start.saturating_add(segment.len());
            start = span.end.saturating_add(1);
            if is_prefix {
                return error("nothing can follow {*rest}", "end the template with it", &span);
            }
            match segment.strip_prefix('{').map(|inner| inner.strip_suffix('}')) {
                Some(Some(inner)) => {
                    let name = inner.trim_start_matches(['+', '*']);
                    let is_name = |name: &str| {
                        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
                    };
                    match inner.strip_suffix(name) {
                        _ if !is_name(name) => {
                            return error(
                                "a parameter needs a name",
                                "write {name}, with letters, digits and _",
                                &span,
                            );
                        }
                        Some("") => segments.push(Segment::Parameter),
                        Some("+") => segments.push(Segment::SlashParameter),
                        Some("*") => is_prefix = true,
                        _ => {
                            return error(
                                "this is not a parameter",
                                "write {name}, {+name} or {*rest}",
                                &span,
                            );
                        }
                    }
                }
                None if segment.contains('*') => {
                    return error(
                        "* is an ordinary character in a path",
                        "write {*rest} for whatever follows",
                        &span,
                    );
                }
                None if segment.starts_with(':') => {
                    return error("this is not a parameter", "write {name}", &span);
                }
                None if segment.contains("%2F") => {
                    // Such a path is refused before it gets anywhere.
                    return error("%2F is matched by {+name} alone", "write {+name} in its place", &span);
                }
                None if !segment.contains(['{', '}']) => {
                    segments.push(Segment::Literal(folded(segment).into()));
                }
                _ => return error("a parameter must be a whole segment", "write /{name}/", &span),
            }
        }
        if !is_prefix && segments.last() == Some(&Segment::Literal("".into())) {
            // "/" alone is the root; elsewhere one trailing slash matches the same template anyway.
            segments.pop();
            if !segments.is_empty() {
                return error(
                    "a template must not end in a slash",
                    "leave it away: it is matched either way",
                    &whole,
                );
            }
        }
        let template = Self { segments, is_prefix, text: text.into() };
        let sample = template.sample("x", "x");
        match CanonicalPath::read(Field::Once(sample.as_bytes())) {
            Ok(path) if path.as_str() == sample => Ok(template),
            _ => error(
                "no canonical path looks like this",
                "write the path as the gateway sends it: no //, no dots, no needless escapes",
                &whole,
            ),
        }
    }

    /// The template for the paths that match this one and `other`, if there can be any. Its parameters are called as
    /// `other`'s are, and may contain `%2F` where those of this one may.
    pub(super) fn meet(&self, other: &Self) -> Option<Self> {
        let reaches = |one: &Self, two: &Self| match (one.is_prefix, two.is_prefix) {
            (true, _) => true,
            (false, true) => one.segments.len() > two.segments.len(),
            (false, false) => one.segments.len() == two.segments.len(),
        };
        if !reaches(self, other) || !reaches(other, self) {
            return None;
        }
        let mut text = String::new();
        let (mut ours, mut theirs) = (self.parts(), other.parts());
        loop {
            let part = match (ours.next(), theirs.next()) {
                (None, None) => break,
                (None, Some((_, part))) => part.replace("{+", "{"),
                (Some((_, part)), None) => part.to_owned(),
                (Some((Segment::Literal(one), part)), Some((Segment::Literal(two), _))) if one == two => {
                    part.to_owned()
                }
                (Some((Segment::Literal(_), _)), Some((Segment::Literal(_), _))) => return None,
                (Some((Segment::Literal(_), part)), Some(_))
                | (Some(_), Some((Segment::Literal(_), part))) => part.to_owned(),
                (Some((Segment::SlashParameter, _)), Some((Segment::Parameter, part))) => {
                    part.replace('{', "{+")
                }
                (Some((Segment::Parameter, _)), Some((_, part))) => part.replace("{+", "{"),
                (Some(_), Some((_, part))) => part.to_owned(),
            };
            text.extend(["/", &part]);
        }
        if self.is_prefix && other.is_prefix {
            text.push_str("/{*rest}");
        } else if text.is_empty() {
            text.push('/');
        }
        Self::parse(&text).ok()
    }

    /// Whether some of its paths begin with the literals of `prefix`.
    pub(super) fn has_paths_below(&self, prefix: &[Segment]) -> bool {
        let fits = |(ours, its): (&Segment, &Segment)| !matches!(ours, Segment::Literal(_)) || ours == its;
        let reaches = self.is_prefix || self.segments.len() >= prefix.len();
        reaches && self.segments.iter().zip(prefix).all(fits)
    }

    /// What is before the first parameter: a prefix for `policies`, or nothing.
    pub(crate) fn beginning(&self) -> &str {
        let end = self.text.find("/{").unwrap_or(self.text.len());
        self.text.get(..end).unwrap_or_default().trim_end_matches('/')
    }

    /// The segments, each with its text.
    fn parts(&self) -> impl Iterator<Item = (&Segment, &str)> {
        self.segments.iter().zip(self.text.split('/').skip(1))
    }

    /// The same template for an upstream that does not know `prefix`, which has no slash at its end.
    pub(super) fn without(&self, prefix: &str) -> Option<Self> {
        Self::parse(self.text.strip_prefix(prefix)?).ok()
    }

    /// A path that matches this template: `name` in the place of each parameter, and `rest` in that of the rest.
    pub(super) fn sample(&self, name: &str, rest: &str) -> String {
        let fixed = self.parts().map(|(segment, text)| match segment {
            Segment::Literal(_) => text,
            Segment::Parameter | Segment::SlashParameter => name,
        });
        let segments: Vec<_> = fixed.chain(self.is_prefix.then_some(rest)).collect();
        format!("/{}", segments.join("/"))
    }

    /// Whether `path`, which has the form of this template, has `%2F` only where the template allows it.
    pub(super) fn check(&self, path: &CanonicalPath<'_>) -> Result<(), PathProblem> {
        // Most paths have no escape at all.
        if !path.as_str().contains('%') {
            return Ok(());
        }
        let may_have = |index| self.segments.get(index) == Some(&Segment::SlashParameter);
        // Much faster than to look for three bytes in each segment.
        let has_slash = |segment: &str| segment.split('%').skip(1).any(|escape| escape.starts_with("2F"));
        let stray = path.segments().enumerate().any(|(at, segment)| has_slash(segment) && !may_have(at));
        if stray { Err(PathProblem::EncodedSlash) } else { Ok(()) }
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_print_as_they_were_written() {
        for text in ["/", "/v1/auth", "/v1/{p}/x", "/v1/{+name}", "/{*rest}", "/v1/{*rest}"] {
            assert_eq!(Template::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn two_templates_meet_where_both_match() {
        for (one, two, both) in [
            ("/a/{x}", "/a/{y}", Some("/a/{y}")),
            ("/a/{+x}", "/a/{y}", Some("/a/{+y}")),
            ("/a/{x}", "/a/{+y}", Some("/a/{y}")),
            ("/a/{x}", "/a/b", Some("/a/b")),
            ("/a/b", "/{x}/{y}", Some("/a/b")),
            ("/a/b", "/a/c", None),
            ("/a:b/{x}", "/a%3Ab/{*rest}", Some("/a:b/{x}")),
            ("/a", "/a/{x}", None),
            ("/a/{*rest}", "/a/b/{+x}", Some("/a/b/{x}")),
            ("/a/b/{+x}", "/a/{*rest}", Some("/a/b/{+x}")),
            ("/a/{*rest}", "/a", None),
            ("/a/{*rest}", "/{x}/b/{*rest}", Some("/a/b/{*rest}")),
            ("/{*rest}", "/{*all}", Some("/{*rest}")),
            ("/", "/", Some("/")),
        ] {
            let [first, second] = [one, two].map(|text| Template::parse(text).unwrap());
            let met = first.meet(&second).map(|template| template.to_string());
            assert_eq!(met.as_deref(), both, "{one} and {two}");
        }
    }

    #[test]
    fn what_is_wrong_is_pointed_at() {
        for (text, marked, message) in [
            ("v1", "v", "a template must start with a slash"),
            ("", "", "a template must start with a slash"),
            ("/v1/{}/x", "{}", "a parameter needs a name"),
            ("/v1/{a-b}", "{a-b}", "a parameter needs a name"),
            ("/v1/{+*x}", "{+*x}", "this is not a parameter"),
            ("/v1/a{b}", "a{b}", "a parameter must be a whole segment"),
            ("/v1/{b", "{b", "a parameter must be a whole segment"),
            ("/{*rest}/x", "x", "nothing can follow {*rest}"),
            ("/v1/", "/v1/", "a template must not end in a slash"),
            ("/v1/*", "*", "* is an ordinary character in a path"),
            ("/v1/.*", ".*", "* is an ordinary character in a path"),
            ("/v1/:id", ":id", "this is not a parameter"),
            ("/v1/a%2Fb", "a%2Fb", "%2F is matched by {+name} alone"),
            ("/v1//x", "/v1//x", "no canonical path looks like this"),
            ("/v1/../x", "/v1/../x", "no canonical path looks like this"),
            ("/%76", "/%76", "no canonical path looks like this"),
        ] {
            let error = Template::parse(text).unwrap_err();
            assert_eq!((text.get(error.span.clone()), error.message), (Some(marked), message), "{text}");
        }
    }
}
