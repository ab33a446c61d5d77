//! YAML, with places: built from the parser's events, because its own tree forgets keys that stand twice
//! and how a scalar is written.

use core::ops::Range;
use std::borrow::Cow;
use std::collections::HashMap;
use std::rc::Rc;

use saphyr::Scalar;
use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span, Tag};
use serde_json::{Number, Value};

use super::node::{Data, Entry, MAX_DEPTH, Node, Object, Style};
use crate::source::{Note, Source};

/// How many values aliases may add, all written out: a few lines of aliases to aliases would otherwise
/// fill the memory. What is written out already takes a byte each at least.
const MAX_ALIASED: usize = 100_000;

/// Reads all documents of a YAML text.
///
/// # Errors
///
/// Where it is not YAML, or more than JSON can say, and why.
pub(crate) fn read(source: &Source) -> Result<Vec<Rc<Node>>, Note> {
    let mut builder = Builder { offsets: Offsets::new(source.text()), ..Builder::default() };
    for event in Parser::new_from_str(source.text()) {
        let (event, span) = event.map_err(|error| {
            let start = builder.offsets.of(*error.marker());
            note(start..start.saturating_add(1), &format!("this is not YAML: {}", error.info()))
        })?;
        let span = builder.offsets.of_span(span);
        builder.take(event, span)?;
    }
    Ok(builder.documents)
}

const TOO_MANY: &str = "with this, the aliases stand for too many values";

fn note(span: Range<usize>, message: &str) -> Note {
    Note { is_warning: false, span, message: message.to_owned(), help: None, quote: None }
}

/// A node with what it costs to write it out.
#[derive(Clone, Debug)]
struct Built {
    node: Rc<Node>,
    values: usize,
    depth: usize,
}

/// A list or an object that is not closed yet.
#[derive(Debug)]
struct Open {
    anchor: usize,
    start: usize,
    values: usize,
    depth: usize,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    List(Vec<Rc<Node>>),
    Object { object: Object, key: Option<(String, Range<usize>)> },
}

#[derive(Debug, Default)]
struct Builder<'a> {
    documents: Vec<Rc<Node>>,
    open: Vec<Open>,
    anchors: HashMap<usize, Built>,
    values: usize,
    offsets: Offsets<'a>,
}

impl Builder<'_> {
    fn take(&mut self, event: Event<'_>, span: Range<usize>) -> Result<(), Note> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let (value, style) = scalar(text, style, tag.as_ref())
                    .ok_or_else(|| note(span.clone(), "this value is not what its tag says"))?;
                let node = Rc::new(Node { span: span.clone(), data: Data::Scalar { value, style } });
                self.built(anchor, Built { node, values: 1, depth: 0 }, span)
            }
            Event::Alias(anchor) => match self.anchors.get(&anchor) {
                Some(built) => {
                    let built = built.clone();
                    self.built(0, built, span)
                }
                None => Err(note(span, "this alias contains itself")),
            },
            Event::SequenceStart(anchor, _) => self.open(anchor, span, Kind::List(Vec::new())),
            Event::MappingStart(anchor, _) => {
                self.open(anchor, span, Kind::Object { object: Object::default(), key: None })
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(&span),
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => Ok(()),
        }
    }

    fn open(&mut self, anchor: usize, span: Range<usize>, kind: Kind) -> Result<(), Note> {
        if let Some(Open { kind: Kind::Object { key: None, .. }, .. }) = self.open.last() {
            return Err(note(span, "a key must be text"));
        }
        if self.open.len() >= MAX_DEPTH {
            return Err(note(span, "this is too deep"));
        }
        self.open.push(Open { anchor, start: span.start, values: 1, depth: 1, kind });
        Ok(())
    }

    fn close(&mut self, span: &Range<usize>) -> Result<(), Note> {
        let Some(Open { anchor, start, values, depth, kind }) = self.open.pop() else { return Ok(()) };
        let data = match kind {
            Kind::List(items) => Data::List(items),
            Kind::Object { object, .. } => Data::Object(object),
        };
        let whole = start..span.end.max(start);
        let node = Rc::new(Node { span: whole.clone(), data });
        self.built(anchor, Built { node, values, depth }, whole)
    }

    /// Puts a finished node where it belongs: under a key, into a list, or as a key itself.
    fn built(&mut self, anchor: usize, built: Built, span: Range<usize>) -> Result<(), Note> {
        if anchor != 0 {
            self.anchors.insert(anchor, built.clone());
        }
        let levels = self.open.len();
        let most = self.offsets.text.len().saturating_add(MAX_ALIASED);
        let Some(open) = self.open.last_mut() else {
            self.values = self.values.saturating_add(built.values);
            self.documents.push(built.node);
            return if self.values > most { Err(note(span, TOO_MANY)) } else { Ok(()) };
        };
        open.values = open.values.saturating_add(built.values);
        open.depth = open.depth.max(built.depth.saturating_add(1));
        if open.values > most {
            return Err(note(span, TOO_MANY));
        }
        if built.depth.saturating_add(levels) > MAX_DEPTH {
            return Err(note(span, "this is too deep"));
        }
        match &mut open.kind {
            Kind::List(items) => items.push(built.node),
            Kind::Object { object, key } => match key.take() {
                Some((key, key_span)) => object.push(Entry { key, key_span, value: built.node }),
                None => *key = Some((key_of(&built.node, &span, self.offsets.text)?, span)),
            },
        }
        Ok(())
    }
}

/// The text of a key: `1:` and `yes:` are keys as well, as they are written.
fn key_of(node: &Node, span: &Range<usize>, source: &str) -> Result<String, Note> {
    match &node.data {
        Data::Scalar { value: Value::String(text), .. } => Ok(text.clone()),
        Data::Scalar { .. } => Ok(source.get(span.clone()).unwrap_or_default().to_owned()),
        Data::List(_) | Data::Object(_) => Err(note(span.clone(), "a key must be text")),
    }
}

fn scalar(text: Cow<'_, str>, style: ScalarStyle, tag: Option<&Cow<'_, Tag>>) -> Option<(Value, Style)> {
    let written = match style {
        ScalarStyle::Plain => Style::Plain,
        ScalarStyle::SingleQuoted => Style::SingleQuoted,
        ScalarStyle::DoubleQuoted => Style::DoubleQuoted,
        ScalarStyle::Literal => Style::Literal,
        ScalarStyle::Folded => Style::Folded,
    };
    let value = match Scalar::parse_from_cow_and_metadata(text.clone(), style, tag)? {
        Scalar::Null => Value::Null,
        Scalar::Boolean(flag) => Value::Bool(flag),
        Scalar::Integer(number) => Value::from(number),
        // JSON has no infinities; as text they are refused wherever a number belongs.
        Scalar::FloatingPoint(number) => {
            Number::from_f64(number.into_inner()).map_or_else(|| Value::from(text.as_ref()), Value::Number)
        }
        Scalar::String(text) => Value::from(text.into_owned()),
    };
    Some((value, written))
}

/// Turns the parser's positions, which are characters, into bytes. They come nearly in order, so each is
/// looked for from the last one.
#[derive(Debug, Default)]
struct Offsets<'a> {
    text: &'a str,
    character: usize,
    byte: usize,
}

impl<'a> Offsets<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, character: 0, byte: 0 }
    }

    fn of_span(&mut self, span: Span) -> Range<usize> {
        let start = self.of(span.start);
        start..self.of(span.end).max(start)
    }

    fn of(&mut self, marker: Marker) -> usize {
        let wanted = marker.index();
        let (before, after) = self.text.split_at_checked(self.byte).unwrap_or((self.text, ""));
        if wanted >= self.character {
            let steps = after.chars().take(wanted.saturating_sub(self.character));
            for character in steps {
                self.byte = self.byte.saturating_add(character.len_utf8());
                self.character = self.character.saturating_add(1);
            }
        } else {
            let steps = before.chars().rev().take(self.character.saturating_sub(wanted));
            for character in steps {
                self.byte = self.byte.saturating_sub(character.len_utf8());
                self.character = self.character.saturating_sub(1);
            }
        }
        self.byte
    }
}
