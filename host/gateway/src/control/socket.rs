//! The file of the control socket. Only its owner can open it, and it never replaces the socket of a
//! running gateway.

use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream as StdStream;
use std::path::{Path, PathBuf};

use tokio::net::UnixListener;

/// A listening socket. Dropping it removes its file.
#[derive(Debug)]
pub(super) struct ControlSocket {
    pub(super) listener: UnixListener,
    file: PathBuf,
    /// The device and inode of the file.
    identity: (u64, u64),
}

impl ControlSocket {
    /// Binds the socket. Replaces the socket of a gateway that does not run any more, and creates the
    /// directory if it does not exist.
    pub(super) fn open(file: &Path) -> io::Result<Self> {
        if let Some(directory) = file.parent() {
            fs::create_dir_all(directory)?;
        }
        ensure_free(file)?;
        // Bind in a private directory, and move the file when its mode is set, so that no other user
        // can connect in between. The name is short, since `sun_path` has 108 octets.
        let parent = file.parent().unwrap_or_else(|| Path::new("."));
        let private = tempfile::Builder::new().prefix(".").tempdir_in(parent)?;
        let temporary = private.path().join("s");
        let listener = UnixListener::bind(&temporary)?;
        fs::set_permissions(&temporary, Permissions::from_mode(0o600))?;
        fs::rename(&temporary, file)?;
        Ok(Self {
            listener,
            identity: identity(file)?,
            file: file.to_owned(),
        })
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        // Another gateway may have replaced the file with its own socket.
        if identity(&self.file).is_ok_and(|found| found == self.identity) {
            // A file that cannot be removed is replaced at the next start.
            _ = fs::remove_file(&self.file);
        }
    }
}

/// Fails unless the file does not exist, or is a socket on which no gateway listens.
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
    async fn the_file_is_private_and_is_removed_on_drop() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("run/control.sock");
        let socket = ControlSocket::open(&file).unwrap();
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(file.parent().unwrap()).unwrap().count(), 1);
        drop(socket);
        assert!(!file.exists());
    }

    #[tokio::test]
    async fn a_stale_socket_is_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("control.sock");
        drop(std::os::unix::net::UnixListener::bind(&file).unwrap());
        assert!(file.exists());
        let first = ControlSocket::open(&file).unwrap();
        // A socket in use is not replaced, and neither is a file of another kind.
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
    async fn the_file_of_another_gateway_is_not_removed() {
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
