//! Replies with any code.

use std::fmt;

use crate::address::Charset;
use crate::reply::defaults::defaults;
use crate::reply::enhanced::Enhanced;

/// A reply: code, enhanced status code, and one or more lines of text.
///
/// The text cannot hold control characters, so that one reply cannot inject another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    code: u16,
    enhanced: Option<Enhanced>,
    text: Text,
}

impl Reply {
    /// A reply with a constant text.
    ///
    /// # Panics
    ///
    /// Panics if the code is not in 200 to 599, or if the class of the enhanced status code differs
    /// from it. In constants, this is a compile error.
    pub const fn fixed(code: u16, enhanced: Enhanced, text: &'static str) -> Self {
        assert!(code >= 200 && code <= 599, "not a reply code");
        assert!(
            enhanced.class() as u16 == code / 100,
            "the enhanced class disagrees with the code"
        );
        Self {
            code,
            enhanced: Some(enhanced),
            text: Text::Fixed(text),
        }
    }

    /// A reply without enhanced status code: the banner, the replies to HELO and EHLO, and codes 3xx
    /// (RFC 2034 §4).
    ///
    /// # Errors
    ///
    /// Fails if the code is not in 200 to 599.
    pub fn plain(code: u16, lines: Vec<String>) -> Result<Self, InvalidReply> {
        Self::new(code, None, lines)
    }

    /// A 354 reply, which has no enhanced status code.
    pub const fn go_ahead(text: &'static str) -> Self {
        Self {
            code: 354,
            enhanced: None,
            text: Text::Fixed(text),
        }
    }

    /// A reply with a variable text. Line breaks in the text start a new line, and other control
    /// characters become spaces.
    ///
    /// # Errors
    ///
    /// Fails if the code is not in 200 to 599, or if the class of the enhanced status code differs from
    /// it.
    pub fn new(
        code: u16,
        enhanced: Option<Enhanced>,
        lines: Vec<String>,
    ) -> Result<Self, InvalidReply> {
        if !(200..=599).contains(&code) {
            return Err(InvalidReply::Code(code));
        }
        if let Some(enhanced) = enhanced
            && u16::from(enhanced.class()) != code / 100
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

    /// The same positive reply with the code 250.
    #[must_use]
    pub(crate) fn with_code_250(self) -> Self {
        debug_assert_eq!(self.code / 100, 2, "the enhanced class would disagree");
        Self { code: 250, ..self }
    }

    /// Adds the default enhanced status code and the default text if they are missing.
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

    /// Truncates the reply to [`MAX_LINES`] lines of at most [`MAX_LINE`] octets.
    #[must_use]
    pub fn shortened(mut self) -> Self {
        let Text::Lines(lines) = &self.text else {
            return self;
        };
        // Copy the kept part, to free the memory of the rest.
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

    /// The lines of the text, without codes.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        let (fixed, lines) = match &self.text {
            Text::Fixed(text) => (Some(*text), [].as_slice()),
            Text::Lines(lines) => (None, lines.as_slice()),
        };
        fixed.into_iter().chain(lines.iter().map(String::as_str))
    }

    /// Appends the wire form of the reply. Lines are truncated to [`MAX_LINE`] octets. A client that has
    /// not asked for SMTPUTF8 gets ASCII (RFC 6531 §3.7.4.2): a question mark for any other character.
    pub fn write(&self, charset: Charset, out: &mut Vec<u8>) {
        let mut lines = self.lines().peekable();
        if lines.peek().is_none() {
            self.write_line("", true, out);
        }
        while let Some(line) = lines.next() {
            let is_last = lines.peek().is_none();
            match charset {
                Charset::Ascii if !line.is_ascii() => {
                    let line = line.replace(|c: char| !c.is_ascii(), "?");
                    self.write_line(&line, is_last, out);
                }
                Charset::Ascii | Charset::Utf8 => self.write_line(line, is_last, out),
            }
        }
    }

    fn write_line(&self, line: &str, last: bool, out: &mut Vec<u8>) {
        let start = out.len();
        push_number(self.code, out);
        out.push(if last { b' ' } else { b'-' });
        if let Some(enhanced) = self.enhanced {
            push_number(u16::from(enhanced.class()), out);
            out.push(b'.');
            push_number(enhanced.subject(), out);
            out.push(b'.');
            push_number(enhanced.detail(), out);
            out.push(b' ');
        }
        let room = MAX_LINE - 2 - (out.len() - start);
        out.extend_from_slice(&line.as_bytes()[..floor_char_boundary(line, room)]);
        out.extend_from_slice(b"\r\n");
    }
}

/// Formats the reply on one line, for logs.
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

/// Why a reply is invalid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InvalidReply {
    /// The class of the enhanced status code differs from the reply code.
    Class {
        /// The reply code.
        code: u16,
        /// The enhanced status code.
        enhanced: Enhanced,
    },
    /// The reply code is not allowed here.
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

fn is_clean(line: &str) -> bool {
    !line.chars().any(char::is_control)
}

/// Splits at line breaks and replaces other control characters by spaces.
pub(super) fn cleaned(line: &str) -> impl Iterator<Item = String> {
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
        // Lossless: a digit is below 10.
        digits[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[start..]);
}

fn floor_char_boundary(text: &str, index: usize) -> usize {
    text.floor_char_boundary(index)
}

/// The maximum length of a reply line in octets, including CRLF (RFC 5321 §4.5.3.1.5).
pub const MAX_LINE: usize = 512;
/// The maximum number of lines of a [shortened](Reply::shortened) reply.
pub const MAX_LINES: usize = 100;
