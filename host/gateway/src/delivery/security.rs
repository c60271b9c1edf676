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
use crate::config::{Backend, BackendTrust};

/// What a connection is made with.
#[derive(Debug)]
pub(super) struct Security {
    /// How it is encrypted; nothing where it is not.
    pub(super) tls: Option<Tls>,
    /// Who the gateway is, where it has to say so.
    pub(super) credentials: Option<Arc<ClientCredentials>>,
}

impl Security {
    fn read(backend: &Backend) -> Result<Self, SetupError> {
        let tls = backend.tls.as_ref().map(|tls| Tls::new(backend, tls));
        let login = backend.login.as_ref();
        let credentials = login.map(|login| setup::credentials(backend, login));
        Ok(Self {
            tls: tls.transpose()?,
            credentials: credentials.transpose()?.map(Arc::new),
        })
    }
}

/// What new connections are made with, now.
#[derive(Debug)]
pub(super) struct Current {
    backend: Backend,
    security: ArcSwap<Security>,
    /// The files as they were at the last attempt, so that what is wrong in them is said once.
    seen: Mutex<Option<FileDigest>>,
}

type FileDigest = [u8; 32];

impl Current {
    /// Reads and checks everything.
    pub(super) fn read(backend: &Backend) -> Result<Self, SetupError> {
        Ok(Self {
            seen: Mutex::new(digest(backend)),
            security: ArcSwap::from_pointee(Security::read(backend)?),
            backend: backend.clone(),
        })
    }

    pub(super) fn get(&self) -> Arc<Security> {
        self.security.load_full()
    }

    /// Reads everything again, and puts it in the place of the old where all of it is good. Nothing
    /// where there are no files.
    pub(super) fn reload(&self) -> Option<Result<(), SetupError>> {
        let digest = digest(&self.backend)?;
        self.note(digest);
        Some(self.replace())
    }

    /// The same, but only where the files are not those of the last attempt.
    pub(super) fn reload_changed(&self) -> Option<Result<(), SetupError>> {
        let digest = digest(&self.backend)?;
        self.note(digest).then(|| self.replace())
    }

    fn replace(&self) -> Result<(), SetupError> {
        let security = Security::read(&self.backend)?;
        self.security.store(Arc::new(security));
        Ok(())
    }

    /// Remembers the files as they are. Gives whether they have changed.
    fn note(&self, digest: FileDigest) -> bool {
        // The value is whole whatever happened to who held it.
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.replace(digest) != Some(digest)
    }
}

/// What the files hold, or that they can not be read. Nothing where there are none.
fn digest(backend: &Backend) -> Option<FileDigest> {
    let mut files = files(backend).peekable();
    files.peek()?;
    let mut digest = Sha256::new();
    for file in files {
        match fs::read(file) {
            Ok(text) => digest.update(Sha256::digest(zeroize::Zeroizing::new(text).as_slice())),
            Err(error) => digest.update(error.to_string()),
        }
    }
    Some(digest.finalize().into())
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
