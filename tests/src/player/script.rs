//! Writes scripted answers as the configuration of the guest `scripted`.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use toml::{Table, Value};

use super::reply::parts;
use crate::dialog::{ScriptedAnswer, ScriptedReply, Verdict};

/// The sidecar with which the guest `scripted` gives these answers, and handles no other events.
///
/// # Panics
///
/// Panics if an answer is malformed.
pub fn sidecar<'a>(answers: impl IntoIterator<Item = &'a ScriptedAnswer>) -> String {
    let mut events = BTreeSet::from(["disconnect"]);
    let mut entries = Vec::new();
    for answer in answers {
        events.insert(answer.event());
        entries.push(Value::Table(entry(answer)));
    }
    let events: Vec<_> = events.into_iter().map(Value::from).collect();
    let config = Table::from_iter([("answers".to_owned(), Value::Array(entries))]);
    let sidecar = Table::from_iter([
        ("events".to_owned(), Value::Array(events)),
        ("config".to_owned(), Value::Table(config)),
    ]);
    sidecar.to_string()
}

fn entry(answer: &ScriptedAnswer) -> Table {
    let mut entry = Table::new();
    let mut put = |key: &str, value: Value| {
        entry.insert(key.to_owned(), value);
    };
    put("question", answer.question.as_str().into());
    let word = match &answer.verdict {
        Verdict::Accept(_) => "accept",
        Verdict::Authenticated => "authenticated",
        Verdict::Defer(_) => "defer",
        Verdict::Discard(_) => "discard",
        Verdict::Disconnect(_) => "disconnect",
        Verdict::Edit(..) => "edit",
        Verdict::Keys(_) => "keys",
        Verdict::Proceed => "proceed",
        Verdict::Quarantine(_) => "quarantine",
        Verdict::Refuse(_) => "refuse",
    };
    put("word", word.into());
    match &answer.verdict {
        Verdict::Authenticated | Verdict::Proceed => {}
        Verdict::Accept(reply)
        | Verdict::Defer(reply)
        | Verdict::Disconnect(reply)
        | Verdict::Refuse(reply) => entry.extend(fields(reply)),
        Verdict::Discard(reason) | Verdict::Quarantine(reason) => {
            put("value", reason.as_str().into());
        }
        Verdict::Edit(name, value) => {
            put("name", name.as_str().into());
            put("value", value.as_str().into());
        }
        Verdict::Keys(text) => entry.extend(keys(text)),
    }
    entry
}

fn fields(reply: &ScriptedReply) -> Table {
    let (enhanced, lines) = parts(reply);
    let lines = Value::Array(lines.into_iter().map(Value::from).collect());
    let mut fields = Table::from_iter([
        ("code".to_owned(), i64::from(reply.code).into()),
        ("lines".to_owned(), lines),
    ]);
    if let Some(enhanced) = enhanced {
        let enhanced = enhanced.to_string();
        let numbers = enhanced.split('.').map(|number| number.parse::<i64>());
        let numbers = numbers.map(|number| Value::from(number.expect("a number")));
        fields.insert("enhanced".to_owned(), Value::Array(numbers.collect()));
    }
    fields
}

/// Parses `iterations,salt,StoredKey,ServerKey`.
fn keys(text: &str) -> Table {
    let (iterations, keys) = text.split_once(',').expect("keys");
    let iterations: i64 = iterations.parse().expect("a number");
    let octets = |key| STANDARD.decode(key).expect("base64");
    let octets = keys.split(',').map(octets);
    let keys =
        octets.map(|key| Value::Array(key.into_iter().map(|o| i64::from(o).into()).collect()));
    Table::from_iter([
        ("iterations".to_owned(), iterations.into()),
        ("keys".to_owned(), Value::Array(keys.collect())),
    ])
}
