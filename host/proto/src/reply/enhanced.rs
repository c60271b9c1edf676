//! Enhanced status codes (RFC 3463).

use std::fmt;

/// An enhanced status code: class, subject, detail (RFC 3463 §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Enhanced {
    class: u8,
    subject: u16,
    detail: u16,
}

impl Enhanced {
    /// A constant code.
    ///
    /// # Panics
    ///
    /// Panics if [`Enhanced::checked`] returns `None`. In constants, this is a compile error.
    pub const fn new(class: u8, subject: u16, detail: u16) -> Self {
        match Self::checked(class, subject, detail) {
            Some(code) => code,
            None => panic!("not an enhanced status code"),
        }
    }

    /// A code from variable parts. Returns `None` unless the class is 2, 4 or 5, and subject and detail
    /// are at most 999.
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

    /// The class: 2, 4 or 5.
    pub const fn class(self) -> u8 {
        self.class
    }

    /// The subject, 0 to 999.
    pub const fn subject(self) -> u16 {
        self.subject
    }

    /// The detail, 0 to 999.
    pub const fn detail(self) -> u16 {
        self.detail
    }

    /// Parses a code such as `5.1.1` at the start of a text. Returns it and the text after the space
    /// that follows, or `None` if the text starts with anything else.
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

/// Parses a number of 1 to 3 digits.
pub(super) fn number(digits: &str) -> Option<u16> {
    match digits.len() {
        1..=3 if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().ok(),
        _ => None,
    }
}
