//! `$ref`s: from one place to another, in the same file or in one beside it.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::files::{File, Files};
use super::place::{At, Spot};
use crate::input::node::Data;
use crate::source::Source;

/// How many `$ref`s may follow one another.
const MAX_CHAIN: usize = 32;

/// The `$ref`s that were followed to get somewhere.
#[derive(Debug, Default)]
pub(super) struct Chain(Vec<Spot>);

impl Files {
    /// What a value stands for: itself, or what its `$ref` leads to. Where that leads nowhere is said.
    pub(super) fn resolve(&mut self, at: &At) -> Option<At> {
        self.resolve_within(at, &mut Chain::default())
    }

    fn resolve_within(&mut self, at: &At, chain: &mut Chain) -> Option<At> {
        let mut at = at.clone();
        while let Some(reference) = at.reference() {
            at = self.follow(&reference, chain)?;
        }
        Some(at)
    }

    /// What a `$ref` leads to, which may have one again.
    pub(super) fn follow(&mut self, reference: &At, chain: &mut Chain) -> Option<At> {
        let spot = reference.spot();
        if chain.0.contains(&spot) || chain.0.len() >= MAX_CHAIN {
            self.problem(&spot, "this $ref leads back to itself", "write in its place what is meant");
            return None;
        }
        chain.0.push(spot);
        self.target(reference, chain)
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
            if child(&at, &step).is_none() && at.reference().is_some() {
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
        // Not `path` is opened: by now a link in it may lead elsewhere.
        let added = match Source::read_as(&place, &path) {
            Err(why) => Err(why),
            Ok(source) => self.add(source, folder, root),
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
