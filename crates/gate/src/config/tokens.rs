//! Local tokens.
//!
//! Where a hash belongs people paste the token, by mistake: nothing that stands there is ever repeated.

use core::time::Duration;
use std::time::SystemTime;

use serde_json::Value;

use super::keys;
use super::problem::Place;
use super::reader::{Report, Section};
use crate::authn::LocalToken;
use crate::routes::Upstream;
use crate::time::Wall;
use crate::token::Fingerprint;

/// Each request with a token is compared with all of them.
const MOST: usize = 64;

/// The old token and the next one.
const MOST_OF_ONE_NAME: usize = 2;

/// `x-keptn-client` has it, and logs do.
const LONGEST_NAME: usize = 64;

/// What `sha256sum` writes for nothing at all: the shell's variable was empty.
const HASH_OF_NOTHING: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

const API_SERVICE: &str = "api-service";

const HOW_TO_HASH: &str =
    "write 64 hex digits, as printf %s TOKEN | sha256sum prints them, and never the token itself";

/// A local token, and where it stands.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) place: Place,
    pub(super) token: LocalToken,
}

pub(super) fn read(top: &Section<'_>, report: &Report) -> Vec<Entry> {
    if top.value(&keys::TOKENS).is_some_and(|value| !value.is_array()) {
        report.add(top.at(&keys::TOKENS), "this is no list", "write a list, [ … ]");
        return Vec::new();
    }
    let items = top.list(&keys::TOKENS);
    if items.len() > MOST {
        report.add(
            top.at(&keys::TOKENS),
            format!("these are {} tokens, and {MOST} are the most", items.len()),
            "leave more of them to api-service",
        );
    }
    let mut hashes: Vec<(Place, Fingerprint)> = Vec::new();
    let mut names = Vec::new();
    let mut entries = Vec::new();
    for (place, item) in items {
        if !item.is_object() && !item.is_null() {
            // Elsewhere a number is repeated.
            report.add(place, "this is no object", "write an object, { … }");
            continue;
        }
        let section = Section::item(item, place.clone(), report);
        let name = name(&section, &mut names, report);
        let hash = hash(&section, &mut hashes, report);
        let (not_before, not_after) = validity(&section, report);
        let api = section.flag(&keys::TOKEN_API);
        if let (Some(name), Some(hash)) = (name, hash) {
            entries.push(Entry {
                place,
                token: LocalToken { name: name.into(), hash, not_before, not_after, api },
            });
        }
    }
    entries
}

fn name<'a>(section: &Section<'a>, names: &mut Vec<&'a str>, report: &Report) -> Option<&'a str> {
    let name = section.text(&keys::TOKEN_NAME);
    let place = section.at(&keys::TOKEN_NAME);
    let is_odd = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    if let Some(at) = name.find(is_odd) {
        let span = at..at.saturating_add(1);
        report.add_in(place, name, span, "a token's name has none of this", "use letters, digits, - _ and .");
        return None;
    }
    if name.len() > LONGEST_NAME {
        let remedy = format!("use at most {LONGEST_NAME} characters");
        report.add_in(place, name, LONGEST_NAME..name.len(), "this name is too long", remedy);
        return None;
    }
    names.push(name);
    if !name.is_empty() && names.iter().filter(|known| **known == name).count() > MOST_OF_ONE_NAME {
        let message = "two tokens have this name already";
        let remedy =
            "remove the one that is over: two are for the time in which the next one takes its place";
        report.add_in(place, name, 0..name.len(), message, remedy);
    }
    (!name.is_empty()).then_some(name)
}

fn hash(
    section: &Section<'_>,
    hashes: &mut Vec<(Place, Fingerprint)>,
    report: &Report,
) -> Option<Fingerprint> {
    let place = section.at(&keys::TOKEN_SHA256);
    let Value::String(text) = section.value(&keys::TOKEN_SHA256)? else {
        report.add(place, "this is not text", HOW_TO_HASH);
        return None;
    };
    let Some(hash) = Fingerprint::from_hex(text) else {
        report.add(place, "this is not a SHA-256", HOW_TO_HASH);
        return None;
    };
    if text.eq_ignore_ascii_case(HASH_OF_NOTHING) {
        let remedy = "look whether TOKEN in printf %s TOKEN | sha256sum was an empty variable";
        report.add(place, "this is the hash of nothing", remedy);
        return None;
    }
    if let Some((other, _)) = hashes.iter().find(|(_, known)| *known == hash) {
        report.add(place, format!("{other} is this hash already"), "give each token one entry");
        return None;
    }
    hashes.push((place, hash));
    Some(hash)
}

fn validity(section: &Section<'_>, report: &Report) -> (Option<Wall>, Option<Wall>) {
    let read = |key| {
        let text = section.text(key);
        (!text.is_empty()).then(|| (text, time(text, section.at(key), report)))
    };
    let (begin, end) = (read(&keys::TOKEN_NOT_BEFORE), read(&keys::TOKEN_NOT_AFTER));
    if let (Some((begin_text, Some(begin))), Some((end_text, Some(end)))) = (begin, end)
        && begin >= end
    {
        report.add_in(
            section.at(&keys::TOKEN_NOT_AFTER),
            end_text,
            0..end_text.len(),
            format!("this is not after not_before, {begin_text}"),
            "let it end after it begins",
        );
    }
    (begin.and_then(|(_, begin)| begin), end.and_then(|(_, end)| end))
}

fn time(text: &str, place: Place, report: &Report) -> Option<Wall> {
    let since_epoch = |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).ok();
    let elapsed: Option<Duration> = humantime::parse_rfc3339(text).ok().and_then(since_epoch);
    if elapsed.is_none() {
        let remedy = format!("write it in UTC, as in {}", keys::TOKEN_NOT_AFTER.example);
        report.add_in(place, text, 0..text.len(), "this is not a time", remedy);
    }
    elapsed.map(Wall::since_epoch)
}

/// Warns of tokens that open less than one may think. `upstreams` are those that routes with a token lead to.
pub(super) fn warn(entries: &[Entry], upstreams: &[Upstream], warnings: &Report) {
    let names = |keeps_token| {
        let those = upstreams.iter().filter(|upstream| upstream.keeps_token == keeps_token);
        those.map(|upstream| upstream.name.as_ref()).collect::<Vec<_>>()
    };
    let opened = listed(&names(false));
    let others = names(true).into_iter().filter(|name| *name != API_SERVICE).collect::<Vec<_>>();
    let others = match others.as_slice() {
        [] => String::new(),
        others => format!("; what it is worth to {} is for them to say", listed(others)),
    };
    for Entry { place, token } in entries.iter().filter(|entry| !entry.token.api) {
        warnings.add_in(
            place.key(keys::TOKEN_NAME.last()),
            &token.name,
            0..token.name.len(),
            format!(
                "this token opens {opened}, and not {API_SERVICE}, which compares x-token with its own secret{others}"
            ),
            "for that list the hash of Keptn's own secret with \"api\": true, or let Envoy's credential_injector put \
             the secret in: docs/authentication.md",
        );
    }

    let mut names: Vec<&str> = Vec::new();
    for Entry { place, token } in entries.iter().filter(|entry| entry.token.api) {
        if names.contains(&token.name.as_ref()) {
            continue;
        }
        if let Some(first) = names.first() {
            warnings.add(
                place.key(keys::TOKEN_API.last()),
                format!("\"{first}\" has this too, and {API_SERVICE} has one secret only"),
                "keep it where the hash is that of Keptn's own secret: the other needs Envoy's credential_injector, \
                 which docs/authentication.md describes",
            );
        }
        names.push(&token.name);
    }
}

/// `a`, `a and b`, `a, b and c`.
fn listed(names: &[&str]) -> String {
    match names {
        [] => "nothing".to_owned(),
        [one] => (*one).to_owned(),
        [some @ .., last] => format!("{} and {last}", some.join(", ")),
    }
}
