//! Looks at the plugin directory: which files are there at one time, and what is in them.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use rustix::fs::{CWD, Dir, Mode, OFlags, openat};

use crate::load::{LoadError, Source, is_visible};
use postgate_config::file::FileVersion;
use postgate_config::sidecar::Sidecar;

/// What a look at the plugin directory has found.
///
/// It keeps the directory open: whatever has the name of the directory afterwards, files are read from the
/// directory that was looked at.
#[derive(Debug)]
pub(super) struct Look {
    directory: PathBuf,
    /// The directory, or `None` if none is configured.
    open: Option<OwnedFd>,
    pub(super) moment: Moment,
    /// The plugins by the names of their files, which is the order in which sessions ask them.
    pub(super) plugins: BTreeMap<OsString, Stamp>,
    /// Sidecars without a plugin.
    pub(super) orphans: BTreeSet<PathBuf>,
}

impl Look {
    /// Looks at a directory. Without one, there are no plugins.
    ///
    /// # Errors
    ///
    /// Fails if the directory cannot be read.
    pub(super) fn at(directory: Option<&Path>) -> io::Result<Self> {
        let mut look = Self {
            directory: directory.map(Path::to_owned).unwrap_or_default(),
            open: None,
            moment: Moment {
                time: Instant::now(),
                directory: None,
            },
            plugins: BTreeMap::new(),
            orphans: BTreeSet::new(),
        };
        if let Some(directory) = directory {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let open = openat(CWD, directory, flags, Mode::empty())?;
            look.list(open.as_fd())?;
            look.moment = Moment {
                time: Instant::now(),
                directory: Some(FileVersion::at(open.as_fd(), Path::new("."))?),
            };
            look.open = Some(open);
        }
        Ok(look)
    }

    fn list(&mut self, directory: BorrowedFd<'_>) -> io::Result<()> {
        for entry in Dir::read_from(directory)? {
            let entry = entry?;
            let name = Path::new(OsStr::from_bytes(entry.file_name().to_bytes()));
            if is_visible(name, "wasm") {
                let stamp = Stamp::at(directory, name);
                self.plugins.insert(name.as_os_str().to_owned(), stamp);
            } else if is_visible(name, "toml") {
                self.orphans.insert(self.directory.join(name));
            }
        }
        for name in self.plugins.keys() {
            let plugin = self.directory.join(name);
            self.orphans.remove(&Sidecar::file_beside(&plugin));
        }
        Ok(())
    }

    /// Reads the files of a plugin. Returns what was read, and the stamp that it had.
    pub(super) fn read(
        &self,
        name: &OsStr,
        max_file_size: u64,
    ) -> (Result<Source, LoadError>, Stamp) {
        let directory = self.open.as_ref().map_or(CWD, |open| open.as_fd());
        let file = self.directory.join(name);
        let read = Source::read_in(directory, &file, max_file_size);
        let stamp = match &read {
            Ok(source) => Stamp::of(source.versions),
            Err(_) => Stamp::at(directory, Path::new(name)),
        };
        (read, stamp)
    }

    /// True if an `earlier` look has found the same. Of the plugins that are left aside, it does not
    /// matter what has become.
    pub(super) fn is_same(&self, earlier: &Self, aside: &BTreeSet<OsString>) -> bool {
        let others = |look: &Self| -> BTreeMap<OsString, Stamp> {
            let plugins = look.plugins.iter();
            let others = plugins.filter(|(name, _)| !aside.contains(*name));
            others.map(|(name, stamp)| (name.clone(), *stamp)).collect()
        };
        others(self) == others(earlier)
    }
}

/// When a look was over, and how the directory was then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    pub(super) time: Instant,
    /// The version of the directory itself, which changes whenever a file comes or goes. `None` if no
    /// directory is configured.
    pub(super) directory: Option<FileVersion>,
}

/// The metadata of the files of a plugin, which changes with their content. Symbolic links are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) wasm: FileStamp,
    pub(super) sidecar: FileStamp,
}

impl Stamp {
    fn at(directory: BorrowedFd<'_>, plugin: &Path) -> Self {
        Self {
            wasm: FileStamp::at(directory, plugin),
            sidecar: FileStamp::at(directory, &Sidecar::file_beside(plugin)),
        }
    }

    fn of((wasm, sidecar): (FileVersion, Option<FileVersion>)) -> Self {
        let absent = FileStamp::Unreadable(io::ErrorKind::NotFound);
        Self {
            wasm: FileStamp::Readable(wasm),
            sidecar: sidecar.map_or(absent, FileStamp::Readable),
        }
    }
}

/// The metadata of one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileStamp {
    Readable(FileVersion),
    Unreadable(io::ErrorKind),
}

impl FileStamp {
    fn at(directory: BorrowedFd<'_>, file: &Path) -> Self {
        match FileVersion::at(directory, file) {
            Ok(version) => Self::Readable(version),
            Err(error) => Self::Unreadable(error.kind()),
        }
    }

    /// True if another file has taken the place of one, so that none was written into.
    pub(super) fn is_replacement_of(&self, before: &Self) -> bool {
        match (self, before) {
            (Self::Readable(new), Self::Readable(old)) => {
                (new.device, new.inode) != (old.device, old.inode)
            }
            _ => false,
        }
    }
}

#[cfg(test)]
pub(super) mod fake {
    use super::*;

    /// The stamp of a file.
    pub(in super::super) const fn file(inode: u64, size: u64) -> FileStamp {
        FileStamp::Readable(FileVersion {
            device: 0,
            inode,
            size,
            modified: (0, 0),
            changed: (0, 0),
        })
    }

    /// The stamp of a plugin without a sidecar.
    pub(in super::super) const fn stamp(inode: u64, size: u64) -> Stamp {
        Stamp {
            wasm: file(inode, size),
            sidecar: FileStamp::Unreadable(io::ErrorKind::NotFound),
        }
    }

    /// A look that has found these plugins.
    pub(in super::super) fn look(plugins: &[(&str, Stamp)], time: Instant) -> Look {
        let plugins = plugins.iter().map(|(name, stamp)| (name.into(), *stamp));
        Look {
            directory: PathBuf::new(),
            open: None,
            moment: Moment {
                time,
                directory: None,
            },
            plugins: plugins.collect(),
            orphans: BTreeSet::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// What is read belongs to the directory that was looked at, whichever has its name by then.
    #[test]
    fn a_directory_that_is_replaced_is_not_mixed_with_the_next() {
        let parent = tempfile::tempdir().unwrap();
        let at = |name: &str| parent.path().join(name);
        for release in ["one", "two"] {
            fs::create_dir(at(release)).unwrap();
            fs::write(at(release).join("10-a.wasm"), release).unwrap();
        }
        fs::rename(at("one"), at("plugins")).unwrap();
        let look = Look::at(Some(&at("plugins"))).unwrap();
        fs::rename(at("plugins"), at("one")).unwrap();
        fs::rename(at("two"), at("plugins")).unwrap();
        let name = OsStr::new("10-a.wasm");
        let (source, stamp) = look.read(name, 100);
        assert_eq!(source.unwrap().wasm, b"one");
        assert_eq!(look.plugins.get(name), Some(&stamp));
        let later = Look::at(Some(&at("plugins"))).unwrap();
        assert!(!later.is_same(&look, &BTreeSet::new()));
        assert!(later.is_same(&look, &[name.to_owned()].into()));
    }

    /// A link that leads nowhere is no reason to do without the settings of a plugin.
    #[test]
    fn a_sidecar_that_leads_nowhere_is_a_mistake() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("10-a.wasm"), "text").unwrap();
        let look = Look::at(Some(directory.path())).unwrap();
        let name = OsStr::new("10-a.wasm");
        assert!(look.read(name, 100).0.is_ok());
        std::os::unix::fs::symlink("nowhere", directory.path().join("10-a.toml")).unwrap();
        assert!(matches!(look.read(name, 100).0, Err(LoadError::Io { .. })));
    }
}
