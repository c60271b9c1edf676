//! Unpacks deflated octets (RFC 1951) of a source, as many as are asked for.

use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::TINFL_FLAG_HAS_MORE_INPUT;
use miniz_oxide::inflate::core::{DecompressorOxide, TINFL_LZ_DICT_SIZE, decompress_with_limit};

use crate::source::{Source, Unpacked};

/// A stream of deflated octets.
pub(crate) struct Deflated<'a> {
    source: &'a dyn Source,
    /// Octets of the source that were read but not used yet: those of `read` from `used` on.
    read: Vec<u8>,
    used: usize,
    /// The offset in the source after `read`.
    offset: u32,
    state: Box<DecompressorOxide>,
    /// The last octets, to which later ones refer, in a circle.
    window: Vec<u8>,
    position: usize,
    is_over: bool,
}

impl<'a> Deflated<'a> {
    /// The stream that begins at `offset` of the source.
    pub(crate) fn new(source: &'a dyn Source, offset: u32) -> Self {
        Self {
            source,
            read: Vec::new(),
            used: 0,
            offset,
            state: Box::default(),
            window: vec![0; TINFL_LZ_DICT_SIZE],
            position: 0,
            is_over: false,
        }
    }

    /// Unpacks until `out` has `size` octets, or nothing more comes.
    pub(crate) fn fill(&mut self, out: &mut Unpacked, size: u32) {
        while !self.is_over && out.len() < size {
            if self.used == self.read.len() {
                self.read_on();
            }
            let most = (size - out.len()) as usize;
            let (status, used, count) = decompress_with_limit(
                &mut self.state,
                &self.read[self.used..],
                &mut self.window,
                self.position,
                most,
                TINFL_FLAG_HAS_MORE_INPUT,
            );
            self.used += used;
            out.extend(&self.window[self.position..self.position + count]);
            self.position = (self.position + count) % TINFL_LZ_DICT_SIZE;
            self.is_over = match status {
                TINFLStatus::HasMoreOutput => false,
                TINFLStatus::NeedsMoreInput => self.read.is_empty(),
                _ => true,
            };
        }
    }

    /// True if the stream has ended, or is broken.
    pub(crate) const fn is_over(&self) -> bool {
        self.is_over
    }

    /// The offset in the source after the stream.
    pub(crate) fn end(&self) -> u32 {
        self.offset - (self.read.len() - self.used) as u32
    }

    fn read_on(&mut self) {
        // Most streams are looked at only where they begin.
        let length = if self.read.is_empty() { FIRST } else { NEXT };
        self.read = self.source.read(self.offset, length);
        self.offset = self.offset.saturating_add(self.read.len() as u32);
        self.used = 0;
    }
}

/// How many octets are read first.
const FIRST: u32 = 1_024;
/// How many octets are read then.
const NEXT: u32 = 65_536;
