//! Verification of client certificates.

use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, SignatureScheme};

use postgate_config::{ClientCertificates, Listener};
use postgate_runtime::context::ClientCertificate;
use postgate_tls::{CertificateError, CertificateFacts, CertificateFault, crypto_provider, pem};

/// Verifies the client certificates of one listener.
#[derive(Debug)]
pub(super) struct ClientVerifier {
    /// The trusted authorities; `None` if `client-ca` is not set.
    trusted: Option<TrustedAuthorities>,
    provider: Arc<CryptoProvider>,
    /// True if clients need a trusted certificate.
    is_required: bool,
}

#[derive(Debug)]
struct TrustedAuthorities {
    authorities: Vec<CertificateDer<'static>>,
    verifier: Arc<dyn ClientCertVerifier>,
}

impl ClientVerifier {
    /// Returns `None` if the listener does not request client certificates.
    pub(super) fn load(listener: &Listener) -> Result<Option<Self>, CertificateError> {
        let is_required = match listener.client_certificates {
            ClientCertificates::Off => return Ok(None),
            ClientCertificates::Optional => false,
            ClientCertificates::Required => true,
        };
        let trusted = listener.client_ca.as_deref().map(|file| {
            load_authorities(file).map_err(|fault| CertificateError {
                key: format!("listener {}: client-ca", listener.name),
                file: file.to_owned(),
                fault,
            })
        });
        Ok(Some(Self {
            trusted: trusted.transpose()?,
            provider: crypto_provider(),
            is_required,
        }))
    }

    /// Returns false if the listener requires a trusted certificate and this one is not. A resumed
    /// session keeps the certificate of its first handshake, which rustls does not verify again.
    pub(super) fn admits(&self, certificate: Option<&ClientCertificate>) -> bool {
        !self.is_required || certificate.is_some_and(|certificate| certificate.verified)
    }

    /// Returns the facts for plugins about the chain that a client has presented, its own certificate
    /// first. Returns `None` if the chain is empty or its first certificate is malformed.
    pub(super) fn facts(&self, presented: &[CertificateDer<'_>]) -> Option<ClientCertificate> {
        let (own, others) = presented.split_first()?;
        let CertificateFacts {
            subject,
            issuer,
            names,
            fingerprint,
            ..
        } = CertificateFacts::of(own).ok()?;
        Some(ClientCertificate {
            subject,
            issuer,
            names,
            fingerprint,
            verified: self.verify(own, others).is_ok(),
        })
    }

    fn verify(
        &self,
        own: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
    ) -> Result<ClientCertVerified, rustls::Error> {
        match &self.trusted {
            Some(trusted) => trusted
                .verifier
                .verify_client_cert(own, others, UnixTime::now()),
            None => Err(rustls::CertificateError::UnknownIssuer.into()),
        }
    }
}

/// If no certificate is required, the handshake accepts any certificate whose key the client has.
/// [`ClientVerifier::facts`] verifies it afterwards.
impl ClientCertVerifier for ClientVerifier {
    fn client_auth_mandatory(&self) -> bool {
        self.is_required
    }

    /// If any certificate is accepted, the list of authorities is empty: clients may withhold a
    /// certificate whose issuer is not in the list.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        match &self.trusted {
            Some(trusted) if self.is_required => trusted.verifier.root_hint_subjects(),
            _ => &[],
        }
    }

    fn verify_client_cert(
        &self,
        own: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        match self.is_required {
            true => self.verify(own, others),
            false => Ok(ClientCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, own, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, own, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// Compares the requirement and the trusted authorities.
impl PartialEq for ClientVerifier {
    fn eq(&self, other: &Self) -> bool {
        let authorities = |verifier: &Self| {
            let trusted = verifier.trusted.as_ref();
            trusted.map(|trusted| trusted.authorities.clone())
        };
        self.is_required == other.is_required && authorities(self) == authorities(other)
    }
}

fn load_authorities(file: &Path) -> Result<TrustedAuthorities, CertificateFault> {
    let found = pem::issuing_authorities(file)?;
    let roots = Arc::new(found.roots);
    let verifier = WebPkiClientVerifier::builder_with_provider(roots, crypto_provider())
        .build()
        .map_err(|error| CertificateFault::UnusableAuthority(error.into()))?;
    Ok(TrustedAuthorities {
        authorities: found.certificates,
        verifier,
    })
}
