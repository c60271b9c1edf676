//! Reads the top level of the configuration file. Each table has a function of its own.

mod backend;
mod listener;
mod machine;
mod tls;

use std::path::PathBuf;

use postgate_proto::address::Charset;

use super::config::Config;
use super::document::Section;
use super::value::{Hostname, is_domain};
use super::{dns, limits, log, plugins, relay, replies, runtime};

/// Reads the configuration file, and checks that this machine can do what it asks for.
pub(super) fn config_for_this_machine(root: &mut Section<'_>) -> Option<Config> {
    let config = config(root);
    machine::check_listeners(root);
    let config = config?;
    machine::check(root, &config);
    Some(config)
}

pub(super) fn config(root: &mut Section<'_>) -> Option<Config> {
    // Read every table before returning, so that no mistake hides another.
    let hostname = hostname(root);
    let auth_secret_file = root.path("auth-secret-file");
    let limits = root.table("limits", limits::read);
    let certificates = tls::certificates(root);
    let tls = root.table("tls", tls::settings);
    let listeners = listener::all(root, &limits, &certificates);
    let relay = root.table("relay", relay::read);
    let backend = backend::only(root);
    let quarantine = root.table("quarantine", |quarantine| quarantine.path("maildir"));
    let replies = root.table("replies", replies::read);
    let plugins = root.table("plugins", plugins::read);
    let dns = root.table("dns", dns::read);
    let control_socket = control_socket(root);
    let log = root.table("log", log::read);
    let runtime = root.table("runtime", runtime::read);
    Some(Config {
        hostname: hostname?,
        auth_secret_file,
        listeners,
        certificates,
        tls,
        limits,
        relay,
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
            format!("must be set, since the host name of this machine, {name:?}, is not a domain"),
        );
        return None;
    }
    Some(name)
}

pub(super) fn control_socket(root: &mut Section<'_>) -> Option<PathBuf> {
    root.table("control", |control| control.path("socket"))
}
