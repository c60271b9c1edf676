//! What must hold whatever octets come: one function for each thing that reads them. The fuzzers of
//! `host/proto/fuzz` call them, and so does `tests/fuzz.rs` for a bounded time.

mod conversation;
mod message;
mod sasl;

use postgate_proto::address::{Charset, Mailbox};
use postgate_proto::command::{Command, Rules, parse_recipient, parse_sender};
use postgate_proto::header::{HeaderBlock, HeaderEdit, HeaderName, HeaderValue};
use postgate_proto::parameters::Extensions;
use postgate_proto::proxy::{self, Parsed};
use postgate_proto::reply::ReplyParser;
use postgate_proto::xclient::Xclient;

pub use conversation::{client, session};
pub use message::{body, data};
pub use sasl::sasl;

/// Something that panics where the octets break what must hold.
pub type Target = fn(&[u8]);

/// Every target.
pub const TARGETS: [Target; 11] = [
    address, body, client, command, data, header, proxy, reply, sasl, session, xclient,
];

/// An address that parses holds no control character, and parses again to the same.
pub fn address(octets: &[u8]) {
    let text = String::from_utf8_lossy(octets);
    for charset in [Charset::Ascii, Charset::Utf8] {
        let Ok(mailbox) = Mailbox::parse(&text, charset) else {
            continue;
        };
        assert!(!mailbox.as_str().contains(char::is_control), "{mailbox}");
        assert_eq!(
            Mailbox::parse(mailbox.as_str(), charset).as_ref(),
            Ok(&mailbox)
        );
        let whole = format!("{}@{}", mailbox.local_part(), mailbox.domain());
        assert_eq!(whole, mailbox.as_str());
    }
}

/// A command that parses holds no control character in its addresses.
pub fn command(octets: &[u8]) {
    for (strict, default_domain) in [(false, None), (true, None), (false, Some("example.org"))] {
        command_under(octets, strict, default_domain);
    }
}

fn command_under(octets: &[u8], strict: bool, default_domain: Option<&str>) {
    let rules = Rules {
        extensions: &Extensions::default(),
        registered: &[],
        strict,
        default_domain,
    };
    match Command::parse(octets) {
        Ok(Command::Mail(argument)) => {
            if let Ok((sender, _)) = parse_sender(argument, &rules) {
                assert!(!sender.as_str().contains(char::is_control), "{sender}");
            }
        }
        Ok(Command::Rcpt(argument)) => {
            if let Ok((recipient, _)) = parse_recipient(argument, true, &rules) {
                assert!(
                    !recipient.as_str().contains(char::is_control),
                    "{recipient}"
                );
            }
        }
        _ => {}
    }
}

/// A header block that nobody edits stays as it is; an edit adds one field and no more.
pub fn header(octets: &[u8]) {
    let mut block = HeaderBlock::parse(octets.to_vec());
    let mut rendered = Vec::new();
    block.render(&mut rendered);
    assert_eq!(rendered, octets);
    let Ok(value) = HeaderValue::new(octets) else {
        return;
    };
    let name = HeaderName::new("X-Added").expect("a name");
    let before = block.fields().count();
    block.apply(&HeaderEdit::Prepend(name, value));
    let mut rendered = Vec::new();
    block.render(&mut rendered);
    let reread = HeaderBlock::parse(rendered);
    assert_eq!(block.fields().count(), before + 1);
    assert_eq!(reread.fields().count(), before + 1);
}

/// A PROXY header ends where it ends, whatever follows, and is incomplete before.
pub fn proxy(octets: &[u8]) {
    match proxy::parse(octets) {
        Parsed::Header(header, length) => {
            assert!(
                length <= octets.len(),
                "{length} of {} octets",
                octets.len()
            );
            for end in 0..length {
                assert_eq!(proxy::parse(&octets[..end]), Parsed::Incomplete, "{end}");
            }
            let whole = Parsed::Header(header, length);
            assert_eq!(proxy::parse(&octets[..length]), whole);
        }
        Parsed::Incomplete => assert!(octets.len() < proxy::MAX_HEADER),
        Parsed::Invalid => {}
    }
}

/// What XCLIENT says about a client holds no control character.
pub fn xclient(octets: &[u8]) {
    let Ok(said) = Xclient::parse(&String::from_utf8_lossy(octets)) else {
        return;
    };
    for text in [&said.name, &said.helo, &said.login].into_iter().flatten() {
        assert!(!text.contains(char::is_control), "{said:?}");
    }
}

/// A reply that parses is written as lines that parse to the same.
pub fn reply(octets: &[u8]) {
    let mut parser = ReplyParser::default();
    for line in octets.split(|octet| *octet == b'\n') {
        let Ok(Some(reply)) = parser.line(line) else {
            continue;
        };
        let mut written = Vec::new();
        reply.write(&mut written);
        assert_reply_lines(&written);
    }
}

/// Each line has a code, a blank or a hyphen, printable text, and an end, within 512 octets.
fn assert_reply_lines(said: &[u8]) {
    for line in said.split_inclusive(|octet| *octet == b'\n') {
        let shown = line.escape_ascii();
        let text = line
            .strip_suffix(b"\r\n")
            .unwrap_or_else(|| panic!("no line end: {shown}"));
        assert!(line.len() <= 512, "too long: {shown}");
        assert!(
            !text.iter().any(|octet| octet.is_ascii_control()),
            "a control: {shown}"
        );
        let (code, rest) = text.split_at_checked(3).unwrap_or((text, b""));
        assert!(code.iter().all(u8::is_ascii_digit), "no code: {shown}");
        assert!(
            matches!(rest.first(), Some(b' ' | b'-')),
            "no text: {shown}"
        );
    }
}
