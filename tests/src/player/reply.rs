//! Replies of dialogs.

use postgate_proto::reply::{Enhanced, Reply};

use crate::dialog::ScriptedReply;

/// Converts a scripted reply.
///
/// # Panics
///
/// Panics if the code is invalid or contradicts the enhanced status code.
pub(super) fn reply(scripted: &ScriptedReply) -> Reply {
    let (enhanced, lines) = parts(scripted);
    Reply::new(scripted.code, enhanced, lines).expect("a valid reply")
}

/// The enhanced status code and the lines of a scripted reply.
pub(super) fn parts(scripted: &ScriptedReply) -> (Option<Enhanced>, Vec<String>) {
    let (enhanced, text) = match Enhanced::parse(&scripted.text) {
        Some((enhanced, text)) => (Some(enhanced), text),
        None => (None, scripted.text.as_str()),
    };
    let lines = text.split(" / ").filter(|line| !line.is_empty());
    (enhanced, lines.map(str::to_owned).collect())
}
