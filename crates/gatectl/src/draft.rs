//! Files that are written at once or not at all.

use core::fmt::Write as _;
use std::fs;
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile, TempPath};

use crate::source::visible;

/// Who may read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Its owner alone: there is a secret in it.
    Owner,
    /// Whomever the umask lets.
    Everybody,
}

/// A file that is whole, but not in its place yet; dropped, it is gone.
#[derive(Debug)]
pub(crate) struct Draft {
    file: NamedTempFile,
    place: PathBuf,
    name: String,
}

impl Draft {
    /// Writes `bytes` beside `path`. What stands there stays until [`Self::put`].
    ///
    /// # Errors
    ///
    /// A line that says why `path` cannot be written.
    pub(crate) fn write(path: &Path, bytes: &[u8], access: Access) -> Result<Self, String> {
        let name = visible(&path.to_string_lossy());
        let why = |why: &str| format!("{name}: cannot be written: {why}");
        // Not the link is replaced, but what it leads to; and never a device or a pipe. A pipe's path, below /dev/fd,
        // leads to no name, so this must not be asked of the path alone.
        let place = match fs::metadata(path) {
            Ok(found) if found.is_file() => fs::canonicalize(path).map_err(|error| why(&plain(&error)))?,
            Ok(found) if found.is_dir() => return Err(why("it is a folder")),
            Ok(_) => return Err(why("it is not a file; without -o the output goes to standard output")),
            Err(_) if fs::symlink_metadata(path).is_ok() => {
                return Err(why("it is a link to something that is not there"));
            }
            Err(_) => path.to_owned(),
        };
        if place.file_name().is_none() {
            return Err(why("this is not the name of a file"));
        }
        let folder = match place.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        if !folder.is_dir() {
            return Err(why("there is no such folder; make it first"));
        }
        let file = Self::fill(folder, bytes, access).map_err(|error| why(&plain(&error)))?;
        Ok(Self { file, place, name })
    }

    fn fill(folder: &Path, bytes: &[u8], access: Access) -> io::Result<NamedTempFile> {
        let mut builder = Builder::new();
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(match access {
            Access::Owner => 0o600,
            Access::Everybody => 0o666,
        }));
        #[cfg(not(unix))]
        let _ = access;
        let mut file = builder.tempfile_in(folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        Ok(file)
    }

    /// Puts the file in its place, whatever stood there.
    ///
    /// # Errors
    ///
    /// A line that says why not; then the place is as it was.
    fn put(self) -> Result<Put, String> {
        let Self { file, place, name } = self;
        let why = |error: &io::Error| format!("{name}: cannot be written: {}", plain(error));
        let before = keep(&place).map_err(|error| why(&error))?;
        match file.persist(&place) {
            Ok(_) => Ok(Put { place, name, before }),
            Err(error) => {
                let mut why = why(&error.error);
                // Where it is only linked, nothing has gone.
                if before.is_some()
                    && !place.exists()
                    && let Err(left) = (Put { place, name, before }).take_back()
                {
                    let _ = write!(why, "\n{left}");
                }
                Err(why)
            }
        }
    }
}

/// Writes one file.
///
/// # Errors
///
/// Whole lines that say why `path` cannot be written; what stood there is as it was, unless they say otherwise.
pub(crate) fn write(path: &Path, bytes: &[u8], access: Access) -> Result<(), String> {
    put_all([Draft::write(path, bytes, access)?])
        .map_err(|Unput { why, left }| [why].into_iter().chain(left).collect::<Vec<_>>().join("\n"))
}

/// Puts all files in their places, or none: whatever stood there is put back when one of them cannot be put.
///
/// # Errors
///
/// Whole lines: why not, and, should that fail as well, what could not be put back. Without such a place everything
/// is as it was.
pub(crate) fn put_all(drafts: impl IntoIterator<Item = Draft>) -> Result<(), Unput> {
    let mut done: Vec<Put> = Vec::new();
    for draft in drafts {
        match draft.put() {
            Ok(put) => done.push(put),
            Err(why) => {
                let left = done.into_iter().rev().filter_map(|put| put.take_back().err()).collect();
                return Err(Unput { why, left });
            }
        }
    }
    Ok(())
}

/// Why files are not in their places.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unput {
    /// Whole lines that say what could not be written, and why.
    pub(crate) why: String,
    /// The same for each place that is not as it was before.
    pub(crate) left: Vec<String>,
}

/// As whole lines.
impl From<Unput> for String {
    fn from(Unput { why, left }: Unput) -> Self {
        [why].into_iter().chain(left).collect::<Vec<_>>().join("\n")
    }
}

/// A file in its place, and what stood there.
#[derive(Debug)]
struct Put {
    place: PathBuf,
    name: String,
    before: Option<TempPath>,
}

impl Put {
    /// Makes the place what it was.
    fn take_back(self) -> Result<(), String> {
        let Self { place, name, before } = self;
        let undone = match before {
            None => fs::remove_file(place),
            Some(before) => before.persist(place).map_err(|error| {
                // It is the only copy.
                let why = plain(&error.error);
                match error.path.keep() {
                    Ok(kept) => {
                        io::Error::other(format!("{why}; it is {}", visible(&kept.to_string_lossy())))
                    }
                    Err(_) => io::Error::other(why),
                }
            }),
        };
        undone.map_err(|error| format!("{name}: what stood there before cannot be put back: {error}"))
    }
}

/// What stands in a place under another name, with its owner and its rights; nothing, if there is nothing.
fn keep(place: &Path) -> io::Result<Option<TempPath>> {
    match fs::symlink_metadata(place) {
        // A folder is nothing that could be replaced: putting a file there fails.
        Ok(found) if found.is_dir() => return Ok(None),
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    }
    let folder = place.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let kept = Builder::new().make_in(folder, |kept| match fs::hard_link(place, kept) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(error),
        // Not every file system has links, and a file of somebody else's may have none of us.
        Err(_) => fs::rename(place, kept),
        Ok(()) => Ok(()),
    });
    kept.map(|kept| Some(kept.into_temp_path()))
}

/// Whether a file begins with this line: it was made so, and may be made anew. Of an empty one nothing is lost.
pub(crate) fn has_mark(file: &[u8], mark: &str) -> bool {
    let first = file.split(|byte| *byte == b'\n').next().unwrap_or_default();
    file.is_empty() || first.trim_ascii_end() == mark.as_bytes()
}

/// What went wrong without the temporary file's name, which says nothing to anybody.
pub(crate) fn plain(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => "it is gone, or its folder is".to_owned(),
        ErrorKind::Other => error.to_string(),
        kind => io::Error::from(kind).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What stands in a folder, by name.
    fn files(folder: &Path) -> Vec<(String, String)> {
        let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap());
        let mut files: Vec<_> = files
            .map(|file| {
                let text = fs::read_to_string(file.path()).unwrap_or_else(|_| "a folder".to_owned());
                (file.file_name().into_string().unwrap(), text)
            })
            .collect();
        files.sort();
        files
    }

    fn draft(path: &Path) -> Draft {
        Draft::write(path, b"new", Access::Everybody).unwrap()
    }

    #[test]
    fn all_are_put_or_none() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("old"), "before").unwrap();
        let drafts = ["old", "none", "late"].map(|name| draft(&at(name)));
        // Somebody has made a folder of it meanwhile, which no file can replace.
        fs::create_dir(at("late")).unwrap();
        let before = files(folder.path());
        let before: Vec<_> = before.into_iter().filter(|(name, _)| !name.starts_with('.')).collect();
        let Unput { why, left } = put_all(drafts).unwrap_err();
        assert!(why.contains("late: cannot be written: "), "{why}");
        assert_eq!((left, files(folder.path())), (vec![], before));

        fs::remove_dir(at("late")).unwrap();
        put_all(["old", "none", "late"].map(|name| draft(&at(name)))).unwrap();
        let all = ["late", "none", "old"].map(|name| (name.to_owned(), "new".to_owned()));
        assert_eq!(files(folder.path()), all);
    }

    /// A key that was given to Envoy's user stays his.
    #[cfg(unix)]
    #[test]
    fn what_is_put_back_is_the_same_file() {
        use std::os::unix::fs::MetadataExt as _;
        let folder = tempfile::tempdir().unwrap();
        let (old, late) = (folder.path().join("old"), folder.path().join("late"));
        fs::write(&old, "before").unwrap();
        let inode = fs::metadata(&old).unwrap().ino();
        let drafts = [draft(&old), draft(&late)];
        fs::create_dir(&late).unwrap();
        assert!(put_all(drafts).is_err());
        assert_eq!(fs::metadata(&old).unwrap().ino(), inode);
    }
}
