//! A delivered message without what the gateway itself has put on top.

/// A message without the Return-Path and Received fields at its top.
pub(super) fn without_trace(message: &[u8]) -> &[u8] {
    let mut rest = message;
    for name in [&b"return-path:"[..], b"received:"] {
        let is_there = rest
            .get(..name.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(name));
        if is_there {
            rest = &rest[field_len(rest)..];
        }
    }
    rest
}

/// The length of the field at the top, with the lines that continue it.
fn field_len(block: &[u8]) -> usize {
    let mut at = 0;
    loop {
        match block[at..].iter().position(|octet| *octet == b'\n') {
            None => return block.len(),
            Some(end) => at += end + 1,
        }
        if !matches!(block.get(at), Some(b' ' | b'\t')) {
            return at;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_trace_is_taken_off_the_top_only() {
        let message =
            b"Return-Path: <a@b>\r\nReceived: from x\r\n by y\r\nReceived: from z\r\n\r\nhi\r\n";
        assert_eq!(without_trace(message), b"Received: from z\r\n\r\nhi\r\n");
        assert_eq!(without_trace(b"Subject: x\r\n"), b"Subject: x\r\n");
        assert_eq!(without_trace(b"Received: x"), b"");
    }
}
