//! Log lines about certificates.

use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use postgate_tls::Certificate;
use tracing::{error, info, warn};

use crate::error_chain::Chain;

/// Logs the certificates that a reload has replaced.
pub(super) fn log_replaced(old: &[Certificate], new: &[Certificate]) {
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
            log_certificate(new);
        }
    }
}

/// Logs one certificate.
pub(super) fn log_certificate(certificate: &Certificate) {
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

/// Logs the generated certificate.
pub(super) fn log_self_signed(certificate: &Certificate) {
    warn!(
        certificate = certificate.name,
        names = certificate.facts.names.join(" "),
        fingerprint = certificate.facts.fingerprint,
        expires = %certificate.facts.not_after,
        "no [[certificate]] is configured: a self-signed one was made, for tests only"
    );
}

/// Logs an error if a certificate is not valid now, and a warning if it expires soon.
pub(super) fn log_validity(certificate: &Certificate, file: Option<&Path>) {
    let Certificate { name, facts, .. } = certificate;
    let (now, expires) = (Timestamp::now(), facts.not_after);
    let file = file.map(|file| file.display().to_string());
    if let Err(fault) = facts.check_time(now) {
        let fault = Chain(&fault);
        error!(certificate = name, file, %expires, %fault, "clients that verify will not take this certificate");
    } else if expires < now.saturating_add(WARNING).unwrap_or(Timestamp::MAX) {
        warn!(certificate = name, file, %expires, "this certificate expires soon");
    }
}

/// The remaining validity below which the operator is warned.
const WARNING: SignedDuration = SignedDuration::from_hours(14 * 24);
