//! Boundaries of multiparts (RFC 2046 §5.1.1): as a field states them, and the lines that they begin.

use super::parameter::{Parameter, cuts, in_brackets, is_blank, to_separator, unquote};
use super::words::has_words;

/// A multipart or message whose end was not reached yet.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) part: usize,
    /// `None` for a message.
    pub(super) boundary: Option<Vec<u8>>,
    /// What some programs take for the boundary.
    pub(super) others: Vec<Vec<u8>>,
}

/// The open multipart whose boundary the line is, and true if it is the closing one. Of equal
/// boundaries, the outermost wins (RFC 2046 §5.1.2).
pub(super) fn boundary(open: &[Open], line: &[u8]) -> Option<(usize, bool)> {
    let rest = line.strip_prefix(b"--")?;
    open.iter().enumerate().find_map(|(index, open)| {
        let is_last = divides(open.boundary.as_deref()?, rest)?;
        Some((index, is_last))
    })
}

/// True if what follows the hyphens of a line is the closing boundary, and false if it is another one.
fn divides(boundary: &[u8], rest: &[u8]) -> Option<bool> {
    let after = rest.strip_prefix(boundary)?;
    let end = after.strip_prefix(b"--");
    let is_padding = |octet: &u8| matches!(octet, b' ' | b'\t');
    let is_boundary = end.unwrap_or(after).iter().all(is_padding);
    is_boundary.then_some(end.is_some())
}

/// The multipart that some programs divide with this line, because they read its boundary in another
/// way. Returns the part.
pub(super) fn divides_otherwise(open: &[Open], closed: &[Open], line: &[u8]) -> Option<usize> {
    let rest = line.strip_prefix(b"--")?;
    let is_divided = |open: &&Open| {
        let mut others = open.others.iter();
        others.any(|other| divides(other, rest).is_some())
    };
    let found = open.iter().chain(closed).find(is_divided);
    found.map(|open| open.part)
}

/// The open multipart whose boundary the line begins with, although it is no boundary: some programs
/// compare no more of a line, and others go on after a closing boundary. Returns the part. A closing
/// boundary may be repeated.
pub(super) fn resembles(open: &[Open], closed: &[Open], line: &[u8]) -> Option<usize> {
    let rest = line.strip_prefix(b"--")?;
    let begins = |open: &&Open| {
        let boundary = open.boundary.as_deref();
        boundary.is_some_and(|boundary| rest.starts_with(boundary))
    };
    let is_last = || matches!(boundary(closed, line), Some((_, true)));
    let found = open
        .iter()
        .find(begins)
        .or_else(|| closed.iter().find(begins).filter(|_| !is_last()));
    found.map(|open| open.part)
}

/// A boundary in every reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BoundaryValue {
    /// The one of most programs.
    pub(super) usual: String,
    /// Those of programs that end a value without quotes earlier, or remove other quotes.
    pub(super) others: Vec<String>,
}

impl BoundaryValue {
    /// The boundary of a plain parameter; `None` if no two programs need to agree on it: it has encoded
    /// words, comments, blanks or bad quotes.
    pub(super) fn of(parameter: &Parameter) -> Option<Self> {
        let written = parameter.written.as_str();
        let (usual, mut others) = match written.strip_prefix('"') {
            Some(quoted) => {
                let (value, escaped, after) = unquote(quoted);
                let is_closed = after.is_some_and(|after| to_separator(after).is_empty());
                if !is_closed || value != escaped {
                    return None;
                }
                (value, Vec::new())
            }
            None => {
                let value = to_separator(written);
                if value.contains(|c| is_blank(c) || "(),\\\"".contains(c)) {
                    return None;
                }
                (value.to_owned(), cuts(value).map(str::to_owned).collect())
            }
        };
        others.extend(in_brackets(&usual).map(str::to_owned));
        others.retain(|other| !other.is_empty() && *other != usual);
        others.dedup();
        let is_plain = |octet: u8| matches!(octet, b' '..=b'~') && !b"\"\\".contains(&octet);
        let is_boundary = !usual.is_empty()
            && !usual.starts_with(' ')
            && !usual.ends_with(' ')
            && usual.bytes().all(is_plain)
            && !has_words(&usual);
        is_boundary.then_some(Self { usual, others })
    }
}
