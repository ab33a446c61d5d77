//! What must hold for any bytes as a request's `:path`. The fuzz target looks for some for which it does
//! not; `crates/gate/tests/path_seeds.rs` asks about those that were interesting once.

use std::cell::RefCell;
use std::time::Duration;

use gate::authn::{Answer, CheckId, StreamId};
use gate::config::Config;
use gate::gate::{Gate, Verdict};
use gate::path::CanonicalPath;
use gate::request::{Field, Request};
use gate::time::Time;

/// Panics when it does not hold.
pub fn holds(raw: &[u8]) {
    let verdict = verdict(raw);
    if let Ok(path) = CanonicalPath::read(Field::Once(raw)) {
        let target = path.target();
        is_stable(&target);
        keeps_the_query(raw, &target);
        leads_nowhere_else(path.as_str());
        assert_eq!(
            envoy_normalized(target.as_bytes()).as_deref(),
            Some(target.as_bytes()),
            "Envoy's normalize_path changes what was judged"
        );
        assert_eq!(self::verdict(target.as_bytes()), verdict, "what is judged is not what is sent");
    }
    // Whether the operator has Envoy normalise paths must not open anything: what passes as it came passes
    // alike. (What is refused as it came may pass: dots that Envoy has resolved are none.)
    if let (Sent::To(_), Some(normalized)) = (&verdict, envoy_normalized(raw)) {
        assert_eq!(self::verdict(&normalized), verdict, "normalize_path leads somewhere else");
    }
}

fn is_stable(target: &str) {
    let again = CanonicalPath::read(Field::Once(target.as_bytes()));
    let again = again.unwrap_or_else(|problem| panic!("the canonical {target} is refused: {problem:?}"));
    assert_eq!(again.target(), target, "the canonical path is not stable");
    assert!(!again.is_rewritten(), "the canonical path is rewritten: {target}");
}

fn keeps_the_query(raw: &[u8], target: &str) {
    let query = |text: &[u8]| text.iter().position(|byte| *byte == b'?').map(|at| text[at..].to_owned());
    assert_eq!(query(raw), query(target.as_bytes()), "the query is not kept");
}

/// However often somebody decodes it (Keptn 0.6.2 once, from 0.8.3 on twice), and whatever they take for a slash.
fn leads_nowhere_else(path: &str) {
    let mut bytes = path.as_bytes().to_owned();
    loop {
        for segment in bytes.split(|byte| matches!(byte, b'/' | b'\\')) {
            assert!(!matches!(segment, b"." | b".."), "a dot segment in {path}");
            assert!(!segment.iter().any(u8::is_ascii_control), "a control character in {path}");
        }
        let decoded = decoded_once(&bytes);
        if decoded == bytes {
            return;
        }
        bytes = decoded;
    }
}

fn decoded_once(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let (byte, width) = escape_at(bytes, at).map_or((bytes[at], 1), |byte| (byte, 3));
        out.push(byte);
        at += width;
    }
    out
}

fn escape_at(bytes: &[u8], at: usize) -> Option<u8> {
    let [b'%', high, low, ..] = bytes.get(at..)? else { return None };
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(*high)? * 16 + digit(*low)?).ok()
}

/// What becomes of a request for this path, whose token is good.
#[derive(Debug, PartialEq)]
enum Sent {
    To(String),
    Refused(u16, String),
}

fn verdict(path: &[u8]) -> Sent {
    thread_local! {
        static GATE: RefCell<Gate> = RefCell::new(Gate::new(Config::from_json(b"{}").unwrap(), 7));
    }
    GATE.with_borrow_mut(|gate| {
        let lines = [(":method", &b"GET"[..]), (":path", path), ("x-token", b"good")];
        let request = Request::read(lines, true, &|| None);
        let now = Time::since_start(Duration::ZERO);
        let mut verdict = gate.on_request(StreamId(1), &request, now);
        // The first time: from then on the yes is remembered.
        if let Verdict::Ask(check) = &verdict {
            assert!(gate.on_sent(check.flight, Some(CheckId(1)), now).is_empty());
            verdict = gate.on_answer(CheckId(1), &Answer::of(200), now).pop().expect("somebody waits").1;
        }
        match verdict {
            Verdict::Forward(permit) => {
                let upstream = permit.upstream().expect("every host is ours");
                let came = || std::str::from_utf8(path).expect("it was forwarded");
                Sent::To(format!("{upstream} {}", permit.path().unwrap_or_else(came)))
            }
            Verdict::Reply(reply) => {
                let response = reply.response();
                Sent::Refused(response.status, response.details)
            }
            Verdict::Ask(_) | Verdict::Wait => panic!("{verdict:?}"),
        }
    })
}

/// A model of Envoy's `normalize_path` with `merge_slashes`: what its filters, and ours among them, then get
/// to see. `None`: Envoy itself answers 400.
///
/// Envoy uses Chromium's canonicaliser: escapes of unreserved characters are decoded, other escapes stay as
/// they are, what no URL contains is escaped, `\` is a slash, and dot segments are resolved, also escaped ones.
pub fn envoy_normalized(target: &[u8]) -> Option<Vec<u8>> {
    let end = target.iter().position(|byte| matches!(byte, b'?' | b'#')).unwrap_or(target.len());
    let (path, rest) = target.split_at(end);
    if path.first() != Some(&b'/') {
        return Some(target.to_owned());
    }
    let mut plain = Vec::new();
    let mut at = 0;
    while at < path.len() {
        let byte = path[at];
        match (byte, escape_at(path, at)) {
            (_, Some(0)) => return None,
            (_, Some(decoded)) if decoded.is_ascii_alphanumeric() || b"-._~".contains(&decoded) => {
                plain.push(decoded);
                at += 2;
            }
            (b'\\', _) => plain.push(b'/'),
            (0x00, _) => return None,
            (0x01..=0x20 | 0x7f.. | b'"' | b'<' | b'>' | b'^' | b'`' | b'{' | b'|' | b'}', _) => {
                plain.extend(format!("%{byte:02X}").bytes());
            }
            _ => plain.push(byte),
        }
        at += 1;
    }
    let mut segments: Vec<&[u8]> = Vec::new();
    let mut parts = plain[1..].split(|byte| *byte == b'/').peekable();
    while let Some(part) = parts.next() {
        let is_last = parts.peek().is_none();
        match part {
            b"." | b".." => {
                if part == b".." {
                    segments.pop();
                }
                // A dot segment at the end leaves the folder, slash included.
                segments.extend(is_last.then_some(&b""[..]));
            }
            _ => segments.push(part),
        }
    }
    let mut normalized = vec![b'/'];
    for byte in segments.join(&b'/') {
        if !(byte == b'/' && normalized.ends_with(b"/")) {
            normalized.push(byte);
        }
    }
    normalized.extend(rest);
    Some(normalized)
}
