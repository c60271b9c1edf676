//! Names in queries.

use hickory_resolver::proto::rr::Name;
use postgate_address::ascii_domain;

/// Parses a name from the root, with or without the dot at its end. A label may hold any octets (RFC 2181
/// §11): an underscore needs no special treatment. U-labels become A-labels (RFC 5891 §4.4). In ASCII
/// names, `\.` is a dot within a label, and `\DDD` the octet with this decimal number (RFC 1035 §5.1).
/// Returns `None` if a label is empty or longer than 63 octets, the name is longer than 255 octets with
/// the lengths of its labels, or the text cannot be converted to ASCII.
pub(super) fn parse(text: &str) -> Option<Name> {
    let text = match text.is_ascii() {
        true => text.into(),
        false => ascii_domain(text)?,
    };
    let mut labels = match &*text {
        "." => vec![Vec::new()],
        text => labels(text)?,
    };
    // The empty label of the root.
    if labels.len() > 1 || &*text == "." {
        labels.pop_if(|last| last.is_empty());
    }
    if labels.iter().any(Vec::is_empty) {
        return None;
    }
    Name::from_labels(labels).ok()
}

/// The octets of the labels. Returns `None` if an escape is incomplete, or its number is too large.
fn labels(text: &str) -> Option<Vec<Vec<u8>>> {
    let mut labels = Vec::new();
    let mut label = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'.' => labels.push(std::mem::take(&mut label)),
            b'\\' => label.push(match rest.next()? {
                first @ b'0'..=b'9' => {
                    let digits = [first, rest.next()?, rest.next()?];
                    std::str::from_utf8(&digits).ok()?.parse().ok()?
                }
                byte => byte,
            }),
            byte => label.push(byte),
        }
    }
    labels.push(label);
    Some(labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_octets_make_a_label() {
        let long = "l".repeat(63);
        let longest = [&long[..], &long, &long, &long[..61]].join(".");
        let table: [(&str, &[&[u8]]); 12] = [
            (
                "under_score.Example.org",
                &[b"under_score", b"Example", b"org"],
            ),
            ("x_y.z.test.", &[b"x_y", b"z", b"test"]),
            ("_dmarc.example.org", &[b"_dmarc", b"example", b"org"]),
            ("a b.it's-.-x", &[b"a b", b"it's-", b"-x"]),
            ("*.example", &[b"*", b"example"]),
            ("a\\.b.c\\032d\\200.e\\\\", &[b"a.b", b"c d\xc8", b"e\\"]),
            ("bücher.example", &[b"xn--bcher-kva", b"example"]),
            ("x_ü.example", &[b"xn--x_-yka", b"example"]),
            ("localhost", &[b"localhost"]),
            (
                "7.2.0.192.in-addr.arpa",
                &[b"7", b"2", b"0", b"192", b"in-addr", b"arpa"],
            ),
            (".", &[]),
            (
                &longest,
                &[
                    long.as_bytes(),
                    long.as_bytes(),
                    long.as_bytes(),
                    &long.as_bytes()[..61],
                ],
            ),
        ];
        for (text, labels) in table {
            let name = parse(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(name.iter().collect::<Vec<_>>(), labels, "{text}");
            assert!(name.is_fqdn());
        }
    }

    #[test]
    fn lengths_are_limited() {
        let long = "l".repeat(63);
        let too_long = [&long[..], &long, &long, &long[..62]].join(".");
        let label = "l".repeat(64);
        for text in [
            "", "..", "a..b", ".a", "a..", "a\\", "a\\25", "a\\256", "a\\2x5", "a＠b.é", &label,
            &too_long,
        ] {
            assert!(parse(text).is_none(), "{text}");
        }
    }
}
