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
