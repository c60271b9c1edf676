//! Turns the tables of the configuration file into a [`Config`], one function a table.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::time::Duration;

use postgate_proto::address::Charset;

use super::document::Section;
use super::value::{Hostname, Octets, Timeout, is_domain};
use super::{
    AuthMode, Backend, BackendAddress, Config, DnsSettings, Limits, Listener, Log, Plugins,
    RelayDomain, Runtime,
};

pub(super) fn config(root: &mut Section<'_>) -> Option<Config> {
    // Everything is read before anything is given up, so that no mistake hides another.
    let hostname = hostname(root);
    let listeners = listeners(root);
    let limits = root.table("limits", limits);
    let relay: Option<Vec<RelayDomain>> = root.table("relay", |relay| relay.list("domains"));
    let backend = only_backend(root);
    let quarantine = root.table("quarantine", |quarantine| quarantine.path("maildir"));
    let plugins = root.table("plugins", plugins);
    let log = root.table("log", log);
    let runtime = root.table("runtime", runtime);
    Some(Config {
        hostname: hostname?,
        listeners,
        limits,
        relay: relay.unwrap_or_default(),
        replies: BTreeMap::new(),
        backend,
        quarantine,
        plugins,
        dns: DnsSettings::default(),
        log,
        runtime,
    })
}

fn hostname(root: &mut Section<'_>) -> Option<String> {
    if root.has("hostname") {
        return root.value("hostname").map(|Hostname(name)| name);
    }
    let name = gethostname::gethostname().to_string_lossy().into_owned();
    if !is_domain(&name, Charset::Ascii) {
        root.conflict(
            "hostname",
            format!("must be set, since this machine is called {name:?}, which is no domain"),
        );
        return None;
    }
    Some(name)
}

fn listeners(root: &mut Section<'_>) -> Vec<Listener> {
    let mut listeners: Vec<Listener> = Vec::new();
    root.each_table("listener", |section| {
        let Some(listener) = listener(section) else {
            return;
        };
        for earlier in &listeners {
            if earlier.address == listener.address && listener.address.port() != 0 {
                let text = format!("{} has another listener already", listener.address);
                section.conflict("address", text);
            } else if earlier.name == listener.name {
                let text = format!("another listener is already called {:?}", listener.name);
                section.conflict("name", text);
            }
        }
        listeners.push(listener);
    });
    if listeners.is_empty() {
        listeners.push(Listener::at(DEFAULT_ADDRESS));
    }
    listeners
}

fn listener(section: &mut Section<'_>) -> Option<Listener> {
    let name: Option<String> = section.value("name");
    let address = section.required("address", r#"write one such as "127.0.0.1:2525""#);
    let auth = section.or("auth", AuthMode::Off);
    let auth_in_clear = section.or("auth-in-clear", false);
    let address: SocketAddr = address?;
    if auth_in_clear && !address.ip().is_loopback() {
        let text = "credentials may be sent in clear to a loopback address only";
        section.conflict("auth-in-clear", text.to_owned());
    } else if auth != AuthMode::Off && !auth_in_clear {
        let text = "needs `auth-in-clear = true` on a loopback address: there is no TLS yet, and \
                    nobody should send a password in clear over a network";
        section.conflict("auth", text.to_owned());
    }
    Some(Listener {
        name: name.unwrap_or_else(|| address.to_string()),
        address,
        auth,
        auth_in_clear,
        ..Listener::at(address)
    })
}

fn limits(section: &mut Section<'_>) -> Limits {
    let default = Limits::default();
    let message_size = match section.or("message-size", Octets(default.message_size)) {
        Octets(0) => u32::MAX,
        Octets(size) => size,
    };
    Limits {
        message_size,
        recipients: above_zero(section, "recipients").unwrap_or(default.recipients),
        errors: section.or("errors", default.errors),
        connections: above_zero(section, "connections").unwrap_or(default.connections),
        command_timeout: timeout(section, "command-timeout", default.command_timeout),
        message_timeout: timeout(section, "message-timeout", default.message_timeout),
        write_timeout: timeout(section, "write-timeout", default.write_timeout),
        shutdown_grace: section.or("shutdown-grace", default.shutdown_grace),
        spool_memory: section.or("spool-memory", Octets(default.spool_memory)).0,
        ..default
    }
}

fn only_backend(root: &mut Section<'_>) -> Option<Backend> {
    let mut only = None;
    let mut count = 0;
    root.each_table("backend", |section| {
        only = backend(section);
        count += 1;
        if count > 1 {
            section.conflict("address", "there can be only one backend".to_owned());
        }
    });
    only
}

fn backend(section: &mut Section<'_>) -> Option<Backend> {
    let name = section.or("name", "backend".to_owned());
    let address = section.required("address", r#"write one such as "lmtp://127.0.0.1:24""#);
    let connect_timeout = timeout(section, "connect-timeout", Duration::from_secs(10));
    let command_timeout = timeout(section, "command-timeout", Duration::from_mins(1));
    let data_timeout = timeout(section, "data-timeout", Duration::from_mins(5));
    let max_idle = section.or("max-idle", 16);
    let idle_timeout = timeout(section, "idle-timeout", Duration::from_secs(30));
    let address = match address? {
        BackendAddress::Maildir(path) => BackendAddress::Maildir(section.resolve(&path)),
        elsewhere => elsewhere,
    };
    Some(Backend {
        name,
        address,
        connect_timeout,
        command_timeout,
        data_timeout,
        max_idle,
        idle_timeout,
    })
}

fn plugins(section: &mut Section<'_>) -> Plugins {
    let default = Plugins::default();
    let directory = section.path("directory");
    if let Some(directory) = &directory
        && !directory.is_dir()
    {
        let text = format!("there is no directory {}", directory.display());
        section.conflict("directory", text);
    }
    Plugins {
        directory,
        cache: section.path("cache"),
        max_file_size: section
            .value("max-file-size")
            .map_or(default.max_file_size, |Octets(size)| size.into()),
        instances: above_zero(section, "instances"),
    }
}

fn log(section: &mut Section<'_>) -> Log {
    let default = Log::default();
    Log {
        level: section.or("level", default.level),
        format: section.or("format", default.format),
    }
}

fn runtime(section: &mut Section<'_>) -> Runtime {
    Runtime {
        workers: above_zero(section, "workers").map(|workers| workers as usize),
    }
}

fn above_zero(section: &mut Section<'_>, key: &'static str) -> Option<u32> {
    section.value(key).map(NonZeroU32::get)
}

fn timeout(section: &mut Section<'_>, key: &'static str, default: Duration) -> Duration {
    section.or(key, Timeout(default)).0
}

const DEFAULT_ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 2525);
