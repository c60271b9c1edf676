//! Replies, validated in the same way as by the host.

use std::fmt;

use crate::bindings::imports::postgate::plugin::types::{EnhancedCode, Reply};

/// A reply to a question of the client.
pub(crate) fn answering(
    code: u16,
    enhanced: &str,
    lines: Vec<String>,
) -> Result<Reply, InvalidReply> {
    match code {
        200..=299 | 400..=599 => reply(code, enhanced, lines),
        _ => Err(InvalidReply::NoAnswer(code)),
    }
}

/// A reply that refuses a step of the session.
pub(crate) fn refusing(
    code: u16,
    enhanced: &str,
    lines: Vec<String>,
) -> Result<Reply, InvalidReply> {
    match code {
        400..=599 => reply(code, enhanced, lines),
        _ => Err(InvalidReply::NoRefusal(code)),
    }
}

fn reply(code: u16, enhanced: &str, lines: Vec<String>) -> Result<Reply, InvalidReply> {
    let Some(parsed) = parse_enhanced(enhanced) else {
        return Err(InvalidReply::Enhanced(enhanced.into()));
    };
    if u16::from(parsed.class) != code / 100 {
        return Err(InvalidReply::Class {
            code,
            enhanced: enhanced.into(),
        });
    }
    Ok(Reply {
        code,
        enhanced: Some(parsed),
        lines,
    })
}

fn parse_enhanced(text: &str) -> Option<EnhancedCode> {
    let mut parts = text.split('.');
    let code = EnhancedCode {
        class: parts.next()?.parse().ok()?,
        subject: parts.next()?.parse().ok()?,
        detail: parts.next()?.parse().ok()?,
    };
    let fits = code.subject <= 999 && code.detail <= 999;
    (fits && parts.next().is_none()).then_some(code)
}

/// Why a reply is not valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InvalidReply {
    /// The enhanced status code belongs to another class than the reply code.
    Class {
        /// The reply code.
        code: u16,
        /// The enhanced status code.
        enhanced: String,
    },
    /// This is not an enhanced status code.
    Enhanced(String),
    /// The reply code does not answer a question.
    NoAnswer(u16),
    /// The reply code does not refuse.
    NoRefusal(u16),
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
            Self::Enhanced(text) => write!(f, "{text:?} is no enhanced code such as 5.7.1"),
            Self::NoAnswer(code) => write!(f, "reply code {code} does not answer"),
            Self::NoRefusal(code) => write!(f, "reply code {code} does not refuse"),
        }
    }
}

impl std::error::Error for InvalidReply {}
