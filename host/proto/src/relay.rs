//! The domains that mail is accepted for.

use std::collections::HashSet;

use crate::address::ForwardPath;

/// The domains that mail is accepted for. Empty by default.
#[derive(Clone, Debug, Default)]
pub struct RelayDomains {
    exact: HashSet<String>,
    below: Vec<String>,
}

impl RelayDomains {
    /// Parses rules: `example.org` for one domain, `.example.org` for all its subdomains.
    pub fn new(rules: impl IntoIterator<Item = String>) -> Self {
        let mut domains = Self::default();
        for rule in rules {
            let rule = rule.to_lowercase();
            match rule.starts_with('.') {
                true => domains.below.push(rule),
                false => _ = domains.exact.insert(rule),
            }
        }
        domains
    }

    /// True if mail for this recipient is accepted. `<Postmaster>` without a domain always is (RFC 5321
    /// §4.5.1).
    pub fn permit(&self, recipient: &ForwardPath) -> bool {
        let Some(domain) = recipient.domain() else {
            return true;
        };
        let domain = domain.to_lowercase();
        self.exact.contains(&domain) || self.below.iter().any(|rule| domain.ends_with(rule))
    }
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
}
