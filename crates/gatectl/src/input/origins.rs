//! Where in the source each byte of a string comes from, so that a caret can point into it.

use core::ops::Range;

use super::node::{Data, Node, Style};

/// For each byte of a text, and for its end, the byte of the source that it comes from.
#[derive(Debug)]
pub(crate) struct Origins(Vec<usize>);

impl Origins {
    /// The origins of a string's bytes; none for what is folded over several lines.
    pub(crate) fn of(node: &Node, source: &str) -> Option<Self> {
        let Data::Scalar { value, style } = &node.data else { return None };
        let text = value.as_str()?;
        let written = without_properties(source.get(node.span.clone())?);
        let start = node.span.end.saturating_sub(written.len());
        match style {
            Style::Plain => Self::same(text, written, start),
            Style::SingleQuoted | Style::DoubleQuoted => Self::quoted(text, written, start),
            Style::Literal => Self::lines(text, source, node.span.start),
            Style::Folded => None,
        }
    }

    /// The bytes of the source that `span` of the text comes from.
    pub(crate) fn map(&self, span: &Range<usize>) -> Option<Range<usize>> {
        let start = *self.0.get(span.start)?;
        Some(start..self.0.get(span.end).map_or(start, |end| *end).max(start))
    }

    fn same(text: &str, written: &str, start: usize) -> Option<Self> {
        // What follows is white space that the parser counts in.
        written.starts_with(text).then(|| Self((start..=start.saturating_add(text.len())).collect()))
    }

    /// The text is at hand already, so an escape has only to be as long as it is, not to be read.
    fn quoted(text: &str, written: &str, start: usize) -> Option<Self> {
        let mut origins = Vec::with_capacity(text.len().saturating_add(1));
        let quote = written.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
        let mut at = quote.len_utf8();
        for character in text.chars() {
            let rest = written.get(at..)?;
            let length = match (quote, rest.chars().next()?) {
                ('\'', '\'') => "''".len(),
                ('"', '\\') => escape_length(rest, character)?,
                (_, same) if same == character => same.len_utf8(),
                _ => return None,
            };
            let origin = start.saturating_add(at);
            origins.extend(core::iter::repeat_n(origin, character.len_utf8()));
            at = at.saturating_add(length);
        }
        let end = written.get(at..)?;
        origins.push(start.saturating_add(at));
        end.starts_with(quote).then_some(Self(origins))
    }

    /// A block whose lines are the source's, but for their indentation. `start` is in the first one that is
    /// not empty.
    fn lines(text: &str, source: &str, start: usize) -> Option<Self> {
        let mut origins = Vec::with_capacity(text.len().saturating_add(1));
        let empty = text.bytes().take_while(|byte| *byte == b'\n').count();
        let mut breaks = source.get(..start)?.rmatch_indices('\n').map(|(at, _)| at);
        let first = breaks.nth(empty).map_or(0, |before| before.saturating_add(1));
        let mut at = first;
        let mut written = source.get(first..)?.split_inclusive('\n');
        for line in text.split_inclusive('\n') {
            let source_line = written.next()?;
            let content = source_line.trim_end_matches(['\n', '\r']);
            let line = line.trim_end_matches('\n');
            let indent = match content.strip_suffix(line) {
                Some(indent) => indent.len(),
                // A line of white space that is shorter than the indentation.
                None if line.is_empty() && content.trim().is_empty() => 0,
                None => return None,
            };
            let begin = at.saturating_add(indent);
            // One more for the line's end.
            origins.extend(begin..=begin.saturating_add(line.len()));
            at = at.saturating_add(source_line.len());
        }
        origins.truncate(text.len());
        origins.push(at);
        (origins.len() == text.len().saturating_add(1)).then_some(Self(origins))
    }
}

/// A scalar without the anchor and the tag before it, which the parser counts in.
fn without_properties(written: &str) -> &str {
    let mut rest = written;
    while rest.starts_with(['&', '!']) {
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        rest = rest.get(end..).unwrap_or_default().trim_start();
    }
    rest
}

/// How long the escape at the beginning of `rest` is, which stands for `character`.
fn escape_length(rest: &str, character: char) -> Option<usize> {
    let letter = rest.chars().nth(1)?;
    Some(match letter {
        'x' => 4,
        // JSON writes what does not fit into four digits as two escapes.
        'u' if character.len_utf16() == 2 => 12,
        'u' => 6,
        'U' => 10,
        // A line that goes on in the next one.
        '\n' | '\r' => return None,
        _ => 1_usize.saturating_add(letter.len_utf8()),
    })
}
