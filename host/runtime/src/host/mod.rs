//! What a guest may call, and the limits that hold for it.

mod clock;
mod dns;
mod files;
mod limits;
mod message;
mod parts;
mod random;
mod session;
mod view;
pub(super) mod wasi;

use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tracing::{debug, error, info, warn};

pub(super) use self::limits::{MAX_MEMORIES, MAX_MODULES, MAX_TABLES, MemoryLimit};
pub(super) use self::view::{HostError, View};
use self::wasi::Wasi;
use crate::bindings::host::{config, log, store, types};
use crate::context::{Context, Transaction};
use crate::error::Exceeded;
use crate::files::Files;
use crate::store::Full;
use postgate_contract::{Grant, PluginLimits};
use postgate_dns::Dns;

/// The data of one store: one instance of one plugin in one session.
#[derive(Debug)]
pub(super) struct HostState {
    plugin: Arc<PluginFacts>,
    /// What the guest can see; `None` outside of a call.
    view: Option<View>,
    pub(super) memory: MemoryLimit,
    /// Time on a processor that one call may take.
    pub(super) cpu: Duration,
    log_lines: u32,
    dns_queries: u32,
    /// Never locked: it is here so that futures may hold a reference to the state.
    wasi: Mutex<Option<Box<Wasi>>>,
}

/// What an instance has to know about its plugin.
#[derive(Debug)]
pub(super) struct PluginFacts {
    pub(super) name: String,
    pub(super) config: Value,
    /// The same as JSON, for guests that ask for all of it.
    pub(super) config_json: String,
    pub(super) grants: Vec<Grant>,
    pub(super) limits: PluginLimits,
    pub(super) dns: Dns,
    pub(super) files: Files,
}

impl HostState {
    pub(super) fn new(plugin: Arc<PluginFacts>) -> Self {
        let memory = MemoryLimit::new(plugin.limits.memory);
        Self {
            plugin,
            view: None,
            memory,
            cpu: Duration::ZERO,
            log_lines: 0,
            dns_queries: 0,
            wasi: Mutex::default(),
        }
    }

    /// Lets the guest see a session, for one call.
    pub(super) fn enter(&mut self, view: View, cpu: Duration) {
        self.view = Some(view);
        self.cpu = cpu;
        self.memory.exceeded = false;
        self.log_lines = 0;
        self.dns_queries = 0;
    }

    /// Takes the session back.
    pub(super) fn leave(&mut self) {
        self.log_printed(true);
        self.view = None;
        let limit = self.plugin.limits.log_lines;
        if self.log_lines > limit {
            let dropped = self.log_lines - limit;
            warn!(
                plugin = self.plugin.name,
                dropped, "log lines beyond limits.log-lines were dropped"
            );
        }
    }

    /// Logs what the guest has printed to its standard output and standard error.
    fn log_printed(&mut self, all: bool) {
        let printed = self.take_printed(all);
        for line in printed.stdout {
            self.log(log::Level::Info, &line);
        }
        for line in printed.stderr {
            self.log(log::Level::Warn, &line);
        }
    }

    fn log(&mut self, level: log::Level, text: &str) {
        self.log_lines = self.log_lines.saturating_add(1);
        if self.log_lines > self.plugin.limits.log_lines {
            return;
        }
        let plugin = self.plugin.name.as_str();
        let session = self
            .context()
            .map_or("", |context| context.session.id.as_str());
        let text = &text[..text.floor_char_boundary(MAX_LOG_LINE)];
        // Debug output of a text escapes control characters, so that a plugin cannot forge a line.
        match level {
            log::Level::Debug => debug!(session, plugin, says = ?text, "plugin"),
            log::Level::Info => info!(session, plugin, says = ?text, "plugin"),
            log::Level::Warn => warn!(session, plugin, says = ?text, "plugin"),
            log::Level::Error => error!(session, plugin, says = ?text, "plugin"),
        }
    }

    /// Asks the world outside, or the tape of a session that is played again, which answers with
    /// `unknown` where it does not know.
    async fn outside<T: Serialize + DeserializeOwned>(
        &self,
        call: &str,
        question: impl FnOnce() -> Value,
        unknown: impl FnOnce() -> T,
        ask: impl Future<Output = T>,
    ) -> wasmtime::Result<T> {
        let tape = &self.context()?.host_calls;
        if !tape.is_enabled() {
            return Ok(ask.await);
        }
        let question = question();
        if let Some(answer) = tape.replay(call, &question, unknown) {
            return Ok(answer);
        }
        let answer = ask.await;
        tape.record(call, question, &answer);
        Ok(answer)
    }

    /// The same for what has its answer at once.
    fn outside_now<T: Serialize + DeserializeOwned>(
        &self,
        call: &str,
        question: impl FnOnce() -> Value,
        unknown: impl FnOnce() -> T,
        ask: impl FnOnce() -> T,
    ) -> wasmtime::Result<T> {
        let tape = &self.context()?.host_calls;
        if !tape.is_enabled() {
            return Ok(ask());
        }
        let question = question();
        let answer = tape.replay(call, &question, unknown);
        Ok(answer.unwrap_or_else(|| {
            let answer = ask();
            tape.record(call, question, &answer);
            answer
        }))
    }

    fn view(&self) -> wasmtime::Result<&View> {
        self.view
            .as_ref()
            .ok_or_else(|| HostError::NoSession.into())
    }

    fn context(&self) -> wasmtime::Result<&Context> {
        Ok(&self.view()?.context)
    }

    /// Counts one more question to the Domain Name System.
    fn count_dns_query(&mut self) -> wasmtime::Result<()> {
        self.dns_queries = self.dns_queries.saturating_add(1);
        let limit = self.plugin.limits.dns_queries;
        match self.dns_queries > limit {
            true => Err(Exceeded {
                key: "dns-queries",
                limit,
            }
            .into()),
            false => Ok(()),
        }
    }

    fn transaction(&self) -> wasmtime::Result<Option<&Transaction>> {
        Ok(self.view()?.transaction())
    }
}

const MAX_LOG_LINE: usize = 2_048;

impl types::Host for HostState {}

impl log::Host for HostState {
    fn write(&mut self, level: log::Level, text: String) -> wasmtime::Result<()> {
        // What was printed before stands before.
        self.log_printed(false);
        self.log(level, &text);
        Ok(())
    }
}

impl config::Host for HostState {
    fn json(&mut self) -> wasmtime::Result<String> {
        Ok(self.plugin.config_json.clone())
    }

    fn get(&mut self, path: String) -> wasmtime::Result<Option<String>> {
        let mut value = &self.plugin.config;
        for key in path.split('.') {
            let inner = match value {
                Value::Array(items) => key.parse().ok().and_then(|index: usize| items.get(index)),
                table => table.get(key),
            };
            let Some(inner) = inner else {
                return Ok(None);
            };
            value = inner;
        }
        Ok(Some(match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        }))
    }
}

impl store::Host for HostState {
    fn get(&mut self, key: String) -> wasmtime::Result<Option<Vec<u8>>> {
        let stores = &self.context()?.stores;
        Ok(stores.of(&self.plugin.name, |values| values.get(&key)))
    }

    fn set(
        &mut self,
        key: String,
        value: Vec<u8>,
    ) -> wasmtime::Result<Result<(), store::StoreError>> {
        let stores = &self.context()?.stores;
        let set = stores.of(&self.plugin.name, |values| values.set(key, value));
        Ok(set.map_err(|Full| store::StoreError::Full))
    }

    fn remove(&mut self, key: String) -> wasmtime::Result<()> {
        let stores = &self.context()?.stores;
        stores.of(&self.plugin.name, |values| values.remove(&key));
        Ok(())
    }
}
