//! Parsers of text and header lines.

use postgate_proto::address::{Charset, Mailbox};
use postgate_proto::command::{Command, PathSyntax, Rules, parse_recipient, parse_sender};
use postgate_proto::header::{HeaderBlock, HeaderEdit, HeaderName, HeaderScanner, HeaderValue};
use postgate_proto::parameters::Extensions;
use postgate_proto::proxy::{self, Parsed};
use postgate_proto::reply::ReplyParser;
use postgate_proto::xclient::Xclient;

use super::reply_lines::assert_reply_lines;

/// A parsed address holds no control character and parses to itself. Its canonical form is an address,
/// which is the same mailbox and its own canonical form.
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
        let canonical = mailbox.canonical();
        let again = Mailbox::parse(&canonical, charset);
        let again = again.unwrap_or_else(|error| panic!("{mailbox}: {canonical}: {error}"));
        assert_eq!(again.canonical(), canonical);
        let whole = format!("{}@{}", mailbox.local_part(), mailbox.domain());
        assert_eq!(whole, mailbox.as_str());
    }
}

/// The addresses of a parsed command hold no control character.
pub fn command(octets: &[u8]) {
    for (path, default_domain) in [
        (PathSyntax::Lenient, None),
        (PathSyntax::Strict, None),
        (PathSyntax::Lenient, Some("example.org")),
    ] {
        command_under(octets, path, default_domain);
    }
}

fn command_under(octets: &[u8], path: PathSyntax, default_domain: Option<&str>) {
    let rules = Rules {
        extensions: &Extensions::default(),
        registered: &[],
        path,
        default_domain,
    };
    match Command::parse(octets) {
        Ok(Command::Mail(argument)) => {
            if let Ok((sender, _)) = parse_sender(argument, &rules) {
                assert!(!sender.as_str().contains(char::is_control), "{sender}");
            }
        }
        Ok(Command::Rcpt(argument)) => {
            if let Ok((recipient, _)) = parse_recipient(argument, Charset::Utf8, &rules) {
                assert!(
                    !recipient.as_str().contains(char::is_control),
                    "{recipient}"
                );
            }
        }
        _ => {}
    }
}

/// A header block without edits renders to its input, the one of a message ends where the scanner says,
/// and an edit adds exactly one field.
pub fn header(octets: &[u8]) {
    let whole = HeaderBlock::parse(octets.to_vec());
    let mut rendered = Vec::new();
    whole.render(&mut rendered);
    assert_eq!(rendered, octets);
    let (mut block, body) = HeaderBlock::split(Vec::from(octets));
    assert_eq!([block.given(), &body].concat(), octets);
    let mut scanner = HeaderScanner::new();
    if octets.chunks(3).any(|piece| scanner.scan(piece)) {
        assert_eq!(scanner.size(), block.given().len());
    }
    let Ok(value) = HeaderValue::new(octets) else {
        return;
    };
    let name = HeaderName::new("X-Added").expect("a name");
    let before = block.fields().count();
    block.apply(&HeaderEdit::Prepend(name, value));
    let mut rendered = Vec::new();
    block.render(&mut rendered);
    let (reread, _) = HeaderBlock::split(rendered);
    assert_eq!(block.fields().count(), before + 1);
    assert_eq!(reread.fields().count(), before + 1);
}

/// The length of a PROXY header does not depend on what follows, and any prefix is incomplete.
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

/// The attributes of XCLIENT hold no control character.
pub fn xclient(octets: &[u8]) {
    let Ok(said) = Xclient::parse(&String::from_utf8_lossy(octets)) else {
        return;
    };
    for text in [&said.name, &said.helo, &said.login].into_iter().flatten() {
        assert!(!text.contains(char::is_control), "{said:?}");
    }
}

/// A parsed reply is written as well-formed reply lines.
pub fn reply(octets: &[u8]) {
    let mut parser = ReplyParser::default();
    for line in octets.split(|octet| *octet == b'\n') {
        let Ok(Some(reply)) = parser.line(line) else {
            continue;
        };
        let mut written = Vec::new();
        reply.write(Charset::Utf8, &mut written);
        assert_reply_lines(&written);
    }
}
