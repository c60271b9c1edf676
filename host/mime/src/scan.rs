//! Finds where the parts of a message begin and end, in one pass over its lines.

mod divide;

use std::io;
use std::mem;

use memchr::memchr2;
use postgate_proto::header::HeaderLine;

use super::boundary::Open;
use super::facts::Facts;
use super::found::{Found, Kind, Scan};
use super::head::Head;
use super::line_end::{LineEnd, LineEnds};
use super::source::PIECE;

/// Finds parts in lines. Examines each octet once, and those of a line that could be a boundary
/// once more for each open multipart.
#[derive(Debug)]
pub(super) struct Scanner {
    scan: Scan,
    /// The most parts.
    room: usize,
    open: Vec<Open>,
    /// What was closed since the last part began.
    closed: Vec<Open>,
    state: State,
    next_line: NextLine,
    /// The offset at which the text of the last line ended.
    text_end: u64,
    /// The offset at which the current line begins.
    start: u64,
    /// The beginning of the current line, if it came in more than one piece.
    line: Vec<u8>,
    line_length: u64,
    /// True if the last line ended with a CR, so that an LF belongs to the same line ending.
    is_after_cr: bool,
    line_ends: LineEnds,
}

#[derive(Debug)]
enum State {
    /// In the content of the last part.
    Body,
    /// The limit on parts is reached: the rest belongs to the last part.
    Full,
    /// In the header block of the last part.
    Head(Head),
    /// Before the header block of the message that the last part contains.
    Message,
    /// Before the first part of a multipart, or after its last.
    Outside,
}

/// What begins in the last part with the next line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NextLine {
    Body,
    Head,
    None,
}

impl Scanner {
    /// A scanner for the body of a message whose header block was parsed.
    pub(super) fn of_body(facts: &Facts, room: usize) -> Self {
        let mut scanner = Self::new(room);
        scanner.begin_part(None);
        scanner.state = State::Body;
        scanner.next_line = NextLine::None;
        scanner.end_head(facts);
        scanner.next_line = NextLine::None;
        scanner
    }

    /// A scanner for a message with its header block.
    pub(super) fn of_message(room: usize) -> Self {
        let mut scanner = Self::new(room);
        scanner.begin_part(None);
        scanner
    }

    const fn new(room: usize) -> Self {
        Self {
            scan: Scan {
                parts: Vec::new(),
                plain: None,
                html: None,
                #[cfg(test)]
                work: 0,
            },
            room,
            open: Vec::new(),
            closed: Vec::new(),
            state: State::Outside,
            next_line: NextLine::None,
            text_end: 0,
            start: 0,
            line: Vec::new(),
            line_length: 0,
            is_after_cr: false,
            line_ends: LineEnds::new(),
        }
    }

    /// True if further octets cannot change the result.
    fn is_done(&self) -> bool {
        matches!(self.state, State::Full) && self.next_line == NextLine::None
    }

    /// Scans the next piece. A lone CR or LF ends a line as well as CRLF does, as in
    /// [`HeaderBlock`](postgate_proto::header::HeaderBlock).
    pub(super) fn feed(&mut self, mut octets: &[u8]) {
        while !octets.is_empty() {
            if mem::take(&mut self.is_after_cr) {
                if let Some(rest) = octets.strip_prefix(b"\n") {
                    self.end_line(LineEnd::CrLf);
                    self.start += 1;
                    octets = rest;
                    continue;
                }
                self.end_line(LineEnd::Cr);
            }
            if matches!(self.state, State::Full) {
                self.begin_line(self.start);
                return;
            }
            let Some(end) = memchr2(b'\r', b'\n', octets) else {
                self.keep(octets);
                return;
            };
            let text = &octets[..end];
            let length = self.line_length + text.len() as u64;
            self.text_end = match self.line_length {
                0 => self.take_line(text, length),
                _ => {
                    self.keep(text);
                    let line = mem::take(&mut self.line);
                    let text_end = self.take_line(&line, length);
                    self.line = line;
                    self.line.clear();
                    text_end
                }
            };
            self.line_length = 0;
            self.start += length + 1;
            match octets[end] {
                b'\n' => self.end_line(LineEnd::Lf),
                _ => self.is_after_cr = true,
            }
            octets = &octets[end + 1..];
        }
    }

    /// Ends the scan of `length` octets.
    pub(super) fn finish(mut self, length: u64) -> Scan {
        if self.line_length > 0 {
            let line = mem::take(&mut self.line);
            self.take_line(&line, self.line_length);
        }
        if self.is_after_cr {
            self.end_line(LineEnd::Cr);
        }
        self.begin_line(length);
        let is_opaque = self.scan.parts.last().is_some_and(|part| part.is_opaque);
        let is_in_multipart = self.open.iter().any(|open| open.boundary.is_some());
        let is_cut = is_in_multipart && !is_opaque && self.line_length == 0;
        let end = match &self.state {
            // The missing boundary would take the last line ending.
            State::Body | State::Message if is_cut => self.text_end,
            _ => length,
        };
        self.end_last(length, end);
        self.close(0, length);
        self.scan
    }

    /// Stores the beginning of a line, at most [`MAX_LINE`] octets.
    fn keep(&mut self, octets: &[u8]) {
        self.line_length += octets.len() as u64;
        let room = MAX_LINE.saturating_sub(self.line.len());
        self.line
            .extend_from_slice(&octets[..room.min(octets.len())]);
    }

    /// Scans a line without its ending, and returns the offset at which its text ends.
    fn take_line(&mut self, text: &[u8], length: u64) -> u64 {
        #[cfg(test)]
        {
            let again = match text.starts_with(b"--") {
                true => self.open.len() as u64,
                false => 0,
            };
            self.scan.work += (1 + again) * text.len() as u64;
        }
        let (start, end) = (self.start, self.start + length);
        self.begin_line(start);
        if self.take_boundary(text, length) {
            return end;
        }
        loop {
            let last = self.scan.parts.len() - 1;
            match &mut self.state {
                State::Message => {
                    self.begin_part(Some(last));
                    self.begin_line(start);
                }
                State::Head(head) => {
                    let kind = HeaderLine::of(text);
                    self.line_ends.matter_to(last);
                    if kind.is_in_part() {
                        let is_first = head.is_empty();
                        head.line(kind, text, length);
                        if is_odd(kind, is_first) {
                            self.doubt(last);
                        }
                        return end;
                    }
                    let head = mem::take(head);
                    let facts = head.facts(self.default_type());
                    self.end_head(&facts);
                    self.scan.parts[last].head.end = start;
                    if kind == HeaderLine::Blank {
                        return end;
                    }
                    self.doubt(last);
                    // The content begins with this line, perhaps with the boundary of this part.
                    self.begin_line(start);
                    if self.take_boundary(text, length) {
                        return end;
                    }
                }
                State::Body | State::Full | State::Outside => return end,
            }
        }
    }

    /// Begins at `start` what was to begin with the next line.
    fn begin_line(&mut self, start: u64) {
        let Some(part) = self.scan.parts.last_mut() else {
            return;
        };
        match mem::replace(&mut self.next_line, NextLine::None) {
            NextLine::Body => part.body = start..start,
            NextLine::Head => {
                part.head = start..start;
                part.body = start..start;
            }
            NextLine::None => {}
        }
    }

    /// Adds a part that begins with the next line.
    fn begin_part(&mut self, parent: Option<usize>) {
        let index = self.scan.parts.len();
        if let Some(parent) = parent {
            self.scan.parts[parent].container = true;
        }
        let is_opaque = parent.is_some() && index + 1 >= self.room;
        self.scan.parts.push(Found {
            parent: parent.unwrap_or(index),
            head: 0..0,
            body: 0..0,
            kind: Kind::Other,
            container: false,
            is_ambiguous: false,
            is_opaque,
        });
        (self.next_line, self.state) = match is_opaque {
            true => (NextLine::Body, State::Full),
            false => (NextLine::Head, State::Head(Head::default())),
        };
    }

    /// Ends the header block of the last part, whose content begins with the next line.
    fn end_head(&mut self, facts: &Facts) {
        self.next_line = NextLine::Body;
        self.state = State::Body;
        let kind = self.set_kind(facts);
        let index = self.scan.parts.len() - 1;
        if facts.is_cut {
            self.scan.parts[index].is_opaque = true;
            return;
        }
        let boundary = match kind {
            Kind::Message => None,
            _ if kind.is_multipart() => match &facts.boundary {
                Some(boundary) => Some(boundary.clone().into_bytes()),
                None => return,
            },
            _ => {
                self.show(index, kind, facts);
                return;
            }
        };
        if self.open.len() >= MAX_DEPTH {
            self.scan.parts[index].is_opaque = true;
            return;
        }
        let others = match boundary {
            None => Vec::new(),
            Some(_) => facts.other_boundaries(),
        };
        self.state = match boundary {
            None => State::Message,
            Some(_) => State::Outside,
        };
        self.open.push(Open {
            part: index,
            boundary,
            others,
        });
    }

    fn set_kind(&mut self, facts: &Facts) -> Kind {
        let kind = Kind::of(facts);
        if let Some(part) = self.scan.parts.last_mut() {
            part.kind = kind;
        }
        kind
    }

    /// The type of a part without Content-Type (RFC 2046 §5.1.5).
    fn default_type(&self) -> &'static str {
        match self.parent_of_last() {
            Some(parent) if parent.kind == Kind::Digest => "message/rfc822",
            _ => "text/plain",
        }
    }

    fn parent_of_last(&self) -> Option<&Found> {
        let index = self.scan.parts.len().checked_sub(1)?;
        let parent = self.scan.parts[index].parent;
        (parent != index).then(|| &self.scan.parts[parent])
    }

    /// Records the first part that mail readers show. They do not show parts of an attached
    /// message.
    fn show(&mut self, index: usize, kind: Kind, facts: &Facts) {
        if self.open.iter().any(|open| open.boundary.is_none()) {
            return;
        }
        let siblings = self.parent_of_last().map(|parent| parent.kind);
        let is_first = self.scan.parts[index].parent + 1 >= index;
        let is_shown = siblings == Some(Kind::Alternative)
            || !facts.is_attachment()
                && (is_first || siblings != Some(Kind::Related) && !facts.has_name);
        match kind {
            Kind::Plain if is_shown => self.scan.plain.get_or_insert(index),
            Kind::Html if is_shown => self.scan.html.get_or_insert(index),
            _ => return,
        };
    }

    /// Ends the last part unless it has ended. The line ending before a boundary belongs to the
    /// boundary (RFC 2046 §5.1.1).
    fn end_last(&mut self, line: u64, before: u64) {
        let Some(part) = self.scan.parts.last_mut() else {
            return;
        };
        match &mut self.state {
            State::Body | State::Full => part.body.end = before.max(part.body.start),
            State::Message => {
                part.body.end = before.max(part.body.start);
                self.add_empty(line);
            }
            State::Head(head) => {
                let head = mem::take(head);
                part.head.end = line;
                part.body = line..line;
                let facts = head.facts(self.default_type());
                if self.set_kind(&facts) == Kind::Message && !facts.is_cut {
                    self.add_empty(line);
                }
            }
            State::Outside => {}
        }
    }

    /// Adds the message without any octets that the last part contains.
    fn add_empty(&mut self, at: u64) {
        let parent = self.scan.parts.len() - 1;
        self.begin_part(Some(parent));
        self.begin_line(at);
        self.set_kind(&Facts::new("text/plain"));
        self.state = State::Outside;
    }

    /// Closes the open parts from `index` on. One that turns out to have no parts keeps its last line
    /// ending.
    fn close(&mut self, index: usize, end: u64) {
        for open in self.open.drain(index..) {
            let part = &mut self.scan.parts[open.part];
            let end = match part.container {
                true => end,
                false => self.start.max(end),
            };
            part.body.end = end.max(part.body.start);
            self.closed.push(open);
        }
    }
}

/// True for a line in the header block of a part with which some programs end the block. The line that
/// an mbox has before a message may be the first one.
const fn is_odd(kind: HeaderLine, is_first: bool) -> bool {
    match kind {
        HeaderLine::Continuation => is_first,
        HeaderLine::Mailbox { .. } => !is_first,
        HeaderLine::Unnamed => true,
        HeaderLine::Blank | HeaderLine::Field { .. } | HeaderLine::Text => false,
    }
}

/// Scans `length` octets that `read` gives in pieces.
pub(super) fn scan(
    mut scanner: Scanner,
    length: u64,
    mut read: impl FnMut(u64, &mut [u8]) -> io::Result<usize>,
) -> io::Result<Scan> {
    let mut buffer = vec![0; PIECE];
    let mut offset = 0;
    while offset < length && !scanner.is_done() {
        let count = read(offset, &mut buffer)?;
        if count == 0 {
            break;
        }
        scanner.feed(&buffer[..count]);
        offset += count as u64;
    }
    Ok(scanner.finish(length))
}

/// The most multiparts and messages within one another.
const MAX_DEPTH: usize = 32;
/// The part of a line that is examined, in octets: longer than any relevant field and any boundary.
const MAX_LINE: usize = 16_384;
