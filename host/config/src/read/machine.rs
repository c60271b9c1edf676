//! Checks that this machine can do what a configuration asks for: what `serve` would fail at only later.

use std::fs::{self, Metadata};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process;

use crate::address::{BackendAddress, ListenAddress, ListenAddresses};
use crate::config::Config;
use crate::document::Section;
use crate::file::directory_of;

/// Reports what this machine cannot do for a configuration that was read from a document.
pub(super) fn check(root: &mut Section<'_>, config: &Config) {
    if let Some(socket) = &config.control_socket {
        in_table(root, "control", "socket", usable_socket(socket).err());
    }
    if let Some(secret) = &config.auth_secret_file
        && let Some(text) = usable_secret(secret).err()
    {
        root.conflict("auth-secret-file", text);
    }
    if let Some(maildir) = &config.quarantine {
        let text = usable_directory(maildir, &MAILDIR).err();
        in_table(root, "quarantine", "maildir", text);
    }
    if let Some(cache) = &config.plugins.cache {
        in_table(root, "plugins", "cache", usable_directory(cache, &[]).err());
    }
    if let Some(backend) = &config.backend
        && let BackendAddress::Maildir(maildir) = &backend.address
        && let Some(text) = usable_directory(maildir, &MAILDIR).err()
    {
        let is_in_file = root.has("backend");
        let report = |section: &mut Section<'_>| {
            section.ignore_unknown_keys();
            section.conflict("address", text.clone());
        };
        match is_in_file {
            true => root.each_table("backend", report),
            false => root.absent_table("backend", report),
        }
    }
}

fn in_table(root: &mut Section<'_>, table: &'static str, key: &'static str, text: Option<String>) {
    if let Some(text) = text {
        root.table(table, |section| {
            section.ignore_unknown_keys();
            section.conflict(key, text);
        });
    }
}

/// Reports addresses that this machine does not have.
pub(super) fn check_listeners(root: &mut Section<'_>) {
    let only_first = root.is_overridden("listener.address");
    let mut count = 0;
    root.each_table("listener", |section| {
        section.ignore_unknown_keys();
        count += 1;
        if count > 1 && only_first {
            return;
        }
        check_addresses(section);
    });
    if count == 0 && only_first {
        root.absent_table("listener", |section| {
            section.ignore_unknown_keys();
            check_addresses(section);
        });
    }
}

fn check_addresses(section: &mut Section<'_>) {
    // A value that is wrong has been reported.
    let Some(ListenAddresses(all)) = section.value_quietly("address") else {
        return;
    };
    for written in all {
        // Names and wildcards resolve to what this machine has, or have been reported.
        let ListenAddress::Ip(address) = written else {
            continue;
        };
        // Any port shows whether the address is there; that of the listener may be in use, by the
        // gateway that this configuration is checked for.
        let bound = TcpListener::bind(SocketAddr::new(address.ip(), 0));
        if let Err(error) = bound
            && address.ip().to_canonical() == address.ip()
        {
            let text = format!("{} is no address of this machine: {error}", address.ip());
            section.conflict("address", text);
        }
    }
}

/// A socket can be made where there is no file, or an old socket.
fn usable_socket(file: &Path) -> Result<(), String> {
    use std::os::unix::fs::FileTypeExt as _;
    match fs::symlink_metadata(file) {
        Ok(found) if !found.file_type().is_socket() => Err(format!(
            "{} is there and is no socket; remove it, or name another file",
            file.display()
        )),
        _ if file.as_os_str().len() > MAX_SOCKET_PATH => Err(format!(
            "{} is longer than the {MAX_SOCKET_PATH} octets that the path of a socket may have",
            file.display()
        )),
        _ => usable_directory(directory_of(file), &[]),
    }
}

/// A secret that is not there can be made. One that is there is checked where it is read.
fn usable_secret(file: &Path) -> Result<(), String> {
    let directory = directory_of(file);
    match (file.try_exists(), directory.metadata()) {
        (Ok(false), Ok(found)) if found.is_dir() => creatable_in(directory),
        (Ok(false), _) => Err(format!(
            "{} cannot be made: there is no directory {}; create it first",
            file.display(),
            directory.display()
        )),
        _ => Ok(()),
    }
}

/// A directory can be written, or made in the nearest one that is there, and so can those of these names
/// in it.
fn usable_directory(path: &Path, inner: &[&str]) -> Result<(), String> {
    let mut existing = path;
    let found: Metadata = loop {
        match existing.metadata() {
            Ok(found) => break found,
            Err(error)
                if error.kind() == io::ErrorKind::NotFound && existing.parent().is_some() =>
            {
                existing = directory_of(existing);
            }
            Err(error) => return Err(format!("{}: {error}", existing.display())),
        }
    };
    if !found.is_dir() {
        let (path, existing) = (path.display(), existing.display());
        return Err(format!("{path} cannot be used: {existing} is no directory"));
    }
    if existing != path {
        return creatable_in(existing)
            .map_err(|reason| format!("{} cannot be made: {reason}", path.display()));
    }
    let there = inner.iter().map(|name| path.join(name));
    let there: Vec<_> = there
        .filter(|inner| inner.symlink_metadata().is_ok())
        .collect();
    for directory in &there {
        if !directory.is_dir() {
            return Err(format!("{} is no directory", directory.display()));
        }
        creatable_in(directory)?;
    }
    // What is there need not be made.
    match !inner.is_empty() && there.len() == inner.len() {
        true => Ok(()),
        false => creatable_in(path),
    }
}

/// Tries it, since the rights alone do not tell: the file system may be read-only or have no files of
/// this kind.
fn creatable_in(directory: &Path) -> Result<(), String> {
    let trial = directory.join(format!(".postgate-{}", process::id()));
    let tried = fs::create_dir(&trial).and_then(|()| fs::remove_dir(&trial));
    match tried {
        // Of an attempt that was interrupted.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(format!("cannot write in {}: {error}", directory.display())),
        Ok(()) => Ok(()),
    }
}

/// The most octets of the path of a socket on Linux, 107, less what the name of the socket may need while
/// it is made.
const MAX_SOCKET_PATH: usize = 96;
/// The directories of a Maildir that are written.
const MAILDIR: [&str; 2] = ["new", "tmp"];
