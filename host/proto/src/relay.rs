//! The domains that mail is accepted for.

use std::collections::HashSet;

use postgate_address::canonical_domain;

use crate::address::ForwardPath;

/// The domains that mail is accepted for, in canonical form. Empty by default.
#[derive(Clone, Debug, Default)]
pub struct RelayDomains {
    exact: HashSet<String>,
    below: Vec<String>,
    routing: SenderRouting,
}

/// What happens to a recipient whose local part names another destination, as in `user%other@domain`,
/// `other!user@domain` or `"user@other"@domain`. Servers behind the gateway may send the message on to it,
/// because they trust the gateway.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SenderRouting {
    /// Mail for it is not accepted.
    #[default]
    Refuse,
    /// It is a recipient like others.
    Accept,
}

impl RelayDomains {
    /// Parses rules: `example.org` for one domain, `.example.org` for all its subdomains. Labels may be
    /// U-labels or A-labels (RFC 5890 §2.3.2.1).
    pub fn new(rules: impl IntoIterator<Item = String>) -> Self {
        let mut domains = Self::default();
        for rule in rules {
            match rule.strip_prefix('.') {
                Some(parent) => domains.below.push(format!(".{}", canonical_domain(parent))),
                None => _ = domains.exact.insert(canonical_domain(&rule)),
            }
        }
        domains
    }

    /// The same domains with this treatment of recipients that name another destination.
    #[must_use]
    pub fn with_routing(self, routing: SenderRouting) -> Self {
        Self { routing, ..self }
    }

    /// True if mail for this recipient is accepted. `<Postmaster>` without a domain always is (RFC 5321
    /// §4.5.1).
    pub fn permit(&self, recipient: &ForwardPath) -> bool {
        let Some(domain) = recipient.canonical_domain() else {
            return true;
        };
        let is_relayed =
            self.exact.contains(&domain) || self.below.iter().any(|rule| domain.ends_with(rule));
        let local_part = recipient.as_str().rsplit_once('@').map(|(local, _)| local);
        let is_routed = || local_part.is_some_and(names_destination);
        is_relayed && (self.routing == SenderRouting::Accept || !is_routed())
    }
}

/// True if a local part consists of another mailbox and its destination.
fn names_destination(local_part: &str) -> bool {
    let inner = local_part.trim_matches('"');
    let divided = [inner.rsplit_once(['%', '@']), inner.split_once('!')];
    let is_whole = |(before, after): (&str, &str)| !before.is_empty() && !after.is_empty();
    divided.into_iter().flatten().any(is_whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Charset;

    #[test]
    fn only_what_a_rule_names() {
        let domains = RelayDomains::new(["Example.org".into(), ".example.net".into()]);
        let table = [
            ("a@example.org", true),
            ("a@EXAMPLE.ORG", true),
            ("a@sub.example.org", false),
            ("a@notexample.org", false),
            ("a@sub.example.net", true),
            ("a@example.net", false),
            ("a@badexample.net", false),
            ("a@[127.0.0.1]", false),
            ("postmaster", true),
        ];
        for (address, expected) in table {
            let recipient = ForwardPath::parse(address, Charset::Ascii).unwrap();
            assert_eq!(domains.permit(&recipient), expected, "{address}");
            assert!(!RelayDomains::default().permit(&recipient) || address == "postmaster");
        }
    }

    #[test]
    fn a_recipient_may_not_name_another_destination() {
        let refusing = RelayDomains::new(["example.org".into()]);
        let accepting = refusing.clone().with_routing(SenderRouting::Accept);
        for address in [
            "victim%elsewhere.example@example.org",
            "elsewhere.example!victim@example.org",
            "\"victim@elsewhere.example\"@example.org",
            "\"victim\\@elsewhere.example\"@example.org",
        ] {
            let recipient = ForwardPath::parse(address, Charset::Ascii).unwrap();
            assert!(!refusing.permit(&recipient), "{address}");
            assert!(accepting.permit(&recipient), "{address}");
        }
        for address in ["100%@example.org", "wow!@example.org", "!x@example.org"] {
            let recipient = ForwardPath::parse(address, Charset::Ascii).unwrap();
            assert!(refusing.permit(&recipient), "{address}");
        }
    }

    #[test]
    fn other_spellings_of_a_domain() {
        let domains = RelayDomains::new([
            "bücher.example".into(),
            "xn--caf-dma.example".into(),
            ".straße.example".into(),
            "[IPv6:2001:DB8::1]".into(),
        ]);
        let table = [
            ("a@bücher.example", true),
            ("a@BÜCHER.example", true),
            ("a@bu\u{308}cher。example", true),
            ("a@xn--bcher-kva.example", true),
            ("a@XN--BCHER-KVA.EXAMPLE", true),
            ("a@café.example", true),
            ("a@mx.straße.example", true),
            ("a@mx.xn--strae-oqa.example", true),
            ("a@straße.example", false),
            ("a@mx.strasse.example", false),
            ("\"a\"@bücher.example", true),
            ("a@[ipv6:2001:db8:0:0::1]", true),
            ("a@[IPv6:2001:db8::2]", false),
        ];
        for (address, expected) in table {
            let recipient = ForwardPath::parse(address, Charset::Utf8).unwrap();
            assert_eq!(domains.permit(&recipient), expected, "{address}");
        }
    }
}
