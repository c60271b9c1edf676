//! The scripted policy of a dialog.

use std::str::FromStr;

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
    /// Refuse with this reply and close the connection.
    Disconnect(ScriptedReply),
    /// The SCRAM keys of a user: `iterations,salt,StoredKey,ServerKey`, the last three in base64.
    Keys(String),
    /// Accept with the default reply.
    Proceed,
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

const VERDICTS: [&str; 6] = [
    "accept",
    "authenticated",
    "disconnect",
    "keys",
    "proceed",
    "refuse",
];

fn verdict(word: &str, reply: &str) -> Result<Verdict, String> {
    Ok(match word {
        "accept" => Verdict::Accept(reply.parse()?),
        "authenticated" => Verdict::Authenticated,
        "disconnect" => Verdict::Disconnect(reply.parse()?),
        "keys" => Verdict::Keys(reply.to_owned()),
        "proceed" => Verdict::Proceed,
        _ => Verdict::Refuse(reply.parse()?),
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
