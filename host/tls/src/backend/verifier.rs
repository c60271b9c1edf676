//! How the certificate of a backend is verified.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{DigitallySignedStruct, Error, SignatureScheme};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::certificate::CertificateFacts;
use crate::error::CertificateFault;

/// Verifies certificates by authorities. Also accepts the certificate of the backend itself if the
/// operator has named it as an authority.
#[derive(Debug)]
pub(super) struct VerifyByAuthorities {
    pub(super) authorities: Arc<WebPkiServerVerifier>,
    /// The certificates of the `tls-ca` file. A self-signed certificate, as `openssl req -x509`
    /// makes it, is marked as an authority, which webpki never accepts as the certificate of a
    /// server.
    pub(super) named: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for VerifyByAuthorities {
    fn verify_server_cert(
        &self,
        own: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.named.contains(own) && is_authority(own) {
            verify_server_name(&ParsedCertificate::try_from(own)?, name)?;
            check_time(own, now)?;
            return Ok(ServerCertVerified::assertion());
        }
        self.authorities
            .verify_server_cert(own, others, name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.authorities
            .verify_tls12_signature(message, own, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.authorities
            .verify_tls13_signature(message, own, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.authorities.supported_verify_schemes()
    }
}

/// Accepts every certificate whose key the backend has.
#[derive(Debug)]
pub(super) struct AcceptAny(pub(super) Arc<CryptoProvider>);

impl ServerCertVerifier for AcceptAny {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, own, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, own, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// True if a certificate is marked as an authority.
fn is_authority(certificate: &CertificateDer<'_>) -> bool {
    X509Certificate::from_der(certificate).is_ok_and(|(_, parsed)| parsed.is_ca())
}

fn check_time(certificate: &CertificateDer<'_>, now: UnixTime) -> Result<(), Error> {
    use rustls::CertificateError::{BadEncoding, ExpiredContext, NotValidYetContext};
    let at = i64::try_from(now.as_secs()).ok();
    let at = at.and_then(|seconds| Timestamp::from_second(seconds).ok());
    let (Ok(facts), Some(at)) = (CertificateFacts::of(certificate), at) else {
        return Err(BadEncoding.into());
    };
    let since_epoch = |time: Timestamp| {
        let seconds = time.as_second().try_into().unwrap_or_default();
        UnixTime::since_unix_epoch(Duration::from_secs(seconds))
    };
    facts.check_time(at).map_err(|fault| match fault {
        CertificateFault::NotYetValid(_) => Error::from(NotValidYetContext {
            time: now,
            not_before: since_epoch(facts.not_before),
        }),
        _ => Error::from(ExpiredContext {
            time: now,
            not_after: since_epoch(facts.not_after),
        }),
    })
}
