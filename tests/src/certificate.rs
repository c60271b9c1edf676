//! Certificates for tests.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, SanType, date_time_ymd,
};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};

/// A certification authority.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, in PEM.
#[derive(Clone)]
pub struct Issued {
    /// The certificate.
    pub certificate: String,
    /// Its key.
    pub key: String,
}

/// When a certificate is valid.
#[derive(Clone, Copy, Debug)]
pub enum Validity {
    /// Since an hour ago, for this many days.
    Days(u64),
    /// Until an hour ago.
    Expired,
    /// From this many seconds from now on.
    Soon(u64),
    /// From tomorrow on.
    Tomorrow,
}

impl Authority {
    /// Creates a self-signed authority with this common name.
    pub fn new(name: &str) -> Self {
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name.push(DnType::CommonName, name);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(parameters, key).expect("an authority"))
    }

    /// Returns its own certificate in PEM.
    pub fn pem(&self) -> String {
        self.0.as_ref().pem()
    }

    /// Creates an intermediate authority, signed by this one.
    pub fn intermediate(&self, name: &str) -> Self {
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name.push(DnType::CommonName, name);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::signed_by(parameters, key, &self.0).expect("an authority"))
    }

    /// Issues a server certificate for these names.
    pub fn issue(&self, names: &[&str]) -> Issued {
        self.issue_for(names, Validity::Days(30))
    }

    /// Issues a server certificate for these names with this validity.
    pub fn issue_for(&self, names: &[&str], validity: Validity) -> Issued {
        self.signed(names, validity, ExtendedKeyUsagePurpose::ServerAuth)
    }

    /// Issues a client certificate for this mail address.
    pub fn issue_to_client(&self, address: &str) -> Issued {
        let days = Validity::Days(30);
        self.signed(&[address], days, ExtendedKeyUsagePurpose::ClientAuth)
    }

    fn signed(&self, names: &[&str], validity: Validity, usage: ExtendedKeyUsagePurpose) -> Issued {
        let mut parameters = CertificateParams::default();
        let subject = names.first().copied().unwrap_or("nobody");
        parameters
            .distinguished_name
            .push(DnType::CommonName, subject);
        parameters.subject_alt_names = names.iter().map(|name| subject_name(name)).collect();
        parameters.extended_key_usages = vec![usage];
        let (from, days) = match validity {
            Validity::Days(days) => (now() - HOUR, days),
            Validity::Expired => (now() - 25 * HOUR, 1),
            Validity::Soon(seconds) => (now() + Duration::from_secs(seconds), 1),
            Validity::Tomorrow => (now() + 24 * HOUR, 1),
        };
        parameters.not_before = date_time_ymd(1970, 1, 1) + from;
        parameters.not_after =
            parameters.not_before + 24 * HOUR * u32::try_from(days).expect("few days");
        let key = KeyPair::generate().expect("a key");
        let certificate = parameters.signed_by(&key, &self.0).expect("a certificate");
        Issued {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        }
    }

    /// Returns the configuration of a client that trusts only this authority.
    pub fn client(&self) -> Arc<ClientConfig> {
        Arc::new(self.builder().with_no_client_auth())
    }

    /// Like [`Self::client`], with a client certificate.
    pub fn client_with(&self, own: &Issued) -> Arc<ClientConfig> {
        let certificate = CertificateDer::from_pem_slice(own.certificate.as_bytes());
        let key = PrivateKeyDer::from_pem_slice(own.key.as_bytes());
        let (certificate, key) = (certificate.expect("PEM"), key.expect("PEM"));
        let config = self.builder().with_client_auth_cert(vec![certificate], key);
        Arc::new(config.expect("they belong together"))
    }

    fn builder(&self) -> rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert> {
        let mut roots = RootCertStore::empty();
        roots
            .add(self.0.as_ref().der().clone())
            .expect("an authority");
        ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
    }
}

impl Issued {
    /// Writes the certificate and the key into a directory, as `NAME.pem` and `NAME.key`, and returns
    /// their paths.
    pub fn write(&self, directory: &Path, name: &str) -> (PathBuf, PathBuf) {
        let chain = directory.join(format!("{name}.pem"));
        let key = directory.join(format!("{name}.key"));
        fs::write(&chain, &self.certificate).expect("the certificate");
        fs::write(&key, &self.key).expect("the key");
        (chain, key)
    }

    /// Returns the configuration of a server with this certificate.
    pub fn server(&self) -> Arc<ServerConfig> {
        let certificate = CertificateDer::from_pem_slice(self.certificate.as_bytes());
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes());
        let (certificate, key) = (certificate.expect("PEM"), key.expect("PEM"));
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key);
        Arc::new(config.expect("they belong together"))
    }

    /// Returns the SHA-256 of the certificate in hexadecimal digits.
    pub fn fingerprint(&self) -> String {
        use sha2::Digest as _;
        let certificate = CertificateDer::from_pem_slice(self.certificate.as_bytes());
        let digest = sha2::Sha256::digest(certificate.expect("PEM"));
        digest.iter().map(|octet| format!("{octet:02x}")).collect()
    }
}

fn subject_name(name: &str) -> SanType {
    match name.parse() {
        Ok(address) => SanType::IpAddress(address),
        Err(_) if name.contains('@') => SanType::Rfc822Name(name.try_into().expect("ASCII")),
        Err(_) => SanType::DnsName(name.try_into().expect("ASCII")),
    }
}

fn now() -> Duration {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.expect("the clock is past 1970")
}

const HOUR: Duration = Duration::from_hours(1);
