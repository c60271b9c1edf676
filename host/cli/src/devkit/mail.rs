//! Sends messages in a session of the harness, as a client does.

use diffy::{DiffOptions, PatchFormatter};
use postgate_dialog::play::{Heard, Server};
use serde_json::{Value, json};

use super::call::Call;
use super::session::HarnessSession;

/// The envelope of a message, and the name of its client.
#[derive(Clone, Debug)]
pub struct Envelope {
    /// The name in EHLO.
    pub helo: String,
    /// The reverse-path; empty for the null reverse-path.
    pub from: String,
    /// The recipients, at least one.
    pub to: Vec<String>,
}

/// The outcome of a message.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The last reply before QUIT.
    pub reply: String,
    /// True if the server has accepted the message.
    pub accepted: bool,
    /// The calls of the plugin.
    pub calls: Vec<Call>,
    /// The message of the backend without the trace fields that the gateway adds; `None` if the backend
    /// has none.
    pub delivered: Option<Vec<u8>>,
    /// The unified diff from the message of the client to that of the backend; empty if they are equal.
    pub diff: String,
}

impl Outcome {
    /// Returns the outcome as a JSON object.
    pub fn json(&self, name: &str) -> Value {
        let calls = self.calls.iter().map(Call::json).collect::<Vec<_>>();
        json!({
            "file": name,
            "reply": self.reply,
            "taken": self.accepted,
            "calls": calls,
            "delivered": self.delivered.is_some(),
            "diff": self.diff,
        })
    }
}

/// Sends a message in a session, and ends the session. Converts the line endings of the message to CRLF.
pub fn send(session: &mut HarnessSession<'_>, envelope: &Envelope, message: &[u8]) -> Outcome {
    let message = with_crlf(message);
    let greeting = greet(session, envelope);
    let (reply, accepted) = match greeting.starts_with('2') {
        true => transact(session, envelope, &message),
        false => (greeting, false),
    };
    session.send(b"QUIT\r\n");
    session.finish();
    let delivered = session.delivered().filter(|_| accepted);
    let diff = match &delivered {
        Some(delivered) => difference(&message, delivered),
        None => String::new(),
    };
    Outcome {
        reply,
        accepted,
        calls: session.take_calls(),
        delivered,
        diff,
    }
}

/// Sends a message several times in one session, and ends the session.
pub fn send_repeatedly(
    session: &mut HarnessSession<'_>,
    envelope: &Envelope,
    message: &[u8],
    times: u32,
) {
    let message = with_crlf(message);
    if greet(session, envelope).starts_with('2') {
        for _ in 0..times {
            transact(session, envelope, &message);
        }
    }
    session.send(b"QUIT\r\n");
    session.finish();
}

/// Waits for the banner and sends EHLO. Returns the last reply.
fn greet(session: &mut HarnessSession<'_>, envelope: &Envelope) -> String {
    let banner = reply(session);
    if !banner.starts_with('2') {
        return banner;
    }
    session.send(format!("EHLO {}\r\n", envelope.helo).as_bytes());
    reply(session)
}

/// Runs a transaction up to the first refusal. Skips refused recipients, unless all are refused. Returns
/// the last reply, and true if the message is accepted.
fn transact(
    session: &mut HarnessSession<'_>,
    envelope: &Envelope,
    message: &[u8],
) -> (String, bool) {
    session.send(format!("MAIL FROM:<{}>\r\n", envelope.from).as_bytes());
    let mut last = reply(session);
    if !last.starts_with('2') {
        return (last, false);
    }
    let mut recipients = 0;
    for recipient in &envelope.to {
        session.send(format!("RCPT TO:<{recipient}>\r\n").as_bytes());
        last = reply(session);
        recipients += usize::from(last.starts_with('2'));
    }
    if recipients == 0 {
        return (last, false);
    }
    session.send(b"DATA\r\n");
    last = reply(session);
    if !last.starts_with('3') {
        return (last, false);
    }
    session.send(&stuffed(message));
    session.send(b".\r\n");
    last = reply(session);
    let accepted = last.starts_with('2');
    (last, accepted)
}

/// Reads a reply, and joins its lines with ` / `.
fn reply(session: &mut HarnessSession<'_>) -> String {
    let mut lines = Vec::new();
    loop {
        match session.hear() {
            Heard::Line(line) => {
                let is_last = line.as_bytes().get(3) != Some(&b'-');
                lines.push(line);
                if is_last {
                    return lines.join(" / ");
                }
            }
            Heard::Close | Heard::Nothing => {
                lines.push("the connection was closed".to_owned());
                return lines.join(" / ");
            }
        }
    }
}

/// Converts all line endings to CRLF.
fn with_crlf(message: &[u8]) -> Vec<u8> {
    let mut octets = Vec::with_capacity(message.len() + message.len() / 32);
    for line in message.split_inclusive(|octet| *octet == b'\n') {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        octets.extend_from_slice(line);
        octets.extend_from_slice(b"\r\n");
    }
    octets
}

/// Doubles dots at the beginning of lines (RFC 5321 §4.5.2).
fn stuffed(message: &[u8]) -> Vec<u8> {
    let mut octets = Vec::with_capacity(message.len() + 16);
    for line in message.split_inclusive(|octet| *octet == b'\n') {
        if line.starts_with(b".") {
            octets.push(b'.');
        }
        octets.extend_from_slice(line);
    }
    octets
}

fn difference(sent: &[u8], delivered: &[u8]) -> String {
    if sent == delivered {
        return String::new();
    }
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).replace("\r\n", "\n");
    let (sent, delivered) = (text(sent), text(delivered));
    let patch = DiffOptions::new()
        .set_original_filename("as sent")
        .set_modified_filename("as delivered")
        .create_patch(&sent, &delivered);
    // An empty line of the message keeps the space that marks it as unchanged.
    let format = PatchFormatter::new().suppress_blank_empty(false);
    format.fmt_patch(&patch).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_a_unified_diff() {
        let sent = b"Subject: hello\r\n\r\nbody\r\n";
        let delivered = b"Subject: [list] hello\r\n\r\nbody\r\n";
        let expected = "--- as sent\n+++ as delivered\n@@ -1,3 +1,3 @@\n\
                        -Subject: hello\n+Subject: [list] hello\n \n body\n";
        assert_eq!(difference(sent, delivered), expected);
        assert_eq!(difference(sent, sent), "");
    }

    #[test]
    fn lines_end_in_crlf_and_dots_are_doubled() {
        let table: [(&[u8], &[u8]); 4] = [
            (b"a\nb", b"a\r\nb\r\n"),
            (b"a\r\n\r\n.b\r\n", b"a\r\n\r\n..b\r\n"),
            (b".\n", b"..\r\n"),
            (b"", b""),
        ];
        for (message, expected) in table {
            assert_eq!(stuffed(&with_crlf(message)), expected);
        }
    }

    #[test]
    fn differences_are_formatted_as_a_unified_diff() {
        assert_eq!(difference(b"a\r\n", b"a\r\n"), "");
        let shown = difference(
            b"Subject: a\r\n\r\nx\r\n",
            b"X-Spam: no\r\nSubject: a\r\n\r\nx\r\n",
        );
        assert!(shown.contains("+X-Spam: no\n Subject: a"), "{shown}");
    }
}
