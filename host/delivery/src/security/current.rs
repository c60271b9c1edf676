//! The security of new connections, which changes when files are reloaded.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use postgate_config::Backend;
use postgate_proto::client::ClientCredentials;
use postgate_tls::Reloaded;

use super::credentials::credentials;
use super::files::{FileDigest, digest, files};
use super::tls::ClientTls;
use crate::error::SetupError;

/// The security of connections that are made from now on.
#[derive(Debug)]
pub(crate) struct CurrentSecurity {
    backend: Backend,
    security: ArcSwap<ConnectionSecurity>,
    /// The files at the last attempt to read them, so that a fault in them is reported once.
    seen: Mutex<Option<FileDigest>>,
}

impl CurrentSecurity {
    /// Reads and checks all files.
    pub(crate) fn read(backend: &Backend) -> Result<Self, SetupError> {
        let files = digest(backend);
        Ok(Self {
            security: ArcSwap::from_pointee(ConnectionSecurity::read(backend, files)?),
            seen: Mutex::new(files),
            backend: backend.clone(),
        })
    }

    pub(crate) fn get(&self) -> Arc<ConnectionSecurity> {
        self.security.load_full()
    }

    /// The files that a reload reads.
    pub(crate) fn files(&self) -> impl Iterator<Item = &Path> {
        files(&self.backend)
    }

    /// Reads all files again, and uses them if none has a fault. Returns `None` if there are none.
    pub(crate) fn reload(&self) -> Option<Result<Reloaded, SetupError>> {
        let digest = digest(&self.backend)?;
        self.note(digest);
        Some(self.replace(digest))
    }

    /// Does what [`reload`](Self::reload) does, if the files have changed since the last attempt.
    /// Returns `None` if they have not.
    pub(crate) fn reload_changed(&self) -> Option<Result<Reloaded, SetupError>> {
        let digest = digest(&self.backend)?;
        self.note(digest).then(|| self.replace(digest))
    }

    /// Keeps the current security if it was read from the same files: pooled connections and TLS
    /// sessions that can be resumed belong to it.
    fn replace(&self, files: FileDigest) -> Result<Reloaded, SetupError> {
        if self.security.load().files == Some(files) {
            return Ok(Reloaded::Same);
        }
        let security = ConnectionSecurity::read(&self.backend, Some(files))?;
        self.security.store(Arc::new(security));
        Ok(Reloaded::Changed)
    }

    /// Notes the files of this attempt. Returns true if they have changed since the last one.
    fn note(&self, digest: FileDigest) -> bool {
        // The value is complete even if a holder of the lock has panicked.
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.replace(digest) != Some(digest)
    }
}

/// What a connection is made with.
#[derive(Debug)]
pub(crate) struct ConnectionSecurity {
    /// `None` if connections are not encrypted.
    pub(crate) tls: Option<ClientTls>,
    /// `None` if the gateway does not authenticate.
    pub(crate) credentials: Option<Arc<ClientCredentials>>,
    /// The files as they were before they were read.
    files: Option<FileDigest>,
}

impl ConnectionSecurity {
    fn read(backend: &Backend, files: Option<FileDigest>) -> Result<Self, SetupError> {
        let tls = backend.tls.as_ref().map(|tls| ClientTls::new(backend, tls));
        let login = backend.login.as_ref();
        let credentials = login.map(|login| credentials(backend, login));
        Ok(Self {
            tls: tls.transpose()?,
            credentials: credentials.transpose()?.map(Arc::new),
            files,
        })
    }
}
