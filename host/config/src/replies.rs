//! Custom replies to client errors.

use std::collections::BTreeMap;

use postgate_proto::fault::Fault;
use postgate_proto::reply::{Enhanced, Reply};
use toml::de::DeValue;

use super::document::Section;
use super::value::{Setting, is_printable};

/// Reads the table whose keys are the names of client errors.
pub(super) fn read(section: &mut Section<'_>) -> BTreeMap<String, Reply> {
    let mut replies = BTreeMap::new();
    for fault in Fault::ALL {
        let name = fault.name();
        let Some(CustomReply(reply)) = section.value(name) else {
            continue;
        };
        let usual = Reply::from(fault);
        let class = usual.code() / 100;
        if reply.code() / 100 != class {
            let text = format!("must begin with {class}, as the usual reply does");
            section.conflict(name, text);
        } else if reply.code() == CLOSING {
            let text = "421 would tell the client that the session is over, which it is not";
            section.conflict(name, text.to_owned());
        }
        replies.insert(name.to_owned(), completed(reply, &usual));
    }
    replies
}

/// Adds what the reply lacks. The enhanced code of the default reply fits, since both replies are
/// to the same error.
fn completed(reply: Reply, usual: &Reply) -> Reply {
    let lines = reply.lines().map(str::to_owned).collect();
    let enhanced = reply.enhanced().or_else(|| usual.enhanced());
    // Fails only if the classes of the codes disagree, which was reported above.
    let whole = Reply::new(reply.code(), enhanced, lines);
    whole.unwrap_or(reply).completed()
}

struct CustomReply(Reply);

impl Setting for CustomReply {
    const ALLOWED: &'static str = r#"a reply such as "550 5.7.1 We do not relay": a code, an enhanced code of the same class if there is one, and printable ASCII, in several lines where it has "\n""#;

    fn read(value: &DeValue<'_>) -> Option<Self> {
        let text = value.as_str()?;
        let (code, text) = text.split_once(' ').unwrap_or((text, ""));
        let code = (code.len() == 3).then(|| code.parse().ok())??;
        let (enhanced, text) = match Enhanced::parse(text) {
            Some((enhanced, text)) => (Some(enhanced), text),
            None => (None, text),
        };
        let lines: Vec<_> = text.split('\n').map(str::to_owned).collect();
        if !lines.iter().all(|line| is_printable(line)) {
            return None;
        }
        Reply::new(code, enhanced, lines).ok().map(Self)
    }
}

/// The code with which a server closes the connection (RFC 5321 §3.8).
const CLOSING: u16 = 421;
