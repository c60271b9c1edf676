//! A call of a plugin as text and as JSON.

use std::time::Duration;

use serde_json::{Value, json};

use postgate_contract::Event;

/// A call of a plugin, with its answer.
#[derive(Clone, Debug)]
pub struct Call {
    /// The event.
    pub event: Event,
    /// The subject of the event, for example a recipient or a host name.
    pub subject: String,
    /// The verdict and the edits, or the error, see
    /// [`answer_json`](postgate_runtime::recording::answer_json).
    pub answer: Value,
    /// The duration of the call.
    pub elapsed: Duration,
}

impl Call {
    /// Returns the call as a JSON object.
    pub fn json(&self) -> Value {
        let mut value = self.answer.clone();
        value["event"] = self.event.name().into();
        value["subject"] = self.subject.as_str().into();
        // Fractions of a microsecond are not significant.
        value["microseconds"] = json!(u64::try_from(self.elapsed.as_micros()).unwrap_or(u64::MAX));
        value
    }

    /// Returns the call as text: one line, and a line for each edit.
    pub fn lines(&self) -> Vec<String> {
        let text = |key: &str| self.answer[key].as_str().unwrap_or_default();
        let answer = match self.answer.get("error") {
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
            "  {event:<11} {subject:<28} {answer}{reason}  [{micros} µs]",
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
