//! All certificates of a gateway, read and checked as a whole, at the start and whenever they change.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};
use tracing::{error, info, warn};
use zeroize::Zeroizing;

use super::listing::{CertificateListing, CertificateState, ShownAt};
use super::self_signed::{self, SelfSignedError};
use super::{ListenerTls, Terms};
use postgate_config::{CertificateFiles, Config, Listener, TlsMode};
use postgate_tls::Certificate;
use postgate_tls::{CertificateError, CertificateFault, Reloaded};

/// All certificates of a gateway.
#[derive(Debug)]
pub struct Store {
    files: Vec<CertificateFiles>,
    listeners: Vec<(Listener, Option<Arc<ListenerTls>>)>,
    self_signed: Option<Certificate>,
    state: Mutex<State>,
}

/// What changes with a reload.
#[derive(Debug)]
struct State {
    /// The files as they were at the last attempt, so that what is wrong in them is said once.
    seen: Digest,
    /// Whether one of them is good but for the time: it may only be that a clock is behind.
    is_early: bool,
    /// Those that hold, in the order of the configuration.
    certificates: Vec<Certificate>,
}

type Digest = [u8; 32];

/// Why there can be no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be used.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The certificate for tests cannot be made.
    #[error(transparent)]
    SelfSigned(#[from] SelfSignedError),
    /// What was read does not work together.
    #[error("listener {listener}: {error}")]
    Setup {
        /// The name of the listener.
        listener: String,
        /// What the TLS library says.
        error: rustls::Error,
    },
}

impl Store {
    /// Reads and checks everything that the listeners of a configuration need. A certificate that is
    /// not valid now is taken nevertheless, since most mail servers look at none of it, and
    /// `log` says so.
    ///
    /// # Errors
    ///
    /// Everything that is wrong.
    pub fn load(config: &Config) -> Result<Self, Vec<TlsError>> {
        let is_on = |listener: &Listener| listener.tls != TlsMode::Off;
        // Before they are read, so that a change in between is noticed afterwards.
        let seen = digest(files(&config.certificates, &config.listeners));
        // Files that no listener uses are checked as well: somebody meant them for something.
        let certificates = load_all(&config.certificates);
        let mut errors = Vec::new();
        let certificates = certificates.unwrap_or_else(|faults| {
            errors.extend(faults);
            Vec::new()
        });
        let needs_one = config.certificates.is_empty() && config.listeners.iter().any(is_on);
        let self_signed = match needs_one.then(|| self_signed::make(config)).transpose() {
            Ok(made) => made,
            Err(error) => {
                errors.push(error.into());
                None
            }
        };
        let mut listeners = Vec::with_capacity(config.listeners.len());
        for listener in &config.listeners {
            let tls = is_on(listener).then(|| {
                let shown = shown(listener, &certificates, self_signed.as_ref());
                ListenerTls::new(listener, shown)
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
                seen,
                is_early: false,
                certificates,
            }),
        })
    }

    /// The TLS of a listener by its place in the configuration; nothing where it has none.
    pub(crate) fn of_listener(&self, index: usize) -> Option<Arc<ListenerTls>> {
        let (_, tls) = self.listeners.get(index)?;
        tls.clone()
    }

    /// What clients are shown now.
    pub fn listing(&self) -> CertificateListing {
        let listeners = self.listeners.iter().map(|(listener, tls)| ShownAt {
            listener: listener.name.clone(),
            certificates: tls.as_ref().map(|tls| {
                let terms = tls.terms.load();
                let names = terms.certificates.iter();
                names.map(|certificate| certificate.name.clone()).collect()
            }),
        });
        CertificateListing {
            certificates: self.all().iter().map(CertificateState::from).collect(),
            listeners: listeners.collect(),
        }
    }

    /// The certificates that hold now, in the order of the configuration, or the one for tests.
    pub fn all(&self) -> Vec<Certificate> {
        let configured = self.state().certificates.clone();
        self.self_signed.iter().cloned().chain(configured).collect()
    }

    /// Reads everything again, and puts it in the place of the old where all of it is good. Sessions
    /// that are open keep what they have.
    ///
    /// # Errors
    ///
    /// Everything that is wrong; then the old stays. Wrong is here also a new certificate that is
    /// not valid now.
    pub fn reload(&self) -> Result<Reloaded, Vec<TlsError>> {
        let mut state = self.state();
        state.seen = self.digest();
        let reloaded = self.replace(&mut state);
        state.is_early = is_early(&reloaded);
        drop(state);
        self.log_ends();
        reloaded
    }

    /// As [`Self::reload`], but only where the files are not those of the last attempt, or were too
    /// early then. What is wrong is not said again.
    pub(super) fn reload_changed(&self) -> Option<Result<Reloaded, Vec<TlsError>>> {
        let mut state = self.state();
        let digest = self.digest();
        let is_same = state.seen == digest;
        if is_same && !state.is_early {
            return None;
        }
        state.seen = digest;
        let reloaded = self.replace(&mut state);
        state.is_early = is_early(&reloaded);
        drop(state);
        if is_same && reloaded.is_err() {
            return None;
        }
        self.log_ends();
        Some(reloaded)
    }

    fn replace(&self, state: &mut State) -> Result<Reloaded, Vec<TlsError>> {
        let certificates = load_all(&self.files)?;
        let mut errors: Vec<TlsError> = self.not_valid_now(&state.certificates, &certificates);
        let mut replacements = Vec::new();
        for (listener, tls) in &self.listeners {
            let Some(tls) = tls else { continue };
            let shown = shown(listener, &certificates, self.self_signed.as_ref());
            match Terms::load(listener, shown, &tls.tickets) {
                Ok(terms) => replacements.push((tls, terms)),
                Err(error) => errors.push(error),
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let mut reloaded = Reloaded::Same;
        for (tls, terms) in replacements {
            if *tls.terms.load_full() != terms {
                tls.terms.store(Arc::new(terms));
                reloaded = Reloaded::Changed;
            }
        }
        log_changes(&state.certificates, &certificates);
        state.certificates = certificates;
        Ok(reloaded)
    }

    /// What takes the place of another certificate must be valid: an expired one is surely the wrong
    /// file. One that has only grown old must not keep the others from being renewed.
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

    /// Says what clients are shown, for the start.
    pub(crate) fn log(&self) {
        if let Some(certificate) = &self.self_signed {
            warn!(
                certificate = certificate.name,
                names = certificate.facts.names.join(" "),
                fingerprint = certificate.facts.fingerprint,
                expires = %certificate.facts.not_after,
                "no [[certificate]] is configured: a self-signed one was made, for tests only"
            );
        }
        for certificate in &self.state().certificates {
            log_one(certificate);
        }
        self.log_ends();
    }

    /// Says which of the certificates in use clients will not take, now or soon.
    pub(super) fn log_ends(&self) {
        for certificate in self.all() {
            let mut files = self.files.iter();
            let file = files.find(|files| files.name == certificate.name);
            log_end(&certificate, file.map(|files| files.chain.as_path()));
        }
    }

    /// The files that certificates are read from.
    pub(crate) fn files(&self) -> impl Iterator<Item = &Path> {
        let listeners = self.listeners.iter().map(|(listener, _)| listener);
        files(&self.files, listeners)
    }

    fn digest(&self) -> Digest {
        digest(self.files())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each value in it is whole whatever happened to who held it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The files of certificates, and of the authorities of clients.
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

/// What files hold, or that they cannot be read.
fn digest<'a>(files: impl Iterator<Item = &'a Path>) -> Digest {
    let mut digest = Sha256::new();
    for file in files {
        match fs::read(file) {
            Ok(text) => digest.update(Sha256::digest(Zeroizing::new(text).as_slice())),
            Err(error) => digest.update(error.to_string()),
        }
    }
    digest.finalize().into()
}

/// Whether nothing is wrong with the files but that a certificate is not valid yet.
fn is_early(reloaded: &Result<Reloaded, Vec<TlsError>>) -> bool {
    let is_early = |error: &TlsError| match error {
        TlsError::Certificate(error) => matches!(error.fault, CertificateFault::NotYetValid(_)),
        TlsError::SelfSigned(_) | TlsError::Setup { .. } => false,
    };
    reloaded
        .as_ref()
        .is_err_and(|errors| errors.iter().all(is_early))
}

/// Every certificate, in the order of the configuration.
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

/// What a listener shows: all certificates, or those that it names, in the order of the list.
fn shown(
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

fn log_changes(old: &[Certificate], new: &[Certificate]) {
    for (old, new) in old.iter().zip(new) {
        if old.facts.fingerprint != new.facts.fingerprint {
            info!(
                certificate = new.name,
                old = old.facts.fingerprint,
                old_expires = %old.facts.not_after,
                new = new.facts.fingerprint,
                new_expires = %new.facts.not_after,
                "certificate replaced"
            );
            log_one(new);
        }
    }
}

fn log_one(certificate: &Certificate) {
    let Certificate { name, facts, .. } = certificate;
    info!(
        certificate = name,
        subject = facts.subject,
        names = facts.names.join(" "),
        fingerprint = facts.fingerprint,
        expires = %facts.not_after,
        "certificate"
    );
}

fn log_end(certificate: &Certificate, file: Option<&Path>) {
    let Certificate { name, facts, .. } = certificate;
    let (now, expires) = (Timestamp::now(), facts.not_after);
    let file = file.map(|file| file.display().to_string());
    if let Err(fault) = facts.check_time(now) {
        error!(certificate = name, file, %expires, %fault, "clients that verify will not take this certificate");
    } else if expires < now.saturating_add(WARNING).unwrap_or(Timestamp::MAX) {
        warn!(certificate = name, file, %expires, "this certificate expires soon");
    }
}

/// How long before the end the operator is warned.
const WARNING: SignedDuration = SignedDuration::from_hours(14 * 24);
