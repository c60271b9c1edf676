//! Limits on clients.

use std::time::Duration;

use super::document::Section;
use super::value::{NonZeroOctets, Octets};

/// Limits on a session, a client address or a listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest message in octets; `u32::MAX` for no limit.
    pub message_size: u32,
    /// The largest header block of a message in octets, above 0.
    pub header_size: u32,
    /// The longest line of a message in octets; `u32::MAX` for no limit.
    pub text_line: u32,
    /// The number of octets without a line ending after which the session is closed, above 0.
    pub endless_line: u32,
    /// The most recipients of one message.
    pub recipients: u32,
    /// The number of failed commands after which a session is closed; 0 for no limit.
    pub errors: u32,
    /// The number of commands without a message after which each further one counts as an error; 0
    /// for no limit.
    pub idle_commands: u32,
    /// The number of refused commands and messages after which each further one counts as an error; 0
    /// for no limit.
    pub refusals: u32,
    /// The most sessions at a time.
    pub connections: u32,
    /// The most sessions at a time per client address; 0 for no limit.
    pub connections_per_address: u32,
    /// The most new sessions per client address and minute; 0 for no limit.
    pub connection_rate: u32,
    /// The most sessions past their banner at a time, while others wait for it; at most
    /// `connections`, and 0 for as many.
    pub slots: u32,
    /// The number of errors in a session after which replies to errors are delayed; 0 for never.
    pub tarpit_after: u32,
    /// The delay of such a reply.
    pub tarpit: Duration,
    /// The time limit for a complete command.
    pub command_timeout: Duration,
    /// The time limit for a message, from DATA to its end.
    pub message_timeout: Duration,
    /// The time limit for all plugins together at one event, with the delays that they ask for; at most
    /// [`Self::MAX_PLUGINS_TIMEOUT`].
    pub plugins_timeout: Duration,
    /// The most processor time that plugins may use for one client in a minute; 0 for no limit. The same
    /// for all listeners.
    pub plugin_cpu_per_client: Duration,
    /// The time limit for a client to read a reply.
    pub write_timeout: Duration,
    /// The time limit for a TLS handshake.
    pub tls_timeout: Duration,
    /// The time that open sessions have left at shutdown. The same for all listeners.
    pub shutdown_grace: Duration,
    /// The number of failed attempts to authenticate after which a client address must wait; 0 for
    /// no limit. The same for all listeners, as are the next two.
    pub auth_failures_per_address: u32,
    /// The number of failed attempts for one account, from any address, after which further ones
    /// must wait; 0 for no limit.
    pub auth_failures_per_account: u32,
    /// The time after which as many failures are forgotten, above 0.
    pub auth_failure_window: Duration,
    /// The largest message in memory, in octets. Larger ones go to a temporary file. The same for
    /// all listeners.
    pub spool_memory: u32,
}

impl Limits {
    /// The longest time that plugins may take together: clients wait for ten minutes for the reply to a
    /// message (RFC 5321 section 4.5.3.2.6), and the backend needs some of it.
    pub const MAX_PLUGINS_TIMEOUT: Duration = Duration::from_mins(9);
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_size: 25 << 20,
            header_size: 1 << 20,
            text_line: 1 << 20,
            endless_line: 1 << 20,
            recipients: 200,
            errors: 10,
            idle_commands: 100,
            refusals: 100,
            connections: 1000,
            connections_per_address: 0,
            connection_rate: 0,
            slots: 0,
            tarpit_after: 0,
            tarpit: Duration::from_secs(5),
            command_timeout: Duration::from_mins(5),
            message_timeout: Duration::from_mins(10),
            plugins_timeout: Duration::from_mins(5),
            plugin_cpu_per_client: Duration::from_secs(30),
            write_timeout: Duration::from_mins(2),
            tls_timeout: Duration::from_mins(1),
            shutdown_grace: Duration::from_secs(10),
            auth_failures_per_address: 50,
            auth_failures_per_account: 10,
            auth_failure_window: Duration::from_mins(10),
            spool_memory: 1 << 20,
        }
    }
}

/// Reads the limits of all listeners.
pub(super) fn read(section: &mut Section<'_>) -> Limits {
    let default = Limits::default();
    Limits {
        shutdown_grace: section.value_or("shutdown-grace", default.shutdown_grace),
        plugin_cpu_per_client: section
            .value_or("plugin-cpu-per-client", default.plugin_cpu_per_client),
        auth_failures_per_address: section.value_or(
            "auth-failures-per-address",
            default.auth_failures_per_address,
        ),
        auth_failures_per_account: section.value_or(
            "auth-failures-per-account",
            default.auth_failures_per_account,
        ),
        auth_failure_window: section.timeout("auth-failure-window", default.auth_failure_window),
        spool_memory: section
            .value_or("spool-memory", Octets(default.spool_memory))
            .0,
        ..read_of_listener(section, &default)
    }
}

/// Reads the limits of one listener, which override those of all.
pub(super) fn read_of_listener(section: &mut Section<'_>, general: &Limits) -> Limits {
    let Limits {
        plugin_cpu_per_client,
        shutdown_grace,
        auth_failures_per_address,
        auth_failures_per_account,
        auth_failure_window,
        spool_memory,
        ..
    } = *general;
    let limits = Limits {
        message_size: octets_or_unlimited(section, "message-size", general.message_size),
        header_size: octets_above_zero(section, "header-size", general.header_size),
        text_line: octets_or_unlimited(section, "text-line", general.text_line),
        endless_line: octets_above_zero(section, "endless-line", general.endless_line),
        recipients: section
            .above_zero("recipients")
            .unwrap_or(general.recipients),
        errors: section.value_or("errors", general.errors),
        idle_commands: section.value_or("idle-commands", general.idle_commands),
        refusals: section.value_or("refusals", general.refusals),
        connections: section
            .above_zero("connections")
            .unwrap_or(general.connections),
        connections_per_address: section
            .value_or("connections-per-address", general.connections_per_address),
        connection_rate: section.value_or("connection-rate", general.connection_rate),
        slots: section.value_or("slots", general.slots),
        tarpit_after: section.value_or("tarpit-after", general.tarpit_after),
        tarpit: section.value_or("tarpit", general.tarpit),
        command_timeout: section.timeout("command-timeout", general.command_timeout),
        message_timeout: section.timeout("message-timeout", general.message_timeout),
        plugins_timeout: section.timeout("plugins-timeout", general.plugins_timeout),
        write_timeout: section.timeout("write-timeout", general.write_timeout),
        tls_timeout: section.timeout("tls-timeout", general.tls_timeout),
        plugin_cpu_per_client,
        shutdown_grace,
        auth_failures_per_address,
        auth_failures_per_account,
        auth_failure_window,
        spool_memory,
    };
    check_slots(section, &limits);
    if limits.endless_line < MIN_ENDLESS_LINE && section.has("endless-line") {
        let text = format!("less than the {MIN_ENDLESS_LINE} octets that a command may have");
        section.conflict("endless-line", text);
    }
    if limits.plugins_timeout > Limits::MAX_PLUGINS_TIMEOUT && section.has("plugins-timeout") {
        let text = "longer than 9m, and clients wait for 10m at most".to_owned();
        section.conflict("plugins-timeout", text);
    }
    limits
}

/// Does nothing if the table has neither key, so that a mistake in the limits of all listeners is
/// not reported again for each of them.
fn check_slots(section: &mut Section<'_>, limits: &Limits) {
    let Some(key) = ["slots", "connections"]
        .into_iter()
        .find(|key| section.has(key))
    else {
        return;
    };
    if limits.slots > limits.connections {
        let Limits {
            slots, connections, ..
        } = limits;
        let text = format!("{slots} slots are more than there can be connections, {connections}");
        section.conflict(key, text);
    }
}

/// As many octets as the longest command.
const MIN_ENDLESS_LINE: u32 = 2_048;

/// A size, or `u32::MAX` if it is 0.
fn octets_or_unlimited(section: &mut Section<'_>, key: &'static str, general: u32) -> u32 {
    match section.value(key) {
        None => general,
        Some(Octets(0)) => u32::MAX,
        Some(Octets(size)) => size,
    }
}

fn octets_above_zero(section: &mut Section<'_>, key: &'static str, general: u32) -> u32 {
    section.value_or(key, NonZeroOctets(general)).0
}
