//! Messages to send, and functions to compare those that have arrived.

use std::fs;
use std::path::Path;

use sha2::{Digest, Sha256};

/// Returns a message of about `size` octets with everything that a faulty relay might change: dots at
/// line starts, blanks at line ends, tabs, folds, eight-bit octets and other Received fields.
pub fn awkward(size: usize) -> Vec<u8> {
    let mut message = AWKWARD_HEAD.to_vec();
    let mut number = 0_usize;
    while message.len() < size {
        let line = AWKWARD_LINES[number % AWKWARD_LINES.len()];
        message.extend_from_slice(line);
        message.extend_from_slice(b"\r\n");
        number += 1;
    }
    message
}

const AWKWARD_HEAD: &[u8] = b"Received: from c.example by b.example with ESMTP id 2;\r\n\
    \tFri, 20 Nov 2026 10:00:02 +0000\r\n\
    Received: from b.example by a.example with SMTP id 1; Fri, 20 Nov 2026 10:00:01 +0000\r\n\
    From: Alice <alice@client.example>\r\n\
    To: Bob <bob@example.org>\r\n\
    Subject:  =?utf-8?q?caf=C3=A9?=  with trailing blanks  \r\n\
    X-Folded: one\r\n \ttwo\r\n  three\r\n\
    x-EMPTY:\r\n\
    DATE: Fri, 20 Nov 2026 10:00:00 +0000\r\n\
    \r\n";

const AWKWARD_LINES: [&[u8]; 9] = [
    b"an ordinary line",
    b".",
    b"..",
    b".leading dot",
    b" \t lead and trail \t ",
    b"",
    b"caf\xe9 \x80\xfe\xff",
    b"From the start of a line",
    b"MAIL FROM:<mallory@client.example>",
];

/// Splits a message into the header block, with its last CRLF, and the body.
///
/// # Panics
///
/// Panics if there is no blank line.
pub fn split(message: &[u8]) -> (&[u8], &[u8]) {
    let blank = message.windows(4).position(|window| window == b"\r\n\r\n");
    let blank = blank.unwrap_or_else(|| panic!("no blank line in {}", message.escape_ascii()));
    (&message[..blank + 2], &message[blank + 4..])
}

/// Returns the fields of the header block, each with its folds and without its last CRLF.
pub fn fields(message: &[u8]) -> Vec<String> {
    let (head, _) = split(message);
    let mut fields: Vec<String> = Vec::new();
    for line in String::from_utf8_lossy(head).split_terminator("\r\n") {
        match (line.starts_with([' ', '\t']), fields.last_mut()) {
            (true, Some(field)) => field.push_str(&format!("\r\n{line}")),
            _ => fields.push(line.to_owned()),
        }
    }
    fields
}

/// Returns the SHA-256 in hexadecimal digits.
pub fn digest(octets: &[u8]) -> String {
    let digest = Sha256::digest(octets);
    digest.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// Reads all messages of a Maildir, in no particular order.
///
/// # Panics
///
/// Panics if the Maildir cannot be read.
pub fn maildir(directory: &Path) -> Vec<Vec<u8>> {
    let mut messages = Vec::new();
    for folder in ["new", "cur"] {
        let Ok(entries) = fs::read_dir(directory.join(folder)) else {
            continue;
        };
        for entry in entries {
            let path = entry.expect("a Maildir can be listed").path();
            messages.push(fs::read(path).expect("a message can be read"));
        }
    }
    messages
}
