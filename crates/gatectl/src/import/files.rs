//! The files of a description: each is read once, and `$ref`s lead from one to the other.

use core::ops::Range;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::place::{At, Field, Fields, Spot};
use crate::input;
use crate::input::node::{Data, Node};
use crate::input::secrets;
use crate::outcome::{Exit, Outcome};
use crate::source::{Note, Source};

/// How many fields are looked at in all: a few `$ref`s to one large object, or aliases, could make each look at it
/// again. Descriptions of a thousand operations need a hundredth of this.
const MAX_FIELDS: usize = 2_000_000;

/// A file that was read.
#[derive(Debug)]
pub(super) struct File {
    pub(super) source: Source,
    /// Where it is; nothing for standard input.
    pub(super) folder: PathBuf,
    /// What its own `$ref`s may lead to lies below this folder.
    pub(super) root: PathBuf,
    pub(super) top: Rc<Node>,
}

/// All files that were read, and what there is to say about them.
#[derive(Debug, Default)]
pub(super) struct Files {
    pub(super) all: Vec<File>,
    /// What is read already, or cannot be; by its true path.
    pub(super) read: HashMap<PathBuf, Option<usize>>,
    notes: Vec<(usize, Note)>,
    looked_at: usize,
}

impl Files {
    /// Reads a file that the arguments name. Its `$ref`s lead nowhere outside of `root`; without it that is the
    /// file's own folder.
    ///
    /// # Errors
    ///
    /// Whole lines that say why it cannot be read.
    pub(super) fn open(&mut self, path: &Path, root: Option<&Path>) -> Result<At, String> {
        let source = Source::read(path)?;
        let folder = match path.parent() {
            Some(folder) if path != Path::new("-") && !folder.as_os_str().is_empty() => folder.to_owned(),
            _ => PathBuf::from("."),
        };
        let root = root.unwrap_or(&folder);
        let root = root.canonicalize().map_err(|error| {
            format!("{}: cannot be read: {error}", crate::source::visible(&root.to_string_lossy()))
        })?;
        self.add(source, folder, root)
    }

    pub(super) fn add(&mut self, mut source: Source, folder: PathBuf, root: PathBuf) -> Result<At, String> {
        let mut documents = match input::read(&source) {
            Ok(documents) => documents,
            Err(note) => {
                source.hide(&secrets::unread(source.text()));
                return Err(source.show(&note.masked()));
            }
        };
        source.hide(&secrets::all(documents.iter().map(|document| &**document), source.text()));
        let wrong = |span, message: &str, help: &str| {
            let (message, help) = (message.to_owned(), Some(help.to_owned()));
            source.show(&Note { is_warning: false, span, message, help, quote: None })
        };
        let top = match (documents.pop(), documents.pop()) {
            (Some(top), None) => top,
            (Some(second), Some(_)) => {
                let message = "there is more than one YAML document in this file";
                return Err(wrong(second.opening(), message, "give each a file of its own"));
            }
            (None, _) => return Err(wrong(0..0, "there is nothing in this file", "write a description")),
        };
        let file = self.all.len();
        self.all.push(File { source, folder, root, top: Rc::clone(&top) });
        Ok(At { file, node: top })
    }

    pub(super) fn name(&self, file: usize) -> &str {
        self.all.get(file).map_or("", |file| file.source.name())
    }

    /// How people call a place: the file and the line.
    pub(super) fn place(&self, spot: &Spot) -> String {
        let line = self.all.get(spot.file).map_or(0, |file| file.source.line(spot.span.start));
        format!("{}:{line}", self.name(spot.file))
    }

    /// A part of `text`, which stands at `spot`; if the file has it in another form, all of it and a quotation.
    pub(super) fn part(
        &self,
        spot: &Spot,
        text: &str,
        part: Range<usize>,
    ) -> (Range<usize>, Option<(String, Range<usize>)>) {
        let written = self
            .all
            .get(spot.file)
            .and_then(|file| file.source.text().get(spot.span.clone()))
            .unwrap_or_default();
        let quotes = match written.strip_prefix(['"', '\'']) {
            Some(inner) if inner.strip_suffix(['"', '\'']) == Some(text) => 1,
            _ if written == text => 0,
            _ => return (spot.span.clone(), Some((text.to_owned(), part))),
        };
        let from = spot.span.start.saturating_add(quotes);
        (from.saturating_add(part.start)..from.saturating_add(part.end), None)
    }

    /// `note` with its place, as whole lines.
    pub(super) fn show(&self, file: usize, note: &Note) -> String {
        self.all.get(file).map(|file| file.source.show(note)).unwrap_or_default()
    }

    pub(super) fn note(&mut self, file: usize, note: Note) {
        self.notes.push((file, note.masked()));
    }

    /// The description is wrong here, or says what the gateway cannot do.
    pub(super) fn problem(&mut self, spot: &Spot, message: impl Into<String>, help: impl Into<String>) {
        self.say(false, spot, message.into(), help.into());
    }

    /// Here the gateway does not do quite what one may expect.
    pub(super) fn warning(&mut self, spot: &Spot, message: impl Into<String>, help: impl Into<String>) {
        self.say(true, spot, message.into(), help.into());
    }

    fn say(&mut self, is_warning: bool, spot: &Spot, message: String, help: String) {
        let help = Some(help).filter(|help| !help.is_empty());
        self.note(spot.file, Note { is_warning, span: spot.span.clone(), message, help, quote: None });
    }

    /// Everything there is to say, in the order of the files; how many problems there are.
    pub(super) fn tell(&mut self, outcome: &mut Outcome) -> usize {
        let mut notes = core::mem::take(&mut self.notes);
        notes.sort_by_key(|(file, note)| (*file, note.span.start));
        notes.dedup();
        let mut problems = 0_usize;
        for (file, note) in &notes {
            if let Some(file) = self.all.get(*file) {
                outcome.stderr.push_str(&file.source.show(note));
                outcome.stderr.push('\n');
            }
            problems = problems.saturating_add(usize::from(!note.is_warning));
        }
        if problems > 0 {
            outcome.at_least(Exit::Bad);
        }
        problems
    }

    /// The fields of an object, without `$ref`s followed: what it should be is said where it is not that. What YAML's
    /// `<<` merges in is among them.
    pub(super) fn fields(&mut self, at: &At, what: &str) -> Fields {
        let mut fields = Fields::default();
        let Data::Object(object) = &at.node.data else {
            self.problem(&at.spot(), format!("this is no {what}"), "write an object");
            return fields;
        };
        if !self.look_at(object.iter().count(), at) {
            return fields;
        }
        for (key, span) in &object.repeated {
            let spot = Spot { file: at.file, span: span.clone() };
            self.problem(&spot, format!("\"{key}\" stands here twice"), "keep one of them");
        }
        let mut merged = Vec::new();
        for entry in object.iter() {
            // Of a key that stands twice the last holds.
            if object.get(&entry.key).is_none_or(|last| last.key_span != entry.key_span) {
                continue;
            }
            let value = at.with(&entry.value);
            if entry.key == "<<" {
                merged.push(value);
            } else {
                let spot = Spot { file: at.file, span: entry.key_span.clone() };
                let _ = fields.add(Field { key: entry.key.clone(), spot, value });
            }
        }
        for value in merged {
            let sources = match &value.node.data {
                Data::List(items) => items.iter().map(|item| value.with(item)).collect(),
                Data::Object(_) | Data::Scalar { .. } => vec![value],
            };
            // As deep as the file is, which the reader bounds.
            for source in sources {
                for field in self.fields(&source, what) {
                    // What the object says itself holds.
                    let _ = fields.add(field);
                }
            }
        }
        fields
    }

    /// The items of a list.
    pub(super) fn items(&mut self, at: &At, what: &str) -> Vec<At> {
        let Data::List(items) = &at.node.data else {
            self.problem(&at.spot(), format!("this is no list of {what}"), "write a list");
            return Vec::new();
        };
        if !self.look_at(items.len(), at) {
            return Vec::new();
        }
        items.iter().map(|item| at.with(item)).collect()
    }

    /// Whether this is an object, and there has not been too much before it.
    pub(super) fn is_readable(&self, at: &At) -> bool {
        matches!(&at.node.data, Data::Object(object)
            if self.looked_at.saturating_add(object.iter().count()) <= MAX_FIELDS)
    }

    fn look_at(&mut self, count: usize, at: &At) -> bool {
        let had_enough = self.looked_at > MAX_FIELDS;
        self.looked_at = self.looked_at.saturating_add(count);
        if self.looked_at <= MAX_FIELDS {
            return true;
        }
        if !had_enough {
            let help = "import parts of it one by one";
            self.problem(&at.spot(), "this is too much: from here on nothing is read", help);
        }
        false
    }
}
