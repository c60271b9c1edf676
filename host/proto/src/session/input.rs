//! The octets that came from the client and were not used yet.

use std::fmt;
use std::ops::Range;

use memchr::memchr;
use zeroize::Zeroize;

use crate::session::{MAX_AUTH_LINE, MAX_COMMAND_LINE};

/// A buffer that gives out command lines, and octets of a message.
#[derive(Default)]
pub(super) struct Input {
    buffer: Vec<u8>,
    used: usize,
    overlong: Option<usize>,
    /// Whether the line that stands at the start is AUTH, which may be longer than others.
    is_auth: bool,
}

/// What stands at the start of the unused octets.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A line, without its CRLF.
    Complete(Vec<u8>),
    /// More octets than may be thrown away without a line ending.
    Endless,
    /// No line ending yet.
    Incomplete,
    /// A line that ends in a bare LF.
    NoCr,
    /// A line longer than allowed; it was thrown away.
    TooLong,
}

/// Hides the octets: credentials may stand in them.
impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Input")
            .field("unused", &self.unused().len())
            .field("overlong", &self.overlong)
            .field("is_auth", &self.is_auth)
            .finish_non_exhaustive()
    }
}

impl Input {
    /// Where received octets are appended.
    pub(super) fn buffer(&mut self) -> &mut Vec<u8> {
        if self.used > 0 {
            let left = self.unused().len();
            if left > 0 {
                self.buffer.copy_within(self.used.., 0);
                // Credentials that move leave no copy behind.
                self.buffer[left..].zeroize();
            }
            self.buffer.truncate(left);
            self.used = 0;
        }
        &mut self.buffer
    }

    pub(super) fn unused(&self) -> &[u8] {
        &self.buffer[self.used..]
    }

    /// Takes octets out, and says where in the buffer they stand until more is received.
    pub(super) fn take(&mut self, count: usize) -> Range<usize> {
        let start = self.used;
        self.used += count;
        start..self.used
    }

    pub(super) fn octets(&self, range: Range<usize>) -> &[u8] {
        &self.buffer[range]
    }

    /// Throws away whatever is there.
    pub(super) fn discard(&mut self) {
        self.take(self.unused().len());
    }

    /// Throws away at most so many octets, and says how many were there.
    pub(super) fn swallow(&mut self, at_most: u64) -> u64 {
        let there = self.unused().len();
        let count = usize::try_from(at_most).map_or(there, |at_most| at_most.min(there));
        self.take(count).len() as u64
    }

    /// How long the command line may be that stands at the start.
    pub(super) fn longest_command(&mut self) -> usize {
        if self.overlong.is_none() {
            let verb = self.unused().get(..AUTH.len());
            self.is_auth = verb.is_some_and(|verb| verb.eq_ignore_ascii_case(AUTH));
        }
        match self.is_auth {
            true => MAX_AUTH_LINE,
            false => MAX_COMMAND_LINE,
        }
    }

    /// Whether the last line that [`longest_command`](Self::longest_command) was asked about was AUTH.
    pub(super) const fn is_auth(&self) -> bool {
        self.is_auth
    }

    /// Takes the next line of at most `limit` octets, line ending included. A line without end is
    /// thrown away up to `discard` octets. Where it is lenient, LF alone ends a line.
    pub(super) fn line(&mut self, limit: usize, discard: usize, lenient: bool) -> Line {
        let unused = self.unused();
        let Some(end) = memchr(b'\n', unused) else {
            return self.incomplete(limit, discard);
        };
        let range = self.take(end + 1);
        // The answer is the same however the line was cut on its way.
        match self.overlong.take().unwrap_or(0) + range.len() {
            length if length > discard => return Line::Endless,
            length if length > limit => return Line::TooLong,
            _ => {}
        }
        let line = &mut self.buffer[range];
        let taken = match line.strip_suffix(b"\r\n") {
            Some(line) => Line::Complete(line.to_vec()),
            None if lenient => Line::Complete(line[..line.len() - 1].to_vec()),
            None => Line::NoCr,
        };
        // Credentials may stand in it.
        line.zeroize();
        taken
    }

    fn incomplete(&mut self, limit: usize, discard: usize) -> Line {
        let length = self.unused().len();
        if self.overlong.is_none() && length <= limit {
            return Line::Incomplete;
        }
        self.take(length);
        let discarded = self.overlong.unwrap_or(0) + length;
        self.overlong = Some(discarded);
        match discarded > discard {
            true => Line::Endless,
            false => Line::Incomplete,
        }
    }
}

const AUTH: &[u8] = b"AUTH ";

#[cfg(test)]
mod tests {
    use super::*;

    const DISCARD: usize = 1 << 20;

    #[test]
    fn a_line_leaves_nothing_behind() {
        let mut input = Input::default();
        input.buffer().extend_from_slice(b"NOOP\r\nAUTH x\r\nNO");
        assert_eq!(
            input.line(10, DISCARD, false),
            Line::Complete(b"NOOP".to_vec())
        );
        assert_eq!(input.buffer, b"\0\0\0\0\0\0AUTH x\r\nNO");
        input.buffer().extend_from_slice(b"OP");
        assert_eq!(
            input.line(10, DISCARD, false),
            Line::Complete(b"AUTH x".to_vec())
        );
        assert_eq!(input.buffer, b"\0\0\0\0\0\0\0\0NOOP");
    }

    #[test]
    fn lines_long_short_and_endless() {
        let mut input = Input::default();
        input
            .buffer()
            .extend_from_slice(b"NOOP\r\nlonger than ten\r\nlf\n\r\nrest");
        assert_eq!(
            input.line(10, DISCARD, false),
            Line::Complete(b"NOOP".to_vec())
        );
        assert_eq!(input.line(10, DISCARD, false), Line::TooLong);
        assert_eq!(input.line(10, DISCARD, false), Line::NoCr);
        assert_eq!(input.line(10, DISCARD, false), Line::Complete(vec![]));
        assert_eq!(input.line(10, DISCARD, false), Line::Incomplete);
        input.buffer().extend_from_slice(b" and more than that");
        assert_eq!(input.line(10, DISCARD, false), Line::Incomplete);
        assert!(input.unused().is_empty());
        input.buffer().extend_from_slice(b"\r\nNOOP\r\n");
        assert_eq!(input.line(10, DISCARD, false), Line::TooLong);
        assert_eq!(
            input.line(10, DISCARD, false),
            Line::Complete(b"NOOP".to_vec())
        );
        input.buffer().resize(DISCARD, b'x');
        assert_eq!(input.line(10, DISCARD, false), Line::Incomplete);
        input.buffer().push(b'x');
        assert_eq!(input.line(10, DISCARD, false), Line::Endless);
    }
}
