//! Selects the certificate for a client by the server name that it sends (RFC 6066 section 3).

use std::sync::Arc;

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use postgate_tls::Certificate;

/// Selects one of the certificates of a listener for each client.
#[derive(Debug)]
pub(super) struct CertificateResolver(Vec<Certificate>);

impl CertificateResolver {
    /// The first certificate is the default, for clients that send no name or an unknown one.
    pub(super) const fn new(certificates: Vec<Certificate>) -> Self {
        Self(certificates)
    }

    /// Returns the certificates in the order of preference for a name: those with that name, those
    /// with a matching wildcard, and then all, since most SMTP clients accept any certificate.
    fn for_name(&self, name: Option<&str>) -> impl Iterator<Item = &Certificate> {
        let name = name.map(|name| name.trim_end_matches('.').to_ascii_lowercase());
        let wild_name = name.clone();
        let exact = self
            .0
            .iter()
            .filter(move |c| has(c, name.as_deref(), |a, b| a == b));
        let wild = self
            .0
            .iter()
            .filter(move |c| has(c, wild_name.as_deref(), covers));
        exact.chain(wild).chain(&self.0)
    }
}

impl ResolvesServerCert for CertificateResolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // With an RSA and an ECDSA certificate for one name, each client gets one that it supports.
        let can_verify = |c: &&Certificate| c.key.key.choose_scheme(hello.signature_schemes());
        self.for_name(hello.server_name())
            .find(|certificate| can_verify(certificate).is_some())
            .or_else(|| self.0.first())
            .map(|certificate| Arc::clone(&certificate.key))
    }
}

fn has(certificate: &Certificate, name: Option<&str>, fits: impl Fn(&str, &str) -> bool) -> bool {
    let mut names = certificate.facts.names.iter();
    name.is_some_and(|name| names.any(|known| fits(known, name)))
}

/// Returns true if a wildcard pattern matches a name. The wildcard matches one label (RFC 9525 section
/// 6.3).
fn covers(pattern: &str, name: &str) -> bool {
    let (Some(domain), Some((label, rest))) = (pattern.strip_prefix("*."), name.split_once('.'))
    else {
        return false;
    };
    !label.is_empty() && rest == domain
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::tests::certificate_for;

    fn resolved(name: Option<&str>) -> String {
        let resolver = CertificateResolver::new(
            [
                "first.example",
                "*.example.org",
                "mx.example.org",
                "Mixed.Example",
            ]
            .map(certificate_for)
            .into(),
        );
        let resolved = resolver.for_name(name).next().unwrap();
        resolved.facts.names.join(" ")
    }

    #[test]
    fn the_server_name_selects_the_certificate() {
        for (name, expected) in [
            (None, "first.example"),
            (Some("unknown.example"), "first.example"),
            (Some("mx.example.org"), "mx.example.org"),
            (Some("MX.example.org."), "mx.example.org"),
            (Some("other.example.org"), "*.example.org"),
            (Some("a.b.example.org"), "first.example"),
            (Some("example.org"), "first.example"),
            (Some("mixed.example"), "mixed.example"),
        ] {
            assert_eq!(resolved(name), expected, "{name:?}");
        }
    }
}
