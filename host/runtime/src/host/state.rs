//! The state of the host for one instance.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use postgate_contract::{Grant, PluginLimits};
use postgate_dns::Dns;
use serde_json::Value;
use tracing::warn;

use super::error::HostError;
use super::limits::MemoryLimit;
use super::view::View;
use super::wasi::Wasi;
use crate::bindings::host::types;
use crate::context::{Context, Transaction};
use crate::error::LimitExceeded;
use crate::files::Files;
use crate::meter::Meter;
use crate::resources::Resources;

/// The data of a [`Store`](wasmtime::Store), which belongs to one instance of a plugin.
#[derive(Debug)]
pub(crate) struct HostState {
    pub(super) plugin: Arc<PluginFacts>,
    /// What the guest can see, or `None` outside of a call.
    view: Option<View>,
    pub(crate) memory: MemoryLimit,
    /// The CPU time that the current call may use.
    pub(crate) cpu: Duration,
    /// The number of lines that the guest has logged in the current call, dropped ones included.
    pub(super) log_lines: u32,
    /// The number of DNS queries in the current call.
    dns_queries: u32,
    /// The listed files that the guest has asked for in the current call.
    pub(super) files: BTreeMap<String, Arc<[u8]>>,
    /// The lock is never taken, since all access goes through `get_mut`. It makes the state `Sync`, so
    /// that futures can hold a reference to it.
    pub(super) wasi: Mutex<Option<Box<Wasi>>>,
}

/// What an instance needs to know about its plugin.
#[derive(Debug)]
pub(crate) struct PluginFacts {
    pub(crate) name: String,
    pub(crate) config: Value,
    /// `config` as JSON text, for guests that read all of it.
    pub(crate) config_json: String,
    pub(crate) grants: Vec<Grant>,
    pub(crate) limits: PluginLimits,
    pub(crate) dns: Dns,
    pub(crate) files: Files,
    pub(crate) resources: Arc<Resources>,
}

impl HostState {
    /// Creates the state of a new instance, outside of a call.
    pub(crate) fn new(plugin: Arc<PluginFacts>) -> Self {
        let budget = Arc::clone(&plugin.resources.memory);
        let memory = MemoryLimit::new(plugin.limits.memory, budget);
        Self {
            plugin,
            view: None,
            memory,
            cpu: Duration::ZERO,
            log_lines: 0,
            dns_queries: 0,
            files: BTreeMap::new(),
            wasi: Mutex::default(),
        }
    }

    /// Begins a call: the guest can see `view`, and may use the CPU time `cpu`.
    pub(crate) fn begin_call(&mut self, view: View, cpu: Duration) {
        self.view = Some(view);
        self.cpu = cpu;
        self.memory.begin_call();
        self.log_lines = 0;
        self.dns_queries = 0;
    }

    /// Ends a call: logs the remaining output of the guest, and drops its view.
    pub(crate) fn end_call(&mut self) {
        self.log_printed(true);
        self.view = None;
        self.files.clear();
        let limit = self.plugin.limits.log_lines;
        if self.log_lines > limit {
            let dropped = self.log_lines - limit;
            warn!(
                plugin = self.plugin.name,
                dropped, "log lines beyond limits.log-lines were dropped"
            );
        }
    }

    /// A meter for what the host does within the current call.
    pub(crate) fn meter(&self) -> Meter {
        Meter::new(self.cpu)
    }

    /// Returns what the guest can see.
    ///
    /// # Errors
    ///
    /// Fails with [`HostError::NoSession`] outside of a call.
    pub(super) fn view(&self) -> wasmtime::Result<&View> {
        self.view
            .as_ref()
            .ok_or_else(|| HostError::NoSession.into())
    }

    /// Returns the session.
    ///
    /// # Errors
    ///
    /// As [`Self::view`].
    pub(super) fn context(&self) -> wasmtime::Result<&Context> {
        Ok(&self.view()?.context)
    }

    /// Returns the transaction, or `None` outside of one.
    ///
    /// # Errors
    ///
    /// As [`Self::view`].
    pub(super) fn transaction(&self) -> wasmtime::Result<Option<&Transaction>> {
        Ok(self.view()?.transaction())
    }

    /// Counts a DNS query.
    ///
    /// # Errors
    ///
    /// Fails if the call has made more queries than `limits.dns-queries`.
    pub(super) fn count_dns_query(&mut self) -> wasmtime::Result<()> {
        self.dns_queries = self.dns_queries.saturating_add(1);
        let limit = self.plugin.limits.dns_queries;
        match self.dns_queries > limit {
            true => Err(LimitExceeded {
                key: "dns-queries",
                limit,
            }
            .into()),
            false => Ok(()),
        }
    }
}

impl Drop for HostState {
    /// A call that took too long, or whose session has ended, ends here.
    fn drop(&mut self) {
        if self.view.is_some() {
            self.end_call();
        }
    }
}

impl types::Host for HostState {}
