//! What came from outside during a call: answers that no fact of the session explains, such as those of
//! the Domain Name System. A recording keeps them, and a replay gives them again.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One question to the world outside, and its answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exchange {
    /// The function of the host that was called, for example `dns.mx`.
    pub call: String,
    /// What it was called with.
    pub question: Value,
    /// What it said.
    pub answer: Value,
}

/// Keeps or gives exchanges; most sessions have none. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct HostCallLog(Option<Arc<Mutex<Reel>>>);

#[derive(Debug)]
struct Reel {
    is_playing: bool,
    exchanges: Vec<Exchange>,
    missing: Vec<String>,
}

impl HostCallLog {
    /// A tape that keeps what happens.
    pub fn recording() -> Self {
        Self::of(false, Vec::new())
    }

    /// A tape that gives what has happened before, and asks nobody.
    pub fn playing(exchanges: Vec<Exchange>) -> Self {
        Self::of(true, exchanges)
    }

    fn of(is_playing: bool, exchanges: Vec<Exchange>) -> Self {
        Self(Some(Arc::new(Mutex::new(Reel {
            is_playing,
            exchanges,
            missing: Vec::new(),
        }))))
    }

    /// What was kept since this was last called.
    pub fn take(&self) -> Vec<Exchange> {
        let reel = self.reel();
        reel.map_or_else(Vec::new, |mut reel| std::mem::take(&mut reel.exchanges))
    }

    /// What was asked while playing, and is not on the tape.
    pub fn missing(&self) -> Vec<String> {
        self.reel()
            .map_or_else(Vec::new, |reel| reel.missing.clone())
    }

    /// The answer on the tape. Nothing: ask the world, and [`keep`](Self::keep) what it says. What
    /// is not on a tape that plays counts as `unknown`.
    pub(super) fn play<T: DeserializeOwned>(
        &self,
        call: &str,
        question: &Value,
        unknown: impl FnOnce() -> T,
    ) -> Option<T> {
        let mut reel = self.reel().filter(|reel| reel.is_playing)?;
        let is_it = |exchange: &Exchange| exchange.call == call && exchange.question == *question;
        let at = reel.exchanges.iter().position(is_it);
        let exchange = at.map(|at| reel.exchanges[at].clone());
        // The same question may have had different answers; the last one holds from then on.
        if let Some(at) = at
            && reel.exchanges[at + 1..].iter().any(is_it)
        {
            reel.exchanges.remove(at);
        }
        let answer = exchange.and_then(|exchange| serde_json::from_value(exchange.answer).ok());
        if answer.is_none() {
            reel.missing.push(format!("{call} {question}"));
        }
        Some(answer.unwrap_or_else(unknown))
    }

    pub(super) fn keep<T: Serialize>(&self, call: &str, question: Value, answer: &T) {
        let Some(mut reel) = self.reel() else { return };
        reel.exchanges.push(Exchange {
            call: call.to_owned(),
            question,
            // What the host answers is plain data, for which there is always a value.
            answer: serde_json::to_value(answer).unwrap_or_default(),
        });
    }

    /// Whether there is a tape at all.
    pub(super) const fn is_on(&self) -> bool {
        self.0.is_some()
    }

    fn reel(&self) -> Option<MutexGuard<'_, Reel>> {
        // Each change is whole whatever happened to who held it.
        let reel = self.0.as_ref()?;
        Some(reel.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_kept_is_given_again() {
        let tape = HostCallLog::recording();
        assert_eq!(tape.play("clock.now", &json!([]), || 0), None);
        tape.keep("clock.now", json!([]), &7);
        tape.keep("clock.now", json!([]), &8);
        let tape = HostCallLog::playing(tape.take());
        let now = || tape.play("clock.now", &json!([]), || 0);
        assert_eq!([now(), now(), now()], [Some(7), Some(8), Some(8)]);
        assert_eq!(tape.play("dns.mx", &json!(["a"]), || 0), Some(0));
        assert_eq!(tape.missing(), ["dns.mx [\"a\"]"]);
    }

    #[test]
    fn without_a_tape_nothing_is_kept() {
        let tape = HostCallLog::default();
        tape.keep("clock.now", json!([]), &7);
        assert_eq!(tape.play("clock.now", &json!([]), || 0), None);
        assert!(tape.take().is_empty() && !tape.is_on());
    }
}
