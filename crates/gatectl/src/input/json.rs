//! JSON, with places: `serde_json` reads it, as it does in the core, and then it is walked again.

use core::ops::Range;
use std::rc::Rc;

use serde_json::Value;

use super::node::{Data, Entry, Node, Object, Style};
use crate::source::{Note, Source};

/// Reads a JSON text.
///
/// # Errors
///
/// Where it is not JSON, and why not.
pub(crate) fn read(source: &Source) -> Result<Node, Note> {
    match serde_json::from_str::<Value>(source.text()) {
        Ok(_) => Ok(Walk { text: source.text(), at: 0 }.value()),
        Err(error) => {
            // Its columns are bytes, from 1; 0 means the line's very beginning.
            let start = source.line_start(error.line()).saturating_add(error.column().saturating_sub(1));
            let full = error.to_string();
            let why = full.rsplit_once(" at line ").map_or(full.as_str(), |(why, _)| why);
            Err(Note {
                is_warning: false,
                span: start..start.saturating_add(1),
                message: format!("this is not JSON: {why}"),
                help: None,
                quote: None,
            })
        }
    }
}

/// A walk over text that is known to be JSON, no deeper than `serde_json` allows.
struct Walk<'a> {
    text: &'a str,
    at: usize,
}

impl Walk<'_> {
    fn value(&mut self) -> Node {
        let first = self.peek();
        let start = self.at;
        let data = match first {
            Some(b'{') => Data::Object(self.object()),
            Some(b'[') => Data::List(self.list()),
            Some(b'"') => {
                self.string();
                self.scalar(start, Style::DoubleQuoted)
            }
            _ => {
                while self.byte().is_some_and(|byte| !matches!(byte, b',' | b']' | b'}') && !is_space(byte)) {
                    self.step();
                }
                self.scalar(start, Style::Plain)
            }
        };
        Node { span: start..self.at, data }
    }

    fn object(&mut self) -> Object {
        let mut object = Object::default();
        self.step();
        while self.peek() == Some(b'"') {
            let start = self.at;
            self.string();
            let key_span = start..self.at;
            let key = self.parsed(key_span.clone()).as_str().unwrap_or_default().to_owned();
            // The colon.
            self.peek();
            self.step();
            object.push(Entry { key, key_span, value: Rc::new(self.value()) });
            self.skip_comma();
        }
        self.step();
        object
    }

    fn list(&mut self) -> Vec<Rc<Node>> {
        let mut items = Vec::new();
        self.step();
        while !matches!(self.peek(), Some(b']') | None) {
            items.push(Rc::new(self.value()));
            self.skip_comma();
        }
        self.step();
        items
    }

    /// Over a string, quotes included.
    fn string(&mut self) {
        self.step();
        while let Some(byte) = self.byte().filter(|byte| *byte != b'"') {
            self.step();
            if byte == b'\\' {
                self.step();
            }
        }
        self.step();
    }

    fn scalar(&self, start: usize, style: Style) -> Data {
        Data::Scalar { value: self.parsed(start..self.at), style }
    }

    fn parsed(&self, span: Range<usize>) -> Value {
        serde_json::from_str(self.text.get(span).unwrap_or_default()).unwrap_or_default()
    }

    fn skip_comma(&mut self) {
        if self.peek() == Some(b',') {
            self.step();
        }
    }

    /// The next byte that is no space, which becomes the current one.
    fn peek(&mut self) -> Option<u8> {
        while self.byte().is_some_and(is_space) {
            self.step();
        }
        self.byte()
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn step(&mut self) {
        self.at = self.at.saturating_add(1).min(self.text.len());
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}
