//! `postgate check`: every mistake, or what would run.

use std::fmt;
use std::sync::Arc;

use postgate::config::{AuthMode, Backend, BackendTrust, Config, TlsMode};
use postgate::delivery::Delivery;
use postgate::dns::Dns;
use postgate::plugin::{self, PluginSet, Runtime};
use postgate::tls::{self, Certificate};
use tokio::runtime;

use super::{Failure, Source};

pub(super) fn run(source: &Source) -> Result<(), Failure> {
    let config = source.load()?;
    let certificates = tls::Store::load(&config).map_err(Failure::mistakes)?;
    if let Some(backend) = &config.backend {
        Delivery::new(backend, &config.hostname).map_err(|error| Failure::mistakes(vec![error]))?;
    }
    let plugins = load_plugins(&config)?;
    super::say(Summary {
        config,
        certificates,
        plugins,
    })
}

fn load_plugins(config: &Config) -> Result<PluginSet, Failure> {
    let Some(directory) = &config.plugins.directory else {
        return Ok(PluginSet::default());
    };
    let engine = Runtime::new(
        config.plugins.instances,
        config.plugins.cache.as_deref(),
        Dns::default(),
    )
    .map_err(Failure::run_time)?;
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::run_time)?;
    runtime
        .block_on(plugin::load_directory(
            &Arc::new(engine),
            directory,
            config.plugins.max_file_size,
            &config.listener_names(),
        ))
        .map_err(Failure::mistakes)
}

/// What would run, one thing a line.
struct Summary {
    config: Config,
    certificates: tls::Store,
    plugins: PluginSet,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "hostname  {}", self.config.hostname)?;
        for listener in &self.config.listeners {
            let auth = match listener.auth {
                AuthMode::Off => "",
                AuthMode::Optional => ", authentication optional",
                AuthMode::Required => ", authentication required",
            };
            let tls = match listener.tls {
                TlsMode::Off => "",
                TlsMode::Optional => ", TLS optional",
                TlsMode::Required => ", TLS required",
                TlsMode::Implicit => ", TLS from the beginning",
            };
            writeln!(f, "listener  {}{tls}{auth}", listener.address)?;
        }
        for certificate in self.certificates.all() {
            let Certificate { name, facts, .. } = &certificate;
            let until = facts.not_after;
            writeln!(
                f,
                "certificate {name}, for {}, until {until}",
                facts.names.join(" ")
            )?;
        }
        for rule in &self.config.relay {
            writeln!(f, "relay     {rule}")?;
        }
        match &self.config.backend {
            Some(backend) => writeln!(f, "backend   {}{}", backend.address, secured(backend))?,
            None => writeln!(f, "backend   none, every message is refused")?,
        }
        for plugin in &self.plugins.plugins {
            write!(f, "plugin    {}:", plugin.name())?;
            for event in plugin.exported_events() {
                write!(f, " {event}")?;
            }
            writeln!(f)?;
        }
        writeln!(f, "no mistakes")
    }
}

/// How a backend is spoken to.
fn secured(backend: &Backend) -> String {
    let tls = match &backend.tls {
        None => "",
        Some(tls) if tls.trust == BackendTrust::Anybody => ", TLS that is not verified",
        Some(_) => ", TLS",
    };
    let login = backend.login.as_ref();
    let login = login.map(|login| format!(", as {}", login.username));
    tls.to_owned() + &login.unwrap_or_default()
}
