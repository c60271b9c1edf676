//! Domains (RFC 5891, UTS 46) and address literals (RFC 5321 §4.1.3).

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use icu_normalizer::ComposingNormalizerBorrowed;
use icu_properties::CodePointMapData;
use icu_properties::props::GeneralCategory;
use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};

use super::local_part::composed;

/// The canonical form of a domain or an address literal: A-labels in lower case without a dot at the
/// end, or the address as RFC 5952 writes it. What is neither is only converted to lower case
/// (ASCII letters), and therefore equals nothing but itself.
pub fn canonical_domain(text: &str) -> String {
    if text.len() > MAX_TEXT {
        return text.to_ascii_lowercase();
    }
    if let Some(address) = literal(text) {
        return match address {
            IpAddr::V4(address) => format!("[{address}]"),
            IpAddr::V6(address) => format!("[IPv6:{address}]"),
        };
    }
    let text = text.trim_end_matches('.');
    match ascii_domain(text) {
        Some(ascii) => ascii.trim_end_matches('.').to_owned(),
        None => text.to_ascii_lowercase(),
    }
}

/// A domain in A-labels and in lower case, as it is in the Domain Name System; the dot at the end
/// stays. Returns `None` if UTS 46 cannot map the text, or if the result would contain ASCII
/// characters other than letters, digits, hyphens, underscores and dots.
pub fn ascii_domain(text: &str) -> Option<Cow<'_, str>> {
    Uts46::new()
        .to_ascii(text.as_bytes(), DENIED, Hyphens::Allow, DnsLength::Ignore)
        .ok()
}

/// The canonical form of a domain with U-labels in the place of A-labels, as people read it.
pub fn unicode_domain(text: &str) -> String {
    let canonical = canonical_domain(text);
    if !canonical.contains("xn--") {
        return canonical;
    }
    let (unicode, result) = Uts46::new().to_unicode(canonical.as_bytes(), DENIED, Hyphens::Allow);
    match result {
        Ok(()) => unicode.into_owned(),
        Err(_) => canonical,
    }
}

/// True for `[192.0.2.1]` and `[IPv6:2001:db8::1]`. No other tag is registered (RFC 5321 §4.1.3).
pub fn is_literal(text: &str) -> bool {
    literal(text).is_some()
}

/// True for the fully qualified name of a host: at least two labels of letters, digits, hyphens and
/// underscores, of which none begins or ends with a hyphen, and the last has a letter. U-labels
/// count as their A-labels, if they are what IDNA 2008 allows (RFC 5892), in any letter case. One dot at
/// the end is allowed.
pub fn is_host_name(text: &str) -> bool {
    if !text.is_ascii() && !is_unmapped(text) {
        return false;
    }
    let Some(ascii) = ascii_domain(text) else {
        return false;
    };
    let name = ascii.strip_suffix('.').unwrap_or(&ascii);
    let is_label = |label: &str| {
        (1..=MAX_LABEL).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    let last = name.rsplit_once('.').map(|(_, last)| last);
    name.len() <= MAX_NAME
        && name.split('.').all(is_label)
        && last.is_some_and(|last| last.bytes().any(|byte| byte.is_ascii_alphabetic()))
}

/// True if a domain in Unicode has only letters, marks and digits that no mapping but that of letter case
/// changes (RFC 5892 §2). Whether they are at the right place is another question.
fn is_unmapped(text: &str) -> bool {
    let categories = CodePointMapData::<GeneralCategory>::new();
    let is_allowed = |c: char| {
        c.is_ascii()
            || EXCEPTIONS.contains(&c)
            || matches!(
                categories.get(c),
                GeneralCategory::DecimalNumber
                    | GeneralCategory::LowercaseLetter
                    | GeneralCategory::ModifierLetter
                    | GeneralCategory::NonspacingMark
                    | GeneralCategory::OtherLetter
                    | GeneralCategory::SpacingMark
                    | GeneralCategory::UppercaseLetter
            )
    };
    let plain = composed(text).to_lowercase();
    let compatible = const { ComposingNormalizerBorrowed::new_nfkc() };
    text.chars().all(is_allowed) && compatible.is_normalized(&plain)
}

/// The address of a literal. One that holds an IPv4 address in IPv6 is that IPv4 address.
fn literal(text: &str) -> Option<IpAddr> {
    let inner = text.strip_prefix('[')?.strip_suffix(']')?;
    let address = match inner.split_at_checked(TAG.len()) {
        Some((tag, address)) if tag.eq_ignore_ascii_case(TAG) => {
            IpAddr::V6(address.parse::<Ipv6Addr>().ok()?)
        }
        _ => IpAddr::V4(inner.parse::<Ipv4Addr>().ok()?),
    };
    Some(address.to_canonical())
}

/// Characters that IDNA 2008 allows, some only next to others, although they are no letters (RFC 5892 §2.6 and
/// appendix A).
const EXCEPTIONS: [char; 11] = [
    '\u{b7}', '\u{375}', '\u{5f3}', '\u{5f4}', '\u{6fd}', '\u{6fe}', '\u{f0b}', '\u{200c}',
    '\u{200d}', '\u{3007}', '\u{30fb}',
];
const TAG: &str = "IPv6:";
/// Everything in ASCII but letters, digits, `-`, `_` and `.`: after the mapping of UTS 46, a domain
/// must not contain an `@`, for example.
const DENIED: AsciiDenyList = AsciiDenyList::new(true, " !\"#$%&'()*+,/:;<=>?@[\\]^`{|}~");
/// The length in octets beyond which no text is an address or a domain, in whatever spelling: an address has at most
/// 254 octets, some of which stand for several in UTF-8. Mapping a text takes much longer than reading it.
pub(crate) const MAX_TEXT: usize = 4_096;
/// The maximum length of a label in octets (RFC 1035 §2.3.4).
const MAX_LABEL: usize = 63;
/// The maximum length of a name in octets, without the dot at its end (RFC 1035 §2.3.4).
const MAX_NAME: usize = 253;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_mapped_is_itself() {
        let table = [
            ("xn--zzzzzzz99.EXAMPLE", "xn--zzzzzzz99.example"),
            ("it's me", "it's me"),
            ("a＠b.example", "a＠b.example"),
            ("[foo]", "[foo]"),
            ("[x-tag:Y]", "[x-tag:y]"),
            ("", ""),
            (".", ""),
            ("a..b", "a..b"),
            ("_dmarc.Example.org", "_dmarc.example.org"),
        ];
        for (text, canonical) in table {
            assert_eq!(canonical_domain(text), canonical, "{text}");
        }
    }

    #[test]
    fn names_as_people_read_them() {
        let table = [
            ("XN--BCHER-KVA.example", "bücher.example"),
            ("Bücher.example", "bücher.example"),
            ("example.org", "example.org"),
            ("xn--zzzzzzz99.example", "xn--zzzzzzz99.example"),
        ];
        for (text, unicode) in table {
            assert_eq!(unicode_domain(text), unicode, "{text}");
        }
    }

    #[test]
    fn names_of_hosts() {
        let long = format!("{}.example", "l".repeat(64));
        let table = [
            ("mx.example.org", true),
            ("mx.example.org.", true),
            ("MX_1.example", true),
            ("3com.example", true),
            ("bücher.example", true),
            ("xn--bcher-kva.example", true),
            ("a.xn--p1ai", true),
            ("1.2.3.4a", true),
            ("localhost", false),
            ("localhost.", false),
            ("1.2.3.4", false),
            ("300.300.300.300", false),
            ("mx.example.5", false),
            ("[foo]", false),
            ("-.x", false),
            ("-a.x", false),
            ("a-.x", false),
            ("a.-", false),
            ("a..b", false),
            ("a.b..", false),
            (".a.b", false),
            (".", false),
            ("", false),
            ("it's me.example", false),
            ("BÜCHER.example", true),
            ("bu\u{308}cher.example", true),
            ("faß.example", true),
            ("हिन्दी.example", true),
            ("l·l.example", true),
            ("カ・タ.example", true),
            ("xn--ls8h.example", true),
            ("a\u{2019}b.example", false),
            ("mx\u{200b}.example", false),
            ("m\u{ad}x.example", false),
            ("💩.example", false),
            ("i❤.example", false),
            ("ｍx.example", false),
            ("mx。example", false),
            ("ﬁ.example", false),
            ("½.example", false),
            (&long, false),
        ];
        for (name, expected) in table {
            assert_eq!(is_host_name(name), expected, "{name}");
        }
    }
}
