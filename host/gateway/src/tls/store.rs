//! All certificates of a gateway, read and checked together at startup and on reload.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use postgate_config::file::{MAX_TEXT, read_limited};
use postgate_config::{CertificateFiles, Config, Listener, TlsMode};
use postgate_tls::{Certificate, CertificateError, CertificateFault, Reloaded};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::certificate_log::{log_certificate, log_replaced, log_self_signed, log_validity};
use super::error::TlsError;
use super::listener::ListenerTls;
use super::listing::{CertificateListing, CertificateState, ListenerCertificates};
use super::parameters::HandshakeParameters;
use super::self_signed;

/// All certificates of a gateway.
#[derive(Debug)]
pub struct CertificateStore {
    files: Vec<CertificateFiles>,
    listeners: Vec<(Listener, Option<Arc<ListenerTls>>)>,
    self_signed: Option<Certificate>,
    state: Mutex<State>,
}

/// The state that a reload changes.
#[derive(Debug)]
struct State {
    /// The digest of the files at the last attempt. Errors in unchanged files are reported once only.
    digest: Digest,
    /// True if the last attempt failed only because a certificate is not valid yet. The clock of this
    /// machine may be slow, so the next attempt may succeed with the same files.
    is_early: bool,
    /// The certificates in use, in the order of the configuration.
    certificates: Vec<Certificate>,
}

pub(super) type Digest = [u8; 32];

impl CertificateStore {
    /// Reads and checks all files that the listeners of a configuration need. A certificate that is
    /// not valid now is accepted, because most SMTP clients do not verify it. `log` reports it.
    ///
    /// # Errors
    ///
    /// Fails with all errors of all files and listeners.
    pub fn load(config: &Config) -> Result<Self, Vec<TlsError>> {
        // Computed before the files are read, so that a change in between is found later.
        let digest = digest_of(files(&config.certificates, &config.listeners));
        Self::load_after(digest, config)
    }

    /// As [`Self::load`], for files that had this digest before.
    pub(super) fn load_after(digest: Digest, config: &Config) -> Result<Self, Vec<TlsError>> {
        let is_on = |listener: &Listener| listener.tls != TlsMode::Off;
        // Files that no listener uses are checked as well, since the operator has configured them.
        let certificates = load_all(&config.certificates);
        let mut errors = Vec::new();
        let certificates = certificates.unwrap_or_else(|faults| {
            errors.extend(faults);
            Vec::new()
        });
        let needs_one = config.certificates.is_empty() && config.listeners.iter().any(is_on);
        let self_signed = match needs_one.then(|| self_signed::generate(config)).transpose() {
            Ok(made) => made,
            Err(error) => {
                errors.push(error.into());
                None
            }
        };
        let mut listeners = Vec::with_capacity(config.listeners.len());
        for listener in &config.listeners {
            let tls = is_on(listener).then(|| {
                let selected = select(listener, &certificates, self_signed.as_ref());
                ListenerTls::new(listener, selected)
            });
            match tls.transpose() {
                Ok(tls) => listeners.push((listener.clone(), tls.map(Arc::new))),
                Err(error) => errors.push(error),
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        Ok(Self {
            files: config.certificates.clone(),
            listeners,
            self_signed,
            state: Mutex::new(State {
                digest,
                is_early: false,
                certificates,
            }),
        })
    }

    /// Returns the TLS of a listener by its index in the configuration, `None` if its TLS is off.
    pub(crate) fn of_listener(&self, index: usize) -> Option<Arc<ListenerTls>> {
        let (_, tls) = self.listeners.get(index)?;
        tls.clone()
    }

    /// Lists the certificates in use, by listener.
    pub fn listing(&self) -> CertificateListing {
        let listeners = self
            .listeners
            .iter()
            .map(|(listener, tls)| ListenerCertificates {
                listener: listener.name.clone(),
                certificates: tls.as_ref().map(|tls| {
                    let parameters = tls.parameters.load();
                    let names = parameters.certificates.iter();
                    names.map(|certificate| certificate.name.clone()).collect()
                }),
            });
        CertificateListing {
            certificates: self.all().iter().map(CertificateState::from).collect(),
            listeners: listeners.collect(),
        }
    }

    /// Returns the certificates in use, in the order of the configuration, or the self-signed one.
    pub fn all(&self) -> Vec<Certificate> {
        let configured = self.state().certificates.clone();
        self.self_signed.iter().cloned().chain(configured).collect()
    }

    /// Reads all files again, and replaces the certificates if all of them can be used. Open sessions
    /// keep their parameters.
    ///
    /// # Errors
    ///
    /// Fails with all errors, and then keeps the old certificates. Unlike [`Self::load`], this also
    /// fails if a new certificate is not valid now.
    pub fn reload(&self) -> Result<Reloaded, Vec<TlsError>> {
        let mut state = self.state();
        state.digest = self.digest();
        let reloaded = self.replace(&mut state);
        state.is_early = is_early(&reloaded);
        drop(state);
        self.log_validity();
        reloaded
    }

    /// Reloads if the files have changed since the last attempt, or if they failed then only because
    /// of the time. Returns `None` if there is nothing new to report.
    pub(super) fn reload_changed(&self) -> Option<Result<Reloaded, Vec<TlsError>>> {
        let mut state = self.state();
        let digest = self.digest();
        let is_same = state.digest == digest;
        if is_same && !state.is_early {
            return None;
        }
        state.digest = digest;
        let reloaded = self.replace(&mut state);
        state.is_early = is_early(&reloaded);
        drop(state);
        if is_same && reloaded.is_err() {
            return None;
        }
        self.log_validity();
        Some(reloaded)
    }

    fn replace(&self, state: &mut State) -> Result<Reloaded, Vec<TlsError>> {
        let certificates = load_all(&self.files)?;
        let mut errors: Vec<TlsError> = self.not_valid_now(&state.certificates, &certificates);
        let mut replacements = Vec::new();
        for (listener, tls) in &self.listeners {
            let Some(tls) = tls else { continue };
            let selected = select(listener, &certificates, self.self_signed.as_ref());
            match HandshakeParameters::load(listener, selected, &tls.tickets) {
                Ok(parameters) => replacements.push((tls, parameters)),
                Err(error) => errors.push(error),
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let mut reloaded = Reloaded::Same;
        for (tls, parameters) in replacements {
            if *tls.parameters.load_full() != parameters {
                tls.parameters.store(Arc::new(parameters));
                reloaded = Reloaded::Changed;
            }
        }
        log_replaced(&state.certificates, &certificates);
        state.certificates = certificates;
        Ok(reloaded)
    }

    /// Returns an error for each new certificate that is not valid now: it is probably the wrong file.
    /// A certificate that is unchanged and has expired must not prevent the renewal of the others.
    fn not_valid_now(&self, old: &[Certificate], new: &[Certificate]) -> Vec<TlsError> {
        let now = Timestamp::now();
        let is_new = |certificate: &Certificate| {
            let mut old = old.iter();
            !old.any(|old| old.facts.fingerprint == certificate.facts.fingerprint)
        };
        let faults = self
            .files
            .iter()
            .zip(new)
            .filter_map(|(files, certificate)| {
                let fault = certificate.facts.check_time(now).err()?;
                is_new(certificate).then(|| CertificateError {
                    key: format!("certificate {}: chain", files.name),
                    file: files.chain.clone(),
                    fault,
                })
            });
        faults.map(TlsError::from).collect()
    }

    /// Logs the certificates in use.
    pub(crate) fn log(&self) {
        if let Some(certificate) = &self.self_signed {
            log_self_signed(certificate);
        }
        for certificate in &self.state().certificates {
            log_certificate(certificate);
        }
        self.log_validity();
    }

    /// Logs the certificates in use that have expired or expire soon.
    pub(super) fn log_validity(&self) {
        for certificate in self.all() {
            let mut files = self.files.iter();
            let file = files.find(|files| files.name == certificate.name);
            log_validity(&certificate, file.map(|files| files.chain.as_path()));
        }
    }

    /// Returns the files of certificates, keys and client authorities.
    pub(crate) fn files(&self) -> impl Iterator<Item = &Path> {
        let listeners = self.listeners.iter().map(|(listener, _)| listener);
        files(&self.files, listeners)
    }

    pub(super) fn digest(&self) -> Digest {
        digest_of(self.files())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // The fields are independent of each other, so a panic cannot leave them inconsistent.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the files of certificates, keys and client authorities.
fn files<'a>(
    certificates: &'a [CertificateFiles],
    listeners: impl IntoIterator<Item = &'a Listener>,
) -> impl Iterator<Item = &'a Path> {
    let files = certificates
        .iter()
        .flat_map(|files| [&files.chain, &files.key]);
    let listeners = listeners.into_iter();
    let authorities = listeners.filter_map(|listener| listener.client_ca.as_ref());
    files.chain(authorities).map(PathBuf::as_path)
}

/// Hashes the contents of files, or the errors of those that cannot be read.
fn digest_of<'a>(files: impl Iterator<Item = &'a Path>) -> Digest {
    let mut digest = Sha256::new();
    for file in files {
        match read_limited(file, MAX_TEXT) {
            Ok(text) => digest.update(Sha256::digest(Zeroizing::new(text).as_slice())),
            Err(error) => digest.update(error.to_string()),
        }
    }
    digest.finalize().into()
}

/// Returns true if a reload failed, and only because certificates are not valid yet.
fn is_early(reloaded: &Result<Reloaded, Vec<TlsError>>) -> bool {
    let is_early = |error: &TlsError| match error {
        TlsError::Certificate(error) => matches!(error.fault, CertificateFault::NotYetValid(_)),
        TlsError::SelfSigned(_) | TlsError::Setup { .. } => false,
    };
    reloaded
        .as_ref()
        .is_err_and(|errors| errors.iter().all(is_early))
}

/// Loads all certificates, in the order of the configuration. Fails with all errors.
fn load_all(files: &[CertificateFiles]) -> Result<Vec<Certificate>, Vec<TlsError>> {
    let mut certificates = Vec::with_capacity(files.len());
    let mut errors = Vec::new();
    for files in files {
        match Certificate::load(files) {
            Ok(certificate) => certificates.push(certificate),
            Err(error) => errors.push(error.into()),
        }
    }
    match errors.is_empty() {
        true => Ok(certificates),
        false => Err(errors),
    }
}

/// Selects the certificates of a listener: the self-signed one, those that it names in the order of
/// its list, or all.
fn select(
    listener: &Listener,
    all: &[Certificate],
    self_signed: Option<&Certificate>,
) -> Vec<Certificate> {
    if let Some(certificate) = self_signed {
        return vec![certificate.clone()];
    }
    match &listener.certificates {
        None => all.to_vec(),
        Some(names) => {
            let named = |name: &String| all.iter().find(|certificate| certificate.name == *name);
            names.iter().filter_map(named).cloned().collect()
        }
    }
}
