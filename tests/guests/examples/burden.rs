//! Does little itself, and has the host do much: what the local part of the sender names, at the event to
//! which that belongs. It has no objection to anything.

use std::hint::black_box;

use postgate_plugin::prelude::*;
use postgate_plugin::{files, message};

#[derive(Default)]
struct Burden;

impl OnRcpt for Burden {
    fn on_rcpt(&mut self, _recipient: &Recipient) -> RcptAnswer {
        match task().as_str() {
            "search" => loop {
                _ = black_box(files::find_line("large", "it is nowhere"));
            },
            "reread" => {
                _ = black_box(files::size("large"));
                RcptAnswer::next()
            }
            _ => RcptAnswer::next(),
        }
    }
}

impl OnData for Burden {
    fn on_data(&mut self) -> DataAnswer {
        match task().as_str() {
            "deferred" => {
                let value = "word ".repeat(BODY / EDITS as usize / 5);
                (0..EDITS).fold(DataAnswer::next(), |answer, number| {
                    answer.prepend_header(format!("X-Burden-{number}"), &value)
                })
            }
            _ => DataAnswer::next(),
        }
    }
}

impl OnHeaders for Burden {
    fn on_headers(&mut self) -> HeadersAnswer {
        match task().as_str() {
            "edits" => edits(),
            "listing" => loop {
                black_box(message::part_headers(0));
            },
            "names" => loop {
                black_box(message::headers_named("A"));
            },
            "values" => loop {
                black_box(message::header_text("B"));
            },
            _ => HeadersAnswer::next(),
        }
    }
}

impl OnMessage for Burden {
    fn on_message(&mut self) -> MessageAnswer {
        match task().as_str() {
            "body" => MessageAnswer::next()
                .append_header("X-Burden", "x")
                .replace_body(vec![b'\n'; BODY]),
            "parts" => {
                _ = black_box(message::parts().map(|(_, part)| part.size).max());
                MessageAnswer::next()
            }
            "recipients" => (0..EDITS / 2).fold(MessageAnswer::next(), |answer, number| {
                let mailbox = format!("\"user{number}\"@EXAMPLE.org");
                answer.remove_recipient(&*mailbox).add_recipient(mailbox)
            }),
            "reply" => MessageAnswer::refuse(Refusal::new(550, "5.7.1", "\u{e9}".repeat(BODY / 2))),
            "text" => {
                let parts = message::part_count();
                _ = black_box((0..parts).find_map(|part| message::read_text(part, 0, 1)));
                MessageAnswer::next()
            }
            _ => MessageAnswer::next(),
        }
    }
}

/// Edits that each have to find their place in a header block of very many lines.
fn edits() -> HeadersAnswer {
    let lines = message::header_count();
    (0..EDITS).fold(HeadersAnswer::next(), |answer, number| {
        let index = lines / (EDITS + 1) * (number + 1);
        match number % 4 {
            0 => answer.insert_header(index, "X-Burden", "x"),
            1 => answer.remove_header("A", index),
            2 => answer.replace_header("A", index, "y"),
            _ => answer.remove_headers(format!("B{number}")),
        }
    })
}

/// What to do: the local part of the sender.
fn task() -> String {
    let sender = session::sender();
    let address = sender.as_ref().and_then(Sender::address);
    address.map_or_else(String::new, |address| address.local_part().to_owned())
}

/// As many as an answer may have.
const EDITS: u32 = 256;
/// The size of a body or a reply, in octets: nearly as much as an answer may hold.
const BODY: usize = 4_000_000;

postgate_plugin::export!(Burden: OnRcpt, OnData, OnHeaders, OnMessage);
