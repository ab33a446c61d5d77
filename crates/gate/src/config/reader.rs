//! Reading JSON with all of its problems: one that stops at the first would make people try again and
//! again, each time against a running proxy.

use core::ops::Range;
use core::time::Duration;
use std::cell::RefCell;

use serde_json::{Map, Value};

use super::keys::{Key, Shown};
use super::problem::{Excerpt, Place, Problem};

/// What may stand under a key.
#[derive(Debug)]
pub(super) enum Kind<T: 'static> {
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// One of these words must stand there.
    RequiredOneOf(&'static [&'static str]),
    /// Text that is not empty, described so.
    Text(&'static str),
    /// Anything from the first to the second, both included.
    Between(T, T),
    /// The same, or zero, which switches it off.
    ZeroOr(T, T),
    /// Anything of the type, described so.
    Any(&'static str),
    /// Something must stand there, described so.
    Required(&'static str),
    /// Something with keys or items of its own, described so.
    Nested(&'static str),
}

/// Where problems are put.
#[derive(Debug, Default)]
pub(super) struct Report(RefCell<Vec<Problem>>);

impl Report {
    pub(super) fn add(&self, place: Place, message: impl Into<String>, remedy: impl Into<String>) {
        self.push(place, message, remedy, None);
    }

    fn add_key(&self, place: Place, message: impl Into<String>, remedy: impl Into<String>) {
        self.0.borrow_mut().push(Problem {
            place,
            is_about_key: true,
            message: message.into(),
            remedy: remedy.into(),
            excerpt: None,
        });
    }

    pub(super) fn add_in(
        &self,
        place: Place,
        text: &str,
        span: Range<usize>,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        if text.is_empty() {
            return self.add(place, "this is empty", remedy);
        }
        // Whoever points at one byte means the character that begins there.
        let span = text.floor_char_boundary(span.start)..text.ceil_char_boundary(span.end);
        self.push(place, message, remedy, Some(Excerpt { text: text.to_owned(), span }));
    }

    /// How many there are by now.
    pub(super) fn len(&self) -> usize {
        self.0.borrow().len()
    }

    fn push(
        &self,
        place: Place,
        message: impl Into<String>,
        remedy: impl Into<String>,
        excerpt: Option<Excerpt>,
    ) {
        self.0.borrow_mut().push(Problem {
            place,
            is_about_key: false,
            message: message.into(),
            remedy: remedy.into(),
            excerpt,
        });
    }

    pub(super) fn into_problems(self) -> Vec<Problem> {
        let mut problems = self.0.into_inner();
        problems.sort_by(|a, b| a.place.cmp(&b.place));
        problems
    }
}

/// An object of the configuration. When it is dropped, the keys that nobody asked for are reported.
#[derive(Debug)]
pub(super) struct Section<'a> {
    object: Option<&'a Map<String, Value>>,
    place: Place,
    report: &'a Report,
    known: RefCell<Vec<&'static str>>,
}

impl<'a> Section<'a> {
    pub(super) fn new(value: Option<&'a Value>, place: Place, report: &'a Report) -> Self {
        let object = match value {
            None | Some(Value::Null) => None,
            Some(Value::Object(object)) => Some(object),
            Some(other) => {
                report.add(place.clone(), format!("this is {}", describe(other)), "write an object, { … }");
                None
            }
        };
        Self { object, place, report, known: RefCell::default() }
    }

    /// An object that is an item of a list. Where a key's null means "as if it were not there", an item's
    /// means nothing.
    pub(super) fn item(value: &'a Value, place: Place, report: &'a Report) -> Self {
        if value.is_null() {
            report.add(place.clone(), "this is null", "write an object, { … }, or leave the item away");
        }
        Self::new(Some(value), place, report)
    }

    fn get(&self, name: &'static str) -> Option<&'a Value> {
        let mut known = self.known.borrow_mut();
        if !known.contains(&name) {
            known.push(name);
        }
        self.object?.get(name).filter(|value| !value.is_null())
    }

    /// Whether it is there at all.
    pub(super) fn exists(&self) -> bool {
        self.object.is_some()
    }

    /// What stands under `key`, whatever it is. If it is missing and must not be, that is reported.
    pub(super) fn value<T>(&self, key: &Key<T>) -> Option<&'a Value> {
        let value = self.get(key.last());
        let what = match &key.kind {
            Kind::Required(what) => Some((*what).to_owned()),
            Kind::RequiredOneOf(words) => Some(words.join(" or ")),
            _ => None,
        };
        // What is no object lacks nothing more.
        if let (Some(what), None, true) = (what, value, self.exists()) {
            let (name, example) = (key.last(), key.example);
            let remedy = format!("add {what}, such as \"{name}\": {example}");
            self.report.add(self.place.clone(), format!("\"{name}\" is missing"), remedy);
        }
        value
    }

    /// Where `key` stands.
    pub(super) fn at<T>(&self, key: &Key<T>) -> Place {
        self.place.key(key.last())
    }

    /// An object of its own.
    pub(super) fn section(&self, name: &'static str) -> Section<'a> {
        Section::new(self.get(name), self.place.key(name), self.report)
    }

    /// The items of a list, with their places.
    pub(super) fn list(&self, key: &Key<()>) -> Vec<(Place, &'a Value)> {
        match self.get(key.last()) {
            None => Vec::new(),
            Some(Value::Array(items)) => {
                items.iter().enumerate().map(|(index, item)| (self.at(key).index(index), item)).collect()
            }
            Some(other) => {
                self.report.add(self.at(key), format!("this is {}", describe(other)), "write a list, [ … ]");
                Vec::new()
            }
        }
    }

    pub(super) fn text(&self, key: &Key<&'static str>) -> &'a str {
        let words = |words: &[&str]| {
            let quoted: Vec<_> = words.iter().map(|word| format!("\"{word}\"")).collect();
            format!("write {}", quoted.join(" or "))
        };
        let value = self.value(key);
        let not_text = value.filter(|value| !value.is_string());
        if let (Kind::OneOf(known) | Kind::RequiredOneOf(known), Some(other)) = (&key.kind, not_text) {
            self.report.add(self.at(key), format!("this is {}", describe(other)), words(known));
            return key.default;
        }
        let Some(text) = value.and_then(|value| text(value, self.at(key), self.report)) else {
            return key.default;
        };
        match key.kind {
            Kind::OneOf(known) | Kind::RequiredOneOf(known) if !known.contains(&text) => {
                let message = "this is not a word for it";
                self.report.add_in(self.at(key), text, 0..text.len(), message, words(known));
                key.default
            }
            Kind::Text(_) | Kind::Required(_) if text.is_empty() => {
                let remedy = format!("write something such as {}", key.example);
                self.report.add(self.at(key), "this is empty", remedy);
                key.default
            }
            _ => text,
        }
    }

    pub(super) fn flag(&self, key: &Key<bool>) -> bool {
        match self.get(key.last()) {
            None => key.default,
            Some(Value::Bool(flag)) => *flag,
            Some(other) => {
                self.report.add(self.at(key), format!("this is {}", describe(other)), "write true or false");
                key.default
            }
        }
    }

    pub(super) fn number(&self, key: &Key<u64>) -> u64 {
        let Some(value) = self.get(key.last()) else { return key.default };
        // Envoy hands numbers over as floating-point ones.
        let whole = value.as_u64().or_else(|| whole(value.as_f64()?));
        if whole.is_none() {
            let remedy = format!("write a whole number such as {}", key.example);
            self.report.add(self.at(key), format!("this is {}", describe(value)), remedy);
        }
        whole.map_or(key.default, |number| self.within(key, number))
    }

    /// A number of things that fit into memory.
    pub(super) fn count(&self, key: &Key<u64>) -> usize {
        usize::try_from(self.number(key)).unwrap_or(usize::MAX)
    }

    pub(super) fn duration(&self, key: &Key<Duration>) -> Duration {
        let remedy = || format!("write a number and a unit (ms, s, m, h), such as {}", key.example);
        let text = match self.get(key.last()) {
            None => return key.default,
            Some(Value::String(text)) => text,
            Some(other) => {
                self.report.add(self.at(key), format!("this is {}", describe(other)), remedy());
                return key.default;
            }
        };
        match humantime::parse_duration(text) {
            Ok(duration) => self.within(key, duration),
            Err(error) => {
                let span = span_of(&error, text);
                self.report.add_in(self.at(key), text, span, "this is not a duration", remedy());
                key.default
            }
        }
    }

    fn within<T: Default + PartialOrd + Shown + Copy>(&self, key: &Key<T>, value: T) -> T {
        let (least, most, or_zero) = match &key.kind {
            Kind::Between(least, most) => (least, most, ""),
            Kind::ZeroOr(_, _) if value == T::default() => return value,
            Kind::ZeroOr(least, most) => (least, most, ", or 0s"),
            _ => return value,
        };
        if (least..=most).contains(&&value) {
            return value;
        }
        let message = format!("{} is out of range", value.shown());
        let remedy = format!("write something from {} to {}{or_zero}", least.shown(), most.shown());
        self.report.add(self.at(key), message, remedy);
        key.default
    }
}

impl Drop for Section<'_> {
    fn drop(&mut self) {
        let known = self.known.take();
        for name in self.object.into_iter().flat_map(Map::keys) {
            if !known.contains(&name.as_str()) {
                let remedy = match closest(name, &known) {
                    Some(word) => format!("did you mean \"{word}\"?"),
                    None => format!("the keys here are {}", known.join(", ")),
                };
                self.report.add_key(self.place.key(name), "there is no such key", remedy);
            }
        }
    }
}

/// A string, or a problem.
pub(super) fn text<'a>(value: &'a Value, place: Place, report: &Report) -> Option<&'a str> {
    if let Value::String(text) = value {
        return Some(text);
    }
    report.add(place, format!("this is {}", describe(value)), "write text, in quotes");
    None
}

/// The word of `words` that was meant by `word`, if it is clear.
pub(super) fn closest<'a>(word: &str, words: &[&'a str]) -> Option<&'a str> {
    let like = |a: &str, b: &str| {
        let (a, b) = (a.to_ascii_lowercase().replace('-', "_"), b.to_ascii_lowercase().replace('-', "_"));
        a == b || a.starts_with(&b) || b.starts_with(&a) || one_slip(&a, &b)
    };
    words.iter().copied().find(|candidate| !word.is_empty() && like(word, candidate))
}

/// Whether one letter was added, left out or mistaken.
fn one_slip(a: &str, b: &str) -> bool {
    let same = |a: &mut dyn Iterator<Item = u8>, b: &mut dyn Iterator<Item = u8>| {
        a.zip(b).take_while(|(a, b)| a == b).count()
    };
    let front = same(&mut a.bytes(), &mut b.bytes());
    let back = same(&mut a.bytes().rev(), &mut b.bytes().rev());
    let longer = a.len().max(b.len());
    a.len().abs_diff(b.len()) <= 1 && front.saturating_add(back).saturating_add(1) >= longer
}

fn describe(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(flag) => format!("the flag {flag}"),
        Value::Number(number) => format!("the number {number}"),
        Value::String(_) => "text".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

/// The whole number that a floating-point one stands for, if it does exactly.
fn whole(number: f64) -> Option<u64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked to be whole and in range"
    )]
    (number.fract() == 0.0 && (0.0..=EXACT).contains(&number)).then_some(number as u64)
}

fn span_of(error: &humantime::DurationError, text: &str) -> Range<usize> {
    use humantime::DurationError::{InvalidCharacter, NumberExpected, UnknownUnit};
    match error {
        InvalidCharacter(at) | NumberExpected(at) => *at..at.saturating_add(1).min(text.len().max(1)),
        UnknownUnit { start, end, .. } => *start..*end,
        _ => 0..text.len(),
    }
}
