//! Replies, written and parsed (RFC 5321 §4.2, RFC 3463).

mod any;
mod defaults;
mod enhanced;
mod parse;
mod verdict;

pub use self::any::{InvalidReply, MAX_LINE, MAX_LINES, Reply};
pub use self::enhanced::Enhanced;
pub use self::parse::{MAX_REPLY_LINES, MalformedReply, ReplyParser};
pub use self::verdict::{Acceptance, Refusal};

#[cfg(test)]
mod tests;
