//! A Secret in a folder, as Kubernetes mounts it.

use std::{
    cell::Cell,
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

/// The Secret, as Kubernetes mounts it: a link to a folder that is replaced in one move. Beside it is a folder for the
/// file that names it.
pub(super) struct Mounted {
    directory: TempDir,
    beside: TempDir,
    version: Cell<u32>,
}

impl Mounted {
    pub(super) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        symlink("..data/keptn-api-token", directory.path().join("keptn-api-token")).unwrap();
        Self { directory, beside: tempfile::tempdir().unwrap(), version: Cell::default() }
    }

    pub(super) fn holding(token: &str) -> Self {
        let this = Self::new();
        this.put(token);
        this
    }

    pub(super) fn put(&self, token: &str) {
        let root = self.directory.path();
        self.version.set(self.version.get() + 1);
        let version = format!("..{}", self.version.get());
        fs::create_dir(root.join(&version)).unwrap();
        fs::write(root.join(&version).join("keptn-api-token"), token).unwrap();
        symlink(version, root.join("..new")).unwrap();
        fs::rename(root.join("..new"), root.join("..data")).unwrap();
    }

    pub(super) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(super) fn file(&self) -> PathBuf {
        self.beside.path().join("keptn-api-token.yaml")
    }

    /// The document's text with its two places moved here.
    pub(super) fn moved(&self, yaml: &str) -> String {
        yaml.replace("/etc/envoy/keptn-api-token.yaml", self.file().to_str().unwrap())
            .replace("/etc/keptn-api-token", self.directory.path().to_str().unwrap())
    }
}
