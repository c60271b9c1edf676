//! What a message needs of the server, whatever its client has asked for.

use std::io;

use postgate_proto::header::HeaderBlock;
use postgate_spool::{Content, find_parts};
use tokio::task::spawn_blocking;

use crate::message::Message;

/// True if the message needs SMTPUTF8 (RFC 6531 §3.2): a header field of the message or of one of its
/// parts is not ASCII, or it contains an internationalized message. Other octets beyond ASCII only
/// make a body of 8-bit text.
///
/// # Errors
///
/// Fails if the message cannot be read.
pub(super) async fn needs_utf8(message: &Message<'_>) -> io::Result<bool> {
    if !message.head.is_ascii() {
        return Ok(true);
    }
    if is_ascii(message.body)? {
        return Ok(false);
    }
    let headers = HeaderBlock::parse(message.head.to_vec());
    let body = message.body.clone();
    // The parts of a large message take a while to find.
    let search = spawn_blocking(move || has_international_part(&headers, body));
    search.await.map_err(io::Error::other)?
}

/// True if the message consists of lines that DATA can carry unchanged (RFC 5321 §4.5.3.1.6, §2.3.8):
/// no NUL, no CR or LF alone, no line of more than 998 octets, and a CRLF at the end.
///
/// # Errors
///
/// Fails if the message cannot be read.
pub(super) fn is_lines(message: &Message<'_>) -> io::Result<bool> {
    let mut lines = Lines::default();
    lines.add(message.head);
    let mut chunks = message.body.chunks();
    while let Some(chunk) = chunks.next()? {
        lines.add(chunk);
    }
    Ok(lines.finish())
}

fn is_ascii(body: &Content) -> io::Result<bool> {
    let mut chunks = body.chunks();
    while let Some(chunk) = chunks.next()? {
        if !chunk.is_ascii() {
            return Ok(false);
        }
    }
    Ok(true)
}

fn has_international_part(headers: &HeaderBlock, body: Content) -> io::Result<bool> {
    let mime = find_parts(headers, body, || Ok(()))?;
    let is_global = |headers: &HeaderBlock| {
        let mut types = headers.named("Content-Type");
        types.any(|field| starts_with_ignoring_case(field.value().trim_ascii(), b"message/global"))
    };
    if is_global(headers) {
        return Ok(true);
    }
    for (index, part) in (0..).zip(mime.parts()) {
        // What was found in a decoded part is ASCII on its way.
        if !part.is_as_sent() {
            continue;
        }
        let head = mime.head(index)?;
        if !head.is_ascii() || is_global(&HeaderBlock::parse(head)) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn starts_with_ignoring_case(text: &[u8], start: &[u8]) -> bool {
    let text = text.get(..start.len());
    text.is_some_and(|text| text.eq_ignore_ascii_case(start))
}

/// Finds out if octets are lines that DATA can carry unchanged.
#[derive(Debug, Default)]
struct Lines {
    /// The length of the current line in octets, with its line ending so far.
    length: usize,
    last: u8,
    is_binary: bool,
}

impl Lines {
    fn add(&mut self, octets: &[u8]) {
        for &octet in octets {
            let is_half_ending = (self.last == b'\r') != (octet == b'\n');
            self.is_binary |= is_half_ending || octet == 0;
            self.length += 1;
            self.is_binary |= self.length > MAX_LINE;
            if octet == b'\n' {
                self.length = 0;
            }
            self.last = octet;
        }
    }

    const fn finish(self) -> bool {
        !self.is_binary && self.length == 0
    }
}

/// The maximum length of a line in octets, including CRLF (RFC 5321 §4.5.3.1.6).
const MAX_LINE: usize = 1_000;

#[cfg(test)]
mod tests {

    use super::*;

    #[tokio::test]
    async fn what_needs_smtputf8() {
        let mixed = "Content-Type: multipart/mixed; boundary=b\r\n\r\n";
        let part = |head: &str| format!("--b\r\n{head}\r\n\r\né\r\n--b--\r\n");
        let nested = "Content-Type: message/rfc822\r\n\r\nSubject: é";
        let global = "Content-Type: Message/Global\r\n\r\nSubject: x";
        let table = [
            ("Subject: x\r\n\r\n", "plain\r\n".into(), false),
            ("Subject: é\r\n\r\n", "plain\r\n".into(), true),
            ("Subject: x\r\n\r\n", "é\r\n".into(), false),
            (mixed, part("Content-Type: text/plain"), false),
            (
                mixed,
                part("Content-Disposition: attachment; filename=é"),
                true,
            ),
            (mixed, part(nested), true),
            (mixed, part(global), true),
            (
                mixed,
                "--b\r\n\r\nno é in a header\r\n--b--\r\n".into(),
                false,
            ),
            (
                "Content-Type: message/global\r\n\r\n",
                "Subject: é\r\n\r\n".into(),
                true,
            ),
            (
                "Content-Type: message/global\r\n\r\n",
                "Subject: e\r\n\r\n".into(),
                false,
            ),
        ];
        for (head, body, expected) in table {
            let body: String = body;
            let content = Content::from(body.clone().into_bytes());
            let message = Message::new(head.as_bytes(), &content);
            assert_eq!(
                needs_utf8(&message).await.unwrap(),
                expected,
                "{head}{body}"
            );
        }
    }

    #[test]
    fn what_data_can_carry_unchanged() {
        let long = "x".repeat(998);
        let table = [
            (String::new(), true),
            ("a\r\n\r\n.\r\n".into(), true),
            (format!("{long}\r\n"), true),
            (format!("{long}x\r\n"), false),
            ("a".into(), false),
            ("a\r".into(), false),
            ("a\n".into(), false),
            ("\na\r\n".into(), false),
            ("a\rb\r\n".into(), false),
            ("a\r\r\n".into(), false),
            ("a\0b\r\n".into(), false),
        ];
        for (body, expected) in table {
            let content = Content::from(body.clone().into_bytes());
            let message = Message::new(b"A: b\r\n\r\n", &content);
            assert_eq!(is_lines(&message).unwrap(), expected, "{body:?}");
        }
    }
}
