//! What connections to a backend are made with, TLS and credentials, and the files that it is read
//! from.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use postgate_proto::client::ClientCredentials;
use sha2::{Digest as _, Sha256};

use super::tls::Tls;
use super::{SetupError, setup};
use postgate_config::{Backend, BackendTls, BackendTrust};
use postgate_tls::Reloaded;
use postgate_tls::backend::system_authorities;

/// What a connection is made with.
#[derive(Debug)]
pub(crate) struct Security {
    /// How it is encrypted; nothing where it is not.
    pub(crate) tls: Option<Tls>,
    /// Who the gateway is, where it has to say so.
    pub(crate) credentials: Option<Arc<ClientCredentials>>,
    /// The files as they were before they were read.
    files: Option<FileDigest>,
}

impl Security {
    fn read(backend: &Backend, files: Option<FileDigest>) -> Result<Self, SetupError> {
        let tls = backend.tls.as_ref().map(|tls| Tls::new(backend, tls));
        let login = backend.login.as_ref();
        let credentials = login.map(|login| setup::credentials(backend, login));
        Ok(Self {
            tls: tls.transpose()?,
            credentials: credentials.transpose()?.map(Arc::new),
            files,
        })
    }
}

/// What new connections are made with, now.
#[derive(Debug)]
pub(crate) struct Current {
    backend: Backend,
    security: ArcSwap<Security>,
    /// The files as they were at the last attempt, so that what is wrong in them is said once.
    seen: Mutex<Option<FileDigest>>,
}

type FileDigest = [u8; 32];

impl Current {
    /// Reads and checks everything.
    pub(crate) fn read(backend: &Backend) -> Result<Self, SetupError> {
        let files = digest(backend);
        Ok(Self {
            security: ArcSwap::from_pointee(Security::read(backend, files)?),
            seen: Mutex::new(files),
            backend: backend.clone(),
        })
    }

    pub(crate) fn get(&self) -> Arc<Security> {
        self.security.load_full()
    }

    /// The files that it is read from.
    pub(crate) fn files(&self) -> impl Iterator<Item = &Path> {
        files(&self.backend)
    }

    /// Reads everything again, and puts it in the place of the old where all of it is good. Nothing
    /// where there are no files.
    pub(crate) fn reload(&self) -> Option<Result<Reloaded, SetupError>> {
        let digest = digest(&self.backend)?;
        self.note(digest);
        Some(self.replace(digest))
    }

    /// The same, but only where the files are not those of the last attempt.
    pub(crate) fn reload_changed(&self) -> Option<Result<Reloaded, SetupError>> {
        let digest = digest(&self.backend)?;
        self.note(digest).then(|| self.replace(digest))
    }

    /// What holds stays where the files are those that it was read from: connections that are kept
    /// and sessions that can be resumed go with it.
    fn replace(&self, files: FileDigest) -> Result<Reloaded, SetupError> {
        if self.security.load().files == Some(files) {
            return Ok(Reloaded::Same);
        }
        let security = Security::read(&self.backend, Some(files))?;
        self.security.store(Arc::new(security));
        Ok(Reloaded::Changed)
    }

    /// Remembers the files as they are. Gives whether they have changed.
    fn note(&self, digest: FileDigest) -> bool {
        // The value is whole whatever happened to who held it.
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.replace(digest) != Some(digest)
    }
}

/// What the files hold, or that they cannot be read, and whom the system trusts where the backend is
/// verified by that. Nothing where there are no files.
fn digest(backend: &Backend) -> Option<FileDigest> {
    let mut files = files(backend).peekable();
    files.peek()?;
    let mut digest = Sha256::new();
    if backend.tls.as_ref().is_some_and(trusts_system) {
        for authority in system_authorities().certs {
            digest.update(authority);
        }
    }
    for file in files {
        match fs::read(file) {
            Ok(text) => digest.update(Sha256::digest(zeroize::Zeroizing::new(text).as_slice())),
            Err(error) => digest.update(error.to_string()),
        }
    }
    Some(digest.finalize().into())
}

const fn trusts_system(tls: &BackendTls) -> bool {
    matches!(tls.trust, BackendTrust::Authorities { file: None, .. })
}

fn files(backend: &Backend) -> impl Iterator<Item = &Path> {
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
