//! Replies: what a server says, written and parsed in one place (RFC 5321 §4.2, RFC 3463).

mod parse;

use std::fmt;

pub use parse::{MAX_REPLY_LINES, MalformedReply, ReplyParser};

/// A reply to a client or from a server: code, enhanced status code, one or more lines of text.
///
/// The text cannot hold a control character, whoever it came from: a reply never carries a
/// second reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    code: u16,
    enhanced: Option<Enhanced>,
    text: Text,
}

impl Reply {
    /// A reply whose text is part of the program.
    ///
    /// # Panics
    ///
    /// At compile time, where the code is no reply code or the enhanced class disagrees with it.
    pub const fn fixed(code: u16, enhanced: Enhanced, text: &'static str) -> Self {
        assert!(code >= 200 && code <= 599, "not a reply code");
        assert!(
            enhanced.class as u16 == code / 100,
            "the enhanced class disagrees with the code"
        );
        Self {
            code,
            enhanced: Some(enhanced),
            text: Text::Fixed(text),
        }
    }

    /// A reply that carries no enhanced status code by its nature: the banner, the reply to EHLO,
    /// and those that begin with 3 (RFC 2034 §4).
    pub fn plain(code: u16, lines: Vec<String>) -> Result<Self, InvalidReply> {
        Self::new(code, None, lines)
    }

    /// 354, which asks for the message and carries no enhanced status code.
    pub const fn go_ahead(text: &'static str) -> Self {
        Self {
            code: 354,
            enhanced: None,
            text: Text::Fixed(text),
        }
    }

    /// A reply made at run time. Control characters in the text become spaces; a line break
    /// inside a line starts a new line.
    pub fn new(
        code: u16,
        enhanced: Option<Enhanced>,
        lines: Vec<String>,
    ) -> Result<Self, InvalidReply> {
        if !(200..=599).contains(&code) {
            return Err(InvalidReply::Code(code));
        }
        if let Some(enhanced) = enhanced
            && u16::from(enhanced.class) != code / 100
        {
            return Err(InvalidReply::Class { code, enhanced });
        }
        let text = match lines.iter().all(|line| is_clean(line)) {
            true => Text::Lines(lines),
            false => Text::Lines(lines.iter().flat_map(|line| cleaned(line)).collect()),
        };
        Ok(Self {
            code,
            enhanced,
            text,
        })
    }

    /// The same reply with the registered default in place of what is missing: an enhanced code
    /// where there is none, a text where there is none.
    #[must_use]
    pub fn completed(mut self) -> Self {
        let (enhanced, text) = defaults(self.code);
        if self.enhanced.is_none() && self.code / 100 != 3 {
            self.enhanced = Some(enhanced);
        }
        if self.lines().all(str::is_empty) {
            self.text = Text::Fixed(text);
        }
        self
    }

    /// The same reply, and no more of it than a client is to read: [`MAX_LINES`] lines, each no longer
    /// than it can be written.
    #[must_use]
    pub fn shortened(mut self) -> Self {
        let Text::Lines(lines) = &self.text else {
            return self;
        };
        // What is cut off is not kept either.
        let lines = lines.iter().take(MAX_LINES);
        let lines = lines.map(|line| line[..floor_char_boundary(line, MAX_LINE)].to_owned());
        self.text = Text::Lines(lines.collect());
        self
    }

    /// The reply code, 200 to 599.
    pub const fn code(&self) -> u16 {
        self.code
    }

    /// The enhanced status code.
    pub const fn enhanced(&self) -> Option<Enhanced> {
        self.enhanced
    }

    /// The lines of text, without codes.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        let (fixed, lines) = match &self.text {
            Text::Fixed(text) => (Some(*text), [].as_slice()),
            Text::Lines(lines) => (None, lines.as_slice()),
        };
        fixed.into_iter().chain(lines.iter().map(String::as_str))
    }

    /// Appends the reply as it goes over the wire. A line is cut at [`MAX_LINE`] octets.
    pub fn write(&self, out: &mut Vec<u8>) {
        let mut lines = self.lines().peekable();
        if lines.peek().is_none() {
            self.write_line("", true, out);
        }
        while let Some(line) = lines.next() {
            self.write_line(line, lines.peek().is_none(), out);
        }
    }

    fn write_line(&self, line: &str, last: bool, out: &mut Vec<u8>) {
        let start = out.len();
        push_number(self.code, out);
        out.push(if last { b' ' } else { b'-' });
        if let Some(enhanced) = self.enhanced {
            push_number(u16::from(enhanced.class), out);
            out.push(b'.');
            push_number(enhanced.subject, out);
            out.push(b'.');
            push_number(enhanced.detail, out);
            out.push(b' ');
        }
        let room = MAX_LINE - 2 - (out.len() - start);
        out.extend_from_slice(&line.as_bytes()[..floor_char_boundary(line, room)]);
        out.extend_from_slice(b"\r\n");
    }
}

/// Shows the reply on one line, as a log wants it.
impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if let Some(enhanced) = self.enhanced {
            write!(f, " {enhanced}")?;
        }
        for (index, line) in self.lines().enumerate() {
            f.write_str(if index == 0 { " " } else { " / " })?;
            f.write_str(line)?;
        }
        Ok(())
    }
}

/// A reply that accepts: its code is 200 to 299.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acceptance(Reply);

impl Acceptance {
    /// Takes a reply whose code begins with 2.
    pub fn new(reply: Reply) -> Result<Self, InvalidReply> {
        match reply.code / 100 {
            2 => Ok(Self(reply.completed())),
            _ => Err(InvalidReply::Code(reply.code)),
        }
    }

    /// The reply.
    pub const fn reply(&self) -> &Reply {
        &self.0
    }
}

/// A reply that refuses: its code is 400 to 599.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal(Reply);

impl Refusal {
    /// The gateway or something behind it has a problem; the client should try again.
    pub const TRY_LATER: Self = Self::fixed(
        451,
        Enhanced::new(4, 3, 0),
        "Temporary problem, try again later",
    );

    /// Takes a reply whose code begins with 4 or 5.
    pub fn new(reply: Reply) -> Result<Self, InvalidReply> {
        match reply.code / 100 {
            4 | 5 => Ok(Self(reply.completed())),
            _ => Err(InvalidReply::Code(reply.code)),
        }
    }

    /// A refusal whose text is part of the program.
    ///
    /// # Panics
    ///
    /// At compile time, where the code does not refuse.
    pub const fn fixed(code: u16, enhanced: Enhanced, text: &'static str) -> Self {
        assert!(code >= 400, "this code does not refuse");
        Self(Reply::fixed(code, enhanced, text))
    }

    /// Whether the client may try again (RFC 5321 §4.2.1).
    pub const fn is_temporary(&self) -> bool {
        self.0.code < 500
    }

    /// Whether the reply tells that the connection is being closed: 421 (RFC 5321 §3.8) and 521
    /// (RFC 7504).
    pub const fn closes(&self) -> bool {
        matches!(self.0.code, 421 | 521)
    }

    /// The reply.
    pub const fn reply(&self) -> &Reply {
        &self.0
    }
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Self {
        refusal.0
    }
}

impl From<Acceptance> for Reply {
    fn from(acceptance: Acceptance) -> Self {
        acceptance.0
    }
}

/// An enhanced status code: class, subject, detail (RFC 3463 §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Enhanced {
    class: u8,
    subject: u16,
    detail: u16,
}

impl Enhanced {
    /// A code that is part of the program.
    ///
    /// # Panics
    ///
    /// Where [`Enhanced::checked`] would say `None`.
    pub const fn new(class: u8, subject: u16, detail: u16) -> Self {
        match Self::checked(class, subject, detail) {
            Some(code) => code,
            None => panic!("not an enhanced status code"),
        }
    }

    /// A code made at run time: the class is 2, 4 or 5, subject and detail are at most 999.
    pub const fn checked(class: u8, subject: u16, detail: u16) -> Option<Self> {
        match class {
            2 | 4 | 5 if subject <= 999 && detail <= 999 => Some(Self {
                class,
                subject,
                detail,
            }),
            _ => None,
        }
    }

    /// What kind of answer it is: 2, 4 or 5.
    pub const fn class(self) -> u8 {
        self.class
    }

    /// What it is about, 0 to 999.
    pub const fn subject(self) -> u16 {
        self.subject
    }

    /// The exact condition, 0 to 999.
    pub const fn detail(self) -> u16 {
        self.detail
    }

    /// Reads `5.1.1` from the start of a text; gives the rest after the blank that follows.
    pub fn parse(text: &str) -> Option<(Self, &str)> {
        let (code, rest) = text.split_once(' ').unwrap_or((text, ""));
        let mut parts = code.split('.');
        let class = number(parts.next()?)?;
        let subject = number(parts.next()?)?;
        let detail = number(parts.next()?)?;
        if parts.next().is_some() {
            return None;
        }
        let code = Self::checked(u8::try_from(class).ok()?, subject, detail)?;
        Some((code, rest))
    }
}

impl fmt::Display for Enhanced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}

/// Why a reply cannot be said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InvalidReply {
    /// The enhanced status code belongs to another class than the reply code.
    Class {
        /// The reply code.
        code: u16,
        /// The enhanced status code.
        enhanced: Enhanced,
    },
    /// The code is none that may stand here.
    Code(u16),
}

impl fmt::Display for InvalidReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Class { code, enhanced } => {
                write!(
                    f,
                    "enhanced code {enhanced} does not go with reply code {code}"
                )
            }
            Self::Code(code) => write!(f, "reply code {code} is not allowed here"),
        }
    }
}

impl std::error::Error for InvalidReply {}

/// The longest reply line, CRLF included (RFC 5321 §4.5.3.1.5).
pub const MAX_LINE: usize = 512;
/// The most lines of a [shortened](Reply::shortened) reply.
pub const MAX_LINES: usize = 100;

#[derive(Clone, Debug)]
enum Text {
    Fixed(&'static str),
    Lines(Vec<String>),
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Fixed(a), Self::Fixed(b)) => a == b,
            (Self::Lines(a), Self::Lines(b)) => a == b,
            (Self::Fixed(a), Self::Lines(b)) | (Self::Lines(b), Self::Fixed(a)) => {
                matches!(b.as_slice(), [only] if only == a)
            }
        }
    }
}

impl Eq for Text {}

/// The registered meaning of a reply code: its enhanced code (RFC 5248) and a text.
const fn defaults(code: u16) -> (Enhanced, &'static str) {
    match code {
        211 | 214 => (Enhanced::new(2, 0, 0), "Help"),
        220 => (Enhanced::new(2, 0, 0), "Ready"),
        221 => (Enhanced::new(2, 0, 0), "Bye"),
        235 => (Enhanced::new(2, 7, 0), "Authentication successful"),
        251 => (Enhanced::new(2, 1, 5), "User not local, will forward"),
        252 => (
            Enhanced::new(2, 5, 0),
            "Cannot verify, but will try to deliver",
        ),
        200..=299 => (Enhanced::new(2, 0, 0), "Ok"),
        421 => (
            Enhanced::new(4, 3, 2),
            "Service not available, closing connection",
        ),
        432 => (Enhanced::new(4, 7, 12), "A password transition is needed"),
        450 => (Enhanced::new(4, 2, 0), "Mailbox temporarily unavailable"),
        452 => (Enhanced::new(4, 3, 1), "Insufficient system storage"),
        454 => (Enhanced::new(4, 7, 0), "Temporary authentication failure"),
        455 => (Enhanced::new(4, 5, 1), "Cannot accommodate parameters"),
        400..=499 => (Enhanced::new(4, 3, 0), "Temporary problem, try again later"),
        500 => (Enhanced::new(5, 5, 1), "Command not recognized"),
        501 => (Enhanced::new(5, 5, 4), "Invalid arguments"),
        502 => (Enhanced::new(5, 5, 1), "Command not implemented"),
        503 => (Enhanced::new(5, 5, 1), "Bad sequence of commands"),
        504 => (Enhanced::new(5, 5, 4), "Parameter not implemented"),
        521 => (Enhanced::new(5, 3, 2), "Host does not accept mail"),
        523 => (Enhanced::new(5, 7, 10), "Encryption needed"),
        530 => (Enhanced::new(5, 7, 0), "Authentication required"),
        534 => (
            Enhanced::new(5, 7, 9),
            "Authentication mechanism is too weak",
        ),
        535 => (Enhanced::new(5, 7, 8), "Authentication credentials invalid"),
        538 => (
            Enhanced::new(5, 7, 11),
            "Encryption required for authentication",
        ),
        551 => (Enhanced::new(5, 1, 6), "User not local"),
        552 => (Enhanced::new(5, 2, 2), "Exceeded storage allocation"),
        553 => (Enhanced::new(5, 1, 3), "Mailbox name not allowed"),
        555 => (Enhanced::new(5, 5, 4), "Parameters not recognized"),
        556 => (Enhanced::new(5, 1, 10), "Domain does not accept mail"),
        300..=399 => (Enhanced::new(2, 0, 0), "Go on"),
        _ => (Enhanced::new(5, 7, 1), "Refused by policy"),
    }
}

fn is_clean(line: &str) -> bool {
    !line.chars().any(char::is_control)
}

/// Splits at line breaks and makes every other control character a blank.
fn cleaned(line: &str) -> impl Iterator<Item = String> {
    line.split(['\r', '\n'])
        .filter(|part| !part.is_empty())
        .map(|part| part.replace(char::is_control, " "))
}

fn push_number(number: u16, out: &mut Vec<u8>) {
    let mut digits = [0; 5];
    let mut rest = number;
    let mut start = digits.len();
    loop {
        start -= 1;
        // A digit is below 10, so that the cast keeps it.
        digits[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[start..]);
}

fn number(digits: &str) -> Option<u16> {
    match digits.len() {
        1..=3 if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().ok(),
        _ => None,
    }
}

fn floor_char_boundary(text: &str, index: usize) -> usize {
    text.floor_char_boundary(index)
}

#[cfg(test)]
mod tests;
