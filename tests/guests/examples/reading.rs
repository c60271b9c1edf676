//! Logs a message as plugins see it, in a form that a test can compare: its header fields, its body,
//! and its MIME parts. Octets are in hexadecimal digits. Each line begins with the local part of the
//! sender, and the last one ends with `end`.

use postgate_plugin::prelude::*;

/// Octets in a line of the log, so that it is not cut.
const PIECE: usize = 900;

#[derive(Default)]
struct Reading;

impl OnMessage for Reading {
    fn on_message(&mut self) -> MessageAnswer {
        let sender = session::sender();
        let address = sender.as_ref().and_then(Sender::address);
        let name = address.map_or("-", Address::local_part);
        for field in message::headers() {
            let octets = [field.name.as_bytes(), b":", &field.value, b"\r\n"].concat();
            say(name, "header", &octets);
        }
        say(name, "body", &all(message::read_body, message::body_size()));
        for (index, part) in message::parts() {
            log::info(format!(
                "{name} part {} {} {} {}",
                part.parent,
                part.container,
                !part.defects.is_empty(),
                part.content_type,
            ));
            let read = |offset, length| message::read_part(index, offset, length);
            say(name, "content", &all(read, part.size));
        }
        log::info(format!("{name} end"));
        MessageAnswer::next()
    }
}

/// Everything that a function for reading returns, up to this size.
fn all(read: impl Fn(u32, u32) -> Vec<u8>, size: u32) -> Vec<u8> {
    let mut octets = Vec::new();
    let mut offset = 0;
    while offset < size {
        let piece = read(offset, message::MAX_READ);
        if piece.is_empty() {
            break;
        }
        offset += u32::try_from(piece.len()).unwrap_or(u32::MAX);
        octets.extend(piece);
    }
    octets
}

fn say(name: &str, what: &str, octets: &[u8]) {
    for piece in octets.chunks(PIECE) {
        let digits: String = piece.iter().map(|octet| format!("{octet:02x}")).collect();
        log::info(format!("{name} {what} {digits}"));
    }
}

postgate_plugin::export!(Reading: OnMessage);
