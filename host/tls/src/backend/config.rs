//! The TLS configuration of connections to a backend.

use std::path::Path;
use std::sync::Arc;

use postgate_config::{BackendCertificate, BackendTls, BackendTrust, TlsVersion};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::ServerName;
use rustls::sign::SingleCertAndKey;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use rustls_native_certs::CertificateResult;

use super::error::BackendTlsError;
use super::verifier::{AcceptAny, VerifyByAuthorities};
use crate::certificate::{Part, read_pair};
use crate::error::{CertificateError, CertificateFault};
use crate::pem;
use crate::provider::crypto_provider;

/// Reads and checks the files of a backend with this name, and makes the configuration of its
/// connections. TLS sessions are resumed only among connections that share the result.
///
/// # Errors
///
/// Fails if a file cannot be used, or if the system has no authorities and the backend is to be
/// verified by them.
pub fn client_config(backend: &str, tls: &BackendTls) -> Result<ClientConfig, BackendTlsError> {
    let provider = crypto_provider();
    let verifier = verifier(backend, &tls.trust, &provider)?;
    let versions: &[&SupportedProtocolVersion] = match tls.minimum {
        TlsVersion::V1_2 => &[&TLS13, &TLS12],
        TlsVersion::V1_3 => &[&TLS13],
    };
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        // This fails only for a version without a cipher suite, and the provider has some for both.
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

/// The name that the certificate of the backend must have.
///
/// # Errors
///
/// Fails if it is neither a host name nor an IP address.
pub fn server_name(
    backend: &str,
    tls: &BackendTls,
) -> Result<ServerName<'static>, BackendTlsError> {
    ServerName::try_from(tls.name.clone()).map_err(|cause| BackendTlsError::Name {
        backend: backend.to_owned(),
        name: tls.name.clone(),
        cause,
    })
}

fn identity(
    backend: &str,
    BackendCertificate { chain, key }: &BackendCertificate,
) -> Result<SingleCertAndKey, CertificateError> {
    let pair = read_pair(chain, key).map_err(|(part, fault)| match part {
        Part::Chain => error(backend, "tls-certificate", chain, fault),
        Part::Key => error(backend, "tls-key", key, fault),
    })?;
    Ok(pair.into())
}

fn verifier(
    backend: &str,
    trust: &BackendTrust,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, BackendTlsError> {
    let (file, revoked) = match trust {
        BackendTrust::Anybody => return Ok(Arc::new(AcceptAny(Arc::clone(provider)))),
        BackendTrust::Authorities { file, revoked } => (file.as_deref(), revoked.as_deref()),
    };
    let (roots, named) = match file {
        None => (system_roots(backend)?, Vec::new()),
        Some(file) => {
            let in_file = |fault| error(backend, "tls-ca", file, fault);
            let found = pem::authorities(file).map_err(in_file)?;
            (found.roots, found.certificates)
        }
    };
    let mut builder =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
    let source = match revoked {
        None => ("tls-ca", file.unwrap_or_else(|| Path::new("the system"))),
        Some(file) => {
            let lists = pem::revocation_lists(file)
                .map_err(|fault| error(backend, "tls-crl", file, fault))?;
            builder = builder.with_crls(lists).only_check_end_entity_revocation();
            ("tls-crl", file)
        }
    };
    let authorities = builder.build().map_err(|fault| {
        let fault = CertificateFault::UnusableAuthority(fault.into());
        error(backend, source.0, source.1, fault)
    })?;
    Ok(Arc::new(VerifyByAuthorities { authorities, named }))
}

/// Loads the certificate authorities of the system.
pub fn system_authorities() -> CertificateResult {
    rustls_native_certs::load_native_certs()
}

fn system_roots(backend: &str) -> Result<RootCertStore, BackendTlsError> {
    let found = system_authorities();
    let mut roots = RootCertStore::empty();
    // Some systems have authorities that cannot be parsed. The others can be used.
    roots.add_parsable_certificates(found.certs);
    match roots.is_empty() {
        false => Ok(roots),
        true => Err(BackendTlsError::NoAuthorities {
            backend: backend.to_owned(),
            cause: found.errors.into_iter().next(),
        }),
    }
}

fn error(backend: &str, key: &str, file: &Path, fault: CertificateFault) -> CertificateError {
    CertificateError {
        key: format!("backend {backend}: {key}"),
        file: file.to_owned(),
        fault,
    }
}
