//! The canonical form of addresses: two texts name the same mailbox if their canonical forms are equal.
//!
//! The gateway and the SDK for plugins both use this crate, so that no rule of an operator can be
//! evaded by another spelling of an address. These functions never fail: what is no address is
//! compared as it is written. Parsing addresses is the task of the protocol code.

mod domain;
mod local_part;

pub use self::domain::{ascii_domain, canonical_domain, is_host_name, is_literal, unicode_domain};
pub use self::local_part::{canonical_local_part, unquoted_local_part};

use self::domain::MAX_TEXT;

/// The canonical form of an address: that of its local part, an `@`, and that of its domain.
///
/// Characters of the local part are composed (RFC 6532 §3.1). Its letter case is kept, because only the server of the domain may say that it
/// does not matter (RFC 5321 §2.4). The bare `postmaster` has no domain, and is in lower case
/// (RFC 5321 §4.5.1).
///
/// ```
/// # use postgate_address::canonical;
/// assert_eq!(canonical("\"bob\"@BÜCHER.example"), "bob@xn--bcher-kva.example");
/// ```
pub fn canonical(address: &str) -> String {
    match address.rsplit_once('@') {
        // No address is so long. It is not changed at all.
        _ if address.len() > MAX_TEXT => address.into(),
        Some((local_part, domain)) => {
            let mut text = canonical_local_part(local_part).into_owned();
            text.push('@');
            text.push_str(&canonical_domain(domain));
            text
        }
        None if address.eq_ignore_ascii_case("postmaster") => "postmaster".into(),
        None => address.into(),
    }
}

/// True if both texts name the same mailbox.
pub fn same(a: &str, b: &str) -> bool {
    a == b || canonical(a) == canonical(b)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn spellings_of_one_address() {
        let table = [
            ("a@b", "a@b", true),
            ("a@b", "a@B", true),
            ("a@b", "A@b", false),
            ("\"bob\"@d", "bob@d", true),
            ("\"b\\ob\"@d", "bob@d", true),
            ("\"b o\\b\"@d", "\"b ob\"@d", true),
            ("\"b\\\"\"@d", "\"b\"@d", false),
            ("\"b.\"@d", "b.@d", false),
            ("\"pelé\"@d", "pelé@d", true),
            ("pele\u{301}@d", "pelé@d", true),
            ("\"pele\u{301}\"@d", "pelé@d", true),
            ("\u{1100}\u{1161}@d", "가@d", true),
            ("pele@d", "pelé@d", false),
            ("ﬁ@d", "fi@d", false),
            ("a@bücher.example", "a@xn--bcher-kva.example", true),
            ("a@BÜCHER.Example", "a@XN--BCHER-KVA.example", true),
            ("a@bu\u{308}cher.example", "a@bücher.example", true),
            ("a@bücher。example", "a@bücher.example", true),
            ("a@bücher．example", "a@bücher.example", true),
            ("a@ｅxample.org", "a@example.org", true),
            ("a@exam\u{ad}ple.org", "a@example.org", true),
            ("a@example.org.", "a@example.org", true),
            ("a@faß.example", "a@fass.example", false),
            ("a@xn--a.example", "a@a.example", false),
            ("a@[127.0.0.1]", "a@[IPv6:::ffff:127.0.0.1]", true),
            ("a@[IPv6:::1]", "a@[ipv6:0:0:0:0:0:0:0:1]", true),
            ("a@[IPv6:2001:DB8::1]", "a@[IPv6:2001:db8:0::1]", true),
            ("a@[127.0.0.1]", "a@127.0.0.1", false),
            ("Postmaster", "postmaster", true),
            ("postmaster", "postmaster@d", false),
            ("\"a@b\"@c", "a@b@c", false),
        ];
        for (a, b, expected) in table {
            assert_eq!(same(a, b), expected, "{a} {b}");
            assert_eq!(same(b, a), expected, "{b} {a}");
        }
    }

    /// A mapping of labels that are much too long would take a time that grows with the square of their length.
    #[test]
    fn what_is_much_too_long_is_not_mapped() {
        let domain = "Ü".repeat(MAX_TEXT);
        assert_eq!(canonical_domain(&domain), domain);
        let address = format!("\"a\"@{domain}");
        assert_eq!(canonical(&address), address);
        assert_eq!(
            canonical_domain(&"A".repeat(MAX_TEXT + 1)),
            "a".repeat(MAX_TEXT + 1)
        );
    }

    proptest! {
        #[test]
        fn a_canonical_form_is_its_own(text in "\\PC{0,20}|[a-zA-Z.\"\\\\@ ]{0,12}@(xn--)?[a-zäßÜ。.\\-A-Z0-9]{0,16}") {
            let once = canonical(&text);
            prop_assert_eq!(canonical(&once), once.clone());
            let domain = canonical_domain(&text);
            prop_assert_eq!(canonical_domain(&domain), domain.clone());
            prop_assert_eq!(canonical_domain(&unicode_domain(&text)), domain);
        }

        #[test]
        fn quoting_changes_nothing(local in "[a-zA-Z0-9+]{1,8}(\\.[a-z]{1,3})?", escaped in any::<u64>()) {
            let quoted: String = (0..).zip(local.chars())
                .flat_map(|(bit, c)| [(escaped >> bit & 1 == 1).then_some('\\'), Some(c)])
                .flatten()
                .collect();
            prop_assert_eq!(canonical(&format!("\"{quoted}\"@d")), format!("{local}@d"));
        }
    }
}
