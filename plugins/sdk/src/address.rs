//! Envelope addresses. The host has validated them; these types split and compare them.

use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};

use crate::bindings::imports::postgate::plugin::types::Pair;

/// A mailbox, or the bare `postmaster` of RFC 5321 §4.5.1.
///
/// Two addresses are equal if they name the same mailbox, however they are written:
///
/// ```
/// # use postgate_plugin::Address;
/// let address = Address::new("\"bob\"@bücher.example");
/// assert_eq!(address, Address::new("bob@XN--BCHER-KVA.example"));
/// // Only the server of the domain can say that letter case does not matter (RFC 5321 §2.4).
/// assert_ne!(address, Address::new("Bob@bücher.example"));
/// assert!(address.equals_ignore_case(&Address::new("Bob@bücher.example")));
/// ```
#[derive(Clone, Debug)]
pub struct Address(String);

impl Address {
    /// Wraps the text of an address.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The part before the `@`, including quotes if there are any.
    pub fn local_part(&self) -> &str {
        self.0.rsplit_once('@').map_or(&*self.0, |(local, _)| local)
    }

    /// The domain or address literal in its original letter case; empty for the bare `postmaster`.
    pub fn domain(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(_, domain)| domain)
    }

    /// The whole address.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form that is equal for all spellings of one mailbox: quotes only where they are necessary
    /// (RFC 5321 §4.1.2), and the domain as [`Self::canonical_domain`].
    pub fn canonical(&self) -> String {
        postgate_address::canonical(&self.0)
    }

    /// The local part with quotes only where they are necessary: `bob` for `"b\ob"` (RFC 5321 §4.1.2).
    pub fn canonical_local_part(&self) -> Cow<'_, str> {
        postgate_address::canonical_local_part(self.local_part())
    }

    /// The domain as it is in the Domain Name System, in A-labels (RFC 5890 §2.3.2.1) and lower case;
    /// or the address literal; empty for the bare `postmaster`.
    pub fn canonical_domain(&self) -> String {
        postgate_address::canonical_domain(self.domain())
    }

    /// True if both name the same mailbox and letter case in local parts does not matter either, as
    /// most servers have it. Use it, or an [`AddressPattern`](crate::AddressPattern), for lists that
    /// operators write.
    pub fn equals_ignore_case(&self, other: &Self) -> bool {
        self.canonical().to_lowercase() == other.canonical().to_lowercase()
    }
}

impl PartialEq for Address {
    fn eq(&self, other: &Self) -> bool {
        postgate_address::same(&self.0, &other.0)
    }
}

impl Eq for Address {}

impl Hash for Address {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.canonical().hash(state);
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The reverse-path of a transaction: an address, or empty if the message is itself a notification
/// (RFC 5321 §4.5.5).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Sender(Option<Address>);

impl Sender {
    /// Wraps the text of a reverse-path; an empty text is the null reverse-path.
    pub fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        Self((!text.is_empty()).then_some(Address(text)))
    }

    /// The address; `None` for the null reverse-path.
    pub const fn address(&self) -> Option<&Address> {
        self.0.as_ref()
    }

    /// True if this is the null reverse-path.
    pub const fn is_null(&self) -> bool {
        self.0.is_none()
    }

    /// The address; empty for the null reverse-path.
    pub fn as_str(&self) -> &str {
        self.0.as_ref().map_or("", Address::as_str)
    }
}

/// Formats the path in angle brackets.
impl fmt::Display for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}>", self.as_str())
    }
}

/// A recipient address, and the ESMTP parameters of its RCPT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    address: Address,
    parameters: Vec<Pair>,
}

impl Recipient {
    /// A recipient without parameters.
    pub fn new(address: impl Into<String>) -> Self {
        Self::with_parameters(address.into(), Vec::new())
    }

    pub(crate) fn with_parameters(address: String, parameters: Vec<Pair>) -> Self {
        Self {
            address: Address(address),
            parameters,
        }
    }

    /// The part before the `@`, including quotes if there are any.
    pub fn local_part(&self) -> &str {
        self.address.local_part()
    }

    /// The domain or address literal; empty for the bare `postmaster`.
    pub fn domain(&self) -> &str {
        self.address.domain()
    }

    /// The whole address.
    pub const fn address(&self) -> &Address {
        &self.address
    }

    /// The ESMTP parameters in the client's order: names in capitals, and values.
    pub fn parameters(&self) -> impl Iterator<Item = (&str, &str)> {
        let pairs = self.parameters.iter();
        pairs.map(|pair| (&*pair.name, &*pair.value))
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_cut_at_the_last_at_sign() {
        let table = [
            ("a@b", "a", "b"),
            ("\"a@b\"@c", "\"a@b\"", "c"),
            ("a@[IPv6:::1]", "a", "[IPv6:::1]"),
            ("Postmaster", "Postmaster", ""),
        ];
        for (text, local_part, domain) in table {
            let address = Address::new(text);
            assert_eq!(
                (address.local_part(), address.domain()),
                (local_part, domain),
                "{text}"
            );
        }
    }

    #[test]
    fn the_null_sender_is_no_address() {
        assert_eq!(Sender::new("").address(), None);
        assert_eq!(Sender::new("").to_string(), "<>");
        assert_eq!(Sender::new("a@b").to_string(), "<a@b>");
    }

    #[test]
    fn spellings_of_one_mailbox_are_equal() {
        let table = [
            ("\"bob\"@d", "bob@d", true, true),
            ("bob@d", "Bob@D", false, true),
            ("a@bücher.example", "A@xn--bcher-kva.example", false, true),
            ("a@[127.0.0.1]", "a@[IPv6:::ffff:127.0.0.1]", true, true),
            ("Postmaster", "postmaster", true, true),
            ("\"b b\"@d", "bb@d", false, false),
        ];
        for (a, b, equal, ignoring_case) in table {
            let (a, b) = (Address::new(a), Address::new(b));
            assert_eq!(a == b, equal, "{a} {b}");
            assert_eq!(a.equals_ignore_case(&b), ignoring_case, "{a} {b}");
            assert_eq!(Sender::new(a.as_str()) == Sender::new(b.as_str()), equal);
        }
    }
}
