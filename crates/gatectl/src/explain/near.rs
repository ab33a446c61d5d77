//! Routes that came close to a request, and why they lost it.
//!
//! Whether a route would take the request is the core's to say: it is asked about a table of that route alone.

use gate::denial::Denial;
use gate::path::{CanonicalPath, PathProblem};
use gate::request::Method;
use gate::routes::{Lookup, Protocol, Routes};
use serde::Serialize;

use super::story::Route;

/// A route that did not get the request.
#[derive(Debug, Serialize)]
pub(super) struct Near {
    #[serde(flatten)]
    pub(super) route: Route,
    pub(super) kind: Kind,
    /// Why, in words.
    pub(super) why: String,
}

/// Why a route did not get a request, the nearest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    /// It is for the path, but not for the method.
    Method,
    /// It is for this path, but another route is so more precisely.
    LessSpecific,
    /// It is for the path, but for the other protocol.
    Protocol,
    /// The path has its form, but an escaped slash where it takes none.
    EncodedSlash,
    /// A segment is written in other case.
    Case,
    /// One segment is another.
    Segment,
    /// The path has a segment more, or less.
    Length,
    /// It is the WebSocket's, and at another path.
    Path,
}

/// Those of `routes` that came close, but for what is for the paths of one of `taken`; nearest first.
pub(super) fn find(
    routes: &[gate::routes::Route],
    path: &CanonicalPath<'_>,
    method: Method,
    protocol: Protocol,
    taken: &[Route],
) -> Vec<Near> {
    let mut near: Vec<_> = routes
        .iter()
        .filter_map(|route| {
            let (kind, distance, why) = alone(route, path, method, protocol)?;
            let route = Route::of(route);
            (!taken.iter().any(|taken| taken.is_for_paths_of(&route))).then_some((
                kind,
                distance,
                Near { route, kind, why },
            ))
        })
        .collect();
    // Among those that are equally near the more precise ones, and then as they stand in the configuration.
    near.sort_by_key(|(kind, distance, near)| {
        (*kind, *distance, usize::MAX.saturating_sub(near.route.path.len()))
    });
    near.into_iter().map(|(.., near)| near).collect()
}

/// What would become of the request if there were this route alone.
fn alone(
    route: &gate::routes::Route,
    path: &CanonicalPath<'_>,
    method: Method,
    protocol: Protocol,
) -> Option<(Kind, usize, String)> {
    let table = Routes::alone(route);
    if route.protocol != protocol {
        return match table.find(path, method, route.protocol) {
            Ok(Lookup::Route(_)) => {
                let whose = match route.protocol {
                    Protocol::WebSocket => "WebSocket handshakes",
                    Protocol::Http => "requests that are no WebSocket handshake",
                };
                Some((Kind::Protocol, 0, format!("it is for {whose}")))
            }
            _ => None,
        };
    }
    match table.find(path, method, protocol) {
        Ok(Lookup::Route(_)) => {
            Some((Kind::LessSpecific, 0, "it would do, but the route above is more specific".to_owned()))
        }
        Ok(Lookup::WrongMethod { .. }) => {
            Some((Kind::Method, 0, format!("it is for this path, but not for {}", method.name())))
        }
        Err(Denial::BadPath(PathProblem::EncodedSlash)) => {
            Some((Kind::EncodedSlash, 0, "it has this form, but takes no %2F there".to_owned()))
        }
        _ => {
            let words = differs(&route.template.to_string(), path);
            let elsewhere = || (Kind::Path, 0, "it is for WebSockets, and for another path".to_owned());
            words.or_else(|| (protocol == Protocol::WebSocket).then(elsewhere))
        }
    }
}

/// How a path that does not fit a template differs from those that do, if that is little.
fn differs(template: &str, path: &CanonicalPath<'_>) -> Option<(Kind, usize, String)> {
    let trimmed = template.strip_suffix("/{*rest}");
    let wanted: Vec<_> = trimmed.unwrap_or(template).split('/').skip(1).collect();
    let mut has: Vec<_> = path.segments().collect();
    if has.last() == Some(&"") {
        has.pop();
    }
    if trimmed.is_some() {
        has.truncate(wanted.len());
    }
    let literals = wanted.iter().filter(|segment| !is_parameter(segment)).count();
    if literals == 0 {
        return None;
    }
    if wanted.len() == has.len() {
        let mut others =
            (1_usize..).zip(wanted.iter().zip(&has)).filter(|(_, (wanted, has))| !fits(wanted, has));
        let (number, (wanted, has)) = others.next()?;
        let text = format!("segment {number} is \"{has}\", the route has \"{wanted}\"");
        if wanted.eq_ignore_ascii_case(has)
            && others.all(|(_, (wanted, has))| wanted.eq_ignore_ascii_case(has))
        {
            return Some((Kind::Case, 0, format!("{text}: case matters")));
        }
        let distance = distance(wanted, has);
        let is_similar = distance.saturating_mul(3) <= wanted.len().max(has.len());
        let is_rest_alike = literals > 3;
        return (others.next().is_none() && (is_similar || is_rest_alike)).then_some((
            Kind::Segment,
            distance,
            text,
        ));
    }
    // With one segment more or less, all others have to be the same, and not parameters alone.
    if trimmed.is_some() {
        return None;
    }
    let without = |list: &[&str], other: &[&str], fits: &dyn Fn(&str, &str) -> bool| {
        (list.len() == other.len().saturating_add(1)).then_some(())?;
        (0..list.len()).rev().find(|left_out| {
            let rest = list.iter().enumerate().filter(|(at, _)| at != left_out).map(|(_, segment)| segment);
            let same = rest.clone().zip(other).filter(|(one, two)| one == two).count();
            same >= 2 && rest.zip(other).all(|(one, two)| fits(one, two))
        })
    };
    if let Some(at) = without(&wanted, &has, &fits) {
        let segment = wanted.get(at).copied().unwrap_or_default();
        let number = at.saturating_add(1);
        return Some((
            Kind::Length,
            0,
            format!("the route has a segment more: segment {number}, \"{segment}\""),
        ));
    }
    let at = without(&has, &wanted, &|has, wanted| fits(wanted, has))?;
    let segment = has.get(at).copied().unwrap_or_default();
    let number = at.saturating_add(1);
    Some((Kind::Length, 0, format!("the path has a segment more: segment {number}, \"{segment}\"")))
}

fn is_parameter(segment: &str) -> bool {
    segment.starts_with('{')
}

fn fits(wanted: &str, has: &str) -> bool {
    if is_parameter(wanted) { !has.is_empty() } else { wanted == has }
}

/// How many letters have to be added, left away or changed (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let mut before: Vec<_> = (0..=other.len()).collect();
    for (row, a) in one.bytes().enumerate() {
        let mut now = vec![row.saturating_add(1)];
        for (column, b) in other.bytes().enumerate() {
            let of = |list: &[usize], at: usize| list.get(at).copied().unwrap_or(usize::MAX);
            let changed = of(&before, column).saturating_add(usize::from(a != b));
            let one_more = of(&before, column.saturating_add(1)).min(of(&now, column)).saturating_add(1);
            now.push(changed.min(one_more));
        }
        before = now;
    }
    before.last().copied().unwrap_or_default()
}
