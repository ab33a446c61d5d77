//! Files that are written at once or not at all.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile};

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
    pub(crate) fn put(self) -> Result<(), String> {
        let Self { file, place, name } = self;
        match file.persist(place) {
            Ok(_) => Ok(()),
            Err(error) => Err(format!("{name}: cannot be written: {}", plain(&error.error))),
        }
    }
}

/// What went wrong without the temporary file's name, which says nothing to anybody.
fn plain(error: &io::Error) -> String {
    io::Error::from(error.kind()).to_string()
}
