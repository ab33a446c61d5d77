//! What is changed in a path before it is judged, and what in it is refused.
//!
//! The core alone decides. What is said here about parts of a path is found by asking it about these parts.

use core::ops::Range;

use gate::denial::Denial;
use gate::path::{CanonicalPath, MAX_PATH_BYTES, PathProblem};
use gate::request::Field;
use serde::Serialize;

/// A path, as a client sends it and as it is judged.
#[derive(Debug, Serialize)]
pub(super) struct Path {
    /// As the client sends it, with its query.
    pub(super) sent: String,
    /// As it is judged and sent on, if it is.
    pub(super) canonical: Option<String>,
    pub(super) changes: Vec<Change>,
    pub(super) problem: Option<Problem>,
}

/// A way of writing that is changed.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Change {
    pub(super) from: String,
    pub(super) to: String,
    pub(super) count: usize,
    pub(super) why: &'static str,
}

/// What is refused.
#[derive(Debug, Serialize)]
pub(super) struct Problem {
    pub(super) reason: &'static str,
    /// The segment that it is in, counted from 1.
    pub(super) segment: Option<usize>,
    /// The bytes of `sent` that offend, if they can be told from the others.
    pub(super) place: Option<Range<usize>>,
    /// More about it.
    pub(super) note: Option<String>,
}

impl Path {
    /// Reads a request's path.
    pub(super) fn read(sent: &[u8]) -> Self {
        // No value that stands in the wrong place is repeated: it may be the token.
        let shown =
            if sent.starts_with(b"/") { String::from_utf8_lossy(sent).into_owned() } else { String::new() };
        match CanonicalPath::read(Field::Once(sent)) {
            Ok(path) => {
                let canonical = path.target();
                let changes =
                    if path.is_rewritten() { changes(before_query(&shown), &path) } else { Vec::new() };
                Self { sent: shown, canonical: Some(canonical), changes, problem: None }
            }
            Err(problem) => {
                let mut problem = blame(problem, sent, &shown);
                // What follows a space may be a header line.
                let end = shown.find(char::is_whitespace).map_or(shown.len(), |at| at.saturating_add(1));
                let shown = shown.get(..end).map_or_else(String::new, ToOwned::to_owned);
                problem.place = problem.place.filter(|place| place.end <= shown.len());
                Self { sent: shown, canonical: None, changes: Vec::new(), problem: Some(problem) }
            }
        }
    }

    /// Says that the route for this path does not take the `%2F` in it; `refuses` asks the routes about other paths.
    pub(super) fn blame_slashes(&mut self, refuses: impl Fn(&CanonicalPath<'_>) -> bool) {
        let path = before_query(&self.sent);
        // A segment is to blame if the path is refused with all other escaped slashes gone.
        let escapes = |segment: &str| segment.contains("%2f") || segment.contains("%2F");
        let is_to_blame = |at: usize| {
            let others = path.split('/').enumerate().map(|(other, segment)| {
                if other == at { segment.to_owned() } else { segment.replace("%2f", "x").replace("%2F", "x") }
            });
            let path = others.collect::<Vec<_>>().join("/");
            CanonicalPath::read(Field::Once(path.as_bytes())).is_ok_and(|path| refuses(&path))
        };
        let blamed = segments(path)
            .into_iter()
            .enumerate()
            .find(|(at, range)| path.get(range.clone()).is_some_and(escapes) && is_to_blame(*at));
        let place = blamed.as_ref().and_then(|(_, range)| {
            let segment = path.get(range.clone())?;
            let at =
                segment.find("%2f").into_iter().chain(segment.find("%2F")).min()?.saturating_add(range.start);
            Some(at..at.saturating_add(3))
        });
        self.problem = Some(Problem {
            reason: Denial::BadPath(PathProblem::EncodedSlash).reason(),
            segment: blamed.map(|(at, _)| at).filter(|at| *at > 0),
            place,
            note: Some("only a parameter that is written {+name} takes an escaped slash".to_owned()),
        });
    }
}

/// The core's own words for it.
fn message(problem: PathProblem) -> Option<String> {
    let body: serde_json::Value = serde_json::from_str(&Denial::BadPath(problem).response().body).ok()?;
    body.get("message")?.as_str().map(str::to_owned)
}

fn before_query(sent: &str) -> &str {
    sent.split('?').next().unwrap_or(sent)
}

/// Where what stands between slashes is. The first is what comes before the first slash: nothing.
fn segments(path: &str) -> Vec<Range<usize>> {
    let mut start = 0_usize;
    path.split('/')
        .map(|segment| {
            let range = start..start.saturating_add(segment.len());
            start = range.end.saturating_add(1);
            range
        })
        .collect()
}

/// The parts that are judged on their own: escapes, and single characters.
fn units(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0_usize;
    core::iter::from_fn(move || {
        let rest = text.get(at..)?;
        let first = rest.chars().next()?;
        let is_escape =
            first == '%' && rest.bytes().skip(1).take(2).filter(u8::is_ascii_hexdigit).count() == 2;
        let length = if is_escape { 3 } else { first.len_utf8() };
        let range = at..at.saturating_add(length);
        at = range.end;
        Some(range)
    })
}

/// What the core makes of a unit that stands in a segment; on its own it could be a segment that is refused.
fn canonical(unit: &str) -> Option<String> {
    let path = format!("/x{unit}");
    let path = CanonicalPath::read(Field::Once(path.as_bytes())).ok()?;
    path.as_str().strip_prefix("/x").map(str::to_owned)
}

/// Each way of writing in `path` that is another in the canonical one.
fn changes(path: &str, judged: &CanonicalPath<'_>) -> Vec<Change> {
    let mut changes: Vec<Change> = Vec::new();
    let mut made = String::new();
    let mut slashes = 0_usize;
    let mut add = |from: &str, to: String, why| match changes.iter_mut().find(|change| change.from == from) {
        Some(change) => change.count = change.count.saturating_add(1),
        None => changes.push(Change { from: from.to_owned(), to, count: 1, why }),
    };
    // A slash more ends a run of slashes at the end.
    for range in units(path).map(Some).chain([None]) {
        let unit = range.and_then(|range| path.get(range));
        if unit == Some("/") {
            slashes = slashes.saturating_add(1);
            continue;
        }
        if slashes > 0 {
            made.push('/');
        }
        if slashes > 1 {
            add(&"/".repeat(slashes), "/".to_owned(), "slashes are merged");
        }
        slashes = 0;
        let Some(unit) = unit else { break };
        let to = canonical(unit).unwrap_or_else(|| unit.to_owned());
        made.push_str(&to);
        if to != unit {
            let why = if !unit.starts_with('%') {
                "it does not stand in a path as it is"
            } else if to.starts_with('%') {
                "escapes have capitals"
            } else {
                "it needs no escape"
            };
            add(unit, to, why);
        }
    }
    if made == judged.as_str() {
        return changes;
    }
    // The parts do not tell all.
    vec![Change {
        from: path.to_owned(),
        to: judged.as_str().to_owned(),
        count: 1,
        why: "it has one spelling",
    }]
}

/// Where the problem is.
fn blame(problem: PathProblem, sent: &[u8], shown: &str) -> Problem {
    let at = |range: Range<usize>| (None, Some(range));
    let mut note = message(problem);
    let (segment, place) = match problem {
        PathProblem::NotAPath if shown.is_empty() => {
            note = Some("a path begins with a slash".to_owned());
            (None, None)
        }
        PathProblem::NotAPath => {
            note = Some("a path has visible ASCII only: all else is escaped".to_owned());
            // What comes before is ASCII, and shown as it is.
            let odd = sent.iter().position(|byte| !byte.is_ascii_graphic());
            let end = |start: usize| {
                shown.get(start..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8)
            };
            odd.map_or((None, None), |start| at(start..start.saturating_add(end(start))))
        }
        PathProblem::TooLong => {
            note = Some(format!("it has {} bytes, and the most is {MAX_PATH_BYTES}", sent.len()));
            (None, None)
        }
        PathProblem::Fragment => {
            shown.find('#').map_or((None, None), |start| at(start..start.saturating_add(1)))
        }
        _ => in_segments(problem, before_query(shown)),
    };
    Problem { reason: Denial::BadPath(problem).reason(), segment, place, note }
}

/// The first segment that has this problem on its own, and in it the first unit that does.
fn in_segments(problem: PathProblem, path: &str) -> (Option<usize>, Option<Range<usize>>) {
    let has_it = |text: &str| {
        let path = format!("/{text}");
        CanonicalPath::read(Field::Once(path.as_bytes())).is_err_and(|other| other == problem)
    };
    let found =
        segments(path).into_iter().enumerate().find(|(_, range)| path.get(range.clone()).is_some_and(has_it));
    let Some((number, range)) = found else { return (None, None) };
    let segment = path.get(range.clone()).unwrap_or_default();
    let unit = units(segment).find(|unit| segment.get(unit.clone()).is_some_and(has_it));
    let place = match unit {
        // Of a segment that is refused for what it stands for, each part may be harmless elsewhere.
        Some(unit)
            if !matches!(problem, PathProblem::DotSegment | PathProblem::Colon | PathProblem::GitFolder) =>
        {
            unit.start.saturating_add(range.start)..unit.end.saturating_add(range.start)
        }
        _ => range,
    };
    (Some(number), Some(place))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Paths of pieces that something may be wrong or special with.
    fn path() -> impl Strategy<Value = String> {
        let pieces = [
            "/", "//", "a", "v1", ".", "..", "%2e", "%2E", "%252e", "%2f", "%2F", "%70", "%7e", "%c3%a4",
            "{", "|", "\"", "%", "%4", "%zz", "%5c", "\\", ";", "%3b", ":", ".git", "%2egit", "%00", "%0a",
            "#", "?x=//", "ä", " ", "x%20y", "%25",
        ];
        proptest::collection::vec(proptest::sample::select(pieces.to_vec()), 0..8)
            .prop_map(|pieces| format!("/{}", pieces.concat()))
    }

    /// `path` with its changes made.
    fn changed(path: &Path) -> String {
        let (before, query) = path.sent.split_at(before_query(&path.sent).len());
        let mut made = String::new();
        let mut rest = before;
        while !rest.is_empty() {
            // A longer run of slashes is another change.
            let slashes = rest.bytes().take_while(|byte| *byte == b'/').count();
            let step = if slashes > 0 { slashes } else { units(rest).next().unwrap().end };
            let (unit, after) = rest.split_at(step);
            rest = after;
            let change = path.changes.iter().find(|change| change.from == unit);
            made.push_str(change.map_or(unit, |change| &change.to));
        }
        made + query
    }

    proptest! {
        #[test]
        fn what_is_said_to_be_changed_makes_the_canonical_path(sent in path()) {
            let path = Path::read(sent.as_bytes());
            match &path.canonical {
                Some(canonical) => prop_assert_eq!(&changed(&path), canonical),
                None => prop_assert!(path.problem.is_some()),
            }
        }

        /// Without the place that is marked, the path is good, or has another place that is marked.
        #[test]
        fn what_is_marked_is_what_offends(sent in path()) {
            let mut sent = sent;
            for _ in 0..20 {
                let Some(problem) = Path::read(sent.as_bytes()).problem else { return Ok(()) };
                let place = problem.place.expect("a path that begins with a slash and is short");
                sent.replace_range(place, "x");
            }
            prop_assert!(false, "it never becomes good: {sent}");
        }
    }

    #[test]
    fn the_segment_is_told() {
        for (sent, segment, marked) in [
            ("/v1/%2e%2e/event", Some(2), "%2e%2e"),
            ("/v1/.x/../a", Some(3), ".."),
            ("/v1/a;b", Some(2), ";"),
            ("/v1/a%5Cb/%5C", Some(2), "%5C"),
            ("/v1/100%/x", Some(2), "%"),
            ("/p/a%2F%252e%252e%2Fb", Some(2), "a%2F%252e%252e%2Fb"),
            ("/v1/.git", Some(2), ".git"),
            ("/a/:/b", Some(2), ":"),
            ("/a#b", None, "#"),
            ("/aä", None, "ä"),
        ] {
            let problem = Path::read(sent.as_bytes()).problem.unwrap();
            let place = sent.get(problem.place.unwrap()).unwrap();
            assert_eq!((problem.segment, place), (segment, marked), "{sent}");
        }
    }
}
