//! The MIME parts of a message, as plugins see them (RFC 2045). Only where they are is kept; what is in
//! them is read, and decoded, when a plugin asks for it.

mod decode;
mod found;
mod head;
mod scan;
mod search;
mod version;

use std::collections::HashMap;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use postgate_proto::header::HeaderBlock;
use tokio::sync::{Mutex, OwnedMutexGuard};

use self::decode::Decoder;
pub use self::head::Facts;
use self::head::{Head, MAX_HEAD};
use self::scan::{PIECE, Scanner, scan};
use self::search::{MAX_NESTED, Search};
pub use self::version::MimeVersion;
use postgate_spool::{Content, Scratch};

/// All parts of a message, in the order in which they stand in it.
#[derive(Debug)]
pub struct Mime {
    /// What the header block of the message says.
    facts: Facts,
    body: Content,
    parts: Vec<Part>,
    plain: Option<u32>,
    html: Option<u32>,
    decoded: Arc<Mutex<Decoded>>,
}

/// One part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The part that holds this one. The first names itself.
    pub parent: u32,
    /// Whether it holds other parts.
    pub container: bool,
    /// Whether nobody has looked for what it holds: a message has more than there is room for.
    pub is_opaque: bool,
    /// Its type where it does not say any.
    default: &'static str,
    source: Source,
    head: Range<u64>,
    body: Range<u64>,
}

/// Where the octets of a part are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Body,
    /// In a part that had to be decoded.
    Decoded,
}

/// Where the decoded content of a part is.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    source: Source,
    range: Range<u64>,
    /// Whether the content is text, and therefore UTF-8.
    is_text: bool,
}

/// What was decoded so far, each part once.
#[derive(Debug)]
struct Decoded {
    scratch: Scratch,
    places: HashMap<u32, Place>,
}

impl Mime {
    /// Finds the parts. Takes no longer than reading the message, whatever stands in it.
    ///
    /// # Errors
    ///
    /// Where the body, or what is decoded of it, cannot be read from its file.
    pub fn find(headers: &HeaderBlock, body: Content) -> io::Result<Self> {
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
        let mut search = Search::new(&body, &facts);
        let places = search.add(found, Source::Body, 0, None, MAX_NESTED)?;
        let place = |index: Option<usize>| Some(*places.get(index?)?);
        let (plain, html) = (place(shown.0), place(shown.1));
        let (parts, decoded) = search.finish();
        Ok(Self {
            plain,
            html,
            facts,
            parts,
            decoded: Arc::new(Mutex::new(decoded)),
            body,
        })
    }

    /// All parts.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The part that a reader would be shown as plain text.
    pub const fn plain(&self) -> Option<u32> {
        self.plain
    }

    /// The part that a reader would be shown as HTML.
    pub const fn html(&self) -> Option<u32> {
        self.html
    }

    /// What the header block of a part says, and the size of its decoded content.
    ///
    /// # Errors
    ///
    /// As [`Self::find`].
    pub async fn facts(&self, index: u32) -> io::Result<Option<(Facts, u64)>> {
        let Some(part) = self.part(index) else {
            return Ok(None);
        };
        let decoded = Arc::clone(&self.decoded).lock_owned().await;
        let facts = decoded.facts(&self.body, &self.facts, index, part)?;
        let (place, _) = self.place_of(index, part, decoded, Some(&facts)).await?;
        let size = place.map_or(0, |place| place.range.end - place.range.start);
        Ok(Some((facts, size)))
    }

    /// The header block of a part that is not the first, as it stands in the message; of a very long
    /// one only the beginning.
    ///
    /// # Errors
    ///
    /// As [`Self::find`].
    pub async fn head(&self, index: u32) -> io::Result<Vec<u8>> {
        match self.part(index) {
            None => Ok(Vec::new()),
            Some(part) => self.decoded.lock().await.head(&self.body, part),
        }
    }

    /// Octets of the decoded content of a part.
    ///
    /// # Errors
    ///
    /// As [`Self::find`].
    pub async fn read(&self, index: u32, offset: u32, length: u32) -> io::Result<Vec<u8>> {
        let (place, decoded) = self.place(index).await?;
        match place {
            None => Ok(Vec::new()),
            Some(place) => decoded.read(&self.body, &place, offset, length),
        }
    }

    /// The same of a text, where it does not begin inside a character. Its end is moved to where a
    /// character ends.
    ///
    /// # Errors
    ///
    /// As [`Self::find`].
    pub async fn text(&self, index: u32, offset: u32, length: u32) -> io::Result<Option<String>> {
        let (place, decoded) = self.place(index).await?;
        let Some(place) = place.filter(|place| place.is_text) else {
            return Ok(None);
        };
        // With the beginning of the next character one can tell where the last one ends.
        let mut octets = decoded.read(&self.body, &place, offset, length.saturating_add(1))?;
        let is_inside = |octet: &u8| octet & 0xC0 == 0x80;
        if octets.first().is_some_and(is_inside) {
            return Ok(None);
        }
        if octets.len() > length as usize {
            let end = octets.iter().rposition(|octet| !is_inside(octet));
            octets.truncate(end.unwrap_or_default());
        }
        // The decoder has made UTF-8 of it.
        Ok(String::from_utf8(octets).ok())
    }

    fn part(&self, index: u32) -> Option<&Part> {
        self.parts.get(index as usize)
    }

    /// Decodes a part, where that was not done before. Nothing for one that only holds others.
    async fn place(&self, index: u32) -> io::Result<(Option<Place>, OwnedMutexGuard<Decoded>)> {
        let decoded = Arc::clone(&self.decoded).lock_owned().await;
        match self.part(index) {
            None => Ok((None, decoded)),
            Some(part) => self.place_of(index, part, decoded, None).await,
        }
    }

    async fn place_of(
        &self,
        index: u32,
        part: &Part,
        mut decoded: OwnedMutexGuard<Decoded>,
        facts: Option<&Facts>,
    ) -> io::Result<(Option<Place>, OwnedMutexGuard<Decoded>)> {
        if part.container {
            return Ok((None, decoded));
        }
        if let Some(place) = decoded.places.get(&index) {
            return Ok((Some(place.clone()), decoded));
        }
        let facts = match facts {
            Some(facts) => facts.clone(),
            None => decoded.facts(&self.body, &self.facts, index, part)?,
        };
        if part.body.end - part.body.start <= PIECE as u64 {
            let place = decoded.decode(&self.body, index, part, &facts)?;
            return Ok((Some(place), decoded));
        }
        // A large one takes longer than a thread that serves sessions has.
        let (body, part) = (self.body.clone(), part.clone());
        let decoding = tokio::task::spawn_blocking(move || {
            let place = decoded.decode(&body, index, &part, &facts)?;
            Ok((Some(place), decoded))
        });
        decoding.await.map_err(io::Error::other)?
    }
}

impl Decoded {
    fn read_at(
        &self,
        body: &Content,
        source: Source,
        offset: u64,
        buffer: &mut [u8],
    ) -> io::Result<usize> {
        match source {
            Source::Body => body.read_at(offset, buffer),
            Source::Decoded => self.scratch.read_at(offset, buffer),
        }
    }

    fn head(&self, body: &Content, part: &Part) -> io::Result<Vec<u8>> {
        let length = part.head.end.saturating_sub(part.head.start);
        let mut octets = vec![0; length.min(MAX_HEAD) as usize];
        let count = self.read_at(body, part.source, part.head.start, &mut octets)?;
        octets.truncate(count);
        if length > MAX_HEAD {
            // No field is shown in part.
            let end = memchr::memrchr2(b'\r', b'\n', &octets);
            octets.truncate(end.map_or(0, |end| end + 1));
        }
        Ok(octets)
    }

    fn facts(&self, body: &Content, first: &Facts, index: u32, part: &Part) -> io::Result<Facts> {
        let mut facts = match index {
            0 => first.clone(),
            _ => Head::read(&self.head(body, part)?).facts(part.default),
        };
        if part.is_opaque {
            facts.content_type = OPAQUE.into();
        }
        Ok(facts)
    }

    fn read(&self, body: &Content, place: &Place, from: u32, length: u32) -> io::Result<Vec<u8>> {
        let size = place.range.end - place.range.start;
        let left = size.saturating_sub(from.into()).min(length.into());
        let mut octets = vec![0; left as usize];
        let offset = place.range.start + u64::from(from);
        let count = self.read_at(body, place.source, offset, &mut octets)?;
        octets.truncate(count);
        Ok(octets)
    }

    /// Makes the decoded content of a part, unless it is its own, and remembers where it is.
    fn decode(
        &mut self,
        body: &Content,
        index: u32,
        part: &Part,
        facts: &Facts,
    ) -> io::Result<Place> {
        let mut place = Place {
            source: part.source,
            range: part.body.clone(),
            is_text: facts.is_text(),
        };
        let decoder = Decoder::of(facts).filter(|_| !part.is_opaque);
        if let Some(mut decoder) = decoder {
            let begin = self.scratch.len();
            let mut piece = vec![0; PIECE];
            let mut out = Vec::new();
            let mut offset = part.body.start;
            while offset < part.body.end {
                let length = (part.body.end - offset).min(PIECE as u64) as usize;
                let count = self.read_at(body, part.source, offset, &mut piece[..length])?;
                if count == 0 {
                    break;
                }
                offset += count as u64;
                decoder.feed(&piece[..count], &mut out);
                self.scratch.append(&out)?;
                out.clear();
            }
            decoder.finish(&mut out);
            self.scratch.append(&out)?;
            place.source = Source::Decoded;
            place.range = begin..self.scratch.len();
        }
        self.places.insert(index, place.clone());
        Ok(place)
    }
}

/// The most parts that are looked for in a message. The last of more is all the rest.
pub const MAX_PARTS: usize = 1_000;
/// The type of a part that nobody has looked into.
const OPAQUE: &str = "application/x-unparsed";

#[cfg(test)]
mod tests;
