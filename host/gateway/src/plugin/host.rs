//! What a guest may call, and the limits that hold for it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use postgate_proto::data::LineEndings;
use postgate_proto::header::Field;
use postgate_proto::session::Helo;
use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::{debug, error, info, warn};

use crate::config::sidecar::PluginLimits;
use crate::dns::{Dns, DnsError};
use crate::plugin::bindings::host::{config, dns, log, message, session, store, types};
use crate::plugin::context::{Context, Transaction};
use crate::plugin::mime::{MAX_PARTS, Mime, Whole};

/// The data of one store: one instance of one plugin in one session.
#[derive(Debug)]
pub(super) struct HostState {
    plugin: Arc<PluginFacts>,
    context: Option<Arc<Context>>,
    pub(super) memory: MemoryLimit,
    pub(super) cpu: CpuBudget,
    store: KeyValues,
    log_lines: u32,
}

/// What an instance has to know about its plugin.
#[derive(Debug)]
pub(super) struct PluginFacts {
    pub(super) name: String,
    pub(super) config: Value,
    pub(super) limits: PluginLimits,
    pub(super) dns: Dns,
    pub(super) mime_memory: MimeMemory,
}

/// The memory in which the parts of messages are looked for, over all sessions.
#[derive(Clone, Debug)]
pub(super) struct MimeMemory(Arc<Semaphore>);

impl MimeMemory {
    pub(super) fn new() -> Self {
        Self(Arc::new(Semaphore::new(MIME_MEMORY_KIB as usize)))
    }

    /// Takes what a message of this size in octets needs: once as it is, once decoded. Waits for
    /// others to give it back.
    async fn take(&self, size: u32) -> Option<OwnedSemaphorePermit> {
        let needed = (size / 512).saturating_add(1).min(MIME_MEMORY_KIB);
        // The semaphore is never closed.
        Arc::clone(&self.0).acquire_many_owned(needed).await.ok()
    }
}

/// How much memory that is, in KiB.
const MIME_MEMORY_KIB: u32 = 64 << 10;

impl HostState {
    pub(super) fn new(plugin: Arc<PluginFacts>) -> Self {
        let memory = MemoryLimit {
            // A u32 fits into a usize on every machine that this program runs on.
            limit: plugin.limits.memory as usize,
            used: 0,
            asked: 0,
            exceeded: false,
        };
        Self {
            plugin,
            context: None,
            memory,
            cpu: CpuBudget::default(),
            store: KeyValues::default(),
            log_lines: 0,
        }
    }

    /// Lets the guest see a session, for one call.
    pub(super) fn enter(&mut self, context: Arc<Context>, ticks: u64) {
        self.context = Some(context);
        self.cpu = CpuBudget { left: ticks };
        self.log_lines = 0;
    }

    /// Takes the session back.
    pub(super) fn leave(&mut self) {
        self.context = None;
        let limit = self.plugin.limits.log_lines;
        if self.log_lines > limit {
            let dropped = self.log_lines - limit;
            warn!(
                plugin = self.plugin.name,
                dropped, "log lines beyond limits.log-lines were dropped"
            );
        }
    }

    fn context(&self) -> wasmtime::Result<&Context> {
        self.context
            .as_deref()
            .ok_or_else(|| wasmtime::format_err!("there is no session outside of a call"))
    }

    /// The parts of the message. Finding them takes memory and time that a client chooses: the one
    /// is bounded over all sessions, the other is not spent on a thread that serves them.
    async fn mime(&self) -> wasmtime::Result<Arc<Mime>> {
        let message = &self.context()?.message;
        if let Some(mime) = message.mime() {
            return Ok(Arc::clone(mime));
        }
        let lookout = &self.plugin.mime_memory;
        let size = clamped(message.size());
        let memory = lookout.take(size).await;
        let (headers, body) = (message.headers.clone(), message.body.clone());
        let parsing = tokio::task::spawn_blocking(move || {
            let whole = Whole::read(&headers, &body)?;
            match whole.most_parts() > MAX_PARTS {
                true => Err(std::io::Error::other("the message has too many parts")),
                false => Ok(Arc::new(Mime::parse(whole, memory))),
            }
        });
        let mime = parsing.await??;
        message.set_mime(Arc::clone(&mime));
        Ok(mime)
    }

    fn transaction(&self) -> wasmtime::Result<Option<&Transaction>> {
        Ok(self.context()?.transaction.as_ref())
    }
}

/// Ticks that are left to the guest in this call.
#[derive(Debug, Default)]
pub(super) struct CpuBudget {
    left: u64,
}

impl CpuBudget {
    /// Takes a tick. Whether there was one left.
    pub(super) const fn spend(&mut self) -> bool {
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                true
            }
            None => false,
        }
    }
}

/// Bounds all memories of an instance together and its tables, and remembers whether the guest ran
/// into it. A component made of several modules has several memories.
#[derive(Debug)]
pub(super) struct MemoryLimit {
    limit: usize,
    used: usize,
    asked: usize,
    pub(super) exceeded: bool,
}

impl wasmtime::ResourceLimiter for MemoryLimit {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        self.asked = desired.saturating_sub(current);
        let fits = self.asked <= self.limit.saturating_sub(self.used);
        match fits {
            true => self.used += self.asked,
            false => self.exceeded = true,
        }
        Ok(fits)
    }

    fn memory_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.used -= self.asked.min(self.used);
        Ok(())
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= MAX_TABLE_ELEMENTS)
    }

    fn instances(&self) -> usize {
        MAX_MODULES
    }

    fn tables(&self) -> usize {
        MAX_MODULES
    }

    fn memories(&self) -> usize {
        MAX_MODULES
    }
}

/// The keys and values of one plugin in one session.
#[derive(Debug, Default)]
struct KeyValues {
    values: BTreeMap<String, Vec<u8>>,
    octets: usize,
}

impl KeyValues {
    fn set(&mut self, key: String, value: Vec<u8>) -> Result<(), store::StoreError> {
        let old = self.values.get(&key);
        let octets = self.octets - old.map_or(0, Vec::len) + value.len();
        let fits = octets <= MAX_STORE_OCTETS
            && key.len() <= MAX_STORE_KEY
            && (old.is_some() || self.values.len() < MAX_STORE_KEYS);
        if !fits {
            return Err(store::StoreError::Full);
        }
        self.octets = octets;
        self.values.insert(key, value);
        Ok(())
    }

    fn remove(&mut self, key: &str) {
        self.octets -= self.values.remove(key).map_or(0, |value| value.len());
    }
}

/// The most octets that one read of a body or of a part gives.
const MAX_READ: u32 = 262_144;
const MAX_LOG_LINE: usize = 2_048;
const MAX_STORE_KEYS: usize = 256;
const MAX_STORE_KEY: usize = 256;
const MAX_STORE_OCTETS: usize = 64 << 10;
const MAX_TABLE_ELEMENTS: usize = 100_000;
/// The most core instances, tables and memories that a component may be made of, each.
const MAX_MODULES: usize = 64;

impl types::Host for HostState {}

impl session::Host for HostState {
    fn id(&mut self) -> wasmtime::Result<String> {
        Ok(self.context()?.session.id.clone())
    }

    fn transaction_id(&mut self) -> wasmtime::Result<String> {
        let transaction = self.transaction()?;
        Ok(transaction.map_or_else(String::new, |transaction| transaction.id.clone()))
    }

    fn connected_at(&mut self) -> wasmtime::Result<u32> {
        Ok(self.context()?.session.connected_at)
    }

    fn listener(&mut self) -> wasmtime::Result<String> {
        Ok(self.context()?.session.listener.clone())
    }

    fn hostname(&mut self) -> wasmtime::Result<String> {
        Ok(self.context()?.session.hostname.clone())
    }

    fn local_ip(&mut self) -> wasmtime::Result<String> {
        Ok(self.context()?.session.local.ip().to_string())
    }

    fn local_port(&mut self) -> wasmtime::Result<u16> {
        Ok(self.context()?.session.local.port())
    }

    fn remote_ip(&mut self) -> wasmtime::Result<String> {
        Ok(self.context()?.session.remote.ip().to_string())
    }

    fn remote_port(&mut self) -> wasmtime::Result<u16> {
        Ok(self.context()?.session.remote.port())
    }

    fn remote_host(&mut self) -> wasmtime::Result<String> {
        Ok(self.context()?.session.remote_name())
    }

    fn helo_name(&mut self) -> wasmtime::Result<String> {
        let helo = &self.context()?.helo;
        Ok(helo
            .as_ref()
            .map_or_else(String::new, |(_, name)| name.to_string()))
    }

    fn helo(&mut self) -> wasmtime::Result<session::HeloKind> {
        Ok(match self.context()?.helo {
            None => session::HeloKind::None,
            Some((Helo::Ehlo, _)) => session::HeloKind::Ehlo,
            Some((Helo::Helo, _)) => session::HeloKind::Helo,
        })
    }

    fn protocol(&mut self) -> wasmtime::Result<String> {
        Ok(self.context()?.protocol().into())
    }

    fn proxy(&mut self) -> wasmtime::Result<Option<session::ProxyHeader>> {
        let header = self.context()?.session.proxy.as_ref();
        Ok(header.map(|header| {
            let (source, destination) = header.addresses.unzip();
            session::ProxyHeader {
                version: header.version,
                source_ip: source.map(|address| address.ip().to_string()),
                source_port: source.map_or(0, |address| address.port()),
                destination_ip: destination.map(|address| address.ip().to_string()),
                destination_port: destination.map_or(0, |address| address.port()),
                authority: header.authority.clone(),
                tls: header.tls,
            }
        }))
    }

    fn line_endings(&mut self) -> wasmtime::Result<session::LineEndingMode> {
        Ok(match self.context()?.session.line_endings {
            LineEndings::Ensure | LineEndings::EnsureLegacy => session::LineEndingMode::Ensure,
            LineEndings::Leave => session::LineEndingMode::Leave,
            LineEndings::Strict => session::LineEndingMode::Strict,
        })
    }

    fn encrypted(&mut self) -> wasmtime::Result<bool> {
        Ok(false)
    }

    fn authenticated_as(&mut self) -> wasmtime::Result<Option<String>> {
        Ok(self.context()?.authenticated_as.as_deref().map(Into::into))
    }

    fn sender(&mut self) -> wasmtime::Result<Option<String>> {
        let transaction = self.transaction()?;
        Ok(transaction.map(|transaction| transaction.sender.as_str().into()))
    }

    fn mail_parameters(&mut self) -> wasmtime::Result<Vec<types::Pair>> {
        let transaction = self.transaction()?;
        let parameters = transaction.map_or(&[][..], |transaction| &transaction.parameters.all);
        Ok(parameters
            .iter()
            .map(|parameter| types::Pair {
                name: parameter.name.to_string(),
                value: parameter.value.to_string(),
            })
            .collect())
    }

    fn recipients(&mut self) -> wasmtime::Result<Vec<String>> {
        let transaction = self.transaction()?;
        let recipients = transaction.map_or(&[][..], |transaction| &transaction.recipients);
        Ok(recipients.iter().map(|path| path.as_str().into()).collect())
    }

    fn error_count(&mut self) -> wasmtime::Result<u32> {
        Ok(self.context()?.errors)
    }

    fn tags(&mut self) -> wasmtime::Result<Vec<types::Pair>> {
        let tags = self.context()?.tags.iter();
        Ok(tags
            .map(|(name, value)| types::Pair {
                name: name.clone(),
                value: value.clone(),
            })
            .collect())
    }
}

fn header(field: Field<'_>) -> message::Header {
    message::Header {
        name: field.name().into(),
        value: field.value().to_vec(),
    }
}

fn clamped(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

impl message::Host for HostState {
    fn started_at(&mut self) -> wasmtime::Result<u32> {
        Ok(self.context()?.message.started_at)
    }

    fn completed_at(&mut self) -> wasmtime::Result<u32> {
        Ok(self.context()?.message.completed_at)
    }

    fn headers_complete(&mut self) -> wasmtime::Result<bool> {
        Ok(self.context()?.message.headers_complete)
    }

    fn size(&mut self) -> wasmtime::Result<u32> {
        Ok(clamped(self.context()?.message.size()))
    }

    fn header_count(&mut self) -> wasmtime::Result<u32> {
        Ok(clamped(self.context()?.message.headers.len() as u64))
    }

    fn header_at(&mut self, index: u32) -> wasmtime::Result<Option<message::Header>> {
        let headers = &self.context()?.message.headers;
        Ok(headers.field(index as usize).map(header))
    }

    fn headers_named(&mut self, name: String) -> wasmtime::Result<Vec<message::Header>> {
        let headers = &self.context()?.message.headers;
        Ok(headers.named(&name).map(header).collect())
    }

    fn header_text(&mut self, name: String) -> wasmtime::Result<Option<String>> {
        let headers = &self.context()?.message.headers;
        Ok(headers.text(&name).map(Into::into))
    }

    fn body_size(&mut self) -> wasmtime::Result<u32> {
        Ok(clamped(self.context()?.message.body.len()))
    }

    fn read_body(&mut self, offset: u32, length: u32) -> wasmtime::Result<Vec<u8>> {
        let body = &self.context()?.message.body;
        let left = body.len().saturating_sub(offset.into());
        let mut octets = vec![0; clamped(left).min(length).min(MAX_READ) as usize];
        let count = body.read_at(offset.into(), &mut octets)?;
        octets.truncate(count);
        Ok(octets)
    }

    async fn part_count(&mut self) -> wasmtime::Result<u32> {
        let message = &self.context()?.message;
        match message.body.is_empty() {
            true if message.headers.is_empty() => Ok(0),
            _ => Ok(clamped(self.mime().await?.parts().len() as u64)),
        }
    }

    async fn part_at(&mut self, index: u32) -> wasmtime::Result<Option<message::Part>> {
        let mime = self.mime().await?;
        Ok(mime.parts().get(index as usize).map(|part| message::Part {
            parent: part.parent,
            content_type: part.content_type.clone(),
            filename: part.filename.clone(),
            disposition: part.disposition.clone(),
            size: clamped(part.content.len() as u64),
            container: part.container,
        }))
    }

    async fn read_part(
        &mut self,
        index: u32,
        offset: u32,
        length: u32,
    ) -> wasmtime::Result<Vec<u8>> {
        let mime = self.mime().await?;
        let Some(part) = mime.parts().get(index as usize) else {
            return Ok(Vec::new());
        };
        let rest = part.content.get(offset as usize..).unwrap_or_default();
        let length = rest.len().min(length.min(MAX_READ) as usize);
        Ok(rest[..length].to_vec())
    }
}

impl log::Host for HostState {
    fn write(&mut self, level: log::Level, text: String) -> wasmtime::Result<()> {
        self.log_lines = self.log_lines.saturating_add(1);
        if self.log_lines > self.plugin.limits.log_lines {
            return Ok(());
        }
        let plugin = self.plugin.name.as_str();
        let session = self
            .context()
            .map_or("", |context| context.session.id.as_str());
        let text = &text[..text.floor_char_boundary(MAX_LOG_LINE)];
        // Debug output of a text escapes control characters, so that a plugin can not forge a line.
        match level {
            log::Level::Debug => debug!(session, plugin, says = ?text, "plugin"),
            log::Level::Info => info!(session, plugin, says = ?text, "plugin"),
            log::Level::Warn => warn!(session, plugin, says = ?text, "plugin"),
            log::Level::Error => error!(session, plugin, says = ?text, "plugin"),
        }
        Ok(())
    }
}

impl config::Host for HostState {
    fn json(&mut self) -> wasmtime::Result<String> {
        Ok(self.plugin.config.to_string())
    }

    fn get(&mut self, path: String) -> wasmtime::Result<Option<String>> {
        let mut value = &self.plugin.config;
        for key in path.split('.') {
            let Some(inner) = value.get(key) else {
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
        Ok(self.store.values.get(&key).cloned())
    }

    fn set(
        &mut self,
        key: String,
        value: Vec<u8>,
    ) -> wasmtime::Result<Result<(), store::StoreError>> {
        Ok(self.store.set(key, value))
    }

    fn remove(&mut self, key: String) -> wasmtime::Result<()> {
        self.store.remove(&key);
        Ok(())
    }
}

type Answer<T> = wasmtime::Result<Result<Vec<T>, dns::DnsError>>;

impl dns::Host for HostState {
    async fn ipv4(&mut self, name: String) -> Answer<String> {
        let found = self.plugin.dns.ipv4(&name).await;
        Ok(found.map(texts).map_err(dns_error))
    }

    async fn ipv6(&mut self, name: String) -> Answer<String> {
        let found = self.plugin.dns.ipv6(&name).await;
        Ok(found.map(texts).map_err(dns_error))
    }

    async fn mx(&mut self, name: String) -> Answer<dns::MailExchanger> {
        let found = self.plugin.dns.mx(&name).await.map_err(dns_error);
        Ok(found.map(|exchangers| {
            let exchangers = exchangers.into_iter();
            exchangers
                .map(|(preference, exchange)| dns::MailExchanger {
                    preference,
                    exchange,
                })
                .collect()
        }))
    }

    async fn txt(&mut self, name: String) -> Answer<String> {
        Ok(self.plugin.dns.txt(&name).await.map_err(dns_error))
    }

    async fn ptr(&mut self, ip: String) -> Answer<String> {
        let Ok(address) = ip.parse() else {
            return Ok(Err(dns::DnsError::Invalid));
        };
        Ok(self.plugin.dns.ptr(address).await.map_err(dns_error))
    }
}

fn texts(addresses: Vec<IpAddr>) -> Vec<String> {
    addresses.iter().map(IpAddr::to_string).collect()
}

const fn dns_error(error: DnsError) -> dns::DnsError {
    match error {
        DnsError::Failed => dns::DnsError::Failed,
        DnsError::Invalid => dns::DnsError::Invalid,
        DnsError::NotFound => dns::DnsError::NotFound,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_store_is_bounded() {
        let mut store = KeyValues::default();
        assert!(store.set("k".into(), vec![0; MAX_STORE_OCTETS]).is_ok());
        assert!(store.set("l".into(), vec![0]).is_err());
        assert!(store.set("k".into(), vec![0]).is_ok());
        assert!(store.set("l".into(), vec![0]).is_ok());
        store.remove("k");
        store.remove("never there");
        assert_eq!(store.octets, 1);
        assert!(store.set("k".repeat(MAX_STORE_KEY + 1), vec![]).is_err());
        for number in 1..MAX_STORE_KEYS {
            assert!(store.set(number.to_string(), vec![]).is_ok());
        }
        assert!(store.set("one more".into(), vec![]).is_err());
    }

    #[test]
    fn memories_are_counted_together() {
        use wasmtime::ResourceLimiter as _;
        let mut memory = MemoryLimit {
            limit: 100,
            used: 0,
            asked: 0,
            exceeded: false,
        };
        assert!(memory.memory_growing(0, 60, None).unwrap());
        assert!(memory.memory_growing(0, 40, None).unwrap());
        assert!(!memory.exceeded);
        assert!(!memory.memory_growing(60, 61, None).unwrap());
        assert!(memory.exceeded);
    }

    #[test]
    fn a_budget_runs_out() {
        let mut budget = CpuBudget { left: 2 };
        assert!(budget.spend() && budget.spend());
        assert!(!budget.spend());
    }
}
