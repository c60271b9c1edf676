//! Scans of the plugin directory: the metadata of its files, without their content.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::load::is_visible;
use postgate_config::file::FileVersion;
use postgate_config::sidecar::Sidecar;

/// The files of a plugin directory.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// The plugins by the names of their files, which is the order in which sessions ask them.
    pub(super) plugins: BTreeMap<OsString, Stamp>,
    /// Sidecars without a plugin.
    pub(super) orphans: BTreeSet<PathBuf>,
}

impl Scan {
    /// Scans a directory.
    ///
    /// # Errors
    ///
    /// Fails if the directory cannot be read.
    pub(super) fn of(directory: &Path) -> io::Result<Self> {
        let mut scan = Self::default();
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            if is_visible(&path, "wasm")
                && let Some(name) = path.file_name()
            {
                scan.plugins.insert(name.to_owned(), Stamp::of(&path));
            } else if is_visible(&path, "toml") {
                scan.orphans.insert(path);
            }
        }
        for name in scan.plugins.keys() {
            let plugin = directory.join(name);
            scan.orphans.remove(&Sidecar::file_beside(&plugin));
        }
        Ok(scan)
    }
}

/// The metadata of the files of a plugin, which changes with their content. Symbolic links are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    wasm: FileStamp,
    sidecar: FileStamp,
}

impl Stamp {
    pub(super) fn of(plugin: &Path) -> Self {
        Self {
            wasm: FileStamp::of(plugin),
            sidecar: FileStamp::of(&Sidecar::file_beside(plugin)),
        }
    }

    /// True if each file is the same as in `other` or was replaced by another file, so that none was
    /// written into.
    pub(super) fn is_replacement_of(&self, other: &Self) -> bool {
        let is_whole = |new: &FileStamp, old: &FileStamp| new == old || new.file() != old.file();
        is_whole(&self.wasm, &other.wasm) && is_whole(&self.sidecar, &other.sidecar)
    }
}

/// The metadata of one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FileStamp {
    Readable(FileVersion),
    Unreadable(io::ErrorKind),
}

impl FileStamp {
    fn of(file: &Path) -> Self {
        match fs::metadata(file) {
            Ok(metadata) => Self::Readable(FileVersion::from(&metadata)),
            Err(error) => Self::Unreadable(error.kind()),
        }
    }

    /// Returns the device and the inode.
    const fn file(&self) -> Option<(u64, u64)> {
        match *self {
            Self::Readable(FileVersion { device, inode, .. }) => Some((device, inode)),
            Self::Unreadable(_) => None,
        }
    }
}

#[cfg(test)]
impl Stamp {
    /// Returns the stamp of a plugin without a sidecar.
    pub(super) const fn fake(inode: u64, size: u64) -> Self {
        Self {
            wasm: FileStamp::Readable(FileVersion {
                device: 0,
                inode,
                size,
                modified: (0, 0),
                changed: (0, 0),
            }),
            sidecar: FileStamp::Unreadable(io::ErrorKind::NotFound),
        }
    }
}
