//! What a server reads is one message, whatever a client put into it and however the server reads.

use super::*;
use crate::data::{DataDecoder, Decoded, LineEndings};

/// Octets that servers may read as the end of a message.
const OCTETS: &[u8] = b"\r\n\0.";

/// The smuggled message, for a server that ends the first one too early.
const SECOND: &[u8] = b"MAIL FROM:<x@y>\r\nRCPT TO:<c@d>\r\nDATA\r\nSubject: b\r\n\r\nb\r\n";

/// The command by which a message arrives.
#[derive(Clone, Copy, Debug)]
enum Way {
    Bdat,
    Data(LineEndings),
}

const WAYS: [Way; 5] = [
    Way::Bdat,
    Way::Data(LineEndings::Ensure),
    Way::Data(LineEndings::EnsureLegacy),
    Way::Data(LineEndings::Leave),
    Way::Data(LineEndings::Strict),
];

/// The message that a client's octets decode to.
fn received(way: Way, sent: &[u8]) -> Vec<u8> {
    let Way::Data(line_endings) = way else {
        return sent.to_vec();
    };
    let mut decoder = DataDecoder::new(line_endings);
    let (mut message, mut offset) = (Vec::new(), 0);
    loop {
        let unread = &sent[offset..];
        let (consumed, decoded) = decoder.decode(unread);
        offset += consumed;
        match decoded {
            Decoded::End | Decoded::NeedMore => return message,
            Decoded::Fixed(octets) => message.extend_from_slice(octets),
            Decoded::Text(range) => message.extend_from_slice(&unread[range]),
        }
    }
}

/// The octets sent to the server after this command, for a message in pieces of this size, and true if
/// they are the whole message.
fn passed_on(begin: Request, command: &str, message: &[u8], cut: usize) -> (Vec<u8>, bool) {
    let mut client = greeted(Protocol::Smtp, &[]);
    let waits = begin == Request::Data;
    client.request(begin);
    if waits {
        client.receive(b"354 go\r\n");
    }
    let mut written = String::new();
    run(&mut client, &mut Vec::new(), &mut written);
    assert_eq!(written, command);
    let mut wire = Vec::new();
    for octets in message.chunks(cut) {
        let written = client.message().unwrap().write(octets);
        write(&mut client, &mut wire);
        if written.is_err() {
            return (wire, false);
        }
    }
    let finished = client.message().unwrap().finish();
    write(&mut client, &mut wire);
    (wire, finished.is_ok())
}

fn write(client: &mut Client, wire: &mut Vec<u8>) {
    while let Ok(ClientStep::Write(octets)) = client.step() {
        wire.extend_from_slice(octets);
    }
}

/// Rules by which servers find the end of a message.
#[derive(Clone, Copy, Debug)]
struct Reader {
    bare_cr: bool,
    bare_lf: bool,
    drops_nuls: bool,
}

fn readers() -> impl Iterator<Item = Reader> {
    (0..8).map(|bits| Reader {
        bare_cr: bits & 1 != 0,
        bare_lf: bits & 2 != 0,
        drops_nuls: bits & 4 != 0,
    })
}

impl Reader {
    /// The octets after the end of the message. Returns `None` if there is no end.
    fn rest(self, wire: &[u8]) -> Option<Vec<u8>> {
        let kept = |octet: &&u8| !self.drops_nuls || **octet != 0;
        let wire: Vec<u8> = wire.iter().filter(kept).copied().collect();
        let mut line = 0;
        let mut at = 0;
        while at < wire.len() {
            let length = match &wire[at..] {
                [b'\r', b'\n', ..] => 2,
                [b'\r', ..] if self.bare_cr => 1,
                [b'\n', ..] if self.bare_lf => 1,
                _ => {
                    at += 1;
                    continue;
                }
            };
            let is_end = wire[line..at] == *b".";
            at += length;
            line = at;
            if is_end {
                return Some(wire[at..].to_vec());
            }
        }
        None
    }
}

fn check(way: Way, sent: &[u8], cut: usize) {
    let shown = sent.escape_ascii();
    let message = received(way, sent);
    let (wire, is_whole) = passed_on(Request::Data, "DATA\r\n", &message, cut);
    let end = is_whole.then(Vec::new);
    for reader in readers() {
        assert_eq!(reader.rest(&wire), end, "{reader:?} {way:?} {shown}");
    }
    if is_whole {
        // What the server reads is what plugins have seen.
        let read = received(Way::Data(LineEndings::Strict), &wire);
        assert_eq!(read, message, "{way:?} {shown}");
    }
    let size = message.len() as u64;
    for chunk in [Chunk::lines(size), Chunk::binary(size)] {
        let command = format!("BDAT {size} LAST\r\n");
        let (wire, is_whole) = passed_on(Request::Bdat(chunk), &command, &message, cut);
        assert!(message.starts_with(&wire), "{way:?} {shown}");
        assert!(
            wire.len() < message.len() || is_whole || message.is_empty(),
            "{way:?} {shown}"
        );
    }
}

/// All ends of one to six octets, in the middle of a message and at its start.
#[test]
fn nothing_that_looks_like_an_end_is_one() {
    let mut ends: Vec<Vec<u8>> = vec![Vec::new()];
    for _ in 0..6 {
        let longer = ends.iter().flat_map(|end| {
            OCTETS
                .iter()
                .map(|octet| [end.as_slice(), &[*octet]].concat())
        });
        ends = longer.collect();
        for end in &ends {
            for start in [b"".as_slice(), b"Subject: a\r\n\r\na"] {
                let sent = [start, end, SECOND, b".\r\n"].concat();
                for way in WAYS {
                    check(way, &sent, sent.len());
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn nothing_that_looks_like_many_ends_is_one(
        pieces in prop::collection::vec(
            prop::sample::select(vec![
                "\r", "\n", "\0", ".", "a", "\r\n", "\r\n.", ".\r\n", "QUIT\r\n", "BDAT 1 LAST\r\n",
            ]),
            0..40,
        ),
        way in prop::sample::select(WAYS.to_vec()),
        cut in 1_usize..20,
    ) {
        check(way, pieces.concat().as_bytes(), cut);
    }
}
