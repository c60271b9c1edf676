//! `postgate check`: every mistake, or what would run.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use postgate::metrics::Metrics;
use postgate::tls;
use postgate_config::{AuthMode, Backend, BackendTrust, Config, TlsMode};
use postgate_delivery::Delivery;
use postgate_dns::Dns;
use postgate_runtime::{LoadError, PluginRegistry, PluginSet, RegistrySettings, Runtime};
use tokio::runtime;

use super::{Failure, Source};

pub(super) fn run(source: &Source) -> Result<(), Failure> {
    let config = source.load()?;
    let mut mistakes = Mistakes::default();
    let certificates = mistakes.of(tls::CertificateStore::load(&config));
    if let Some(file) = &config.auth_secret_file {
        let checked = postgate::check_auth_secret(file);
        mistakes.of(checked.map_err(|error| vec![error]));
    }
    if let Some(backend) = &config.backend {
        let delivery = Delivery::new(backend, &config.hostname);
        mistakes.of(delivery.map_err(|error| vec![error]));
    }
    let plugins = mistakes.of(load_plugins(&config)?);
    match (certificates, plugins) {
        (Some(certificates), Some(plugins)) if mistakes.0.is_empty() => super::say(Summary {
            config,
            certificates,
            plugins,
        }),
        _ => Err(Failure::Mistakes(mistakes.0)),
    }
}

/// What is wrong in one place does not keep the others from being looked at.
#[derive(Default)]
struct Mistakes(Vec<Box<dyn Error>>);

impl Mistakes {
    fn of<T, E: Error + 'static>(&mut self, checked: Result<T, Vec<E>>) -> Option<T> {
        let found = checked.map_err(|mistakes| {
            let mistakes = mistakes.into_iter().map(Into::into);
            self.0.extend(mistakes);
        });
        found.ok()
    }
}

fn load_plugins(config: &Config) -> Result<Result<Arc<PluginSet>, Vec<LoadError>>, Failure> {
    let engine = Runtime::new(
        config.plugins.instances,
        config.plugins.cache.as_deref(),
        Dns::default(),
        Metrics::new().plugins().clone(),
    )
    .map_err(Failure::run_time)?;
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::run_time)?;
    let registry = PluginRegistry::open(Arc::new(engine), RegistrySettings::of(config));
    let registry = runtime.block_on(registry);
    Ok(registry.map(|registry| Arc::clone(&registry.current().set)))
}

/// What would run, one thing a line.
struct Summary {
    config: Config,
    certificates: tls::CertificateStore,
    plugins: Arc<PluginSet>,
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
            let (name, facts) = (&certificate.name, &certificate.facts);
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
