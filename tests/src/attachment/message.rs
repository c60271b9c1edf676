//! A file in a message.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::file::File;

/// The transfer encoding of an attachment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// base64.
    Base64,
    /// Quoted-printable.
    QuotedPrintable,
    /// uuencode in the text of the message.
    Uu,
}

/// What is around an attachment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrapping {
    /// An attached message.
    Message,
    /// An attached message in base64.
    MessageInBase64,
    /// A multipart.
    Multipart,
}

/// A message with a file. Its fields are the name in this syntax, in which `{name}` stands for it.
pub fn message(file: &File, encoding: Encoding, fields: &str, wrappings: &[Wrapping]) -> Vec<u8> {
    let (encoding, content) = match encoding {
        Encoding::Base64 => ("base64", base64(&file.content)),
        Encoding::QuotedPrintable => ("quoted-printable", quoted_printable(&file.content)),
        Encoding::Uu => ("7bit", uuencoded(file)),
    };
    let fields = fields.replace("{name}", &file.name);
    let mut part =
        format!("{fields}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n{content}\r\n");
    for (number, wrapping) in wrappings.iter().chain([&Wrapping::Multipart]).enumerate() {
        part = match wrapping {
            Wrapping::Message => {
                format!("Content-Type: message/rfc822\r\n\r\nFrom: a@client.example\r\n{part}")
            }
            Wrapping::MessageInBase64 => format!(
                "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n{}\r\n",
                base64(format!("From: a@client.example\r\n{part}").as_bytes())
            ),
            Wrapping::Multipart => format!(
                "Content-Type: multipart/mixed; boundary=\"b{number}\"\r\n\r\n\
                 --b{number}\r\nContent-Type: text/plain\r\n\r\nhello\r\n\
                 --b{number}\r\n{part}\r\n--b{number}--\r\n"
            ),
        };
    }
    format!("From: alice@client.example\r\nMIME-Version: 1.0\r\n{part}").into_bytes()
}

fn base64(octets: &[u8]) -> String {
    let lines = octets.chunks(57).map(|line| STANDARD.encode(line));
    lines.collect::<Vec<_>>().join("\r\n")
}

fn quoted_printable(octets: &[u8]) -> String {
    let lines = octets.chunks(20).map(|line| {
        line.iter()
            .map(|octet| match octet {
                b'a'..=b'z' | b'0'..=b'9' => char::from(*octet).to_string(),
                octet => format!("={octet:02X}"),
            })
            .collect::<String>()
    });
    lines.collect::<Vec<_>>().join("=\r\n")
}

fn uuencoded(file: &File) -> String {
    let digit = |bits: u32| match bits & 63 {
        0 => '`',
        bits => char::from(b' ' + bits as u8),
    };
    let mut text = format!("begin 644 {}\r\n", file.name);
    for line in file.content.chunks(45) {
        text.push(digit(line.len() as u32));
        for group in line.chunks(3) {
            let bits = (0..3).fold(0, |bits, at| {
                bits << 8 | u32::from(*group.get(at).unwrap_or(&0))
            });
            text.extend([18, 12, 6, 0].map(|shift| digit(bits >> shift)));
        }
        text.push_str("\r\n");
    }
    text + "`\r\nend"
}
