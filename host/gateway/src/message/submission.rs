//! Header edits for messages of authenticated clients (RFC 6409 section 8).

use jiff::ZonedDateTime;
use postgate_proto::header::{HeaderBlock, HeaderEdit, HeaderName, HeaderValue};

use crate::{clock, id};
use postgate_config::Submission;

/// Returns the edits that the policy of the listener requires, as Postfix (cleanup) makes them: Date and
/// Message-ID if they are missing, or those of the new introduction if the message was resent (RFC 5322
/// §3.6.6); and removal of Bcc and Resent-Bcc. A field that is there without a value is not missing.
pub(crate) fn edits(
    policy: Submission,
    headers: &HeaderBlock,
    hostname: &str,
) -> impl Iterator<Item = HeaderEdit> {
    let is_missing = |name| policy.complete && headers.named(name).next().is_none();
    let is_resent = RESENT
        .iter()
        .any(|name| headers.named(name).next().is_some());
    let (date_name, id_name) = match is_resent {
        true => ("Resent-Date", "Resent-Message-ID"),
        false => ("Date", "Message-ID"),
    };
    let date = is_missing(date_name).then(|| field(date_name, &date()));
    let id = format!("<{}.{}@{hostname}>", id::next(), clock::unix_time());
    let message_id = is_missing(id_name).then(|| field(id_name, &id));
    let removed = |name| policy.strip_bcc.then(|| remove_all(name));
    let edits = [date, message_id, removed("Bcc"), removed("Resent-Bcc")];
    edits.into_iter().flatten().flatten()
}

fn remove_all(name: &str) -> Option<HeaderEdit> {
    HeaderName::new(name).ok().map(HeaderEdit::RemoveAll)
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

/// The fields of a message that was introduced again (RFC 5322 §3.6.6).
const RESENT: [&str; 8] = [
    "Resent-Bcc",
    "Resent-Cc",
    "Resent-Date",
    "Resent-From",
    "Resent-Message-ID",
    "Resent-Reply-To",
    "Resent-Sender",
    "Resent-To",
];

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

    /// What Postfix does, too.
    #[test]
    fn a_field_without_a_value_is_not_missing() {
        let head = "Date:\r\nMessage-ID: \r\n\r\n";
        assert_eq!(edited(BOTH, head), head);
    }

    #[test]
    fn a_message_that_was_resent_gets_the_fields_of_that() {
        let text = edited(
            BOTH,
            "Resent-To: a@b\r\nResent-Bcc: c@d\r\nBcc: e@f\r\n\r\n",
        );
        let lines: Vec<_> = text.split("\r\n").collect();
        assert_eq!(lines[0], "Resent-To: a@b");
        assert!(lines[1].starts_with("Resent-Date: "), "{text}");
        assert!(lines[2].starts_with("Resent-Message-ID: <"), "{text}");
        assert_eq!(lines[3..], ["", ""]);
        let complete = "Resent-Date: x\r\nresent-message-id: y\r\n\r\n";
        assert_eq!(edited(BOTH, complete), complete);
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
