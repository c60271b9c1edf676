//! The header block: an index of lines over one buffer.

use std::borrow::Cow;
use std::collections::{VecDeque, vec_deque};
use std::hash::RandomState;
use std::ops::Range;
use std::sync::OnceLock;

use crate::header::edit::HeaderEdit;
use crate::header::field::{HeaderName, HeaderValue, write_field};
use crate::header::line::{Line, Tagged};
use crate::header::scan::{HeaderLine, line_end};
use crate::header::view::Field;

/// The header block of a message or of a part, including the empty line that ends it.
///
/// What is not edited is kept octet for octet, except what [`split`](Self::split) mends.
#[derive(Clone, Debug, Default)]
pub struct HeaderBlock {
    /// The original block, followed by the fields that edits have added.
    pub(super) buffer: Vec<u8>,
    /// The length of the original block.
    given: usize,
    /// A deque, because most fields are added at one of the ends.
    pub(super) lines: VecDeque<Line>,
    /// The number of lines that are fields.
    pub(super) fields: usize,
    /// The indices of the lines that are fields, computed on demand if not all of them are.
    places: OnceLock<Vec<usize>>,
    /// The size of the rendered block, computed on demand.
    size: OnceLock<usize>,
    /// The hasher of the name tags. Its random keys prevent a client from constructing collisions.
    pub(super) hasher: RandomState,
    ending: Ending,
}

impl HeaderBlock {
    /// Takes the header block off the octets of a message, and returns what follows it: the body, as
    /// far as there is any. Never fails. [`HeaderScanner`](crate::header::HeaderScanner) finds the same
    /// end.
    ///
    /// Programs disagree on blocks that break the rules, so they are mended as Postfix does, and all
    /// find the fields that this block has:
    ///
    /// - A line that is no field, continues none and is not empty is the first line of the body. The
    ///   empty line that is missing before it is put in.
    /// - White space between the name of a field and its colon is removed (RFC 5322 §4.5.8).
    /// - A first line `From ` of an mbox, also behind `>`, becomes the field `X-Mailbox-Line`.
    /// - A lone CR or LF in place of the empty line becomes CRLF, unless the line before it ends in the
    ///   same way.
    pub fn split(octets: Vec<u8>) -> (Self, Vec<u8>) {
        let mut block = Self::index(octets, HeaderLine::is_in_message);
        let body = block.buffer.split_off(block.given);
        if !body.is_empty() {
            block.separate();
        }
        if let Ending::Given(blank) = &block.ending
            && !block.is_usual(blank)
        {
            block.ending = Ending::Added;
        }
        block.mend();
        (block, body)
    }

    /// Parses a whole block, for example that of a part. Never fails: lines that are not fields are kept
    /// and not counted, and so is anything after the first empty line.
    pub fn parse(octets: Vec<u8>) -> Self {
        let mut block = Self::index(octets, |line, _| line != HeaderLine::Blank);
        let all = block.buffer.len();
        if let Ending::Given(blank) = &mut block.ending {
            blank.end = all;
        }
        block.given = all;
        block
    }

    /// Indexes the lines of a block up to the first one that does not belong to it.
    fn index(octets: Vec<u8>, belongs: impl Fn(HeaderLine, bool) -> bool) -> Self {
        let mut lines: VecDeque<Line> = VecDeque::new();
        let hasher = RandomState::new();
        let mut at = 0;
        let mut ending = Ending::None;
        while at < octets.len() {
            let (text_end, end) = line_end(&octets, at);
            let kind = HeaderLine::of(&octets[at..text_end]);
            if !belongs(kind, lines.is_empty()) {
                if kind == HeaderLine::Blank {
                    ending = Ending::Given(at..end);
                    at = end;
                }
                break;
            }
            match (kind, lines.back_mut()) {
                (HeaderLine::Continuation, Some(line)) => line.range.end = end,
                _ => lines.push_back(Line::new(kind, &octets, at..end, &hasher)),
            }
            at = end;
        }
        Self {
            given: at,
            fields: lines.iter().filter(|line| line.is_field()).count(),
            buffer: octets,
            lines,
            places: OnceLock::new(),
            size: OnceLock::new(),
            hasher,
            ending,
        }
    }

    /// True if programs that know the line before this empty one know this one too.
    fn is_usual(&self, blank: &Range<usize>) -> bool {
        let (before, blank) = (&self.buffer[..blank.start], &self.buffer[blank.clone()]);
        match blank {
            b"\r\n" => true,
            b"\n" => before.ends_with(b"\n") && !before.ends_with(b"\r\n"),
            _ => before.ends_with(b"\r"),
        }
    }

    /// Rewrites the lines of a message that programs disagree on.
    fn mend(&mut self) {
        for line in &mut self.lines {
            let (text, range) = (line.text(&self.buffer), line.range.clone());
            let start = self.buffer.len();
            match line.colon() {
                Some(colon) => {
                    let name = text[..colon].trim_ascii_end().len();
                    if name == colon {
                        continue;
                    }
                    self.buffer
                        .extend_from_within(range.start..range.start + name);
                    self.buffer
                        .extend_from_within(range.start + colon..range.end);
                }
                None => {
                    self.buffer.extend_from_slice(b"X-Mailbox-Line: ");
                    self.buffer.extend_from_within(range);
                }
            }
            *line = Line::of_field(&self.buffer, start..self.buffer.len(), &self.hasher);
        }
        self.fields = self.lines.len();
    }

    /// Applies an edit. Several are applied together by [`revise`](Self::revise).
    pub fn apply(&mut self, edit: &HeaderEdit) {
        self.forget();
        match edit {
            HeaderEdit::Prepend(name, value) => self.insert(0, name, value),
            HeaderEdit::Append(name, value) => self.insert(self.lines.len(), name, value),
            HeaderEdit::Insert { index, name, value } => {
                self.insert(self.line_before(*index), name, value);
            }
            HeaderEdit::Replace { name, index, value } => {
                if let Some(line) = self.line_named(name, *index) {
                    self.replace(line, value);
                }
            }
            HeaderEdit::Set(name, value) => match self.line_named(name, 0) {
                None => self.insert(self.lines.len(), name, value),
                Some(line) => {
                    self.replace(line, value);
                    self.remove_all_but(Some(line), name);
                }
            },
            HeaderEdit::Remove { name, index } => {
                if let Some(line) = self.line_named(name, *index) {
                    self.lines.remove(line);
                    self.fields -= 1;
                }
            }
            HeaderEdit::RemoveAll(name) => self.remove_all_but(None, name),
        }
    }

    /// Adds the empty line that ends the block, if it is missing.
    pub fn separate(&mut self) {
        if self.ending == Ending::None {
            self.separate_anew();
        }
    }

    /// Ends the block with an empty line for a body that replaces the original one. A lone CR in place
    /// of the empty line would become part of a CRLF with an LF that follows.
    pub fn separate_anew(&mut self) {
        self.ending = Ending::Added;
        self.forget();
    }

    /// Adds the fields of another block above all others.
    pub fn put_above(&mut self, other: &Self) {
        let moved_by = self.buffer.len();
        self.buffer.extend_from_slice(&other.buffer);
        for line in other.lines.iter().rev() {
            let range = line.range.start + moved_by..line.range.end + moved_by;
            // The tags of the lines are those of the other hasher.
            let line = Line::of_field(&self.buffer, range, &self.hasher);
            self.lines.push_front(line);
        }
        self.fields += other.fields;
        self.forget();
    }

    /// The original block, without edits.
    pub fn given(&self) -> &[u8] {
        &self.buffer[..self.given]
    }

    /// The number of fields.
    pub const fn len(&self) -> usize {
        self.fields
    }

    /// True if there are no fields.
    pub const fn is_empty(&self) -> bool {
        self.fields == 0
    }

    /// The field with this index, counted from 0 at the top. Returns `None` if there are fewer.
    pub fn field(&self, index: usize) -> Option<Field<'_>> {
        // Usually all lines are fields. Then the index of a field is that of its line.
        let line = match self.fields == self.lines.len() {
            true => index,
            false => *self.places.get_or_init(|| self.find_fields()).get(index)?,
        };
        self.lines.get(line)?.field(&self.buffer)
    }

    /// All fields, from the top.
    pub fn fields(&self) -> Fields<'_> {
        self.fields_among(0..self.lines.len())
    }

    /// The number of lines with their continuations, whether they are fields or not.
    pub fn lines(&self) -> usize {
        self.lines.len()
    }

    /// The fields among these lines of the [`lines`](Self::lines), which must be there, from the top.
    pub fn fields_among(&self, lines: Range<usize>) -> Fields<'_> {
        Fields {
            buffer: &self.buffer,
            lines: self.lines.range(lines),
        }
    }

    /// The fields with this name in any letter case, from the top.
    pub fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = Field<'a>> {
        self.named_among(0..self.lines.len(), name)
    }

    /// As [`named`](Self::named), among these lines of the [`lines`](Self::lines), which must be there.
    pub fn named_among<'a>(
        &'a self,
        lines: Range<usize>,
        name: &'a str,
    ) -> impl Iterator<Item = Field<'a>> {
        let name = self.tagged(name);
        let named = self.lines.range(lines);
        named
            .filter(move |line| line.is_named(&self.buffer, name))
            .filter_map(|line| line.field(&self.buffer))
    }

    /// The value of the topmost field with this name, unfolded and trimmed. Returns `None` if there is
    /// no such field, or if its value is not valid UTF-8.
    pub fn text(&self, name: &str) -> Option<Cow<'_, str>> {
        let name = self.tagged(name);
        let mut lines = self.lines.iter();
        let line = lines.find(|line| line.is_named(&self.buffer, name))?;
        line.field(&self.buffer)?.text()
    }

    /// The size of the rendered block in octets.
    pub fn size(&self) -> usize {
        *self
            .size
            .get_or_init(|| self.pieces().map(<[u8]>::len).sum())
    }

    /// Appends the block with its edits, including the empty line that ends it. Without edits, the
    /// output is the input of [`parse`](Self::parse), and that of [`split`](Self::split) without the body
    /// if nothing had to be mended.
    pub fn render(&self, out: &mut Vec<u8>) {
        out.reserve(self.size());
        for piece in self.pieces() {
            out.extend_from_slice(piece);
        }
    }

    /// Forgets what was computed from the lines before they changed.
    pub(super) fn forget(&mut self) {
        self.places = OnceLock::new();
        self.size = OnceLock::new();
    }

    fn insert(&mut self, line: usize, name: &HeaderName, value: &HeaderValue) {
        let start = self.buffer.len();
        let name = name.as_str().as_bytes();
        write_field(name, value, &mut self.buffer);
        let added = Line::of_field(&self.buffer, start..self.buffer.len(), &self.hasher);
        self.lines.insert(line, added);
        self.fields += 1;
    }

    fn replace(&mut self, line: usize, value: &HeaderValue) {
        let Some(field) = self.lines[line].field(&self.buffer) else {
            return;
        };
        let name = field.name.to_vec();
        let start = self.buffer.len();
        write_field(&name, value, &mut self.buffer);
        self.lines[line] = Line::of_field(&self.buffer, start..self.buffer.len(), &self.hasher);
    }

    fn remove_all_but(&mut self, kept: Option<usize>, name: &HeaderName) {
        let name = self.tagged(name.as_str());
        let buffer = &self.buffer;
        let mut index = 0;
        let before = self.lines.len();
        self.lines.retain(|line| {
            let stays = Some(index) == kept || !line.is_named(buffer, name);
            index += 1;
            stays
        });
        self.fields -= before - self.lines.len();
    }

    fn line_before(&self, field: usize) -> usize {
        match field {
            0 => 0,
            _ if field >= self.fields => self.lines.len(),
            _ if self.fields == self.lines.len() => field,
            _ => {
                let mut lines = self.lines.iter();
                let mut left = field;
                let place = lines.position(|line| match (line.is_field(), left) {
                    (true, 0) => true,
                    (is_field, _) => {
                        left -= usize::from(is_field);
                        false
                    }
                });
                place.unwrap_or(self.lines.len())
            }
        }
    }

    fn find_fields(&self) -> Vec<usize> {
        let lines = self.lines.iter().enumerate();
        lines
            .filter_map(|(place, line)| line.is_field().then_some(place))
            .collect()
    }

    fn line_named(&self, name: &HeaderName, index: usize) -> Option<usize> {
        let name = self.tagged(name.as_str());
        let lines = self.lines.iter().enumerate();
        lines
            .filter(|(_, line)| line.is_named(&self.buffer, name))
            .map(|(place, _)| place)
            .nth(index)
    }

    fn tagged<'a>(&self, name: &'a str) -> Tagged<'a> {
        Tagged::new(name.as_bytes(), &self.hasher)
    }

    /// The pieces of the rendered block. If edits have put a line after one without a line ending, or an
    /// empty line `LF` after a bare CR, the missing octets are inserted.
    fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        let ending = match &self.ending {
            Ending::None => &[],
            Ending::Added => b"\r\n".as_slice(),
            Ending::Given(range) => &self.buffer[range.clone()],
        };
        let lines = self
            .lines
            .iter()
            .map(|line| &self.buffer[line.range.clone()]);
        let mut last = b'\n';
        lines.chain([ending]).flat_map(move |piece| {
            let missing: &[u8] = match (last, piece) {
                (b'\n', _) | (_, []) => b"",
                (b'\r', [b'\n', ..]) => b"\n",
                (b'\r', _) => b"",
                _ => b"\r\n",
            };
            last = piece.last().copied().unwrap_or(last);
            [missing, piece]
        })
    }
}

/// The fields of a block from the top.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    buffer: &'a [u8],
    lines: vec_deque::Iter<'a, Line>,
}

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    fn next(&mut self) -> Option<Field<'a>> {
        let buffer = self.buffer;
        self.lines.find_map(|line| line.field(buffer))
    }
}

/// What follows the last field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Ending {
    /// An empty line that was added.
    Added,
    /// An empty line of the buffer, and what follows it.
    Given(Range<usize>),
    /// There is no blank line: the message ends with its header block.
    #[default]
    None,
}

#[cfg(test)]
pub(super) mod tests;
