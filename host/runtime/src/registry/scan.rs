//! How the plugin directory looks, without reading what is in its files.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::load::is_visible;
use postgate_config::file::FileVersion;
use postgate_config::sidecar::Sidecar;

/// The plugins of a directory by the names of their files, which is their order.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    pub(crate) plugins: BTreeMap<OsString, Stamp>,
    /// Files that would belong to a plugin if there were one.
    pub(crate) orphans: BTreeSet<PathBuf>,
}

impl Scan {
    pub(crate) fn of(directory: &Path) -> io::Result<Self> {
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

/// What tells whether the files of a plugin may have changed. A symbolic link looks like the file
/// that it leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    wasm: FileStamp,
    sidecar: FileStamp,
}

impl Stamp {
    pub(crate) fn of(plugin: &Path) -> Self {
        Self {
            wasm: FileStamp::of(plugin),
            sidecar: FileStamp::of(&Sidecar::file_beside(plugin)),
        }
    }

    /// Whether one file was put in the place of another, and not written into.
    pub(crate) fn is_replacement_of(&self, other: &Self) -> bool {
        let stays = |new: &FileStamp, old: &FileStamp| new == old || new.file() != old.file();
        stays(&self.wasm, &other.wasm) && stays(&self.sidecar, &other.sidecar)
    }
}

/// How one file looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FileStamp {
    There(FileVersion),
    Unreadable(io::ErrorKind),
}

impl FileStamp {
    fn of(file: &Path) -> Self {
        match fs::metadata(file) {
            Ok(metadata) => Self::There(FileVersion::from(&metadata)),
            Err(error) => Self::Unreadable(error.kind()),
        }
    }

    const fn file(&self) -> Option<(u64, u64)> {
        match *self {
            Self::There(FileVersion { device, inode, .. }) => Some((device, inode)),
            Self::Unreadable(_) => None,
        }
    }
}

#[cfg(test)]
impl Stamp {
    /// How a plugin without a sidecar looks.
    pub(crate) const fn fake(inode: u64, size: u64) -> Self {
        Self {
            wasm: FileStamp::There(FileVersion {
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
