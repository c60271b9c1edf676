//! The parser for replies of a server.

use std::fmt;

use crate::reply::any::{Reply, cleaned};
use crate::reply::enhanced::{Enhanced, number};

/// Collects the lines of one reply of a server (RFC 5321 §4.2.1), up to [`MAX_REPLY_LINES`].
#[derive(Debug, Default)]
pub struct ReplyParser {
    code: Option<u16>,
    enhanced: Option<Enhanced>,
    lines: Vec<String>,
}

impl ReplyParser {
    /// Adds a line without its CRLF. Returns the reply after its last line.
    ///
    /// # Errors
    ///
    /// Fails if the line is malformed, has another code than the lines before it, or if there are more
    /// than [`MAX_REPLY_LINES`] lines.
    pub fn line(&mut self, line: &[u8]) -> Result<Option<Reply>, MalformedReply> {
        let text = String::from_utf8_lossy(line);
        let digits = text.get(..3).ok_or(MalformedReply)?;
        let code = number(digits).ok_or(MalformedReply)?;
        if !(200..=599).contains(&code) || self.code.is_some_and(|first| first != code) {
            return Err(MalformedReply);
        }
        let (last, rest) = match text.as_bytes().get(3) {
            None | Some(b' ') => (true, text.get(4..).unwrap_or("")),
            Some(b'-') => (false, &text[4..]),
            Some(_) => return Err(MalformedReply),
        };
        if self.lines.len() == MAX_REPLY_LINES {
            return Err(MalformedReply);
        }
        self.code = Some(code);
        let rest = match Enhanced::parse(rest) {
            Some((enhanced, rest)) if u16::from(enhanced.class()) == code / 100 => {
                self.enhanced.get_or_insert(enhanced);
                rest
            }
            _ => rest,
        };
        self.lines.push(cleaned(rest).collect());
        if !last {
            return Ok(None);
        }
        let parsed = std::mem::take(self);
        Reply::new(code, parsed.enhanced, parsed.lines)
            .map(Some)
            .map_err(|_| MalformedReply)
    }
}

/// The server sent a malformed reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MalformedReply;

impl fmt::Display for MalformedReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the server sent something that is not an SMTP reply")
    }
}

impl std::error::Error for MalformedReply {}

/// The maximum number of lines of a server's reply.
pub const MAX_REPLY_LINES: usize = 128;
