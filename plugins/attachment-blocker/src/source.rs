//! Where the octets of content come from.

use postgate_plugin::message;

/// Octets that can be read from any offset.
pub(crate) trait Source {
    /// The number of octets.
    fn len(&self) -> u32;
    /// The octets from `offset` on, at most `length`. Fewer only at the end, or if `length` exceeds
    /// [`message::MAX_READ`].
    fn read(&self, offset: u32, length: u32) -> Vec<u8>;
}

/// The body of the message.
pub(crate) struct Body;

impl Source for Body {
    fn len(&self) -> u32 {
        message::body_size()
    }

    fn read(&self, offset: u32, length: u32) -> Vec<u8> {
        message::read_body(offset, length)
    }
}

/// The content of a part without its transfer encoding.
pub(crate) struct Content {
    pub(crate) part: u32,
    pub(crate) size: u32,
}

impl Source for Content {
    fn len(&self) -> u32 {
        self.size
    }

    fn read(&self, offset: u32, length: u32) -> Vec<u8> {
        message::read_part(self.part, offset, length)
    }
}

/// A range of another source.
pub(crate) struct Slice<'a> {
    source: &'a dyn Source,
    offset: u32,
    length: u32,
}

impl<'a> Slice<'a> {
    /// At most `length` octets of the source from `offset` on.
    pub(crate) fn new(source: &'a dyn Source, offset: u32, length: u32) -> Self {
        Self {
            source,
            offset,
            length: length.min(source.len().saturating_sub(offset)),
        }
    }
}

impl Source for Slice<'_> {
    fn len(&self) -> u32 {
        self.length
    }

    fn read(&self, offset: u32, length: u32) -> Vec<u8> {
        let length = length.min(self.length.saturating_sub(offset));
        match length {
            0 => Vec::new(),
            _ => self.source.read(self.offset.saturating_add(offset), length),
        }
    }
}

/// Octets that were unpacked or decoded. In pieces, because a growing vector would need the memory of
/// its content twice.
#[derive(Default)]
pub(crate) struct Unpacked {
    /// All of [`PIECE`] octets but the last.
    pieces: Vec<Vec<u8>>,
}

impl Unpacked {
    /// Appends octets.
    pub(crate) fn extend(&mut self, mut octets: &[u8]) {
        while !octets.is_empty() {
            if self.pieces.last().is_none_or(|piece| piece.len() == PIECE) {
                self.pieces.push(Vec::new());
            }
            let Some(last) = self.pieces.last_mut() else {
                return;
            };
            if last.len() + octets.len() > FIRST {
                last.reserve_exact(PIECE - last.len());
            }
            let (now, later) = octets.split_at(octets.len().min(PIECE - last.len()));
            last.extend_from_slice(now);
            octets = later;
        }
    }
}

impl Source for Unpacked {
    fn len(&self) -> u32 {
        let whole = self.pieces.len().saturating_sub(1) * PIECE;
        (whole + self.pieces.last().map_or(0, Vec::len)) as u32
    }

    fn read(&self, offset: u32, length: u32) -> Vec<u8> {
        let (offset, length) = (offset as usize, length as usize);
        let mut octets =
            Vec::with_capacity(length.min((self.len() as usize).saturating_sub(offset)));
        let mut from = offset % PIECE;
        for piece in self.pieces.iter().skip(offset / PIECE) {
            let rest = piece.get(from..).unwrap_or_default();
            octets.extend_from_slice(&rest[..rest.len().min(length - octets.len())]);
            from = 0;
            if octets.len() == length {
                break;
            }
        }
        octets
    }
}

/// The size of a piece in octets.
const PIECE: usize = 65_536;
/// Up to this size, a piece has only the memory that it needs.
const FIRST: usize = 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_unpacked_can_be_read_from_anywhere() {
        let octets: Vec<u8> = (0..200_000_u32)
            .map(|number| (number % 251) as u8)
            .collect();
        let mut unpacked = Unpacked::default();
        for piece in octets.chunks(777) {
            unpacked.extend(piece);
        }
        assert_eq!(unpacked.len(), 200_000);
        for (offset, length) in [
            (0, 10),
            (65_530, 10),
            (100, 150_000),
            (199_999, 10),
            (200_000, 1),
        ] {
            let end = octets.len().min((offset + length) as usize);
            assert_eq!(unpacked.read(offset, length), octets[offset as usize..end]);
            let slice = Slice::new(&unpacked, offset, length);
            assert_eq!(slice.read(0, 1_000_000), octets[offset as usize..end]);
            assert_eq!(slice.len() as usize, end - offset as usize);
        }
        assert_eq!(Slice::new(&unpacked, 300_000, 5).len(), 0);
    }
}
