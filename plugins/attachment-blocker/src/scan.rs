//! Looks for signatures in content: of the entries of ZIP archives, of other archives, and of attachments
//! that are encoded in a text. One pass over the octets, since programs find an archive wherever it begins.

use memchr::memmem;

use crate::formats::{Finding, Take, encoded, zip};
use crate::source::Source;

/// What is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signatures {
    All,
    /// Only attachments that are encoded in a text.
    Text,
}

/// Reports what is found in the source, until `take` returns something.
pub(crate) fn scan(
    source: &dyn Source,
    signatures: Signatures,
    take: &mut Take<'_>,
) -> Option<String> {
    let mut offset = 0_u32;
    let mut examined = 0;
    loop {
        let octets = source.read(offset, WINDOW);
        let is_last = octets.len() < WINDOW as usize;
        let length = match is_last {
            true => octets.len(),
            false => octets.len() - OVERLAP,
        };
        if offset == 0
            && let Some(found) = encoded::begin(&octets, 0, take)
        {
            return Some(found);
        }
        if signatures == Signatures::All
            && let Some(kind) = archive(&octets)
            && let Some(found) = take(Finding::Closed(kind))
        {
            return Some(found);
        }
        for at in memchr::memchr3_iter(b'P', b'\n', b'\r', &octets[..length]) {
            let here = |at: usize| offset.saturating_add(at as u32);
            let found = match octets[at] {
                b'P' if signatures == Signatures::Text || octets.get(at + 1) != Some(&b'K') => None,
                b'P' => {
                    let (size, found) = zip::entry(&octets[at..], here(at), take);
                    examined += size;
                    found
                }
                _ => encoded::begin(&octets[at + 1..], here(at + 1), take),
            };
            if found.is_some() {
                return found;
            }
            if examined > MAX_EXAMINED {
                return take(Finding::Closed("an archive with too many files"));
            }
        }
        if is_last {
            return None;
        }
        offset = offset.saturating_add(length as u32);
    }
}

/// The kind of an archive that nobody can look into and that may begin in these octets. Programs that
/// extract it skip what is in front.
fn archive(octets: &[u8]) -> Option<&'static str> {
    let found = ARCHIVES.iter().find(|(signature, next, _)| {
        memmem::find_iter(octets, signature).any(|at| {
            octets
                .get(at + signature.len())
                .is_some_and(|octet| next.contains(octet))
        })
    });
    found.map(|(_, _, kind)| *kind)
}

/// Signatures of archives, what may follow, and what the archive is.
const ARCHIVES: [(&[u8], &[u8], &str); 2] = [
    (b"Rar!\x1a\x07", &[0, 1], "a RAR archive"),
    (b"7z\xbc\xaf\x27\x1c", &[0], "a 7z archive"),
];
/// How many octets are read at a time.
const WINDOW: u32 = 262_144;
/// Longer than the header of an entry with a long name and extra field, or a line.
const OVERLAP: usize = 40_960;
/// The most octets that headers of entries may take in one attachment.
const MAX_EXAMINED: u32 = 2 << 20;
