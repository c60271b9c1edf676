//! The decoder of messages: finds the end of DATA, removes dot-stuffing (RFC 5321 §4.5.2), and checks or
//! mends line endings, also those of BDAT.

use std::ops::Range;

use memchr::{memchr2, memchr2_iter};

/// Decodes the octets that follow a 354 reply, or those of chunks of text, in pieces of any size.
///
/// Only CRLF ends a line, and only `CRLF . CRLF` ends the message, except with
/// [`LineEndings::EnsureLegacy`]. A bare CR or LF is recorded as a [`Flaw`], and decoding continues to
/// the real end: after an early end, the rest of the message would be read as commands.
#[derive(Debug)]
pub struct DataDecoder {
    dots: Dots,
    line_endings: LineEndings,
    state: State,
    flaw: Option<Flaw>,
    line: usize,
    longest_line: usize,
}

/// The meaning of a dot at the start of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dots {
    /// It is removed, or ends the message: DATA.
    Stuffed,
    /// None: BDAT.
    Text,
}

/// The treatment of a CR or LF that is not part of a CRLF.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LineEndings {
    /// A bare LF becomes CRLF, and a bare CR is removed. Neither ends the message.
    Ensure,
    /// As `Ensure`, and a bare LF ends a line before and after the final dot. This permits SMTP
    /// smuggling: another server may see two messages where this one sees one, or the reverse.
    EnsureLegacy,
    /// It is kept.
    Leave,
    /// The message is refused.
    #[default]
    Strict,
}

/// Makes lines that end with CRLF of a text. A lone CR or LF becomes one, as mail programs read it, and the
/// last line is completed.
#[derive(Debug)]
pub struct Lines<'a> {
    text: &'a [u8],
    /// How much was looked at.
    seen: usize,
    /// How much was copied.
    copied: usize,
    /// The end of the last line.
    line: usize,
    lines: Vec<u8>,
}

impl<'a> Lines<'a> {
    /// Begins with a text.
    pub const fn of(text: &'a [u8]) -> Self {
        Self {
            text,
            seen: 0,
            copied: 0,
            line: 0,
            lines: Vec::new(),
        }
    }

    /// Looks at the next octets, at most [`Self::STEP`]. Returns true at the end of the text.
    pub fn step(&mut self) -> bool {
        let begin = self.seen;
        self.seen = self.text.len().min(begin + Self::STEP);
        for end in memchr2_iter(b'\r', b'\n', &self.text[begin..self.seen]) {
            let end = begin + end;
            // The LF of a CRLF.
            if end < self.line {
                continue;
            }
            self.line = end + 1;
            if self.text[end..].starts_with(b"\r\n") {
                self.line += 1;
                continue;
            }
            self.lines.extend_from_slice(&self.text[self.copied..end]);
            self.lines.extend_from_slice(b"\r\n");
            self.copied = self.line;
        }
        self.seen == self.text.len()
    }

    /// Goes through the rest of the text, and returns its lines. Returns `None` if it has such lines already:
    /// it is not copied then.
    pub fn finish(mut self) -> Option<Vec<u8>> {
        while !self.step() {}
        let is_complete = self.line == self.text.len();
        if self.copied == 0 && is_complete {
            return None;
        }
        self.lines.extend_from_slice(&self.text[self.copied..]);
        if !is_complete {
            self.lines.extend_from_slice(b"\r\n");
        }
        Some(self.lines)
    }

    /// The number of octets in one step.
    pub const STEP: usize = 16_384;
}

/// The next element of the input.
#[derive(Debug, PartialEq, Eq)]
pub enum Decoded {
    /// The end of the message.
    End,
    /// Octets of the message that are not in the input: a CR that was held back, or a corrected line
    /// ending.
    Fixed(&'static [u8]),
    /// There is no more input.
    NeedMore,
    /// Octets of the message, as a range of the input.
    Text(Range<usize>),
}

/// A fault in the line endings of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// A CR without LF.
    BareCr,
    /// An LF without CR.
    BareLf,
}

impl DataDecoder {
    /// A decoder at the start of a message sent with DATA.
    pub const fn new(line_endings: LineEndings) -> Self {
        Self::with(Dots::Stuffed, line_endings)
    }

    /// A decoder at the start of a message of text sent with BDAT (RFC 3030 §2). Its end is not in the
    /// octets: [`finish`](Self::finish) follows the last chunk.
    pub const fn of_chunks(line_endings: LineEndings) -> Self {
        Self::with(Dots::Text, line_endings)
    }

    const fn with(dots: Dots, line_endings: LineEndings) -> Self {
        Self {
            dots,
            line_endings,
            state: State::LineStart,
            flaw: None,
            line: 0,
            longest_line: 0,
        }
    }

    /// Decodes the start of the input. Returns the number of consumed octets and what they mean. Call
    /// again with the rest until it returns [`Decoded::NeedMore`] or [`Decoded::End`].
    pub fn decode(&mut self, input: &[u8]) -> (usize, Decoded) {
        let mut start = 0;
        let mut at = 0;
        while let Some(&byte) = input.get(at) {
            match (self.state, byte) {
                (State::LineStart, b'.') if self.dots == Dots::Text => self.state = State::Text,
                (State::LineStart, b'.') if start < at => break,
                (State::LineStart, b'.') => {
                    at += 1;
                    start = at;
                    self.state = State::Dot;
                }
                (State::Dot, b'\r') => {
                    at += 1;
                    start = at;
                    self.state = State::DotCr;
                }
                (State::DotCr, b'\n') => return self.end(at),
                (State::Dot, b'\n') if self.line_endings == LineEndings::EnsureLegacy => {
                    return self.end(at);
                }
                (State::DotCr, _) if self.corrects() => self.state = State::HeldCr,
                (State::DotCr, _) => {
                    self.state = State::Cr;
                    return (at, Decoded::Fixed(b"\r"));
                }
                (State::HeldCr, b'\n') => {
                    self.end_line();
                    return (at + 1, Decoded::Fixed(b"\r\n"));
                }
                (State::Cr, b'\n') => {
                    at += 1;
                    self.end_line();
                }
                (State::Cr | State::HeldCr, _) => {
                    self.flaw.get_or_insert(Flaw::BareCr);
                    self.state = State::Text;
                }
                (State::LineStart | State::Dot | State::Text, _) => {
                    match self.text(&input[at..]) {
                        Some(length) => at += length,
                        // Return what precedes the line ending before it is corrected.
                        None if start < at => break,
                        None if byte == b'\n' => return self.correct_lf(at),
                        None => {
                            at += 1;
                            start = at;
                            self.state = State::HeldCr;
                        }
                    }
                }
            }
        }
        match start < at {
            true => (at, Decoded::Text(start..at)),
            false => (at, Decoded::NeedMore),
        }
    }

    /// Ends a message sent with BDAT. Returns the line ending that its last line lacks, unless line
    /// endings are left as they are, and then [`Decoded::End`].
    pub fn finish(&mut self) -> Decoded {
        if matches!(self.state, State::Cr | State::HeldCr) {
            self.flaw.get_or_insert(Flaw::BareCr);
        }
        let is_incomplete = self.line > 0 && self.line_endings != LineEndings::Leave;
        self.end_line();
        match is_incomplete {
            true => Decoded::Fixed(b"\r\n"),
            false => Decoded::End,
        }
    }

    /// The first fault in the line endings so far.
    pub const fn flaw(&self) -> Option<Flaw> {
        self.flaw
    }

    /// The length of the longest line so far in octets, without its line ending.
    pub const fn longest_line(&self) -> usize {
        self.longest_line
    }

    fn end(&mut self, at: usize) -> (usize, Decoded) {
        self.state = State::LineStart;
        (at + 1, Decoded::End)
    }

    const fn end_line(&mut self) {
        self.line = 0;
        self.state = State::LineStart;
    }

    const fn corrects(&self) -> bool {
        matches!(
            self.line_endings,
            LineEndings::Ensure | LineEndings::EnsureLegacy
        )
    }

    /// Reads past the next CR or bare LF, or to the end, and returns the length. Returns `None` if the
    /// input starts with a line ending that must be corrected.
    fn text(&mut self, input: &[u8]) -> Option<usize> {
        let found = memchr2(b'\r', b'\n', input);
        let length = found.unwrap_or(input.len());
        self.line += length;
        self.longest_line = self.longest_line.max(self.line);
        let Some(index) = found else {
            self.state = State::Text;
            return Some(length);
        };
        let is_whole = input[index..].starts_with(b"\r\n");
        if self.corrects() && !is_whole {
            self.state = if index > 0 { State::Text } else { self.state };
            return (index > 0).then_some(index);
        }
        self.state = match input[index] {
            b'\r' => State::Cr,
            // A bare LF does not end a line, so that a dot after it has no meaning.
            _ => {
                self.flaw.get_or_insert(Flaw::BareLf);
                State::Text
            }
        };
        Some(index + 1)
    }

    fn correct_lf(&mut self, at: usize) -> (usize, Decoded) {
        self.flaw.get_or_insert(Flaw::BareLf);
        self.end_line();
        if self.line_endings != LineEndings::EnsureLegacy {
            // A dot after it has no meaning.
            self.state = State::Text;
        }
        (at + 1, Decoded::Fixed(b"\r\n"))
    }
}

/// The last octets that were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// A CR that belongs to the text.
    Cr,
    /// A dot at the start of a line.
    Dot,
    /// A dot at the start of a line, and CR.
    DotCr,
    /// A CR that belongs to the text only if an LF follows.
    HeldCr,
    /// CRLF, or nothing.
    LineStart,
    /// Anything else.
    Text,
}

#[cfg(test)]
mod tests;
