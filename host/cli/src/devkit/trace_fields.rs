//! Removal of the trace fields that the gateway adds (RFC 5321 §4.4).

/// Returns a message without the Return-Path and Received fields at its top.
pub(super) fn without_trace(message: &[u8]) -> &[u8] {
    let mut rest = message;
    for name in [&b"return-path:"[..], b"received:"] {
        let is_present = rest
            .get(..name.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(name));
        if is_present {
            rest = &rest[field_len(rest)..];
        }
    }
    rest
}

/// Returns the length of the first field with its continuation lines, in octets.
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
    fn only_trace_fields_at_the_top_are_removed() {
        let message =
            b"Return-Path: <a@b>\r\nReceived: from x\r\n by y\r\nReceived: from z\r\n\r\nhi\r\n";
        assert_eq!(without_trace(message), b"Received: from z\r\n\r\nhi\r\n");
        assert_eq!(without_trace(b"Subject: x\r\n"), b"Subject: x\r\n");
        assert_eq!(without_trace(b"Received: x"), b"");
    }
}
