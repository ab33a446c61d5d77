//! Files of a folder, all of them or none.

use core::fmt::Display;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::renderer::MARK;
use crate::draft::{self, Access, Draft, Unput};
use crate::source::visible;

/// What becomes of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    New,
    Changed,
    None,
}

/// Why not all files are written.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// Whole lines that say what cannot be written, and why.
    pub(crate) problems: Vec<String>,
    /// The same for each file that is not as it was before.
    pub(crate) left: Vec<String>,
}

/// Writes files below a folder, by their paths in it. None is put in its place before all are written.
pub(crate) fn all(folder: &Path, files: &[(PathBuf, String)]) -> Result<Vec<Change>, Failure> {
    let failed = |problems| Failure { problems, left: Vec::new() };
    let mut made = Folders::default();
    // Once, and not for each of its files.
    made.make(folder)
        .and_then(|()| fs::read_dir(folder))
        .map_err(|error| failed(vec![cannot(folder, &error)]))?;
    let (mut drafts, mut changes, mut problems) = (Vec::new(), Vec::new(), Vec::new());
    for (path, text) in files {
        match written(&folder.join(path), text, &mut made) {
            Ok((change, draft)) => {
                changes.push(change);
                drafts.extend(draft);
            }
            Err(why) => problems.push(why),
        }
    }
    if !problems.is_empty() {
        return Err(failed(problems));
    }
    // Folders, files and the disk's space have been tried: what fails now was changed by somebody meanwhile.
    draft::put_all(drafts).map_err(|Unput { why, left }| Failure { problems: vec![why], left })?;
    made.keep();
    Ok(changes)
}

fn written(target: &Path, text: &str, made: &mut Folders) -> Result<(Change, Option<Draft>), String> {
    let change = match fs::metadata(target) {
        Ok(found) if found.permissions().readonly() => return Err(cannot(target, &"it is read-only")),
        // What is no file is refused by the draft.
        Ok(found) if !found.is_file() => Change::Changed,
        Ok(_) => {
            let old = fs::read(target).map_err(|error| cannot(target, &error))?;
            if old == text.as_bytes() {
                return Ok((Change::None, None));
            }
            if !draft::has_mark(&old, MARK) {
                return Err(format!(
                    "{}: this file is not gatectl's: its first line is not {MARK:?}\n  help: move it away, or \
                     choose another folder",
                    visible(&target.to_string_lossy())
                ));
            }
            Change::Changed
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Change::New,
        Err(error) => return Err(cannot(target, &error)),
    };
    if let Some(folder) = target.parent() {
        made.make(folder).map_err(|error| cannot(target, &error))?;
    }
    let draft = Draft::write(target, text.as_bytes(), Access::Everybody)?;
    Ok((change, Some(draft)))
}

fn cannot(path: &Path, why: &dyn Display) -> String {
    format!("{}: cannot be written: {why}", visible(&path.to_string_lossy()))
}

/// Folders that were made, and go again unless they are needed.
#[derive(Debug, Default)]
struct Folders(Vec<PathBuf>);

impl Folders {
    fn make(&mut self, folder: &Path) -> io::Result<()> {
        let is_missing = |path: &&Path| !path.as_os_str().is_empty() && !path.exists();
        let missing: Vec<_> = folder.ancestors().take_while(is_missing).collect();
        for folder in missing.into_iter().rev() {
            fs::create_dir(folder)?;
            self.0.push(folder.to_owned());
        }
        Ok(())
    }

    fn keep(mut self) {
        self.0.clear();
    }
}

impl Drop for Folders {
    fn drop(&mut self) {
        for folder in self.0.iter().rev() {
            // It stays where somebody has put something into it meanwhile.
            let _ = fs::remove_dir(folder);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is a file's place when it is looked at, and a folder when the file is to be put there.
    #[test]
    fn what_was_put_before_a_failure_is_taken_back() {
        let folder = tempfile::tempdir().unwrap();
        let text = format!("{MARK}\n");
        let file = |path: &str| (PathBuf::from(path), text.clone());
        let failure =
            all(folder.path(), &[file("new/first"), file("a"), file("a/b"), file("last")]).unwrap_err();
        assert_eq!(failure.left, [""; 0]);
        assert!(failure.problems.concat().contains("a: cannot be written: "), "{failure:?}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "a file, a draft or a folder is left");
    }
}
