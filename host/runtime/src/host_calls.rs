//! The log of host calls whose answers come from outside the session, such as DNS answers. A recording
//! stores them, and a replay returns them again.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A call of a host function and its answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostCall {
    /// The host function, for example `dns.mx`.
    pub call: String,
    /// The arguments.
    pub question: Value,
    /// The answer.
    pub answer: Value,
}

/// Records or replays host calls. The default does neither, which is the case of most sessions. Clones
/// share one log.
#[derive(Clone, Debug, Default)]
pub struct HostCallLog(Option<Arc<Mutex<Log>>>);

#[derive(Debug)]
struct Log {
    is_replay: bool,
    calls: Vec<HostCall>,
    missing: Vec<String>,
}

impl HostCallLog {
    /// Creates a log that records calls.
    pub fn recorder() -> Self {
        Self::new(false, Vec::new())
    }

    /// Creates a log that answers from recorded calls, so that nothing outside is asked.
    pub fn replayer(calls: Vec<HostCall>) -> Self {
        Self::new(true, calls)
    }

    fn new(is_replay: bool, calls: Vec<HostCall>) -> Self {
        Self(Some(Arc::new(Mutex::new(Log {
            is_replay,
            calls,
            missing: Vec::new(),
        }))))
    }

    /// Takes the calls that were recorded since the last time.
    pub fn take(&self) -> Vec<HostCall> {
        let log = self.lock();
        log.map_or_else(Vec::new, |mut log| std::mem::take(&mut log.calls))
    }

    /// Returns the calls that a replay had to answer without a recorded answer.
    pub fn missing(&self) -> Vec<String> {
        self.lock().map_or_else(Vec::new, |log| log.missing.clone())
    }

    /// Returns the recorded answer, or `unknown` if there is none. Returns `None` if this is no replay:
    /// the caller then makes the call and passes the answer to [`record`](Self::record).
    pub(super) fn replay<T: DeserializeOwned>(
        &self,
        call: &str,
        question: &Value,
        unknown: impl FnOnce() -> T,
    ) -> Option<T> {
        let mut log = self.lock().filter(|log| log.is_replay)?;
        let is_same = |recorded: &HostCall| recorded.call == call && recorded.question == *question;
        let index = log.calls.iter().position(is_same);
        let recorded = index.map(|index| log.calls[index].clone());
        // The same call may have had different answers, which are returned in turn. The last one is
        // kept, for calls beyond the recorded ones.
        if let Some(index) = index
            && log.calls[index + 1..].iter().any(is_same)
        {
            log.calls.remove(index);
        }
        let answer = recorded.and_then(|recorded| serde_json::from_value(recorded.answer).ok());
        if answer.is_none() {
            log.missing.push(format!("{call} {question}"));
        }
        Some(answer.unwrap_or_else(unknown))
    }

    /// Records a call, unless this is disabled.
    pub(super) fn record<T: Serialize>(&self, call: &str, question: Value, answer: &T) {
        let Some(mut log) = self.lock() else { return };
        log.calls.push(HostCall {
            call: call.to_owned(),
            question,
            // Answers are plain data, whose conversion to JSON does not fail.
            answer: serde_json::to_value(answer).unwrap_or_default(),
        });
    }

    /// True if calls are recorded or replayed.
    pub(super) const fn is_enabled(&self) -> bool {
        self.0.is_some()
    }

    fn lock(&self) -> Option<MutexGuard<'_, Log>> {
        let log = self.0.as_ref()?;
        // A poisoned lock is usable: every change of the log is a single push or removal.
        Some(log.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn recorded_answers_are_replayed() {
        let log = HostCallLog::recorder();
        assert_eq!(log.replay("clock.now", &json!([]), || 0), None);
        log.record("clock.now", json!([]), &7);
        log.record("clock.now", json!([]), &8);
        let log = HostCallLog::replayer(log.take());
        let now = || log.replay("clock.now", &json!([]), || 0);
        assert_eq!([now(), now(), now()], [Some(7), Some(8), Some(8)]);
        assert_eq!(log.replay("dns.mx", &json!(["a"]), || 0), Some(0));
        assert_eq!(log.missing(), ["dns.mx [\"a\"]"]);
    }

    #[test]
    fn the_default_records_nothing() {
        let log = HostCallLog::default();
        log.record("clock.now", json!([]), &7);
        assert_eq!(log.replay("clock.now", &json!([]), || 0), None);
        assert!(log.take().is_empty() && !log.is_enabled());
    }
}
