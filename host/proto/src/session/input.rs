//! The input buffer: octets received from the client and not yet used.

use std::fmt;
use std::ops::Range;

use memchr::memchr;
use zeroize::{Zeroize, Zeroizing};

use crate::command::is_auth;

/// The input buffer. Lines are zeroized when they are taken out, because they may hold credentials,
/// and so is the rest with the buffer.
#[derive(Default)]
pub(super) struct Input {
    buffer: Vec<u8>,
    used: usize,
    /// The number of octets of the current line that were discarded, if it is too long.
    overlong: Option<usize>,
    /// True if the first line is an AUTH command, which may be longer than others.
    is_auth: bool,
}

/// The next line of the input.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A line without its line ending. It may hold credentials.
    Complete(Zeroizing<Vec<u8>>),
    /// More octets without a line ending than may be discarded.
    Endless,
    /// A line that ends in a bare LF.
    NoCr,
    /// A line that is longer than allowed and was discarded.
    TooLong,
}

/// Hides the octets, which may hold credentials.
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
    /// The buffer to which received octets are appended, with room for `room` more. While it is
    /// empty, its capacity is at most twice as large.
    pub(super) fn buffer(&mut self, room: usize) -> &mut Vec<u8> {
        if self.used > 0 {
            let left = self.unused().len();
            if left > 0 {
                self.buffer.copy_within(self.used.., 0);
                // The move must not leave a copy of credentials behind.
                self.buffer[left..].zeroize();
            }
            self.buffer.truncate(left);
            self.used = 0;
        }
        let (kept, capacity) = (self.buffer.len(), self.buffer.capacity());
        if capacity - kept < room {
            // Vec::reserve would leave the old octets in memory.
            let mut larger = Vec::with_capacity((kept + room).max(2 * kept));
            larger.extend_from_slice(&self.buffer);
            self.buffer.as_mut_slice().zeroize();
            self.buffer = larger;
        } else if kept == 0 && capacity / 2 > room {
            self.buffer = Vec::with_capacity(room);
        }
        &mut self.buffer
    }

    pub(super) fn unused(&self) -> &[u8] {
        &self.buffer[self.used..]
    }

    /// Takes octets out. Returns their range, which is valid until more octets are received.
    pub(super) fn take(&mut self, count: usize) -> Range<usize> {
        let start = self.used;
        self.used += count;
        start..self.used
    }

    pub(super) fn octets(&self, range: Range<usize>) -> &[u8] {
        &self.buffer[range]
    }

    /// Discards all octets.
    pub(super) fn discard(&mut self) {
        let range = self.take(self.unused().len());
        self.buffer[range].zeroize();
    }

    /// Discards up to `at_most` octets. Returns the number of discarded octets.
    pub(super) fn discard_up_to(&mut self, at_most: u64) -> u64 {
        let there = self.unused().len();
        let count = usize::try_from(at_most).map_or(there, |at_most| at_most.min(there));
        self.take(count).len() as u64
    }

    /// The maximum length of the command line at the start of the input.
    pub(super) fn longest_command(&mut self) -> usize {
        if self.overlong.is_none() {
            let start = self.unused().get(..LONGEST_AUTH_VERB);
            self.is_auth = start.is_some_and(is_auth);
        }
        match self.is_auth {
            true => MAX_AUTH_LINE,
            false => MAX_COMMAND_LINE,
        }
    }

    /// True if [`longest_command`](Self::longest_command) last found an AUTH command.
    pub(super) const fn is_auth(&self) -> bool {
        self.is_auth
    }

    /// Takes the next line, of at most `limit` octets with its line ending. Longer lines are discarded,
    /// up to `discard` octets. If `lenient`, a bare LF ends a line. Returns `None` if the line is not
    /// complete.
    pub(super) fn line(&mut self, limit: usize, discard: usize, lenient: bool) -> Option<Line> {
        let unused = self.unused();
        let Some(end) = memchr(b'\n', unused) else {
            return self.incomplete(limit, discard);
        };
        let range = self.take(end + 1);
        // The result does not depend on how the line was cut into reads.
        let length = self.overlong.take().unwrap_or(0) + range.len();
        let line = &mut self.buffer[range];
        let complete = |line: &[u8]| Line::Complete(line.to_vec().into());
        let taken = match line.strip_suffix(b"\r\n") {
            _ if length > discard => Line::Endless,
            _ if length > limit => Line::TooLong,
            Some(line) => complete(line),
            None if lenient => complete(&line[..line.len() - 1]),
            None => Line::NoCr,
        };
        line.zeroize();
        Some(taken)
    }

    fn incomplete(&mut self, limit: usize, discard: usize) -> Option<Line> {
        let length = self.unused().len();
        if self.overlong.is_none() && length <= limit {
            return None;
        }
        self.discard();
        let discarded = self.overlong.unwrap_or(0) + length;
        self.overlong = Some(discarded);
        (discarded > discard).then_some(Line::Endless)
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        self.buffer.as_mut_slice().zeroize();
    }
}

/// The maximum length of a command line in octets, including CRLF: the 512 octets of RFC 5321
/// §4.5.3.1.4 and what extensions add to MAIL and RCPT.
pub const MAX_COMMAND_LINE: usize = 2048;

/// The maximum length of a line of an AUTH exchange in octets, including CRLF (RFC 4954 §4).
pub const MAX_AUTH_LINE: usize = 12_288;

/// As many octets as decide whether a line is an AUTH command with arguments.
const LONGEST_AUTH_VERB: usize = b"AUTH ".len();

#[cfg(test)]
mod tests {
    use super::*;

    const DISCARD: usize = 1 << 20;

    fn complete(line: &[u8]) -> Option<Line> {
        Some(Line::Complete(line.to_vec().into()))
    }

    #[test]
    fn a_line_leaves_nothing_behind() {
        let mut input = Input::default();
        input.buffer(0).extend_from_slice(b"NOOP\r\nAUTH x\r\nNO");
        assert_eq!(input.line(10, DISCARD, false), complete(b"NOOP"));
        assert_eq!(input.buffer, b"\0\0\0\0\0\0AUTH x\r\nNO");
        input.buffer(0).extend_from_slice(b"OP");
        assert_eq!(input.line(10, DISCARD, false), complete(b"AUTH x"));
        assert_eq!(input.buffer, b"\0\0\0\0\0\0\0\0NOOP");
    }

    #[test]
    fn what_is_thrown_away_leaves_nothing_behind_either() {
        let secret = b"AUTH PLAIN AGJvYgBzZWNyZXQ=";
        let thrown_away = |ending: &[u8], limit, discard| {
            let mut input = Input::default();
            input.buffer(0).extend_from_slice(secret);
            input.buffer(0).extend_from_slice(ending);
            let line = input.line(limit, discard, false);
            (line, input)
        };
        for (ending, limit, discard, expected) in [
            (&b"\r\n"[..], 10, DISCARD, Some(Line::TooLong)),
            (b"\r\n", 10, 10, Some(Line::Endless)),
            (b"\n", DISCARD, DISCARD, Some(Line::NoCr)),
            (b"", 10, DISCARD, None),
            (b"", 10, 10, Some(Line::Endless)),
        ] {
            let (line, input) = thrown_away(ending, limit, discard);
            assert_eq!(line, expected);
            assert_eq!(
                input.buffer,
                vec![0; secret.len() + ending.len()],
                "{line:?}"
            );
        }
        let (_, mut input) = thrown_away(b"", DISCARD, DISCARD);
        input.discard();
        assert_eq!(input.buffer, [0; 27]);
    }

    #[test]
    fn there_is_the_room_that_is_asked_for() {
        let mut input = Input::default();
        for (kept, room, expected) in [
            (0, 100, 100),
            (60, 40, 100),
            (60, 41, 120),
            (60, 200, 260),
            (0, 50, 100),
            (0, 49, 49),
        ] {
            input.buffer = Vec::with_capacity(100);
            input.buffer.resize(kept, b'x');
            assert_eq!(input.buffer(room), &vec![b'x'; kept]);
            assert_eq!(input.buffer.capacity(), expected, "{kept} {room}");
        }
    }

    #[test]
    fn lines_long_short_and_endless() {
        let mut input = Input::default();
        input
            .buffer(0)
            .extend_from_slice(b"NOOP\r\nlonger than ten\r\nlf\n\r\nrest");
        assert_eq!(input.line(10, DISCARD, false), complete(b"NOOP"));
        assert_eq!(input.line(10, DISCARD, false), Some(Line::TooLong));
        assert_eq!(input.line(10, DISCARD, false), Some(Line::NoCr));
        assert_eq!(input.line(10, DISCARD, false), complete(b""));
        assert_eq!(input.line(10, DISCARD, false), None);
        input.buffer(0).extend_from_slice(b" and more than that");
        assert_eq!(input.line(10, DISCARD, false), None);
        assert!(input.unused().is_empty());
        input.buffer(0).extend_from_slice(b"\r\nNOOP\r\n");
        assert_eq!(input.line(10, DISCARD, false), Some(Line::TooLong));
        assert_eq!(input.line(10, DISCARD, false), complete(b"NOOP"));
        input.buffer(0).resize(DISCARD, b'x');
        assert_eq!(input.line(10, DISCARD, false), None);
        input.buffer(0).push(b'x');
        assert_eq!(input.line(10, DISCARD, false), Some(Line::Endless));
    }
}
