//! The gateway's side of connections to a backend: whom it trusts, and what it shows.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::sign::SingleCertAndKey;
use rustls::version::{TLS12, TLS13};
use rustls::{
    ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    SupportedProtocolVersion,
};
use rustls_native_certs::CertificateResult;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::certificate::{Facts, provider, together};
use super::error::{CertificateError, CertificateFault};
use super::pem;
use postgate_config::{BackendCertificate, BackendTls, BackendTrust, TlsVersion};

/// Why connections to a backend cannot be encrypted as the operator wants it.
#[derive(Debug, thiserror::Error)]
pub enum BackendTlsError {
    /// A file cannot be used.
    #[error(transparent)]
    File(#[from] CertificateError),
    /// Nobody is trusted on this machine.
    #[error(
        "backend {backend}: tls: this machine has no certificate authorities ({reason}); install \
         ca-certificates, or name the authority of the backend in `tls-ca`"
    )]
    NoAuthorities {
        /// The name of the backend.
        backend: String,
        /// What was looked for.
        reason: String,
    },
    /// The name can stand in no certificate.
    #[error("backend {backend}: tls-name: {name:?} is no host name and no IP address")]
    Name {
        /// The name of the backend.
        backend: String,
        /// The name.
        name: String,
    },
}

/// Reads and checks all that connections to the backend of this name need. Sessions are resumed as
/// far as backends allow it, and only among connections that share the result.
pub fn client_config(backend: &str, tls: &BackendTls) -> Result<ClientConfig, BackendTlsError> {
    let provider = provider();
    let verifier = verifier(backend, &tls.trust, &provider)?;
    let versions: &[&SupportedProtocolVersion] = match tls.minimum {
        TlsVersion::V1_2 => &[&TLS13, &TLS12],
        TlsVersion::V1_3 => &[&TLS13],
    };
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        // The provider has cipher suites for both versions.
        .expect("versions that the provider has")
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    Ok(match &tls.certificate {
        None => config.with_no_client_auth(),
        Some(certificate) => {
            config.with_client_cert_resolver(Arc::new(identity(backend, certificate)?))
        }
    })
}

/// The name as a certificate must have it.
pub fn server_name(
    backend: &str,
    tls: &BackendTls,
) -> Result<ServerName<'static>, BackendTlsError> {
    ServerName::try_from(tls.name.clone()).map_err(|_| BackendTlsError::Name {
        backend: backend.to_owned(),
        name: tls.name.clone(),
    })
}

fn identity(
    backend: &str,
    BackendCertificate { chain, key }: &BackendCertificate,
) -> Result<SingleCertAndKey, CertificateError> {
    let in_chain = |fault| error(backend, "tls-certificate", chain, fault);
    let in_key = |fault| error(backend, "tls-key", key, fault);
    let certificates = pem::certificates(chain).map_err(in_chain)?;
    let private = pem::key(key).map_err(in_key)?;
    let key = together(certificates, private, chain).map_err(in_key)?;
    Ok(key.into())
}

fn verifier(
    backend: &str,
    trust: &BackendTrust,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, BackendTlsError> {
    let (file, revoked) = match trust {
        BackendTrust::Anybody => return Ok(Arc::new(Anybody(Arc::clone(provider)))),
        BackendTrust::Authorities { file, revoked } => (file.as_deref(), revoked.as_deref()),
    };
    let (roots, itself) = match file {
        None => (system_roots(backend)?, Vec::new()),
        Some(file) => {
            let in_file = |fault| error(backend, "tls-ca", file, fault);
            let certificates = pem::certificates(file).map_err(in_file)?;
            (pem::roots(&certificates).map_err(in_file)?, certificates)
        }
    };
    let mut builder =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
    let blamed = match revoked {
        None => ("tls-ca", file.unwrap_or_else(|| Path::new("the system"))),
        Some(file) => {
            let lists =
                revocation_lists(file).map_err(|fault| error(backend, "tls-crl", file, fault))?;
            builder = builder.with_crls(lists).only_check_end_entity_revocation();
            ("tls-crl", file)
        }
    };
    let authorities = builder.build().map_err(|fault| {
        let fault = CertificateFault::UnusableAuthority(fault.to_string());
        error(backend, blamed.0, blamed.1, fault)
    })?;
    Ok(Arc::new(Authorities {
        authorities,
        itself,
    }))
}

/// Whom this machine trusts.
pub fn system_authorities() -> CertificateResult {
    rustls_native_certs::load_native_certs()
}

fn system_roots(backend: &str) -> Result<RootCertStore, BackendTlsError> {
    let found = system_authorities();
    let mut roots = RootCertStore::empty();
    // Systems hold a few that are too odd to be used; the others are trusted all the same.
    roots.add_parsable_certificates(found.certs);
    match roots.is_empty() {
        false => Ok(roots),
        true => Err(BackendTlsError::NoAuthorities {
            backend: backend.to_owned(),
            reason: found
                .errors
                .first()
                .map_or_else(|| "none was found".to_owned(), ToString::to_string),
        }),
    }
}

fn revocation_lists(
    file: &Path,
) -> Result<Vec<CertificateRevocationListDer<'static>>, CertificateFault> {
    let text = fs::read(file)?;
    let lists: Vec<_> = CertificateRevocationListDer::pem_slice_iter(&text)
        .collect::<Result<_, _>>()
        .map_err(|error| CertificateFault::Syntax(error.to_string()))?;
    match lists.is_empty() {
        true => Err(CertificateFault::NoRevocationList),
        false => Ok(lists),
    }
}

fn error(backend: &str, key: &str, file: &Path, fault: CertificateFault) -> CertificateError {
    CertificateError {
        key: format!("backend {backend}: {key}"),
        file: file.to_owned(),
        fault,
    }
}

/// Trusts authorities, and the certificate of the backend itself where the operator has named it.
#[derive(Debug)]
struct Authorities {
    authorities: Arc<WebPkiServerVerifier>,
    /// Certificates that are trusted as they are. Those that sign themselves, as `openssl req -x509`
    /// makes them, say of themselves that they are authorities, and such a one is never taken for
    /// the certificate of a server.
    itself: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for Authorities {
    fn verify_server_cert(
        &self,
        own: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.itself.contains(own) && is_authority(own) {
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

/// Takes any certificate whose key the backend has.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
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

/// Whether a certificate says that others can be verified by it.
fn is_authority(certificate: &CertificateDer<'_>) -> bool {
    X509Certificate::from_der(certificate).is_ok_and(|(_, parsed)| parsed.is_ca())
}

fn check_time(certificate: &CertificateDer<'_>, now: UnixTime) -> Result<(), Error> {
    use rustls::CertificateError::{BadEncoding, ExpiredContext, NotValidYetContext};
    let at = i64::try_from(now.as_secs()).ok();
    let at = at.and_then(|seconds| Timestamp::from_second(seconds).ok());
    let (Ok(facts), Some(at)) = (Facts::of(certificate), at) else {
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
