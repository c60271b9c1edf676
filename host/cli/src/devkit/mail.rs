//! A whole message as a session: what a client would send, and what came of it.

use diffy::{DiffOptions, PatchFormatter};
use postgate_dialog::play::{Heard, Server};
use serde_json::{Value, json};

use super::call::Call;
use super::session::HarnessSession;

/// The envelope of a message, and how its client introduces itself.
#[derive(Clone, Debug)]
pub struct Envelope {
    /// The name in EHLO.
    pub helo: String,
    /// The reverse-path; empty for the null reverse-path.
    pub from: String,
    /// The recipients, at least one.
    pub to: Vec<String>,
}

/// What came of a message.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The last reply that the client read before QUIT.
    pub reply: String,
    /// Whether the client was told that the message is taken.
    pub taken: bool,
    /// What the plugin was asked, and said.
    pub calls: Vec<Call>,
    /// The message as the backend got it, without the fields that the gateway adds. Nothing: it did
    /// not get any.
    pub delivered: Option<Vec<u8>>,
    /// The difference to the message as it was sent, as a unified diff; empty where there is none.
    pub diff: String,
}

impl Outcome {
    /// For programs.
    pub fn json(&self, name: &str) -> Value {
        let calls = self.calls.iter().map(Call::json).collect::<Vec<_>>();
        json!({
            "file": name,
            "reply": self.reply,
            "taken": self.taken,
            "calls": calls,
            "delivered": self.delivered.is_some(),
            "diff": self.diff,
        })
    }
}

/// Sends a message, whatever its line endings, and gives what came of it.
pub fn send(session: &mut HarnessSession<'_>, envelope: &Envelope, message: &[u8]) -> Outcome {
    let message = with_crlf(message);
    let (reply, taken) = converse(session, envelope, &message);
    session.send(b"QUIT\r\n");
    session.finish();
    let delivered = session.delivered().filter(|_| taken);
    let diff = match &delivered {
        Some(delivered) => difference(&message, delivered),
        None => String::new(),
    };
    Outcome {
        reply,
        taken,
        calls: session.take_calls(),
        delivered,
        diff,
    }
}

/// Sends a message several times in one session, and ends the session.
pub fn send_again(
    session: &mut HarnessSession<'_>,
    envelope: &Envelope,
    message: &[u8],
    times: u32,
) {
    let message = with_crlf(message);
    let mut last = reply(session);
    if last.starts_with('2') {
        session.send(format!("EHLO {}\r\n", envelope.helo).as_bytes());
        last = reply(session);
    }
    for _ in 0..times {
        if !last.starts_with('2') {
            break;
        }
        transact(session, envelope, &message);
    }
    session.send(b"QUIT\r\n");
    session.finish();
}

/// Goes on to the first step that is refused. A recipient that is refused is left out, unless none is
/// left.
fn converse(
    session: &mut HarnessSession<'_>,
    envelope: &Envelope,
    message: &[u8],
) -> (String, bool) {
    let mut last = reply(session);
    if last.starts_with('2') {
        session.send(format!("EHLO {}\r\n", envelope.helo).as_bytes());
        last = reply(session);
    }
    match last.starts_with('2') {
        true => transact(session, envelope, message),
        false => (last, false),
    }
}

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
    let taken = last.starts_with('2');
    (last, taken)
}

/// A whole reply, its lines joined by ` / `.
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

/// The same lines, each with CRLF at its end.
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

/// RFC 5321 §4.5.2.
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
    fn a_difference_is_shown_by_line() {
        assert_eq!(difference(b"a\r\n", b"a\r\n"), "");
        let shown = difference(
            b"Subject: a\r\n\r\nx\r\n",
            b"X-Spam: no\r\nSubject: a\r\n\r\nx\r\n",
        );
        assert!(shown.contains("+X-Spam: no\n Subject: a"), "{shown}");
    }
}
