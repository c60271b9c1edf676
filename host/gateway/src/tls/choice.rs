//! Which certificate a client is shown: the one with the name that it asks for (RFC 6066 section 3).

use std::sync::Arc;

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use postgate_tls::Certificate;

/// The certificates of a listener.
#[derive(Debug)]
pub(super) struct Choice(Vec<Certificate>);

impl Choice {
    /// Takes the certificates, the one for clients that ask for none of them first.
    pub(super) const fn new(certificates: Vec<Certificate>) -> Self {
        Self(certificates)
    }

    /// The certificates for a name in the order in which they fit: those with the very name, those
    /// with a wildcard for it, and in the end all, since a client of SMTP mostly takes any.
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

impl ResolvesServerCert for Choice {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // Of an RSA and an ECDSA certificate for the same name, each client gets one that it can
        // verify.
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

/// Whether a name with a wildcard is one for this name: it stands for one label (RFC 9525 section 6.3).
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
    use crate::tls::tests::made_for;

    fn chosen(name: Option<&str>) -> String {
        let choice = Choice::new(
            [
                "first.example",
                "*.example.org",
                "mx.example.org",
                "Mixed.Example",
            ]
            .map(made_for)
            .into(),
        );
        let chosen = choice.for_name(name).next().unwrap();
        chosen.facts.names.join(" ")
    }

    #[test]
    fn the_name_decides() {
        for (asked, expected) in [
            (None, "first.example"),
            (Some("unknown.example"), "first.example"),
            (Some("mx.example.org"), "mx.example.org"),
            (Some("MX.example.org."), "mx.example.org"),
            (Some("other.example.org"), "*.example.org"),
            (Some("a.b.example.org"), "first.example"),
            (Some("example.org"), "first.example"),
            (Some("mixed.example"), "mixed.example"),
        ] {
            assert_eq!(chosen(asked), expected, "{asked:?}");
        }
    }
}
