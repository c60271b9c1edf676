//! The scripted policy of a dialog.

use std::str::FromStr;

use crate::scope::Scope;

/// An answer to a later question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptedAnswer {
    /// The start of the question: the event, and optionally its argument.
    pub question: String,
    /// The answer.
    pub verdict: Verdict,
}

/// The answer of the policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Accept with this reply.
    Accept(ScriptedReply),
    /// The credentials are valid.
    Authenticated,
    /// Refuse the recipient with this reply, but only at the end of the data.
    Defer(ScriptedReply),
    /// Accept the message and drop it, for this reason.
    Discard(String),
    /// Refuse with this reply and close the connection.
    Disconnect(ScriptedReply),
    /// Accept with the default reply, and change something: the name of the edit, such as
    /// `rewrite-sender`, and its value.
    Edit(String, String),
    /// The SCRAM keys of a user: `iterations,salt,StoredKey,ServerKey`, the last three in base64.
    Keys(String),
    /// Accept with the default reply.
    Proceed,
    /// Accept the message and put it into the quarantine, for this reason.
    Quarantine(String),
    /// Refuse with this reply.
    Refuse(ScriptedReply),
}

/// A reply as written in a dialog: `550 5.7.1 first line / second line`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptedReply {
    /// The code.
    pub code: u16,
    /// The optional enhanced status code and the text.
    pub text: String,
}

impl ScriptedAnswer {
    /// The event of the question: its first word.
    pub fn event(&self) -> &str {
        self.question.split(' ').next().unwrap_or_default()
    }

    /// The servers whose policy can give this answer: scripted policy in the protocol core, and a
    /// plugin in the program.
    pub(crate) fn scope(&self) -> Scope {
        match &self.verdict {
            // A plugin has words of its own where a client asks a question, and for refusals.
            Verdict::Accept(_) if !QUERIES.contains(&self.event()) => Scope::Core,
            // It has keys or none, and the gateway finds words for its failure.
            Verdict::Refuse(_) if self.event() == "auth-keys" => Scope::Core,
            Verdict::Defer(_)
            | Verdict::Discard(_)
            | Verdict::Edit(..)
            | Verdict::Quarantine(_) => Scope::Wire,
            Verdict::Accept(_)
            | Verdict::Authenticated
            | Verdict::Disconnect(_)
            | Verdict::Keys(_)
            | Verdict::Proceed
            | Verdict::Refuse(_) => Scope::Everywhere,
        }
    }
}

/// The events at which a client asks a question.
const QUERIES: [&str; 4] = ["command", "expn", "help", "vrfy"];

impl FromStr for ScriptedAnswer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let words: Vec<_> = text.split(' ').collect();
        let is_verdict = |word: &&str| VERDICTS.contains(word);
        let at = words
            .iter()
            .position(is_verdict)
            .ok_or_else(|| format!("no verdict; expected one of {}", VERDICTS.join(", ")))?;
        let verdict = verdict(words[at], &words[at + 1..].join(" "))?;
        Ok(Self {
            question: words[..at].join(" "),
            verdict,
        })
    }
}

const VERDICTS: [&str; 10] = [
    "accept",
    "authenticated",
    "defer",
    "discard",
    "disconnect",
    "edit",
    "keys",
    "proceed",
    "quarantine",
    "refuse",
];

/// Parses a verdict out of its word and what stands behind it.
fn verdict(word: &str, rest: &str) -> Result<Verdict, String> {
    Ok(match word {
        "accept" => Verdict::Accept(rest.parse()?),
        "authenticated" => Verdict::Authenticated,
        "defer" => Verdict::Defer(rest.parse()?),
        "discard" => Verdict::Discard(rest.to_owned()),
        "disconnect" => Verdict::Disconnect(rest.parse()?),
        "edit" => {
            let (name, value) = rest.split_once(' ').unwrap_or((rest, ""));
            Verdict::Edit(name.to_owned(), value.to_owned())
        }
        "keys" => Verdict::Keys(rest.to_owned()),
        "proceed" => Verdict::Proceed,
        "quarantine" => Verdict::Quarantine(rest.to_owned()),
        _ => Verdict::Refuse(rest.parse()?),
    })
}

impl FromStr for ScriptedReply {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (code, text) = text.split_once(' ').unwrap_or((text, ""));
        let code = code
            .parse()
            .map_err(|_| format!("{code:?} is no reply code"))?;
        Ok(Self {
            code,
            text: text.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_can_give_an_answer() {
        for (text, scope) in [
            ("mail refuse 550 5.7.1 no", Scope::Everywhere),
            ("mail accept 250 2.1.0 yes", Scope::Core),
            ("vrfy bob accept 250 2.1.5 yes", Scope::Everywhere),
            ("auth-keys bob refuse 454 4.7.0 later", Scope::Core),
            ("mail edit rewrite-sender a@b", Scope::Wire),
            ("rcpt <a@b> defer 550 5.1.1 no", Scope::Wire),
        ] {
            let answer: ScriptedAnswer = text.parse().unwrap();
            assert_eq!(answer.scope(), scope, "{text}");
        }
    }
}
