//! The parts of a message, read and decoded on demand.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use postgate_proto::header::HeaderBlock;

use super::decoded::{Decoded, Location};
use super::defect::Defect;
use super::facts::Facts;
use super::head::Head;
use super::message_type::is_other;
use super::part::{Part, Storage};
use super::scan::{Scanner, scan};
use super::search::{MAX_NESTED, MAX_PARTS, Search};
use super::source::{PIECE, Scratch, Source};

/// All parts of a message, in the order in which they begin.
#[derive(Debug)]
pub struct Mime {
    /// What the header block of the message says.
    facts: Facts,
    body: Box<dyn Source>,
    parts: Vec<Part>,
    plain: Option<u32>,
    html: Option<u32>,
    decoded: Mutex<Decoded>,
}

impl Mime {
    /// Finds the parts of a message. The work is proportional to the size of `body`, whatever its
    /// content. Decoded content goes to `scratch`.
    ///
    /// # Errors
    ///
    /// Fails if `body` cannot be read, or `scratch` cannot be written or read.
    pub fn find(
        headers: &HeaderBlock,
        body: impl Source + 'static,
        scratch: impl Scratch + 'static,
    ) -> io::Result<Self> {
        let mut head = Head::default();
        for field in headers.fields() {
            head.field(field.name(), field.value());
        }
        let facts = head.facts("text/plain");
        let scanner = Scanner::of_body(&facts, MAX_PARTS);
        let found = scan(scanner, body.len(), |offset, buffer| {
            body.read_at(offset, buffer)
        })?;
        let shown = (found.plain, found.html);
        let mut search = Search::new(&body, &facts, Box::new(scratch));
        let indices = search.add(found, Storage::Body, 0, None, MAX_NESTED)?;
        let index = |position: Option<usize>| Some(*indices.get(position?)?);
        let (plain, html) = (index(shown.0), index(shown.1));
        let (parts, decoded) = search.finish();
        Ok(Self {
            facts,
            body: Box::new(body),
            parts,
            plain,
            html,
            decoded: Mutex::new(decoded),
        })
    }

    /// All parts.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The part that mail readers show as plain text.
    pub const fn plain(&self) -> Option<u32> {
        self.plain
    }

    /// The part that mail readers show as HTML.
    pub const fn html(&self) -> Option<u32> {
        self.html
    }

    /// True if [`Self::facts`], [`Self::head`] or [`Self::read`] may take long for this part: it is
    /// large and was not decoded yet, or another thread is decoding a part of this message. An async
    /// caller moves the call to a blocking thread then. Never blocks.
    pub fn is_long(&self, index: u32) -> bool {
        self.is_waiting_for(index, |decoded| decoded.octets(index).is_none())
    }

    /// As [`Self::is_long`], for [`Self::text`].
    pub fn is_text_long(&self, index: u32) -> bool {
        self.is_waiting_for(index, |decoded| decoded.text(index).is_none())
    }

    fn is_waiting_for(&self, index: u32, is_missing: impl Fn(&Decoded) -> bool) -> bool {
        let Some(part) = self.part(index) else {
            return false;
        };
        let decoded = match self.decoded.try_lock() {
            Ok(decoded) => decoded,
            Err(TryLockError::Poisoned(error)) => error.into_inner(),
            Err(TryLockError::WouldBlock) => return true,
        };
        let size = part.body.end - part.body.start;
        !part.container && size > PIECE as u64 && is_missing(&decoded)
    }

    /// What the header block of a part says, and the size of its decoded content in octets. Returns
    /// `None` if there is no such part.
    ///
    /// # Errors
    ///
    /// Fails if the message cannot be read, or the scratch space cannot be written or read.
    pub fn facts(&self, index: u32) -> io::Result<Option<(Facts, u64)>> {
        let Some(part) = self.part(index) else {
            return Ok(None);
        };
        let mut decoded = self.decoded();
        let mut facts = decoded.facts(&*self.body, &self.facts, index, part)?;
        let location = match decoded.octets(index) {
            Some(location) => Some(location.clone()),
            None if part.container => None,
            None => Some(decoded.decode(&*self.body, index, part, &facts)?),
        };
        if let Some(location) = &location
            && is_other(&facts.content_type)
            && !facts.defects.contains(&Defect::AmbiguousType)
            && decoded.hides_content(&*self.body, index, part, location, &facts.content_type)?
        {
            facts.defects.push(Defect::AmbiguousType);
        }
        if location.as_ref().is_some_and(|found| found.is_ambiguous)
            && !facts.defects.contains(&Defect::AmbiguousEncoding)
        {
            facts.defects.push(Defect::AmbiguousEncoding);
        }
        if location.as_ref().is_some_and(|found| found.is_malformed) {
            facts.defects.push(Defect::MalformedContent);
        }
        if facts.is_multipart() && !part.container {
            facts.defects.push(Defect::NoParts);
        }
        let content = location.filter(|_| !part.container);
        let size = content.map_or(0, |found| found.range.end - found.range.start);
        Ok(Some((facts, size)))
    }

    /// The header block of a part other than the first, as it is in the message. If it is very
    /// long, only its beginning. Empty if there is no such part.
    ///
    /// # Errors
    ///
    /// As [`Self::facts`].
    pub fn head(&self, index: u32) -> io::Result<Vec<u8>> {
        match self.part(index) {
            None => Ok(Vec::new()),
            Some(part) => self.decoded().head(&*self.body, part),
        }
    }

    /// Reads the content of a part without its transfer encoding. Returns fewer octets than `length` only at its end.
    ///
    /// # Errors
    ///
    /// As [`Self::facts`].
    pub fn read(&self, index: u32, offset: u32, length: u32) -> io::Result<Vec<u8>> {
        let mut decoded = self.decoded();
        match self.location(index, &mut decoded)? {
            None => Ok(Vec::new()),
            Some(location) => decoded.read(&*self.body, &location, offset, length),
        }
    }

    /// Reads text of a part, converted from its charset to UTF-8, and ends with a whole character.
    /// Returns `None` if the part is not text, or `offset` is inside a character.
    ///
    /// # Errors
    ///
    /// As [`Self::facts`].
    pub fn text(&self, index: u32, offset: u32, length: u32) -> io::Result<Option<String>> {
        let mut decoded = self.decoded();
        let Some(location) = self.text_location(index, &mut decoded)? else {
            return Ok(None);
        };
        // The first octet of the next character shows where the last one ends.
        let length_and_next = length.saturating_add(1);
        let mut octets = decoded.read(&*self.body, &location, offset, length_and_next)?;
        let is_continuation = |octet: &u8| octet & 0xC0 == 0x80;
        if octets.first().is_some_and(is_continuation) {
            return Ok(None);
        }
        if octets.len() > length as usize {
            let end = octets.iter().rposition(|octet| !is_continuation(octet));
            octets.truncate(end.unwrap_or_default());
        }
        // Valid, since the decoder converts text to UTF-8.
        Ok(String::from_utf8(octets).ok())
    }

    fn part(&self, index: u32) -> Option<&Part> {
        self.parts.get(index as usize)
    }

    fn decoded(&self) -> MutexGuard<'_, Decoded> {
        // A location is recorded after its content is complete, so that a panic leaves no half of
        // it.
        self.decoded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the decoded content of a part is, decoding it if necessary. Returns `None` if the part
    /// only contains others.
    fn location(&self, index: u32, decoded: &mut Decoded) -> io::Result<Option<Location>> {
        let Some(part) = self.part(index).filter(|part| !part.container) else {
            return Ok(None);
        };
        if let Some(location) = decoded.octets(index) {
            return Ok(Some(location.clone()));
        }
        let facts = decoded.facts(&*self.body, &self.facts, index, part)?;
        decoded.decode(&*self.body, index, part, &facts).map(Some)
    }

    /// Where the text of a part is, converting it if necessary. Returns `None` if the part is not
    /// text.
    fn text_location(&self, index: u32, decoded: &mut Decoded) -> io::Result<Option<Location>> {
        if let Some(location) = decoded.text(index) {
            return Ok(Some(location.clone()));
        }
        let (Some(part), Some(octets)) = (self.part(index), self.location(index, decoded)?) else {
            return Ok(None);
        };
        let facts = decoded.facts(&*self.body, &self.facts, index, part)?;
        if !facts.is_text() {
            return Ok(None);
        }
        let text = decoded.convert(&*self.body, index, &octets, &facts);
        text.map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base64(lines: usize) -> Mime {
        let fields = b"Content-Transfer-Encoding: base64\r\n\r\n";
        let headers = HeaderBlock::parse(fields.to_vec());
        let body = "w6nDqcOp\r\n".repeat(lines).into_bytes();
        Mime::find(&headers, body, Vec::new()).unwrap()
    }

    #[test]
    fn content_is_decoded_once() {
        let mime = base64(10);
        for _ in 0..2 {
            assert_eq!(mime.read(0, 0, 3).unwrap(), [0xC3, 0xA9, 0xC3]);
            assert_eq!(mime.text(0, 0, 2).unwrap().as_deref(), Some("é"));
            assert_eq!(mime.facts(0).unwrap().unwrap().1, 60);
        }
        // Once for the octets, and once for the text.
        assert_eq!(mime.decoded().scratch.len(), 120);
    }

    #[test]
    fn a_call_is_long_until_a_large_part_is_decoded() {
        let mime = base64(10_000);
        assert!(mime.is_long(0) && !mime.is_long(1));
        mime.facts(0).unwrap();
        assert!(!mime.is_long(0) && mime.is_text_long(0));
        mime.text(0, 0, 1).unwrap();
        assert!(!mime.is_text_long(0));
        assert!(!base64(10).is_long(0));
    }

    #[test]
    fn a_call_is_long_while_another_thread_decodes() {
        let mime = base64(10);
        let decoding = mime.decoded();
        assert!(mime.is_long(0));
        drop(decoding);
        assert!(!mime.is_long(0));
    }
}
