//! The file of the control socket: made for its owner alone, and never taken from another gateway.

use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream as StdStream;
use std::path::{Path, PathBuf};

use tokio::net::UnixListener;

/// A socket that listens. Its file goes away with it.
#[derive(Debug)]
pub(super) struct ControlSocket {
    pub(super) listener: UnixListener,
    file: PathBuf,
    /// The device and inode of the file.
    identity: (u64, u64),
}

impl ControlSocket {
    /// Listens. A file that a gateway left behind is replaced; the directory is made where it is not
    /// there.
    pub(super) fn open(file: &Path) -> io::Result<Self> {
        if let Some(directory) = file.parent() {
            fs::create_dir_all(directory)?;
        }
        ensure_free(file)?;
        // It is made where nobody else can come, and moved once nobody else can open it. The name is
        // short, since that of a socket may have about a hundred octets only.
        let beside = file.parent().unwrap_or_else(|| Path::new("."));
        let private = tempfile::Builder::new().prefix(".").tempdir_in(beside)?;
        let unnamed = private.path().join("s");
        let listener = UnixListener::bind(&unnamed)?;
        fs::set_permissions(&unnamed, Permissions::from_mode(0o600))?;
        fs::rename(&unnamed, file)?;
        Ok(Self {
            listener,
            identity: identity(file)?,
            file: file.to_owned(),
        })
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        // A gateway that was started since may have put its own there.
        if identity(&self.file).is_ok_and(|found| found == self.identity) {
            // What stays behind is replaced at the next start.
            _ = fs::remove_file(&self.file);
        }
    }
}

/// Whether the name may be taken: nobody listens there, and nothing else is there.
fn ensure_free(file: &Path) -> io::Result<()> {
    match fs::symlink_metadata(file) {
        Ok(metadata) if !metadata.file_type().is_socket() => Err(io::Error::new(
            ErrorKind::AlreadyExists,
            "there is a file of this name that is no socket",
        )),
        Ok(_) => match StdStream::connect(file) {
            Ok(_) => Err(io::Error::new(
                ErrorKind::AddrInUse,
                "another gateway listens on it",
            )),
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(()),
            Err(error) => Err(error),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

fn identity(file: &Path) -> io::Result<(u64, u64)> {
    let metadata = fs::symlink_metadata(file)?;
    Ok((metadata.dev(), metadata.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_owner_can_open_it_and_it_goes_away() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("run/control.sock");
        let socket = ControlSocket::open(&file).unwrap();
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(file.parent().unwrap()).unwrap().count(), 1);
        drop(socket);
        assert!(!file.exists());
    }

    #[tokio::test]
    async fn a_socket_that_was_left_behind_is_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("control.sock");
        drop(std::os::unix::net::UnixListener::bind(&file).unwrap());
        assert!(file.exists());
        let first = ControlSocket::open(&file).unwrap();
        // One that serves is not, and neither is a file of another kind.
        assert_eq!(
            ControlSocket::open(&file).unwrap_err().kind(),
            ErrorKind::AddrInUse
        );
        drop(first);
        fs::write(&file, "mine").unwrap();
        let error = ControlSocket::open(&file).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
    }

    #[tokio::test]
    async fn the_file_of_a_successor_stays() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("control.sock");
        let first = ControlSocket::open(&file).unwrap();
        fs::remove_file(&file).unwrap();
        let second = ControlSocket::open(&file).unwrap();
        drop(first);
        assert!(file.exists());
        drop(second);
    }
}
