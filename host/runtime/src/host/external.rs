//! Host calls whose answers come from outside the session: recorded, and replayed from a recording.

use std::future::Future;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::state::HostState;

impl HostState {
    /// Makes a host call with `ask`, and records the answer if the session is recorded. In a replay it
    /// returns the recorded answer instead, or `unknown` if the recording has none.
    ///
    /// `call` is the name of the host function, and `question` returns its arguments.
    ///
    /// # Errors
    ///
    /// Fails outside of a call of the guest.
    pub(super) async fn external_call<T: Serialize + DeserializeOwned>(
        &self,
        call: &str,
        question: impl FnOnce() -> Value,
        unknown: impl FnOnce() -> T,
        ask: impl Future<Output = T>,
    ) -> wasmtime::Result<T> {
        let log = &self.context()?.host_calls;
        if !log.is_enabled() {
            return Ok(ask.await);
        }
        let question = question();
        if let Some(answer) = log.replay(call, &question, unknown) {
            return Ok(answer);
        }
        let answer = ask.await;
        log.record(call, question, &answer);
        Ok(answer)
    }

    /// As [`Self::external_call`], for an answer that needs no waiting.
    ///
    /// # Errors
    ///
    /// Fails outside of a call of the guest.
    pub(super) fn external_call_now<T: Serialize + DeserializeOwned>(
        &self,
        call: &str,
        question: impl FnOnce() -> Value,
        unknown: impl FnOnce() -> T,
        ask: impl FnOnce() -> T,
    ) -> wasmtime::Result<T> {
        let log = &self.context()?.host_calls;
        if !log.is_enabled() {
            return Ok(ask());
        }
        let question = question();
        let answer = log.replay(call, &question, unknown);
        Ok(answer.unwrap_or_else(|| {
            let answer = ask();
            log.record(call, question, &answer);
            answer
        }))
    }
}
