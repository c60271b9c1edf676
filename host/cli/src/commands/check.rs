//! `postgate check`: checks the configuration, and prints all errors or a summary.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use postgate::metrics::Metrics;
use postgate::tls;
use postgate_config::{AuthMode, Backend, BackendTrust, Config, TlsMode};
use postgate_delivery::Delivery;
use postgate_dns::Dns;
use postgate_runtime::{
    LoadError, PluginRegistry, PluginSet, RegistrySettings, Runtime, RuntimeSettings,
};
use tokio::runtime;

use super::config_source::ConfigSource;
use super::failure::Failure;
use super::output::print;

pub(super) fn run(source: &ConfigSource) -> Result<(), Failure> {
    let config = source.load()?;
    let mut errors = Errors::default();
    let certificates = errors.collect(tls::CertificateStore::load(&config));
    if let Some(file) = &config.auth_secret_file {
        let checked = postgate::check_auth_secret(file);
        errors.collect(checked.map_err(|error| vec![error]));
    }
    if let Some(backend) = &config.backend {
        let delivery = Delivery::new(backend, &config.hostname);
        errors.collect(delivery.map_err(|error| vec![error]));
    }
    let plugins = match load_plugins(&config)? {
        // What the machine cannot do says nothing of the files.
        Err(errors) if errors.iter().any(|error| error.host_cause().is_some()) => {
            return Err(Failure::plugins(errors));
        }
        plugins => errors.collect(plugins),
    };
    match (certificates, plugins) {
        (Some(certificates), Some(plugins)) if errors.0.is_empty() => print(Summary {
            config,
            certificates,
            plugins,
        }),
        _ => Err(Failure::Input(errors.0)),
    }
}

/// The errors of all checks. Each check runs even if others have failed.
#[derive(Default)]
struct Errors(Vec<Box<dyn Error>>);

impl Errors {
    /// Adds the errors of a check, or returns its value.
    fn collect<T, E: Error + 'static>(&mut self, checked: Result<T, Vec<E>>) -> Option<T> {
        let checked = checked.map_err(|errors| {
            self.0.extend(errors.into_iter().map(Into::into));
        });
        checked.ok()
    }
}

fn load_plugins(config: &Config) -> Result<Result<Arc<PluginSet>, Vec<LoadError>>, Failure> {
    let engine = Runtime::new(
        RuntimeSettings::of(&config.plugins),
        Dns::default(),
        Metrics::new().plugins().clone(),
    )
    .map_err(Failure::runtime)?;
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::runtime)?;
    let registry = PluginRegistry::open(Arc::new(engine), RegistrySettings::of(config));
    let registry = runtime.block_on(registry);
    Ok(registry.map(|registry| Arc::clone(&registry.current().set)))
}

/// The effective configuration, one item a line.
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
                TlsMode::Implicit => ", TLS from the first octet",
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
            if let Err(fault) = facts.check_now() {
                writeln!(f, "warning   certificate {name}: {fault}")?;
            }
        }
        for rule in &self.config.relay.domains {
            writeln!(f, "relay     {rule}")?;
        }
        match &self.config.backend {
            Some(backend) => writeln!(f, "backend   {}{}", backend.address, security(backend))?,
            None => writeln!(f, "backend   none, every message is refused")?,
        }
        for plugin in &self.plugins.plugins {
            write!(f, "plugin    {}:", plugin.name())?;
            for event in plugin.exported_events() {
                write!(f, " {event}")?;
            }
            writeln!(f)?;
        }
        if let Err(error) = postgate_spool::check_directory() {
            writeln!(f, "warning   {error}")?;
        }
        writeln!(f, "no mistakes")
    }
}

/// Describes the TLS and the login of a backend.
fn security(backend: &Backend) -> String {
    let tls = match &backend.tls {
        None => "",
        Some(tls) if tls.trust == BackendTrust::Anybody => ", TLS that is not verified",
        Some(_) => ", TLS",
    };
    let login = backend.login.as_ref();
    let login = login.map(|login| format!(", as {}", login.username));
    tls.to_owned() + &login.unwrap_or_default()
}
