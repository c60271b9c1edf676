//! A certificate authority, and backends with its certificates.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use postgate_config::{
    Backend, BackendAddress, BackendTls, BackendTrust, HostPort, TlsStart, TlsVersion,
};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tempfile::TempDir;
use tokio_rustls::TlsAcceptor;

use super::super::script::offering;
use super::super::support::backend;
use crate::Delivery;

/// A certificate authority, with a directory for its certificate and other files.
pub(super) struct Authority {
    pub(super) issuer: Issuer<'static, KeyPair>,
    pub(super) certificate: rcgen::Certificate,
    pub(super) directory: TempDir,
}

impl Authority {
    pub(super) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key).unwrap();
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("ca.pem"), certificate.pem()).unwrap();
        Self {
            issuer: Issuer::new(params, key),
            certificate,
            directory,
        }
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A server with a certificate for this name, which `change` can spoil.
    pub(super) fn server(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Served {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        change(&mut params);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Served { certificate, key }
    }

    /// The settings of a backend `store.example` that is verified by this authority.
    pub(super) fn trusting(&self) -> BackendTls {
        BackendTls {
            start: TlsStart::StartTls,
            name: "store.example".into(),
            minimum: TlsVersion::V1_2,
            trust: BackendTrust::Authorities {
                file: Some(self.file("ca.pem")),
                revoked: None,
            },
            certificate: None,
        }
    }
}

pub(super) struct Served {
    pub(super) certificate: rcgen::Certificate,
    pub(super) key: KeyPair,
}

impl Served {
    pub(super) fn key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::try_from(self.key.serialize_der()).unwrap()
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        let config = server_config().with_no_client_auth();
        let chain = vec![self.certificate.der().clone()];
        let config = config.with_single_cert(chain, self.key()).unwrap();
        Arc::new(config).into()
    }
}

pub(super) fn server_config() -> rustls::ConfigBuilder<ServerConfig, rustls::WantsVerifier> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
}

pub(super) fn to(address: HostPort, tls: BackendTls) -> Delivery {
    let backend = Backend {
        tls: Some(tls),
        ..backend(BackendAddress::Smtp(address))
    };
    Delivery::new(&backend, "gate.example").unwrap()
}

/// A backend that offers STARTTLS and gets the command, followed by these lines.
pub(super) fn starting(lines: &[&'static str]) -> Vec<&'static str> {
    const ASKED: [&str; 2] = ["C: STARTTLS", "S: 220 2.0.0 go"];
    offering(&["S: 250-STARTTLS"], &[&ASKED, lines].concat())
}

pub(super) const HELLO: [&str; 3] = ["C: EHLO gate.example", "S: 250-hi", "S: 250 PIPELINING"];

pub(super) const ENVELOPE: [&str; 4] = [
    "C: MAIL FROM:<a@b>",
    "C: RCPT TO:<c@d>",
    "S: 250 ok",
    "S: 250 2.1.5 fine",
];

pub(super) const INSECURE: &str =
    "451 4.7.5 Mail store cannot be reached securely, try again later";
