//! Turns the tables of the configuration file into a [`Config`], one function a table.

mod backend;
mod listener;
mod tls;

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use postgate_proto::address::Charset;

use super::address::NameServer;
use super::document::Section;
use super::value::{Hostname, Octets, Timeout, is_domain};
use super::{Config, DnsSettings, Log, Plugins, RelayDomain, Runtime, limits, replies};

pub(super) fn config(root: &mut Section<'_>) -> Option<Config> {
    // Everything is read before anything is given up, so that no mistake hides another.
    let hostname = hostname(root);
    let auth_secret_file = root.path("auth-secret-file");
    let limits = root.table("limits", limits::read);
    let certificates = tls::certificates(root);
    let tls = root.table("tls", tls::settings);
    let listeners = listener::all(root, &limits, &certificates);
    let relay: Option<Vec<RelayDomain>> = root.table("relay", |relay| relay.list("domains"));
    let backend = backend::only(root);
    let quarantine = root.table("quarantine", |quarantine| quarantine.path("maildir"));
    let replies = root.table("replies", replies::read);
    let plugins = root.table("plugins", plugins);
    let dns = root.table("dns", dns);
    let control_socket = control_socket(root);
    let log = root.table("log", log);
    let runtime = root.table("runtime", runtime);
    Some(Config {
        hostname: hostname?,
        auth_secret_file,
        listeners,
        certificates,
        tls,
        limits,
        relay: relay.unwrap_or_default(),
        replies,
        backend,
        quarantine,
        plugins,
        dns,
        control_socket,
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

pub(super) fn control_socket(root: &mut Section<'_>) -> Option<PathBuf> {
    root.table("control", |control| control.path("socket"))
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
        watch: section.or("watch", default.watch),
        rescan: timeout(section, "rescan", default.rescan),
        instances: above_zero(section, "instances"),
    }
}

fn dns(section: &mut Section<'_>) -> DnsSettings {
    let default = DnsSettings::default();
    let servers: Vec<NameServer> = section.list("servers").unwrap_or_default();
    DnsSettings {
        servers: servers
            .into_iter()
            .map(|NameServer(address)| address)
            .collect(),
        timeout: timeout(section, "timeout", default.timeout),
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
