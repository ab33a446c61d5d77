//! Texts with lines and columns, and what is shown of them.

use core::fmt::Write as _;
use core::ops::Range;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use unicode_width::UnicodeWidthChar;

use crate::input::secrets::{masked, unread};
use crate::style::{FAINT, HELP, LABEL, PROBLEM, WARNING};

/// The longest file that is read. The largest Envoy bootstraps are a tenth of it.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// How much of a line is shown, in columns of the terminal.
const SHOWN: usize = 100;

/// How much of it is shown before the caret, if it is longer.
const SHOWN_BEFORE: usize = 40;

/// A text that was read, and how people call it.
#[derive(Debug)]
pub(crate) struct Source {
    name: String,
    text: String,
    /// The text as it may be shown, byte for byte as long as itself.
    shown: Option<String>,
    line_starts: Vec<usize>,
    /// Then columns are bytes, and need not be counted.
    is_ascii: bool,
}

/// Something to say about a part of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    /// It is no reason to refuse the source.
    pub(crate) is_warning: bool,
    /// The offending bytes; the caret stands under those of the first line.
    pub(crate) span: Range<usize>,
    /// What is wrong, with the place in the configuration.
    pub(crate) message: String,
    /// What to do about it.
    pub(crate) help: Option<String>,
    /// The offending string and bytes of it, where the source has it in a form that a caret cannot point
    /// into.
    pub(crate) quote: Option<(String, Range<usize>)>,
}

impl Note {
    /// Without the words that look like a token: what is wrong may be a key, and the key the token.
    pub(crate) fn masked(self) -> Self {
        let quote = self.quote.map(|(text, span)| (masked(&text), span));
        Self { message: masked(&self.message), quote, ..self }
    }
}

/// Where something is: lines and characters, counted from 1. The end is what comes after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) line: usize,
    pub(crate) column: usize,
    pub(crate) end_line: usize,
    pub(crate) end_column: usize,
}

/// Why a file cannot be read.
#[derive(Debug)]
pub(crate) enum Unread {
    /// Its name, and why not.
    Whole(String, String),
    /// It is no text: as much of it as is, and where it ends.
    At(Box<Source>, Note),
}

impl Unread {
    /// Whole lines.
    fn show(&self) -> String {
        match self {
            Self::Whole(name, why) => format!("{name}: {why}"),
            Self::At(source, note) => source.show(note),
        }
    }
}

impl Source {
    /// Reads a file; `-` is standard input.
    ///
    /// # Errors
    ///
    /// A line that says why not.
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        Self::open(path).map_err(|why| why.show())
    }

    /// Reads a file; `-` is standard input.
    ///
    /// # Errors
    ///
    /// Why not, and where.
    pub(crate) fn open(path: &Path) -> Result<Self, Unread> {
        Self::of(bytes_of(path, path))
    }

    /// Reads the file at `place`, which people call `path`.
    ///
    /// # Errors
    ///
    /// As with [`Self::read`].
    pub(crate) fn read_as(place: &Path, path: &Path) -> Result<Self, String> {
        Self::of(bytes_of(place, path)).map_err(|why| why.show())
    }

    fn of(read: Result<(String, Vec<u8>), (String, String)>) -> Result<Self, Unread> {
        let (name, bytes) = read.map_err(|(name, why)| Unread::Whole(name, why))?;
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Self::new(name, text.strip_prefix('\u{feff}').unwrap_or(&text).to_owned())),
            Err(error) => {
                let at = error.utf8_error().valid_up_to();
                let mut source = Self::new(name, String::from_utf8_lossy(error.as_bytes()).into_owned());
                source.hide(&unread(source.text()));
                let note = Note {
                    is_warning: false,
                    // What comes before is not changed by the lossy reading.
                    span: at..at.saturating_add('\u{fffd}'.len_utf8()),
                    message: "this is not UTF-8".to_owned(),
                    help: Some("save the file as UTF-8".to_owned()),
                    quote: None,
                };
                Err(Unread::At(Box::new(source), note))
            }
        }
    }

    pub(crate) fn new(name: String, text: String) -> Self {
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at);
        let line_starts = [0].into_iter().chain(ends.map(|at| at.saturating_add(1))).collect();
        let is_ascii = text.is_ascii();
        Self { name, text, shown: None, line_starts, is_ascii }
    }

    /// Stars take the place of these bytes wherever the source is shown from now on.
    pub(crate) fn hide(&mut self, spans: &[Range<usize>]) {
        if spans.is_empty() {
            return;
        }
        let shown = self.shown.take().unwrap_or_else(|| self.text.clone());
        let spans = merged(spans);
        let mut hidden = String::with_capacity(shown.len());
        let mut spans = spans.into_iter().peekable();
        for (at, character) in shown.char_indices() {
            while spans.next_if(|span| span.end <= at).is_some() {}
            let is_hidden = spans.peek().is_some_and(|span| span.contains(&at));
            if is_hidden && !character.is_whitespace() && !is_mark(character) {
                hidden.extend(core::iter::repeat_n('*', character.len_utf8()));
            } else {
                hidden.push(character);
            }
        }
        self.shown = Some(hidden);
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The last part of the name.
    pub(crate) fn file_name(&self) -> &str {
        self.name.rsplit(['/', '\\']).next().unwrap_or(&self.name)
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Where line `line`, counted from 1, begins.
    pub(crate) fn line_start(&self, line: usize) -> usize {
        line.checked_sub(1).and_then(|index| self.line_starts.get(index)).copied().unwrap_or(self.text.len())
    }

    /// The number of the line that `at` is in, from 1, and its bytes without the line's end.
    fn line_of(&self, at: usize) -> (usize, Range<usize>) {
        let line = self.line_starts.partition_point(|start| *start <= at).max(1);
        let start = self.line_start(line);
        let end = self.line_start(line.saturating_add(1));
        let text = self.text.get(start..end).unwrap_or_default();
        (line, start..start.saturating_add(text.trim_end_matches(['\n', '\r']).len()))
    }

    /// The number of the line that `at` is in, from 1.
    pub(crate) fn line(&self, at: usize) -> usize {
        self.line_of(at).0
    }

    /// The first line of `span` as it is shown, and `span` in it.
    pub(crate) fn in_line(&self, span: &Range<usize>) -> (&str, Range<usize>) {
        let (_, line) = self.line_of(span.start);
        let text = self.shown.as_ref().unwrap_or(&self.text).get(line.clone()).unwrap_or_default();
        let within = |at: usize| floor(text, at.saturating_sub(line.start));
        (text, within(span.start)..within(span.end.max(span.start)))
    }

    /// The line and the column of a byte.
    fn line_and_column(&self, at: usize) -> (usize, usize) {
        let (number, line) = self.line_of(at);
        let text = self.text.get(line.clone()).unwrap_or_default();
        let before = floor(text, at.saturating_sub(line.start));
        let before =
            if self.is_ascii { before } else { text.get(..before).unwrap_or_default().chars().count() };
        (number, before.saturating_add(1))
    }

    /// Where `span` is.
    pub(crate) fn place(&self, span: &Range<usize>) -> Place {
        let (line, column) = self.line_and_column(span.start);
        let (end_line, end_column) = self.line_and_column(span.end.max(span.start));
        Place { line, column, end_line, end_column }
    }

    /// `note` with its position, its line, a caret and its help, as whole lines.
    pub(crate) fn show(&self, note: &Note) -> String {
        self.show_in(note, None)
    }

    /// The same, and which part of the source it is `within`.
    pub(crate) fn show_in(&self, note: &Note, within: Option<&str>) -> String {
        let (number, column) = self.line_and_column(note.span.start);
        let (text, span) = self.in_line(&note.span);
        let (shown, before, marked) = excerpt(text, span);

        let gutter = " ".repeat(number.to_string().len());
        let mut out = String::new();
        // Writing to a string cannot fail.
        let (kind, mark) = if note.is_warning { ("warning: ", WARNING) } else { ("", PROBLEM) };
        let message = visible(&note.message);
        let _ =
            writeln!(out, "{LABEL}{}:{number}:{column}:{LABEL:#} {mark}{kind}{message}{mark:#}", self.name);
        let _ = writeln!(out, "{FAINT}{gutter} |{FAINT:#}");
        let _ = writeln!(out, "{FAINT}{number} |{FAINT:#}{}", format!(" {shown}").trim_end());
        let _ = writeln!(
            out,
            "{FAINT}{gutter} |{FAINT:#} {}{mark}{}{mark:#}",
            " ".repeat(before),
            "^".repeat(marked)
        );
        if let Some((quoted, span)) = &note.quote {
            let (shown, before, marked) = excerpt(quoted, span.clone());
            let _ = writeln!(out, "{FAINT}{gutter} ={FAINT:#} text: {shown}");
            let _ =
                writeln!(out, "{gutter}         {}{mark}{}{mark:#}", " ".repeat(before), "^".repeat(marked));
        }
        if let Some(within) = within {
            let _ = writeln!(out, "{FAINT}{gutter} ={FAINT:#} in: {}", visible(within));
        }
        if let Some(help) = &note.help {
            let _ = writeln!(out, "{FAINT}{gutter} ={FAINT:#} {HELP}help:{HELP:#} {}", visible(help));
        }
        out
    }
}

/// The bytes of a file, `-` being standard input, and how people call it.
///
/// # Errors
///
/// A line that says why it cannot be read.
pub(crate) fn read_file(path: &Path) -> Result<(String, Vec<u8>), String> {
    bytes_of(path, path).map_err(|(name, why)| format!("{name}: {why}"))
}

/// The name that people call a file by, and what is in it; or the name, and why it cannot be read.
pub(crate) fn bytes_of(place: &Path, path: &Path) -> Result<(String, Vec<u8>), (String, String)> {
    let (name, bytes) = if place == Path::new("-") {
        ("standard input".to_owned(), read(io::stdin().lock()))
    } else {
        (visible(&path.to_string_lossy()), File::open(place).and_then(read))
    };
    match bytes {
        Ok(bytes) => Ok((name, bytes)),
        Err(error) => Err((name, format!("cannot be read: {error}"))),
    }
}

fn read(from: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = from.take(MAX_BYTES.saturating_add(1)).read_to_end(&mut bytes)?;
    if u64::try_from(read).is_ok_and(|read| read <= MAX_BYTES) {
        Ok(bytes)
    } else {
        Err(io::Error::other("it is longer than 16 MiB"))
    }
}

/// What holds a document together, and is no secret.
fn is_mark(character: char) -> bool {
    matches!(character, '"' | '\'' | '\\' | '[' | ']' | '{' | '}' | ',' | ':')
}

/// The same bytes, in order and without overlaps.
fn merged(spans: &[Range<usize>]) -> Vec<Range<usize>> {
    let mut spans = spans.to_vec();
    spans.sort_by_key(|span| span.start);
    let mut merged: Vec<Range<usize>> = Vec::with_capacity(spans.len());
    for span in spans {
        match merged.last_mut() {
            Some(last) if span.start <= last.end => last.end = last.end.max(span.end),
            _ => merged.push(span),
        }
    }
    merged
}

/// The largest character boundary of `text` that is not after `at`.
fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// The part of `line` that is shown, and how wide it is before and in `span`. It looks at no more of a
/// line than it shows: a whole file may be one.
pub(crate) fn excerpt(line: &str, span: Range<usize>) -> (String, usize, usize) {
    let part = |range: Range<usize>| line.get(range).unwrap_or_default();
    let whole = fitting(line.chars(), SHOWN) == line.len();
    let most = if whole { SHOWN } else { SHOWN_BEFORE };
    let before = fitting(part(0..span.start).chars().rev(), most);
    let from = span.start.saturating_sub(before);
    let to = from.saturating_add(fitting(part(from..line.len()).chars(), SHOWN));
    let lead = if from > 0 { "…" } else { "" };
    let trail = if to < line.len() { "…" } else { "" };
    let before = width(lead).saturating_add(width(part(from..span.start)));
    let marked = width(part(span.start..span.end.min(to))).max(1);
    (format!("{lead}{}{trail}", visible(part(from..to))), before, marked)
}

/// How many bytes of these characters fit into so many columns.
fn fitting(characters: impl Iterator<Item = char>, columns: usize) -> usize {
    let widths = characters.scan(0_usize, |total, character| {
        *total = total.saturating_add(width_of(character));
        (*total <= columns).then_some(character.len_utf8())
    });
    widths.fold(0, usize::saturating_add)
}

fn width(text: &str) -> usize {
    text.chars().map(width_of).fold(0, usize::saturating_add)
}

fn width_of(character: char) -> usize {
    shown_as(character).width().unwrap_or(1)
}

/// `text` on one line, with nothing in it that would act on a terminal or reorder what is read.
pub(crate) fn visible(text: &str) -> String {
    text.chars().map(shown_as).collect()
}

/// Whether it acts on a terminal, or on how a line reads: controls, embeddings, overrides and isolates, and what has no
/// width.
pub(crate) fn acts_unseen(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        )
}

fn shown_as(character: char) -> char {
    match character {
        '\t' => ' ',
        _ if acts_unseen(character) => '\u{fffd}',
        _ => character,
    }
}
