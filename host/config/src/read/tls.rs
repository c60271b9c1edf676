//! Reads the certificates and the TLS settings of all listeners.

use std::net::IpAddr;

use postgate_proto::address::Charset;
use toml::de::DeValue;

use crate::document::Section;
use crate::listener::Listener;
use crate::tls::{CertificateFiles, ClientCertificates, Tls, TlsMode};
use crate::value::{Name, Setting, is_domain};

pub(super) fn settings(section: &mut Section<'_>) -> Tls {
    let default = Tls::default();
    let names: Vec<SubjectName> = section.list("self-signed-names").unwrap_or_default();
    Tls {
        self_signed_names: names.into_iter().map(|SubjectName(name)| name).collect(),
        self_signed_days: section
            .value_or("self-signed-days", Days(default.self_signed_days))
            .0,
        rescan: section.value_or("rescan", default.rescan),
    }
}

/// All certificates, in the order of the file.
pub(super) fn certificates(root: &mut Section<'_>) -> Vec<CertificateFiles> {
    let mut all: Vec<CertificateFiles> = Vec::new();
    let mut index = 0;
    root.each_table("certificate", |section| {
        let name = section.value("name").map(|Name(name)| name);
        if !section.has("chain") {
            section.missing("chain", r#"write one such as "mx.example.org.pem""#);
        }
        let (chain, key) = (section.path("chain"), section.path("key"));
        let name = name.unwrap_or_else(|| (index + 1).to_string());
        index += 1;
        if all.iter().any(|earlier| earlier.name == name) {
            let text = format!("another certificate is already called {name:?}");
            section.conflict("name", text);
        }
        let Some(chain) = chain else { return };
        let key = key.unwrap_or_else(|| chain.clone());
        all.push(CertificateFiles { name, chain, key });
    });
    all
}

/// Reports conflicts between the TLS settings of a listener.
pub(super) fn check(
    section: &mut Section<'_>,
    settings: &Listener,
    certificates: &[CertificateFiles],
) {
    let asks = settings.client_certificates != ClientCertificates::Off;
    if asks && settings.tls == TlsMode::Off {
        let text = r#"needs TLS, such as `tls = "optional"`"#;
        section.conflict("client-certificates", text.to_owned());
    }
    if settings.client_certificates == ClientCertificates::Required && settings.client_ca.is_none()
    {
        let text = "needs `client-ca`, the authorities that are trusted for clients";
        section.conflict("client-certificates", text.to_owned());
    }
    let known: Vec<_> = certificates.iter().map(|c| c.name.as_str()).collect();
    for name in settings.certificates.iter().flatten() {
        if !known.contains(&name.as_str()) {
            let text = match known.as_slice() {
                [] => format!(
                    "no certificate is called {name:?}: there are none; add a [[certificate]] with this name"
                ),
                known => format!(
                    "no certificate is called {name:?}; there are: {}",
                    known.join(", ")
                ),
            };
            section.conflict("certificates", text);
        }
    }
}

/// A host name or an IP address in a certificate.
struct SubjectName(String);

impl Setting for SubjectName {
    const ALLOWED: &'static str =
        r#"a domain such as "mx.example.org", or an address such as "192.0.2.1""#;

    fn read(value: &DeValue<'_>) -> Option<Self> {
        let name = value.as_str()?;
        let is_name = name.parse::<IpAddr>().is_ok() || is_domain(name, Charset::Ascii);
        (is_name && !name.starts_with('[')).then(|| Self(name.to_owned()))
    }
}

/// The validity of a certificate.
#[derive(Clone, Copy)]
struct Days(u32);

impl Setting for Days {
    const ALLOWED: &'static str = "a number of days from 1 to 3650";

    fn read(value: &DeValue<'_>) -> Option<Self> {
        let days = u32::read(value)?;
        (1..=3650).contains(&days).then_some(Self(days))
    }
}
