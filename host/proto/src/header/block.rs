//! A header block as an index over one buffer.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memchr2;

use super::field::{is_name_byte, is_white_space, trim, write_field};
use super::{HeaderEdit, HeaderName, HeaderValue};

/// The header block of one message, with the empty line that ends it.
///
/// Whatever nobody edits stays as it came, octet for octet: folding, odd spacing, lines that are no
/// field, the `From ` line of an mbox. A line ends with CRLF, and also with a lone CR or LF, since
/// that is what [`BodyEncoder`](crate::client::BodyEncoder) makes of them: a plugin sees the fields
/// that the backend will see.
#[derive(Clone, Debug, Default)]
pub struct HeaderBlock {
    /// The block as it came, followed by the fields that edits have made.
    buffer: Vec<u8>,
    given: usize,
    lines: Vec<Line>,
    /// How many of the lines are fields.
    fields: usize,
    ending: Ending,
}

impl HeaderBlock {
    /// Takes the octets of a message from its start to the first empty line, which belongs to them.
    /// There is none where the message ends before it. Never fails: what is no field is kept and
    /// not counted; what follows an empty line is no header, and is kept as well.
    pub fn parse(octets: Vec<u8>) -> Self {
        let mut lines: Vec<Line> = Vec::new();
        let mut at = 0;
        let mut ending = Ending::None;
        while at < octets.len() {
            let end = line_end(&octets, at);
            match (octets[at], lines.last_mut()) {
                (b'\r' | b'\n', _) => {
                    ending = Ending::Given(at..octets.len());
                    break;
                }
                (b' ' | b'\t', Some(line)) => line.range.end = end,
                _ => lines.push(Line {
                    range: at..end,
                    colon: find_colon(&octets[at..end]),
                }),
            }
            at = end;
        }
        Self {
            given: octets.len(),
            fields: lines.iter().filter(|line| line.is_field()).count(),
            buffer: octets,
            lines,
            ending,
        }
    }

    /// Makes one change.
    pub fn apply(&mut self, edit: &HeaderEdit) {
        match edit {
            HeaderEdit::Prepend(name, value) => self.insert(self.top(), name, value),
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

    /// Sees to it that an empty line ends the block, for a body to follow.
    pub fn separate(&mut self) {
        if self.ending == Ending::None {
            self.ending = Ending::Added;
        }
    }

    /// The block as it came, whatever was edited since.
    pub fn given(&self) -> &[u8] {
        &self.buffer[..self.given]
    }

    /// The number of fields.
    pub const fn len(&self) -> usize {
        self.fields
    }

    /// Whether there is no field.
    pub const fn is_empty(&self) -> bool {
        self.fields == 0
    }

    /// The field with this index, 0 being the topmost.
    pub fn field(&self, index: usize) -> Option<Field<'_>> {
        // Lines that are no field are rare: without them an index of a field is that of its line.
        match self.fields == self.lines.len() {
            true => self.lines.get(index)?.field(&self.buffer),
            false => self.fields().nth(index),
        }
    }

    /// All fields, from the top.
    pub fn fields(&self) -> Fields<'_> {
        Fields {
            buffer: &self.buffer,
            lines: self.lines.iter(),
        }
    }

    /// All fields of this name, from the top; letter case does not matter.
    pub fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = Field<'a>> {
        self.fields()
            .filter(move |field| field.name.eq_ignore_ascii_case(name.as_bytes()))
    }

    /// The topmost field of this name, unfolded and trimmed, where it is valid UTF-8.
    pub fn text(&self, name: &str) -> Option<Cow<'_, str>> {
        let is_named = |field: &Field<'_>| field.name.eq_ignore_ascii_case(name.as_bytes());
        self.fields().find(is_named)?.text()
    }

    /// The size of the rendered block in octets.
    pub fn size(&self) -> usize {
        self.pieces().map(<[u8]>::len).sum()
    }

    /// Appends the block as it is to be sent, with the empty line that ends it where there is one.
    /// A block that was not edited comes out as it came in.
    pub fn render(&self, out: &mut Vec<u8>) {
        out.reserve(self.size());
        for piece in self.pieces() {
            out.extend_from_slice(piece);
        }
    }

    fn insert(&mut self, line: usize, name: &HeaderName, value: &HeaderValue) {
        let start = self.buffer.len();
        let name = name.as_str().as_bytes();
        write_field(name, value, &mut self.buffer);
        let added = Line {
            range: start..self.buffer.len(),
            colon: Some(name.len()),
        };
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
        self.lines[line] = Line {
            range: start..self.buffer.len(),
            colon: Some(name.len()),
        };
    }

    fn remove_all_but(&mut self, kept: Option<usize>, name: &HeaderName) {
        let buffer = &self.buffer;
        let name = name.as_str().as_bytes();
        let mut index = 0;
        self.lines.retain(|line| {
            let stays = Some(index) == kept || !line.is_named(buffer, name);
            index += 1;
            stays
        });
        self.fields = self.lines.iter().filter(|line| line.is_field()).count();
    }

    /// Above everything but two kinds of a first line that is no field. The `From ` line of an mbox
    /// would be taken for the start of the body where fields stand before it, and a folded line
    /// would become a part of the field before it.
    fn top(&self) -> usize {
        let stays_first = self.lines.first().is_some_and(|line| {
            let text = &self.buffer[line.range.clone()];
            let prefixes: [&[u8]; 4] = [b"From ", b">From ", b" ", b"\t"];
            !line.is_field() && prefixes.iter().any(|prefix| text.starts_with(prefix))
        });
        usize::from(stays_first)
    }

    fn line_before(&self, field: usize) -> usize {
        match field {
            0 => self.top(),
            _ => (0..self.lines.len())
                .filter(|line| self.lines[*line].is_field())
                .nth(field)
                .unwrap_or(self.lines.len()),
        }
    }

    fn line_named(&self, name: &HeaderName, index: usize) -> Option<usize> {
        let name = name.as_str().as_bytes();
        (0..self.lines.len())
            .filter(|line| self.lines[*line].is_named(&self.buffer, name))
            .nth(index)
    }

    /// The rendered block. A line that came without a line end gets one where something follows,
    /// and a lone CR does not swallow the LF of an empty line that edits have moved behind it.
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

/// A header field as it stands in the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    name: &'a [u8],
    value: &'a [u8],
}

impl<'a> Field<'a> {
    /// The name as written.
    pub fn name(&self) -> &'a str {
        // Only ASCII passes `find_colon`, so that nothing is ever left out here.
        str::from_utf8(self.name).unwrap_or_default()
    }

    /// What follows the colon, folding included, without the last line end.
    pub const fn value(&self) -> &'a [u8] {
        self.value
    }

    /// The value without its folding, and without white space at its ends.
    pub fn unfolded(&self) -> Cow<'a, [u8]> {
        let value = trim(self.value);
        match memchr2(b'\r', b'\n', value) {
            None => Cow::Borrowed(value),
            Some(_) => {
                let is_text = |byte: &u8| !matches!(byte, b'\r' | b'\n');
                Cow::Owned(value.iter().copied().filter(is_text).collect())
            }
        }
    }

    /// The same as text, where it is valid UTF-8.
    pub fn text(&self) -> Option<Cow<'a, str>> {
        match self.unfolded() {
            Cow::Borrowed(value) => str::from_utf8(value).ok().map(Cow::Borrowed),
            Cow::Owned(value) => String::from_utf8(value).ok().map(Cow::Owned),
        }
    }
}

/// The fields of a block from the top.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    buffer: &'a [u8],
    lines: std::slice::Iter<'a, Line>,
}

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    fn next(&mut self) -> Option<Field<'a>> {
        let buffer = self.buffer;
        self.lines.find_map(|line| line.field(buffer))
    }
}

/// A field with its continuation lines, or a line that is none.
#[derive(Clone, Debug)]
struct Line {
    range: Range<usize>,
    /// Where the colon of a field stands, counted from its start.
    colon: Option<usize>,
}

impl Line {
    const fn is_field(&self) -> bool {
        self.colon.is_some()
    }

    fn is_named(&self, buffer: &[u8], name: &[u8]) -> bool {
        self.field(buffer)
            .is_some_and(|field| field.name.eq_ignore_ascii_case(name))
    }

    fn field<'a>(&self, buffer: &'a [u8]) -> Option<Field<'a>> {
        let colon = self.colon?;
        let line = &buffer[self.range.clone()];
        let value = &line[colon + 1..];
        Some(Field {
            name: line[..colon].trim_ascii_end(),
            value: value
                .strip_suffix(b"\r\n")
                .or_else(|| value.strip_suffix(b"\n"))
                .or_else(|| value.strip_suffix(b"\r"))
                .unwrap_or(value),
        })
    }
}

/// What stands after the last field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Ending {
    /// An empty line that the message did not have.
    Added,
    /// An empty line in the buffer, and whatever followed it.
    Given(Range<usize>),
    /// The message ends with its header block.
    #[default]
    None,
}

/// Where the line that begins at `start` ends, its line end included.
fn line_end(octets: &[u8], start: usize) -> usize {
    let Some(length) = memchr2(b'\r', b'\n', &octets[start..]) else {
        return octets.len();
    };
    let end = start + length;
    match octets[end..].starts_with(b"\r\n") {
        true => end + 2,
        false => end + 1,
    }
}

/// The colon that ends a field name. White space may stand before it (RFC 5322 §4.5).
fn find_colon(line: &[u8]) -> Option<usize> {
    let name = line.iter().position(|byte| !is_name_byte(*byte))?;
    let space = line[name..]
        .iter()
        .position(|byte| !is_white_space(*byte))?;
    let colon = name + space;
    (name > 0 && line[colon] == b':').then_some(colon)
}

#[cfg(test)]
mod tests;
