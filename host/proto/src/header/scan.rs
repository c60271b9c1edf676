//! Where a header block ends, and what its lines are: the one rule for messages and their parts.
//!
//! Lines end with CRLF, a lone CR or a lone LF. A message is mended where programs would disagree
//! (see [`HeaderBlock::split`](crate::header::HeaderBlock::split)); its parts are not, and are read
//! as they are.

use std::mem;

use memchr::memchr2;

use crate::header::field::{is_name_byte, is_white_space};

/// What a line is, if a header block begins with it or goes on with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderLine {
    /// An empty line, which ends the block.
    Blank,
    /// A line that begins with white space, and continues the one before it.
    Continuation,
    /// The first line of a field (RFC 5322 §2.2).
    Field {
        /// The length of the name in octets.
        name: usize,
        /// The offset of the colon, which is larger than `name` if there is white space before it
        /// (RFC 5322 §4.5).
        colon: usize,
    },
    /// `From ` as in an mbox, behind this number of `>`.
    Mailbox {
        /// The number of `>` before `From `.
        quotes: usize,
    },
    /// Anything else, which belongs to the body.
    Text,
    /// A colon without a name before it.
    Unnamed,
}

impl HeaderLine {
    /// The kind of a line without its line ending.
    pub fn of(line: &[u8]) -> Self {
        match (Self::of_beginning(line), line) {
            (Some(kind), _) => kind,
            (None, []) => Self::Blank,
            (None, _) => match mailbox(line) {
                Some(quotes) => Self::Mailbox { quotes },
                None => Self::Text,
            },
        }
    }

    /// The kind of a line of which only the beginning is known. Returns `None` if it depends on what
    /// follows.
    pub(super) fn of_beginning(text: &[u8]) -> Option<Self> {
        let considered = &text[..text.len().min(MAX_NAME)];
        let undecided = (text.len() < MAX_NAME).then_some(());
        let Some(name) = considered.iter().position(|octet| !is_name_byte(*octet)) else {
            return match undecided {
                Some(()) => None,
                None => Some(Self::Text),
            };
        };
        if name == 0 && is_white_space(considered[0]) {
            return Some(Self::Continuation);
        }
        let after = &considered[name..];
        let Some(space) = after.iter().position(|octet| !is_white_space(*octet)) else {
            return match undecided {
                Some(()) => None,
                None => Some(Self::Text),
            };
        };
        Some(match (name, after[space]) {
            (0, b':') => Self::Unnamed,
            (_, b':') => Self::Field {
                name,
                colon: name + space,
            },
            _ => match mailbox(text) {
                Some(quotes) => Self::Mailbox { quotes },
                None => Self::Text,
            },
        })
    }

    /// True if the line belongs to the header block of a message, as Postfix reads it.
    pub(super) const fn is_in_message(self, is_first: bool) -> bool {
        match self {
            Self::Field { .. } => true,
            Self::Continuation => !is_first,
            // The line that an mbox has before a message is no part of it, and comes first.
            Self::Mailbox { .. } => is_first,
            Self::Blank | Self::Text | Self::Unnamed => false,
        }
    }

    /// True if the line belongs to the header block of a part. It cannot be mended, and is read as
    /// the parser of Python reads it: `From ` lines and lines without a name are passed over, and
    /// white space before a colon ends the block.
    pub const fn is_in_part(self) -> bool {
        match self {
            Self::Continuation | Self::Unnamed | Self::Mailbox { quotes: 0 } => true,
            Self::Field { name, colon } => name == colon,
            Self::Blank | Self::Mailbox { .. } | Self::Text => false,
        }
    }
}

/// Finds the end of the header block of a message in octets that arrive in pieces of any size.
#[derive(Clone, Debug, Default)]
pub struct HeaderScanner {
    at: At,
    /// The beginning of a line of unknown kind, if it came in earlier pieces.
    beginning: Vec<u8>,
    /// The size of the lines before the current one.
    lines: usize,
    /// The size of the current line so far.
    line: usize,
}

impl HeaderScanner {
    /// A scanner at the start of a message.
    pub const fn new() -> Self {
        Self {
            at: At::LineStart,
            beginning: Vec::new(),
            lines: 0,
            line: 0,
        }
    }

    /// Scans the next octets. Returns true once the block has ended, perhaps in earlier octets.
    pub fn scan(&mut self, mut octets: &[u8]) -> bool {
        while let Some(&first) = octets.first() {
            let taken = match self.at {
                At::End => return true,
                At::Cr if first == b'\n' => {
                    self.end_line(1);
                    1
                }
                At::Cr => {
                    self.end_line(0);
                    0
                }
                At::BlankCr => {
                    self.line += usize::from(first == b'\n');
                    self.end(self.line);
                    return true;
                }
                At::LineStart => self.begin_line(octets),
                At::Line => self.go_on(octets),
            };
            octets = &octets[taken..];
        }
        self.at == At::End
    }

    /// The size of the block so far in octets, with the blank line that ends it, if there is one.
    pub const fn size(&self) -> usize {
        self.lines + self.line
    }

    /// Scans the text of a line of unknown kind, or a blank line. Returns the number of octets taken.
    fn begin_line(&mut self, octets: &[u8]) -> usize {
        let end = memchr2(b'\r', b'\n', octets);
        let text = &octets[..end.unwrap_or(octets.len())];
        let kind = |line: &[u8]| match end {
            Some(_) => Some(HeaderLine::of(line)),
            None => HeaderLine::of_beginning(line),
        };
        let mut beginning = mem::take(&mut self.beginning);
        let kind = match beginning.as_slice() {
            [] => kind(text),
            _ => {
                beginning.extend_from_slice(text);
                kind(&beginning)
            }
        };
        let is_first = self.lines == 0;
        match kind {
            None => {
                if beginning.is_empty() {
                    beginning.extend_from_slice(text);
                }
                self.beginning = beginning;
                self.line += text.len();
                text.len()
            }
            Some(HeaderLine::Blank) => {
                self.line = 1;
                match octets[0] {
                    b'\r' => self.at = At::BlankCr,
                    _ => self.end(1),
                }
                1
            }
            Some(kind) if kind.is_in_message(is_first) => {
                self.at = At::Line;
                self.line += text.len();
                text.len()
            }
            Some(_) => {
                self.end(0);
                octets.len()
            }
        }
    }

    /// Scans a line that belongs to the block. Returns the number of octets taken.
    fn go_on(&mut self, octets: &[u8]) -> usize {
        let end = memchr2(b'\r', b'\n', octets);
        let taken = end.map_or(octets.len(), |end| end + 1);
        self.line += taken;
        match end.map(|end| octets[end]) {
            Some(b'\r') => self.at = At::Cr,
            Some(_) => self.end_line(0),
            None => {}
        }
        taken
    }

    const fn end_line(&mut self, more: usize) {
        self.lines += self.line + more;
        self.line = 0;
        self.at = At::LineStart;
    }

    /// Ends the block after `length` octets of the current line.
    const fn end(&mut self, length: usize) {
        self.line = length;
        self.at = At::End;
    }
}

/// The position in a header block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum At {
    /// After a CR that is a blank line. An LF that follows is part of it.
    BlankCr,
    /// After a CR that ends a line. An LF that follows is part of it.
    Cr,
    End,
    /// In a line that belongs to the block.
    Line,
    /// At the start of a line, or in one of unknown kind.
    #[default]
    LineStart,
}

/// The line that begins at `start`: the end of its text, and its end with the line ending.
pub(super) fn line_end(octets: &[u8], start: usize) -> (usize, usize) {
    let Some(length) = memchr2(b'\r', b'\n', &octets[start..]) else {
        return (octets.len(), octets.len());
    };
    let end = start + length;
    match octets[end..].starts_with(b"\r\n") {
        true => (end, end + 2),
        false => (end, end + 1),
    }
}

/// The number of `>` before `From `. Returns `None` if the line is something else.
fn mailbox(line: &[u8]) -> Option<usize> {
    let quotes = line.iter().take_while(|octet| **octet == b'>').count();
    line[quotes..].starts_with(b"From ").then_some(quotes)
}

/// The maximum length of the name of a field with its colon, in octets: that of a line (RFC 5322
/// §2.1.1). It bounds what must be kept of a line before its kind is known.
const MAX_NAME: usize = 998;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::header::HeaderBlock;

    #[test]
    fn kinds_of_lines() {
        use HeaderLine::{Blank, Continuation, Field, Mailbox, Text, Unnamed};
        let longest = "n".repeat(MAX_NAME - 1) + ":";
        let longer = "n".repeat(MAX_NAME) + ":";
        let spaces = format!("A{}:", " ".repeat(MAX_NAME));
        let field = |name, colon| Field { name, colon };
        let table = [
            ("", Blank),
            (" ", Continuation),
            ("\tA: b", Continuation),
            ("A:", field(1, 1)),
            ("A \t: b", field(1, 3)),
            ("Subject: x", field(7, 7)),
            ("From: a@b", field(4, 4)),
            ("From : a@b", field(4, 5)),
            ("From ", Mailbox { quotes: 0 }),
            ("From a@b Mon Jan 1", Mailbox { quotes: 0 }),
            (">>From a", Mailbox { quotes: 2 }),
            ("From\ta", Text),
            (": no name", Unnamed),
            ("no field", Text),
            ("é: b", Text),
            ("A\0: b", Text),
            ("A", Text),
            ("--b", Text),
            (longest.as_str(), field(MAX_NAME - 1, MAX_NAME - 1)),
            (longer.as_str(), Text),
            (spaces.as_str(), Text),
        ];
        for (line, expected) in table {
            assert_eq!(HeaderLine::of(line.as_bytes()), expected, "{line:?}");
            for length in 0..line.len() {
                let beginning = HeaderLine::of_beginning(&line.as_bytes()[..length]);
                assert!(
                    beginning.is_none_or(|kind| kind == expected),
                    "{line:?} {length}"
                );
            }
        }
    }

    /// The size of the block, and true if it has ended.
    fn scanned<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (usize, bool) {
        let mut scanner = HeaderScanner::new();
        let mut has_ended = false;
        for piece in pieces {
            has_ended = scanner.scan(piece);
        }
        (scanner.size(), has_ended)
    }

    #[test]
    fn the_end_of_a_block() {
        let table = [
            ("", 0, false),
            ("A: b\r\n", 6, false),
            ("A: b\r\n\r\nbody", 8, true),
            ("A: b\n\nbody", 6, true),
            ("A: b\r\rbody", 6, true),
            ("A: b\r\r", 6, false),
            ("A: b\n\r\nbody", 7, true),
            ("\r\nA: b", 2, true),
            ("A: b\r\nbody\r\n", 6, true),
            ("A: b\r\n--boundary\r\n", 6, true),
            ("A: b\r\n folded\r\n\t\r\nbody\r\n", 18, true),
            ("A: b\r\nFrom a\r\n", 6, true),
            ("A: b\r\n: c\r\n", 6, true),
            (" folded\r\nA: b", 0, true),
            ("body\r\n", 0, true),
            (">From a\r\nA: b\r\n\r\n", 17, true),
            ("A: b\r\nbo", 8, false),
        ];
        for (octets, size, has_ended) in table {
            let octets = octets.as_bytes();
            let shown = octets.escape_ascii();
            let expected = (size, has_ended);
            assert_eq!(scanned([octets]), expected, "{shown}");
            assert_eq!(
                scanned(octets.chunks(1)),
                expected,
                "{shown}, octet by octet"
            );
            for cut in 0..=octets.len() {
                let (start, end) = octets.split_at(cut);
                assert_eq!(scanned([start, b"", end]), expected, "{shown} at {cut}");
            }
        }
    }

    fn octets() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop::sample::select(vec![
            "A: b", "a :c", "From ", ">", "text", " ", "\t", ":", "é", "\r\n", "\n", "\r", "\0",
            "x\r\n",
        ]);
        prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat().into_bytes())
    }

    proptest! {
        #[test]
        fn pieces_are_read_as_the_whole(octets in octets(), cuts in (1_usize..9, 1_usize..9)) {
            let (block, rest) = HeaderBlock::split(octets.clone());
            let (size, has_ended) = scanned(octets.chunks(cuts.0));
            prop_assert_eq!((size, has_ended), scanned(octets.chunks(cuts.1)));
            prop_assert_eq!((size, has_ended), scanned([octets.as_slice()]));
            if has_ended {
                prop_assert_eq!(size, block.given().len());
                prop_assert_eq!(rest, octets[size..].to_vec());
            } else {
                prop_assert_eq!(size, octets.len());
            }
        }
    }
}
