//! The files that connections to a backend need.

use std::path::Path;

use postgate_config::file::{MAX_TEXT, read_limited};
use postgate_config::{Backend, BackendTls, BackendTrust};
use postgate_tls::backend::system_authorities;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// A hash of the contents of all files.
pub(super) type FileDigest = [u8; 32];

/// The files that the configuration of a backend names.
pub(super) fn files(backend: &Backend) -> impl Iterator<Item = &Path> {
    let tls = backend.tls.as_ref();
    let trust = tls.map(|tls| match &tls.trust {
        BackendTrust::Anybody => [None, None],
        BackendTrust::Authorities { file, revoked } => [file.as_deref(), revoked.as_deref()],
    });
    let own = tls.and_then(|tls| tls.certificate.as_ref());
    let own = own.map(|own| [own.chain.as_path(), own.key.as_path()]);
    let password = backend.login.as_ref();
    let password = password.map(|login| login.password_file.as_path());
    trust
        .into_iter()
        .flatten()
        .flatten()
        .chain(own.into_iter().flatten())
        .chain(password)
}

/// Hashes the contents of the files, or the errors of those that cannot be read, and the
/// authorities of the system if the backend is verified by them. Returns `None` if there are no
/// files.
pub(super) fn digest(backend: &Backend) -> Option<FileDigest> {
    let mut files = files(backend).peekable();
    files.peek()?;
    let mut digest = Sha256::new();
    if backend.tls.as_ref().is_some_and(trusts_system) {
        for authority in system_authorities().certs {
            digest.update(authority);
        }
    }
    for file in files {
        match read_limited(file, MAX_TEXT) {
            Ok(text) => digest.update(Sha256::digest(Zeroizing::new(text).as_slice())),
            Err(error) => digest.update(error.to_string()),
        }
    }
    Some(digest.finalize().into())
}

const fn trusts_system(tls: &BackendTls) -> bool {
    matches!(tls.trust, BackendTrust::Authorities { file: None, .. })
}
