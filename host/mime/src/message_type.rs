//! Which content types are messages. Some programs take every `message/*` for one.

use postgate_proto::header::HeaderLine;

/// True if the content of this type, in lower case, is a message with a header block.
pub(super) fn is_message(content_type: &str) -> bool {
    content_type.starts_with(PREFIX) && !is_other(content_type)
}

/// True for a `message/*` whose content is no message.
pub(super) fn is_other(content_type: &str) -> bool {
    content_type.strip_prefix(PREFIX).is_some_and(|subtype| {
        let is_structured = subtype.ends_with("+xml") || subtype.ends_with("+json");
        is_structured || REPORTS.contains(&subtype) || OTHERS.contains(&subtype)
    })
}

/// The octets that [`hides_content`] needs of a content of this type.
pub(super) fn examined(content_type: &str) -> u64 {
    match is_report(content_type) {
        true => MAX_REPORT,
        false => MAX_BLOCK,
    }
}

/// True if a program that takes content of this type for a message would find another type in it:
/// fields that describe content. Of most types it would read the first block of fields; in a report,
/// each block. `is_cut` says that there is more content than `octets`.
pub(super) fn hides_content(content_type: &str, octets: &[u8], is_cut: bool) -> bool {
    let is_report = is_report(content_type);
    let lines = octets
        .strip_suffix(b"\n")
        .unwrap_or(octets)
        .split(|octet| *octet == b'\n');
    for line in lines.flat_map(|line| {
        line.strip_suffix(b"\r")
            .unwrap_or(line)
            .split(|o| *o == b'\r')
    }) {
        match HeaderLine::of(line) {
            HeaderLine::Field { name, .. } if describes_content(&line[..name]) => return true,
            HeaderLine::Blank | HeaderLine::Text if !is_report => return false,
            _ => {}
        }
    }
    is_cut
}

fn describes_content(name: &[u8]) -> bool {
    CONTENT.iter().any(|known| name.eq_ignore_ascii_case(known))
}

fn is_report(content_type: &str) -> bool {
    let subtype = content_type.strip_prefix(PREFIX);
    subtype.is_some_and(|subtype| REPORTS.contains(&subtype))
}

const PREFIX: &str = "message/";
/// The fields by which a program finds other content (RFC 2045 §3). Reports have others whose names begin
/// in the same way, such as `Content-Identifier`.
const CONTENT: [&[u8]; 3] = [
    b"Content-Disposition",
    b"Content-Transfer-Encoding",
    b"Content-Type",
];
/// Types that consist of several blocks of fields (RFC 3464, RFC 6533, RFC 3886).
const REPORTS: [&str; 3] = [
    "delivery-status",
    "global-delivery-status",
    "tracking-status",
];
/// Other types that are registered but are no messages, or not whole ones.
const OTHERS: [&str; 19] = [
    "bhttp",
    "disposition-notification",
    "external-body",
    "feedback-report",
    "global-disposition-notification",
    "http",
    "mls",
    "ohttp-chunked-req",
    "ohttp-chunked-res",
    "ohttp-req",
    "ohttp-res",
    "partial",
    "s-http",
    "shttp",
    "sip",
    "sipfrag",
    "vnd.si.simp",
    "vnd.wfa.wsc",
    "x-delivery-status",
];
/// The longest first block, in octets.
const MAX_BLOCK: u64 = 65_536;
/// The longest report, in octets.
const MAX_REPORT: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_messages_are_opened() {
        for (content_type, expected) in [
            ("message/rfc822", true),
            ("message/global", true),
            ("message/news", true),
            ("message/x", true),
            ("message/rfc-822", true),
            ("message/global-headers", true),
            ("message/cpim", true),
            ("message/delivery-status", false),
            ("message/global-delivery-status", false),
            ("message/disposition-notification", false),
            ("message/feedback-report", false),
            ("message/http", false),
            ("message/partial", false),
            ("message/external-body", false),
            ("message/imdn+xml", false),
        ] {
            assert_eq!(is_message(content_type), expected, "{content_type}");
            assert_eq!(is_other(content_type), !expected, "{content_type}");
        }
        assert!(!is_message("text/plain") && !is_other("text/plain"));
    }

    #[test]
    fn other_content_may_look_like_a_message() {
        let report = "message/delivery-status";
        let notification = "message/disposition-notification";
        let table = [
            (notification, "Reporting-UA: x\r\nDisposition: y\r\n", false),
            (
                notification,
                "Reporting-UA: x\r\n\r\nContent-Type: y\r\n",
                false,
            ),
            (notification, "Reporting-UA: x\r\nContent-Type: y\r\n", true),
            (notification, "X: y\r\n z\r\nCONTENT-disposition : y", true),
            (notification, "X: y\nContent-Type: y\n", true),
            (notification, "X: y\rContent-Type: y\r", true),
            (notification, "text\r\nContent-Type: y\r\n", false),
            (
                "message/http",
                "HTTP/1.1 200 OK\r\nContent-Type: y\r\n",
                false,
            ),
            (report, "Reporting-MTA: x\r\n\r\nAction: failed\r\n", false),
            (
                report,
                "Reporting-MTA: x\r\n\r\nAction: y\r\nContent-Type: z\r\n",
                true,
            ),
            (report, "", false),
        ];
        for (content_type, text, expected) in table {
            let found = hides_content(content_type, text.as_bytes(), false);
            assert_eq!(found, expected, "{content_type} {text:?}");
        }
        assert!(hides_content(notification, b"X: y\r\n", true));
        assert!(!hides_content(notification, b"X: y\r\n\r\nZ", true));
    }
}
