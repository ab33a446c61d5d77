//! The files of a description: each is read once, and `$ref`s lead from one to the other.

use core::ops::Range;
use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::input;
use crate::input::node::{Data, Node};
use crate::outcome::{Exit, Outcome};
use crate::source::{Note, Source};

/// How many `$ref`s may follow one another.
const MAX_CHAIN: usize = 32;

/// How many fields are looked at in all: a few `$ref`s to one large object, or aliases, could make each look at it
/// again. Descriptions of thousands of operations need a hundredth of this.
const MAX_FIELDS: usize = 10_000_000;

/// Bytes of a file.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Spot {
    pub(super) file: usize,
    pub(super) span: Range<usize>,
}

/// A value, and the file that it stands in.
#[derive(Clone, Debug)]
pub(super) struct At {
    pub(super) file: usize,
    pub(super) node: Rc<Node>,
}

/// A key of an object, and what stands under it.
#[derive(Clone, Debug)]
pub(super) struct Field {
    pub(super) key: String,
    pub(super) spot: Spot,
    pub(super) value: At,
}

/// The `$ref`s that were followed to get somewhere.
#[derive(Debug, Default)]
pub(super) struct Chain(Vec<Spot>);

/// An object's fields.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields(pub(super) Vec<Field>);

impl Fields {
    pub(super) fn get(&self, key: &str) -> Option<&Field> {
        self.0.iter().find(|field| field.key == key)
    }
}

impl At {
    /// Its bytes, or the first of a list's or an object's.
    pub(super) fn spot(&self) -> Spot {
        Spot { file: self.file, span: self.node.opening() }
    }

    pub(super) fn as_str(&self) -> Option<&str> {
        self.node.as_str()
    }

    pub(super) fn has_reference(&self) -> bool {
        self.node.get("$ref").is_some()
    }

    fn with(&self, node: &Rc<Node>) -> Self {
        Self { file: self.file, node: Rc::clone(node) }
    }
}

#[derive(Debug)]
struct File {
    source: Source,
    /// Where it is; nothing for standard input.
    folder: PathBuf,
    /// What its own `$ref`s may lead to lies below this folder.
    root: PathBuf,
    top: Rc<Node>,
}

/// All files that were read, and what there is to say about them.
#[derive(Debug, Default)]
pub(super) struct Files {
    all: Vec<File>,
    /// What is read already, or cannot be; by its true path.
    read: HashMap<PathBuf, Option<usize>>,
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
        self.add(source, folder, root).map_err(|(source, note)| source.show(&note))
    }

    fn add(&mut self, source: Source, folder: PathBuf, root: PathBuf) -> Result<At, (Source, Note)> {
        let note = |span, message: &str, help: &str| Note {
            is_warning: false,
            span,
            message: message.to_owned(),
            help: Some(help.to_owned()),
            quote: None,
        };
        let top = match input::read(&source).map(|mut documents| (documents.pop(), documents.pop())) {
            Ok((Some(top), None)) => top,
            Ok((Some(second), Some(_))) => {
                let span = second.opening();
                return Err((
                    source,
                    note(
                        span,
                        "there is more than one YAML document in this file",
                        "give each a file of its own",
                    ),
                ));
            }
            Ok((None, _)) => {
                return Err((source, note(0..0, "there is nothing in this file", "write a description")));
            }
            Err(why) => return Err((source, why)),
        };
        let file = self.all.len();
        self.all.push(File { source, folder, root, top: Rc::clone(&top) });
        Ok(At { file, node: top })
    }

    fn name(&self, file: usize) -> &str {
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
        self.notes.push((file, note));
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
                fields.0.push(Field { key: entry.key.clone(), spot, value });
            }
        }
        for value in merged {
            let sources = match &value.node.data {
                Data::List(items) => items.iter().map(|item| value.with(item)).collect(),
                Data::Object(_) | Data::Scalar { .. } => vec![value],
            };
            // As deep as the file is, which the reader bounds.
            for source in sources {
                for field in self.fields(&source, what).0 {
                    if fields.get(&field.key).is_none() {
                        fields.0.push(field);
                    }
                }
            }
        }
        self.look_at(fields.0.len(), at).then_some(fields).unwrap_or_default()
    }

    /// The items of a list.
    pub(super) fn items(&mut self, at: &At, what: &str) -> Vec<At> {
        let Data::List(items) = &at.node.data else {
            self.problem(&at.spot(), format!("this is no list of {what}"), "write a list");
            return Vec::new();
        };
        let items: Vec<_> = items.iter().map(|item| at.with(item)).collect();
        self.look_at(items.len(), at).then_some(items).unwrap_or_default()
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

    /// What a value stands for: itself, or what its `$ref` leads to. Where that leads nowhere is said.
    pub(super) fn resolve(&mut self, at: &At) -> Option<At> {
        self.resolve_within(at, &mut Chain::default())
    }

    fn resolve_within(&mut self, at: &At, chain: &mut Chain) -> Option<At> {
        let mut at = at.clone();
        while at.has_reference() {
            at = self.follow(&at, chain)?;
        }
        Some(at)
    }

    /// What the `$ref` of a value leads to, which may have one again.
    pub(super) fn follow(&mut self, at: &At, chain: &mut Chain) -> Option<At> {
        let reference = at.node.get("$ref").map(|node| at.with(node))?;
        let spot = reference.spot();
        if chain.0.contains(&spot) || chain.0.len() >= MAX_CHAIN {
            self.problem(&spot, "this $ref leads back to itself", "write in its place what is meant");
            return None;
        }
        chain.0.push(spot);
        self.target(&reference, chain)
    }

    /// What stands at the place that a `$ref` names.
    fn target(&mut self, reference: &At, chain: &mut Chain) -> Option<At> {
        let spot = reference.spot();
        let Some(text) = reference.as_str() else {
            self.problem(
                &spot,
                "this $ref is no text",
                "write where it leads to, such as \"#/paths/~1event\"",
            );
            return None;
        };
        let (file, pointer) = text.split_once('#').unwrap_or((text, ""));
        let mut at = if file.is_empty() {
            let top = self.all.get(reference.file).map(|file| Rc::clone(&file.top))?;
            At { file: reference.file, node: top }
        } else {
            match self.refer(reference.file, file) {
                Ok(top) => top,
                Err((message, help)) => {
                    self.problem(&spot, message, help);
                    return None;
                }
            }
        };
        let pointer = decoded(pointer);
        if !pointer.is_empty() && !pointer.starts_with('/') {
            self.problem(
                &spot,
                "this $ref names an anchor, which is not looked for",
                "write the way to it, such as #/paths/~1event",
            );
            return None;
        }
        for step in pointer.split('/').skip(1) {
            let step = step.replace("~1", "/").replace("~0", "~");
            // On the way there may be another.
            if child(&at, &step).is_none() && at.has_reference() {
                at = self.resolve_within(&at, chain)?;
            }
            let Some(below) = child(&at, &step) else {
                self.problem(
                    &spot,
                    "this $ref leads to nothing",
                    format!("in {} there is no {pointer}", self.name(at.file)),
                );
                return None;
            };
            at = below;
        }
        Some(at)
    }

    /// The file that a `$ref` of `file` names, or why it is not read and what to do.
    fn refer(&mut self, file: usize, name: &str) -> Result<At, (String, String)> {
        let scheme = name.split_once(':').map(|(scheme, _)| scheme);
        let is_scheme = |scheme: &str| {
            scheme.len() > 1
                && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
        };
        if name.starts_with("//") || scheme.is_some_and(is_scheme) {
            return Err((
                "this $ref leads elsewhere, and nothing is fetched".to_owned(),
                "save the document beside this one, and write its file's name here".to_owned(),
            ));
        }
        let Some(File { folder, root, .. }) = self.all.get(file) else { return Err(Default::default()) };
        let (path, root) = (folder.join(decoded(name)), root.clone());
        let cannot = |why: &str| (format!("the file of this $ref cannot be read: {why}"), String::new());
        let place = path.canonicalize().map_err(|error| {
            cannot(&match error.kind() {
                ErrorKind::NotFound => "there is none of this name".to_owned(),
                kind => kind.to_string(),
            })
        })?;
        if !place.starts_with(&root) {
            return Err((
                "this $ref leads out of the description's folder, and is not followed".to_owned(),
                "--root FOLDER names the folder that all of its files are in".to_owned(),
            ));
        }
        if let Some(known) = self.read.get(&place) {
            let top = known.and_then(|file| Some((file, Rc::clone(&self.all.get(file)?.top))));
            return top.map(|(file, node)| At { file, node }).ok_or_else(|| cannot("see there"));
        }
        if !place.is_file() {
            return Err(cannot("it is not a file"));
        }
        // `a/./b` is `a/b`.
        let path: PathBuf = path.components().collect();
        let folder = path.parent().unwrap_or(Path::new(".")).to_owned();
        let added = match Source::read(&path) {
            Err(why) => Err(why),
            Ok(source) => self.add(source, folder, root).map_err(|(source, note)| source.show(&note)),
        };
        self.read.insert(place, added.as_ref().ok().map(|top| top.file));
        added.map_err(|why| {
            // The place and the message; its own line and caret are for its own file.
            let first = anstream::adapter::strip_str(why.lines().next().unwrap_or_default()).to_string();
            (format!("the file of this $ref cannot be used: {first}"), String::new())
        })
    }
}

fn child(at: &At, step: &str) -> Option<At> {
    match &at.node.data {
        Data::Object(object) => object.get(step).map(|entry| at.with(&entry.value)),
        Data::List(items) => items.get(step.parse::<usize>().ok()?).map(|item| at.with(item)),
        Data::Scalar { .. } => None,
    }
}

/// With percent escapes decoded, where they are that.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let hex = |digits: &[u8]| u8::from_str_radix(core::str::from_utf8(digits).ok()?, 16).ok();
        match (byte, after.split_at_checked(2)) {
            (b'%', Some((digits, after))) if digits.iter().all(u8::is_ascii_hexdigit) => {
                bytes.extend(hex(digits));
                rest = after;
            }
            _ => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
