//! What plugins see of a message is what the backend gets: whatever octets come in, however they are
//! sent, an independent reader finds in the message at the backend what plugins were shown.

use std::cell::RefCell;
use std::fmt;

use postgate_tests::backend::{Act, Backend, Step};
use postgate_tests::client::Client;
use postgate_tests::gateway::{Gateway, Setup};
use postgate_tests::mail::maildir;
use postgate_tests::peer::{MimePart as Part, MimeReader as Reader, octets};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};

/// How many messages go through each gateway, at least, unless the variable PROPTEST_CASES says more.
const CASES: u32 = 60;

const MODES: [&str; 4] = ["strict", "ensure", "ensure-legacy", "leave"];

/// Where a gateway delivers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Store {
    /// An SMTP server that takes DATA only.
    Data,
    /// An SMTP server that takes chunks of any octets.
    Chunks,
    /// A local directory.
    Maildir,
}

/// A gateway in one mode, with the guests `editor` and `reading`.
struct House {
    gateway: Gateway,
    backend: Backend,
    store: Store,
    messages: u32,
    accepted: u32,
}

impl House {
    fn new(mode: &str, store: Store) -> Self {
        let backend = Backend::scripted(move |event| match (&event.step, store) {
            (Step::Helo(_), Store::Chunks) => Act::reply(
                "250-backend.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-CHUNKING\r\n250 BINARYMIME",
            ),
            _ => Act::Work,
        });
        let setup = Setup::new().listener(&format!("line-endings = \"{mode}\""));
        let setup = match store {
            Store::Maildir => setup,
            Store::Data | Store::Chunks => setup.backend(&backend.smtp()),
        };
        let setup = setup.plugins(&[
            ("10-editor", "guests/editor", ""),
            ("20-reading", "guests/reading", "limits.log-lines = 1000"),
        ]);
        Self {
            gateway: setup.start(),
            backend,
            store,
            messages: 0,
            accepted: 0,
        }
    }

    /// Sends a message, and returns what plugins saw and what the store has, or `None` if it was not
    /// accepted.
    fn deliver(&mut self, message: &Message) -> Option<(Seen, Vec<u8>)> {
        self.messages += 1;
        let before = self.stored();
        let sender = format!("case{}", self.messages);
        let reply = message.send(&self.gateway, &format!("{sender}@client.example"));
        let mut after = self.stored();
        if !reply.starts_with("250") {
            assert_eq!(before.len(), after.len(), "stored in spite of {reply}");
            return None;
        }
        self.accepted += 1;
        assert_eq!(before.len() + 1, after.len(), "a message after {reply}");
        after.retain(|message| !before.contains(message));
        let stored = after.pop().or_else(|| before.last().cloned())?;
        Some((Seen::of(&self.gateway, &sender), stored))
    }

    fn stored(&self) -> Vec<Vec<u8>> {
        match self.store {
            Store::Maildir => maildir(&self.gateway.maildir()),
            Store::Data | Store::Chunks => {
                let taken = self.backend.taken().into_iter();
                taken.map(|mail| mail.content).collect()
            }
        }
    }
}

/// A message and the way in which it is sent.
#[derive(Clone)]
struct Message {
    octets: Vec<u8>,
    way: Way,
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}", self.way, self.octets.escape_ascii())
    }
}

#[derive(Clone, Debug)]
enum Way {
    Data,
    /// Chunks that end at these places, in thousandths of the message.
    Chunks {
        cuts: Vec<usize>,
        is_binary: bool,
    },
}

impl Message {
    fn send(&self, gateway: &Gateway, sender: &str) -> String {
        let mut client = Client::greeted(gateway.address());
        let body = match self.way {
            Way::Chunks {
                is_binary: true, ..
            } => "BINARYMIME",
            _ => "8BITMIME",
        };
        let reply = client.ask(&format!("MAIL FROM:<{sender}> BODY={body}"));
        if !reply.starts_with("250") {
            return reply;
        }
        client.says("RCPT TO:<bob@example.org>", "250");
        match &self.way {
            Way::Data => client.message(&self.octets),
            Way::Chunks { cuts, .. } => self.send_chunks(&mut client, cuts),
        }
    }

    fn send_chunks(&self, client: &mut Client, cuts: &[usize]) -> String {
        let mut ends: Vec<_> = cuts
            .iter()
            .map(|cut| self.octets.len() * cut / 1000)
            .collect();
        ends.sort_unstable();
        let mut start = 0;
        for end in ends {
            client.write(format!("BDAT {}\r\n", end - start).as_bytes());
            client.write(&self.octets[start..end]);
            let reply = client.reply();
            if !reply.starts_with("250") {
                return reply;
            }
            start = end;
        }
        client.write(format!("BDAT {} LAST\r\n", self.octets.len() - start).as_bytes());
        client.write(&self.octets[start..]);
        client.reply()
    }
}

/// A message as a plugin sees it.
#[derive(Debug, Default)]
struct Seen {
    headers: Vec<u8>,
    body: Vec<u8>,
    parts: Vec<Part>,
    has_defects: bool,
}

impl Seen {
    fn of(gateway: &Gateway, sender: &str) -> Self {
        let prefix = format!("{sender} ");
        let said = |line: &serde_json::Value| {
            // The log shows a text as it would stand in a program.
            let text = line["says"].as_str()?.trim_matches('"');
            text.strip_prefix(&prefix).map(str::to_owned)
        };
        gateway
            .log()
            .wait_for("the end of what a plugin saw", |line| {
                said(line).is_some_and(|text| text == "end")
            });
        let mut seen = Self::default();
        let mut depths: Vec<usize> = Vec::new();
        for line in gateway.log().find(|line| said(line).is_some()) {
            let line = said(&line).unwrap_or_default();
            let words: Vec<_> = line.splitn(5, ' ').collect();
            match words[..] {
                ["header", digits] => seen.headers.extend(octets(digits)),
                ["body", digits] => seen.body.extend(octets(digits)),
                ["content", digits] => {
                    let part = seen.parts.last_mut().expect("content follows its part");
                    part.content.extend(octets(digits));
                }
                ["part", parent, is_container, has_defects, content_type] => {
                    let parent: usize = parent.parse().expect("an index");
                    let depth = depths.get(parent).map_or(0, |depth| depth + 1);
                    depths.push(depth);
                    seen.has_defects |= has_defects == "true";
                    seen.parts.push(Part {
                        depth,
                        is_container: is_container == "true",
                        content_type: content_type.to_owned(),
                        is_doubtful: has_defects == "true",
                        content: Vec::new(),
                    });
                }
                _ => {}
            }
        }
        seen
    }
}

/// Parts for comparison. Readers differ in harmless ways: on parts that hold nothing, and on whether a
/// line end before the end of the message belongs to a part that no boundary ends.
fn comparable(parts: &[Part]) -> Vec<Part> {
    let mut parts = parts.to_vec();
    for part in &mut parts {
        // What is no type is shown in different ways.
        let end = part.content_type.find(|c: char| c.is_whitespace());
        part.content_type
            .truncate(end.unwrap_or(part.content_type.len()));
        for end in [b'\n', b'\r'] {
            if part.content.last() == Some(&end) {
                part.content.pop();
            }
        }
    }
    let mut kept: Vec<Part> = Vec::new();
    for part in parts.into_iter().rev() {
        let holds_others = kept.last().is_some_and(|next| next.depth > part.depth);
        if holds_others || !part.content.is_empty() {
            kept.push(part);
        }
    }
    kept.reverse();
    kept
}

/// Header fields that decide how a message or a part is read.
const CONTENT_FIELDS: &[&[u8]] = &[
    b"Content-Type: multipart/mixed; boundary=b",
    b"Content-Type: multipart/mixed; boundary=c",
    b"Content-Type: multipart/alternative;\r\n boundary=\"b\"",
    b"Content-Type: text/html",
    b"Content-Type: message/rfc822",
    b"Content-Type: application/x-thing; name=a.exe",
    b"Content-Transfer-Encoding: base64",
    b"Content-Transfer-Encoding: quoted-printable",
];

/// Other lines of a header block, and lines that are none. The guest `editor` acts on some.
const FIELDS: &[&[u8]] = &[
    b"Subject: one",
    b"X-Remove-All: one",
    b"X-Replace-Body: --b",
    b"X-Replace-Body: a line",
    b"MIME-Version: 1.0",
    b"no field",
    b"X\xE9: y",
    b": no name",
    b" folded",
    b"\tfolded",
];

const BOUNDARIES: &[&[u8]] = &[b"--b", b"--b--", b"--c", b"--c--", b"--b ", b"--c\t"];

const TEXT: &[&[u8]] = &[
    b"text",
    b"caf\xC3\xA9 \xFF",
    b".",
    b"..",
    b".x",
    b"QUJD",
    b"TVqQAAM=",
    b"=41=0D",
    b"soft=",
    b"a\0b",
    b"\0",
];

fn line() -> impl Strategy<Value = &'static [u8]> {
    prop_oneof![
        4 => select(CONTENT_FIELDS),
        2 => select(FIELDS),
        4 => select(BOUNDARIES),
        3 => Just(b"".as_slice()),
        3 => select(TEXT),
    ]
}

fn line_end() -> impl Strategy<Value = &'static [u8]> {
    prop_oneof![
        6 => Just(b"\r\n".as_slice()),
        1 => Just(b"\r".as_slice()),
        1 => Just(b"\n".as_slice()),
    ]
}

/// The octets of a message: lines that all end in the same way, or each in its own.
fn content() -> impl Strategy<Value = Vec<u8>> {
    let ends = prop_oneof![
        4 => Just(Some(b"\r\n".as_slice())),
        1 => Just(Some(b"\r".as_slice())),
        1 => Just(Some(b"\n".as_slice())),
        2 => Just(None),
    ];
    let lines = prop::collection::vec((line(), line_end()), 0..24);
    (any::<bool>(), ends, lines, any::<bool>()).prop_map(|(has_parts, ends, lines, is_ended)| {
        let mut octets = Vec::new();
        let first = has_parts.then_some((
            b"Content-Type: multipart/mixed; boundary=b".as_slice(),
            b"\r\n".as_slice(),
        ));
        let mut last = b"".as_slice();
        for (line, end) in first.into_iter().chain(lines) {
            last = ends.unwrap_or(end);
            octets.extend_from_slice(line);
            octets.extend_from_slice(last);
        }
        if !is_ended {
            octets.truncate(octets.len() - last.len());
        }
        octets
    })
}

fn message() -> impl Strategy<Value = Message> {
    let cuts = prop::collection::vec(0..=1000_usize, 0..4);
    let chunks =
        (cuts, any::<bool>()).prop_map(|(cuts, is_binary)| Way::Chunks { cuts, is_binary });
    let way = prop_oneof![Just(Way::Data), chunks];
    (content(), way).prop_map(|(octets, way)| Message { octets, way })
}

/// True if the message ends with the header fields, an empty line, and the body. A message without a
/// body may end with its header block.
fn is_whole(stored: &[u8], seen: &Seen) -> bool {
    let Some(head) = stored.strip_suffix(&seen.body[..]) else {
        return false;
    };
    let blanks = [b"\r\n".as_slice(), b"\n", b"\r", b""];
    let mut heads = blanks.iter().filter_map(|blank| {
        let is_missing = blank.is_empty() && !seen.body.is_empty();
        head.strip_suffix(*blank).filter(|_| !is_missing)
    });
    heads.any(|head| with_line_ends(head).ends_with(&with_line_ends(&seen.headers)))
}

/// Lines, each with CRLF.
fn with_line_ends(octets: &[u8]) -> Vec<u8> {
    let mut lines = Vec::new();
    for (at, octet) in octets.iter().enumerate() {
        match octet {
            b'\n' if at > 0 && octets[at - 1] == b'\r' => {}
            b'\r' | b'\n' => lines.extend_from_slice(b"\r\n"),
            octet => lines.push(*octet),
        }
    }
    lines
}

/// Checks one message in one gateway.
fn check(house: &mut House, reader: &mut Reader, message: &Message) -> Result<(), TestCaseError> {
    let Some((seen, stored)) = house.deliver(message) else {
        return Ok(());
    };
    let shown = |octets: &[u8]| octets.escape_ascii().to_string();
    prop_assert!(
        is_whole(&stored, &seen),
        "stored\n{}\nseen\n{}\n{}",
        shown(&stored),
        shown(&seen.headers),
        shown(&seen.body)
    );
    // A plugin is told that programs may find other parts.
    if seen.has_defects {
        return Ok(());
    }
    let found = reader.read(&stored);
    if found
        .iter()
        .any(|part| part.is_container && part.is_doubtful)
    {
        return Ok(());
    }
    let found = comparable(&found);
    let parts = comparable(&seen.parts);
    let outline = |parts: &[Part]| -> Vec<_> {
        let facts = |part: &Part| (part.depth, part.is_container, part.content_type.clone());
        parts.iter().map(facts).collect()
    };
    prop_assert_eq!(outline(&parts), outline(&found), "{}", shown(&stored));
    for (seen, found) in parts
        .iter()
        .zip(&found)
        .filter(|(_, found)| !found.is_doubtful)
    {
        prop_assert_eq!(
            shown(&seen.content),
            shown(&found.content),
            "{}",
            shown(&stored)
        );
    }
    Ok(())
}

#[test]
fn what_plugins_see_is_what_the_backend_gets() {
    let reader = RefCell::new(Reader::start());
    let cases =
        std::env::var("PROPTEST_CASES").map_or(CASES, |text| text.parse().expect("a number"));
    for store in [Store::Data, Store::Chunks, Store::Maildir] {
        for mode in MODES {
            let house = RefCell::new(House::new(mode, store));
            let mut runner = TestRunner::new(Config {
                cases,
                failure_persistence: None,
                max_shrink_iters: 300,
                ..Config::default()
            });
            runner
                .run(&message(), |message| {
                    check(&mut house.borrow_mut(), &mut reader.borrow_mut(), &message)
                })
                .unwrap_or_else(|error| panic!("{mode}, {store:?}: {error}"));
            let house = house.into_inner();
            // Otherwise the property would hold because nothing was delivered.
            let least = house.messages / 5;
            assert!(
                house.accepted > least,
                "{mode}, {store:?}: {}",
                house.accepted
            );
        }
    }
}
