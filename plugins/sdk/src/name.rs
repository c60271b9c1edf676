//! Names of hosts and domains.

/// The canonical form of a domain or an address literal, which is equal for all its spellings: A-labels
/// (RFC 5890 §2.3.2.1) in lower case without a dot at the end. A text that is neither is in lower case.
pub fn canonical(text: &str) -> String {
    postgate_address::canonical_domain(text)
}

/// True if both texts are spellings of one domain or address literal.
pub fn is_same(a: &str, b: &str) -> bool {
    canonical(a) == canonical(b)
}

/// True for an address literal, `[192.0.2.1]` or `[IPv6:2001:db8::1]` (RFC 5321 §4.1.3).
pub fn is_literal(text: &str) -> bool {
    postgate_address::is_literal(text)
}

/// True for the fully qualified name of a host: at least two labels of letters, digits, hyphens and
/// underscores, of which none begins or ends with a hyphen, and the last has a letter. U-labels count as
/// their A-labels.
pub fn is_fully_qualified(text: &str) -> bool {
    postgate_address::is_host_name(text)
}
