//! Certificates of clients: who is trusted, and what is told of one that is not.

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
use postgate_tls::pem;
use postgate_tls::{CertificateError, CertificateFault};
use postgate_tls::{CertificateFacts, crypto_provider};

/// Who is trusted for certificates of clients, and whether a client needs one.
#[derive(Debug)]
pub(super) struct Clients {
    /// What is believed; nothing where no authority is trusted.
    trusted: Option<Trusted>,
    provider: Arc<CryptoProvider>,
    is_required: bool,
}

/// The authorities that are trusted.
#[derive(Debug)]
struct Trusted {
    authorities: Vec<CertificateDer<'static>>,
    verifier: Arc<dyn ClientCertVerifier>,
}

impl Clients {
    /// What a listener asks of its clients; nothing where it asks for no certificate.
    pub(super) fn load(listener: &Listener) -> Result<Option<Self>, CertificateError> {
        let is_required = match listener.client_certificates {
            ClientCertificates::Off => return Ok(None),
            ClientCertificates::Optional => false,
            ClientCertificates::Required => true,
        };
        let trusted = listener.client_ca.as_deref().map(|file| {
            trusted(file).map_err(|fault| CertificateError {
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

    /// Whether a session with this certificate is one that the operator wants. A session that goes
    /// on with an earlier one brings the certificate of that, which nobody has looked at since.
    pub(super) fn admit(&self, certificate: Option<&ClientCertificate>) -> bool {
        !self.is_required || certificate.is_some_and(|certificate| certificate.verified)
    }

    /// What plugins are told of the certificates that a client has presented, its own first.
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

/// Takes any certificate whose key the client has, where none is required: what it is worth is found
/// afterwards.
impl ClientCertVerifier for Clients {
    fn client_auth_mandatory(&self) -> bool {
        self.is_required
    }

    /// Where any certificate does, a client should not keep back its own for an issuer that is not
    /// named.
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

/// Whether the same is asked of clients.
impl PartialEq for Clients {
    fn eq(&self, other: &Self) -> bool {
        let authorities = |clients: &Self| {
            let trusted = clients.trusted.as_ref();
            trusted.map(|trusted| trusted.authorities.clone())
        };
        self.is_required == other.is_required && authorities(self) == authorities(other)
    }
}

fn trusted(file: &Path) -> Result<Trusted, CertificateFault> {
    let authorities = pem::certificates(file)?;
    let roots = Arc::new(pem::roots(&authorities)?);
    let verifier = WebPkiClientVerifier::builder_with_provider(roots, crypto_provider())
        .build()
        .map_err(|error| CertificateFault::UnusableAuthority(error.into()))?;
    Ok(Trusted {
        authorities,
        verifier,
    })
}
