//! One call of a plugin, as it was seen.

use std::time::Duration;

use serde_json::{Value, json};

use postgate_contract::Event;

/// One call of the plugin.
#[derive(Clone, Debug)]
pub struct Call {
    /// The event.
    pub event: Event,
    /// What it was about: a recipient, a host name, …
    pub subject: String,
    /// Verdict and edits, or the failure: see [`answer_json`](postgate_runtime::recording::answer_json).
    pub answer: Value,
    /// How long the plugin took.
    pub elapsed: Duration,
}

impl Call {
    /// For programs.
    pub fn json(&self) -> Value {
        let mut value = self.answer.clone();
        value["event"] = self.event.name().into();
        value["subject"] = self.subject.as_str().into();
        // Whole microseconds: finer is noise.
        value["microseconds"] = json!(u64::try_from(self.elapsed.as_micros()).unwrap_or(u64::MAX));
        value
    }

    /// For people: the call in one line, and a line for each edit.
    pub fn lines(&self) -> Vec<String> {
        let text = |key: &str| self.answer[key].as_str().unwrap_or_default();
        let said = match self.answer.get("error") {
            Some(error) => format!("FAILED {}", error.as_str().unwrap_or_default()),
            None => [text("verdict"), text("reply"), text("identity")]
                .into_iter()
                .filter(|word| !word.is_empty())
                .collect::<Vec<_>>()
                .join(" "),
        };
        let reason = match text("reason") {
            "" => String::new(),
            reason => format!(" ({reason})"),
        };
        let mut lines = vec![format!(
            "  {event:<11} {subject:<28} {said}{reason}  [{micros} µs]",
            event = self.event.name(),
            subject = self.subject,
            micros = self.elapsed.as_micros(),
        )];
        let edits = self.answer["edits"].as_array().into_iter().flatten();
        for (name, value) in edits.filter_map(Value::as_object).flatten() {
            let value = value.as_str().unwrap_or_default();
            lines.push(format!("{:>16} {name} {value}", "+"));
        }
        lines
    }
}
