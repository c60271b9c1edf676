//! The log of a running gateway: one JSON object per line.

use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde_json::Value;

use crate::PATIENCE;

/// A log that a thread collects.
#[derive(Clone)]
pub struct Log(Arc<Shared>);

struct Shared {
    lines: Mutex<Lines>,
    grown: Condvar,
}

#[derive(Default)]
struct Lines {
    objects: Vec<Value>,
    others: Vec<String>,
    ended: bool,
}

impl Log {
    /// Starts a thread that reads until the end of the source.
    pub fn collect(source: impl Read + Send + 'static) -> Self {
        let log = Self(Arc::new(Shared {
            lines: Mutex::default(),
            grown: Condvar::new(),
        }));
        let writer = log.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(source).lines() {
                let Ok(line) = line else { break };
                writer.push(line);
            }
            writer.locked().ended = true;
            writer.0.grown.notify_all();
        });
        log
    }

    /// Waits for a line that meets a condition, and returns the first one since the start.
    ///
    /// # Panics
    ///
    /// Panics if the log ends without one, or none appears in time.
    pub fn wait_for(&self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        self.wait_for_all(what, 1, fits).remove(0)
    }

    /// Waits until this many lines meet a condition, and returns them.
    ///
    /// # Panics
    ///
    /// Panics if the log ends without them, or they do not appear in time.
    pub fn wait_for_all(
        &self,
        what: &str,
        count: usize,
        fits: impl Fn(&Value) -> bool,
    ) -> Vec<Value> {
        let deadline = Instant::now() + PATIENCE;
        let mut lines = self.locked();
        loop {
            let found: Vec<_> = lines.objects.iter().filter(|line| fits(line)).collect();
            if found.len() >= count {
                return found.into_iter().cloned().collect();
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if lines.ended || left.is_zero() {
                let seen = found.len();
                drop(lines);
                panic!(
                    "the log has {seen} of {count} lines of \"{what}\":\n{}",
                    self.text()
                );
            }
            let waited = self.0.grown.wait_timeout(lines, left);
            lines = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits for a line with this message, and returns it.
    pub fn wait_for_message(&self, message: &str) -> Value {
        self.wait_for(message, |line| line["message"] == message)
    }

    /// Returns the lines so far that meet a condition.
    pub fn find(&self, fits: impl Fn(&Value) -> bool) -> Vec<Value> {
        let lines = self.locked();
        lines
            .objects
            .iter()
            .filter(|line| fits(line))
            .cloned()
            .collect()
    }

    /// Returns the whole log so far as text.
    pub fn text(&self) -> String {
        let lines = self.locked();
        let objects = lines.objects.iter().map(Value::to_string);
        objects
            .chain(lines.others.iter().cloned())
            .collect::<Vec<_>>()
            .join("\n")
    }

    /// Returns the lines that are no JSON objects.
    pub fn others(&self) -> Vec<String> {
        self.locked().others.clone()
    }

    fn push(&self, line: String) {
        let mut lines = self.locked();
        match serde_json::from_str(&line) {
            Ok(object @ Value::Object(_)) => lines.objects.push(object),
            _ => lines.others.push(line),
        }
        self.0.grown.notify_all();
    }

    fn locked(&self) -> MutexGuard<'_, Lines> {
        self.0.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
