//! The formats of content that holds other files. Each function reports what it finds, in every
//! reading.

pub(crate) mod encoded;
pub(crate) mod gzip;
pub(crate) mod tar;
pub(crate) mod tnef;
pub(crate) mod zip;

/// What was found in content.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    /// Something that cannot be looked into, for this reason.
    Closed(&'static str),
    /// A file. Its name was reported before.
    File(File),
    /// The name of a file.
    Name(String),
}

/// Where a file is in the content.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct File {
    pub(crate) name: String,
    /// The offset of its octets.
    pub(crate) offset: u32,
    /// The number of its octets, or [`u32::MAX`] if only they themselves say where they end.
    pub(crate) length: u32,
    pub(crate) packing: Packing,
    /// True if the format says so. False for octets that some programs may read in this way.
    pub(crate) is_stated: bool,
}

/// How the octets of a file are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packing {
    /// Base64, in lines.
    Base64,
    /// Deflated (RFC 1951).
    Deflated,
    /// Deflated streams with headers and trailers between them (RFC 1952).
    Gzip,
    /// As they are.
    Stored,
    /// uuencode, in lines.
    Uu,
    /// yEnc, in lines.
    Yenc,
}

/// Receives what is found, and returns something to end the search.
pub(crate) type Take<'a> = dyn FnMut(Finding) -> Option<String> + 'a;

/// A number in the order of octets that these formats have. Returns `None` behind the end.
fn u32_at(octets: &[u8], at: usize) -> Option<u32> {
    let octets = octets.get(at..at + 4)?;
    octets.try_into().ok().map(u32::from_le_bytes)
}
