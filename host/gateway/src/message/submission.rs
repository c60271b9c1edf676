//! Header edits for messages of authenticated clients (RFC 6409 section 8).

use jiff::ZonedDateTime;
use postgate_proto::header::{HeaderBlock, HeaderEdit, HeaderName, HeaderValue};

use crate::{clock, id};
use postgate_config::Submission;

/// Returns the edits that the policy of the listener requires: Date and Message-ID if they are missing,
/// and removal of Bcc.
pub(crate) fn edits(
    policy: Submission,
    headers: &HeaderBlock,
    hostname: &str,
) -> impl Iterator<Item = HeaderEdit> {
    let is_missing = |name| policy.complete && headers.named(name).next().is_none();
    let date = is_missing("Date").then(|| field("Date", &date()));
    let id = format!("<{}.{}@{hostname}>", id::next(), clock::unix_time());
    let message_id = is_missing("Message-ID").then(|| field("Message-ID", &id));
    let bcc = policy.strip_bcc.then(|| {
        let name = HeaderName::new("Bcc").ok()?;
        Some(HeaderEdit::RemoveAll(name))
    });
    [date, message_id, bcc].into_iter().flatten().flatten()
}

fn field(name: &str, value: &str) -> Option<HeaderEdit> {
    let name = HeaderName::new(name).ok()?;
    let value = HeaderValue::new(value.as_bytes()).ok()?;
    Some(HeaderEdit::Append(name, value))
}

/// Formats the current time (RFC 5322 section 3.3).
fn date() -> String {
    // Formatting fails for years after 9999. No field is added then, since its value would be empty.
    jiff::fmt::rfc2822::to_string(&ZonedDateTime::now()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edited(policy: Submission, head: &str) -> String {
        let mut headers = HeaderBlock::parse(head.as_bytes().to_vec());
        let edits: Vec<_> = edits(policy, &headers, "mx.example.org").collect();
        for edit in &edits {
            headers.apply(edit);
        }
        let mut octets = Vec::new();
        headers.render(&mut octets);
        String::from_utf8(octets).unwrap()
    }

    const BOTH: Submission = Submission {
        complete: true,
        strip_bcc: true,
    };

    #[test]
    fn missing_fields_are_appended() {
        let text = edited(BOTH, "Subject: x\r\n\r\n");
        let lines: Vec<_> = text.split("\r\n").collect();
        assert_eq!(lines[0], "Subject: x");
        let date = lines[1].strip_prefix("Date: ").unwrap();
        assert!(jiff::fmt::rfc2822::parse(date).is_ok(), "{date}");
        let id = lines[2].strip_prefix("Message-ID: <").unwrap();
        assert!(id.ends_with("@mx.example.org>"), "{id}");
        assert_eq!(lines[3..], ["", ""]);
    }

    #[test]
    fn existing_fields_are_kept() {
        let head = "date: Fri, 21 Nov 1997 09:55:06 -0600\r\nMESSAGE-ID: <a@b>\r\n\r\n";
        assert_eq!(edited(BOTH, head), head);
        let head = "Subject: x\r\nBcc: secret@example.org\r\n\r\n";
        assert_eq!(edited(Submission::default(), head), head);
    }

    #[test]
    fn bcc_is_removed() {
        let policy = Submission {
            complete: false,
            strip_bcc: true,
        };
        let head = "Bcc: a@example.org,\r\n b@example.org\r\nTo: c@example.org\r\nbcc:\r\n\r\n";
        assert_eq!(edited(policy, head), "To: c@example.org\r\n\r\n");
    }
}
