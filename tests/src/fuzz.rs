//! What must hold whatever octets come: one function for each thing that reads them. The fuzzers of
//! `host/proto/fuzz` call them, and so does `tests/fuzz.rs` for a bounded time.

use std::sync::Arc;

use postgate_proto::address::{Charset, ForwardPath, Mailbox, ReversePath};
use postgate_proto::client::{BodyEncoder, Client, ClientName, ClientStep, Protocol, Request};
use postgate_proto::command::{Command, Rules, parse_recipient, parse_sender};
use postgate_proto::data::{DataDecoder, Decoded, LineEndings};
use postgate_proto::header::{HeaderBlock, HeaderEdit, HeaderName, HeaderValue};
use postgate_proto::parameters::Extensions;
use postgate_proto::parameters::MailParameters;
use postgate_proto::relay::RelayDomains;
use postgate_proto::reply::{Refusal, ReplyParser};
use postgate_proto::session::{Answer, Ask, Auth, Offers, Session, Settings, Step};

/// Something that panics where the octets break what must hold.
pub type Target = fn(&[u8]);

/// Every target.
pub const TARGETS: [Target; 8] = [address, body, client, command, data, header, reply, session];

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
    let rules = Rules {
        extensions: &Extensions::default(),
        registered: &[],
        strict: false,
        default_domain: None,
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

/// However a message is cut, it decodes to the same, and the same is left over.
pub fn data(octets: &[u8]) {
    let whole = decode(octets, usize::MAX);
    for size in [1, 2, 3, 7] {
        assert_eq!(decode(octets, size), whole, "in pieces of {size}");
    }
}

/// Whatever is encoded ends once, at its end, and decodes to itself with its lines mended.
pub fn body(octets: &[u8]) {
    let wire = encode(octets, usize::MAX);
    for size in [1, 2, 3, 7] {
        assert_eq!(encode(octets, size), wire, "in pieces of {size}");
    }
    let decoded = decode(&wire, usize::MAX);
    assert_eq!(
        decoded.used,
        Some(wire.len()),
        "an early end in {}",
        wire.escape_ascii()
    );
    assert!(
        !decoded.is_flawed,
        "a bare CR or LF in {}",
        wire.escape_ascii()
    );
    assert_eq!(decoded.text, mended(octets));
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

/// A server cannot make the client send anything but commands, whatever it says.
pub fn client(octets: &[u8]) {
    let (&choice, said) = octets.split_first().unwrap_or((&0, octets));
    let protocol = match choice & 1 {
        0 => Protocol::Smtp,
        _ => Protocol::Lmtp,
    };
    let name = ClientName::new("mx.example.org").expect("a name");
    let mut client = Client::new(protocol, name);
    let mut requests = requests().into_iter();
    for piece in said.chunks(usize::from(choice >> 1) + 1) {
        client.receive(piece);
        loop {
            match client.step() {
                Ok(ClientStep::Answered(..)) => {}
                Ok(ClientStep::Idle) => {
                    if let Some(writer) = client.message() {
                        if writer.finish().is_err() {
                            return;
                        }
                    } else if let Some(request) = requests.next() {
                        client.request(request);
                    } else {
                        return;
                    }
                }
                Ok(ClientStep::Read) => break,
                Ok(ClientStep::Write(octets)) => assert!(octets.ends_with(b"\r\n")),
                Err(_) => return,
            }
        }
    }
}

fn requests() -> [Request; 4] {
    let recipient = ForwardPath::parse("bob@example.org", Charset::Ascii).expect("an address");
    [
        Request::Mail(ReversePath::Null, MailParameters::default()),
        Request::Rcpt(recipient, Vec::new()),
        Request::Data,
        Request::Quit,
    ]
}

/// However a session is cut, the same is asked and said, and all that is said are replies.
pub fn session(octets: &[u8]) {
    let (&choice, sent) = octets.split_first().unwrap_or((&0, octets));
    let whole = converse(sent, usize::MAX, choice);
    assert_reply_lines(&whole.said);
    for size in [1, usize::from(choice % 16) + 2] {
        let cut = converse(sent, size, choice);
        assert_eq!(cut.asked, whole.asked, "in pieces of {size}");
        let (said, expected) = (cut.said.escape_ascii(), whole.said.escape_ascii());
        assert_eq!(
            said.to_string(),
            expected.to_string(),
            "in pieces of {size}"
        );
        assert_eq!(cut.is_closed, whole.is_closed, "in pieces of {size}");
    }
}

/// All that came of a session.
#[derive(Default)]
struct Outcome {
    said: Vec<u8>,
    /// Each question, with what was stored when it was asked.
    asked: Vec<(Ask, Vec<u8>)>,
    is_closed: bool,
}

fn converse(sent: &[u8], size: usize, choice: u8) -> Outcome {
    let settings = Settings {
        hostname: "mx.example.org".to_owned(),
        auth: if choice & 1 == 0 {
            Auth::Off
        } else {
            Auth::Optional
        },
        max_errors: if choice & 2 == 0 { 0 } else { 10 },
        max_message_size: 1_000,
        max_recipients: 3,
        relay: RelayDomains::new(["example.org".to_owned()]),
        ..Settings::default()
    };
    let mut session = Session::new(Arc::new(settings), Offers::default());
    let mut outcome = Outcome::default();
    let mut stored = Vec::new();
    for piece in sent.chunks(size.min(sent.len().max(1))) {
        session.receive(piece);
        if outcome.run(&mut session, &mut stored, choice) {
            break;
        }
    }
    outcome
}

impl Outcome {
    /// Carries out steps until the session waits or ends. Gives whether it has ended.
    fn run(&mut self, session: &mut Session, stored: &mut Vec<u8>, choice: u8) -> bool {
        loop {
            match session.step() {
                Step::Ask(ask) => {
                    // How much is stored of a message that is refused depends on the cuts.
                    match ask {
                        Ask::Headers | Ask::Message => self.asked.push((ask, stored.clone())),
                        _ => {
                            stored.clear();
                            self.asked.push((ask, Vec::new()));
                        }
                    }
                    // Refuses now and then, and never by how the input was cut.
                    let is_refused = (self.asked.len() + usize::from(choice)) % 7 == 6;
                    session.decide(match is_refused {
                        true => Answer::Refuse(Refusal::TRY_LATER),
                        false => Answer::Authenticated,
                    });
                }
                Step::Close(_) => {
                    self.is_closed = true;
                    return true;
                }
                Step::Read(_) => return false,
                Step::Reset => {}
                Step::Store(octets) => stored.extend_from_slice(octets),
                Step::Write(octets) => self.said.extend_from_slice(octets),
            }
        }
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

/// What a decoder made of its input.
#[derive(Debug, Default, PartialEq, Eq)]
struct Message {
    text: Vec<u8>,
    is_flawed: bool,
    /// How many octets of the input the message took, where it has an end.
    used: Option<usize>,
}

fn decode(octets: &[u8], size: usize) -> Message {
    let mut decoder = DataDecoder::new(LineEndings::Strict);
    let mut message = Message::default();
    let mut used = 0;
    'pieces: for piece in octets.chunks(size.min(octets.len().max(1))) {
        let mut rest = piece;
        loop {
            let (consumed, decoded) = decoder.decode(rest);
            match decoded {
                Decoded::End => {
                    message.used = Some(used + consumed);
                    break 'pieces;
                }
                Decoded::Fixed(octets) => message.text.extend_from_slice(octets),
                Decoded::NeedMore => {
                    used += consumed;
                    break;
                }
                Decoded::Text(range) => message.text.extend_from_slice(&rest[range]),
            }
            used += consumed;
            rest = &rest[consumed..];
        }
    }
    message.is_flawed = decoder.flaw().is_some();
    message
}

fn encode(octets: &[u8], size: usize) -> Vec<u8> {
    let mut encoder = BodyEncoder::new();
    let mut wire = Vec::new();
    for piece in octets.chunks(size.min(octets.len().max(1))) {
        encoder.encode(piece, &mut wire);
    }
    encoder.finish(&mut wire);
    wire
}

/// The octets with CRLF for each CRLF, bare CR and bare LF, and at the end of the last line; and with
/// one more dot where only NULs stand before the first of a line.
fn mended(octets: &[u8]) -> Vec<u8> {
    let mut mended = Vec::new();
    let mut rest = octets;
    while !rest.is_empty() {
        let end = rest.iter().position(|octet| matches!(octet, b'\r' | b'\n'));
        let (line, after) = rest.split_at(end.unwrap_or(rest.len()));
        let nuls = line.iter().take_while(|octet| **octet == 0).count();
        let (nuls, text) = line.split_at(nuls);
        mended.extend_from_slice(nuls);
        if !nuls.is_empty() && text.starts_with(b".") {
            mended.push(b'.');
        }
        mended.extend_from_slice(text);
        mended.extend_from_slice(b"\r\n");
        rest = match after {
            [b'\r', b'\n', rest @ ..] | [_, rest @ ..] => rest,
            [] => after,
        };
    }
    mended
}
