//! Boundaries of multiparts (RFC 2046 §5.1.1).

/// A multipart or message whose end was not reached yet.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) part: usize,
    /// `None` for a message.
    pub(super) boundary: Option<Vec<u8>>,
}

/// The open multipart whose boundary the line is, and true if it is the closing one. Of equal
/// boundaries, the outermost wins (RFC 2046 §5.1.2).
pub(super) fn boundary(open: &[Open], line: &[u8]) -> Option<(usize, bool)> {
    let rest = line.strip_prefix(b"--")?;
    open.iter().enumerate().find_map(|(index, open)| {
        let after = rest.strip_prefix(open.boundary.as_deref()?)?;
        let end = after.strip_prefix(b"--");
        let is_padding = |octet: &u8| matches!(octet, b' ' | b'\t');
        let is_boundary = end.unwrap_or(after).iter().all(is_padding);
        is_boundary.then_some((index, end.is_some()))
    })
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
