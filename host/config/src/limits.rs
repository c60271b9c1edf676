//! What clients may use up.

use std::num::NonZeroU32;
use std::time::Duration;

use super::document::Section;
use super::value::{Octets, SomeOctets, Timeout};

/// What one client, or all clients of a listener together, may use up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest message, in octets; `u32::MAX` where there is no limit.
    pub message_size: u32,
    /// The largest header block of a message, in octets; above 0.
    pub header_size: u32,
    /// The longest line of a message, in octets; `u32::MAX` where there is no limit.
    pub text_line: u32,
    /// How many octets without a line ending may come before the session is closed; above 0.
    pub endless_line: u32,
    /// The most recipients of one message.
    pub recipients: u32,
    /// How many commands of a session may be refused as errors before it is closed; 0 for no limit.
    pub errors: u32,
    /// The most sessions at a time.
    pub connections: u32,
    /// The most sessions at a time of one client address; 0 for no limit.
    pub connections_per_address: u32,
    /// The most new sessions of one client address in a minute; 0 for no limit.
    pub connection_rate: u32,
    /// The most sessions that are processed at a time, while others wait for the banner; never more
    /// than `connections`, and 0 for as many.
    pub slots: u32,
    /// After how many errors of a session each reply to a further one is delayed; 0 for never.
    pub tarpit_after: u32,
    /// How long such a reply is delayed.
    pub tarpit: Duration,
    /// How long to wait for a complete command.
    pub command_timeout: Duration,
    /// How long a message may take from DATA to its end.
    pub message_timeout: Duration,
    /// How long a client may take to read a reply.
    pub write_timeout: Duration,
    /// How long a TLS handshake may take.
    pub tls_timeout: Duration,
    /// How long sessions may go on once the program is told to stop. The same for all listeners.
    pub shutdown_grace: Duration,
    /// How many attempts to authenticate may fail from one client address before it has to wait; 0 for
    /// no limit. The same for all listeners, as the next two are.
    pub auth_failures_per_address: u32,
    /// The same for one account, from wherever it is tried.
    pub auth_failures_per_account: u32,
    /// How long it takes until so many failures are forgotten; above 0.
    pub auth_failure_window: Duration,
    /// How many octets of a message stay in memory; what is beyond goes to a temporary file. The
    /// same for all listeners.
    pub spool_memory: u32,
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
            connections: 1000,
            connections_per_address: 0,
            connection_rate: 0,
            slots: 0,
            tarpit_after: 0,
            tarpit: Duration::from_secs(5),
            command_timeout: Duration::from_mins(5),
            message_timeout: Duration::from_mins(10),
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
        shutdown_grace: section.or("shutdown-grace", default.shutdown_grace),
        auth_failures_per_address: section.or(
            "auth-failures-per-address",
            default.auth_failures_per_address,
        ),
        auth_failures_per_account: section.or(
            "auth-failures-per-account",
            default.auth_failures_per_account,
        ),
        auth_failure_window: timeout(section, "auth-failure-window", default.auth_failure_window),
        spool_memory: section.or("spool-memory", Octets(default.spool_memory)).0,
        ..read_of_listener(section, &default)
    }
}

/// Reads what one listener has in place of the limits of all.
pub(super) fn read_of_listener(section: &mut Section<'_>, general: &Limits) -> Limits {
    let Limits {
        shutdown_grace,
        auth_failures_per_address,
        auth_failures_per_account,
        auth_failure_window,
        spool_memory,
        ..
    } = *general;
    let limits = Limits {
        message_size: octets_or_all(section, "message-size", general.message_size),
        header_size: some_octets(section, "header-size", general.header_size),
        text_line: octets_or_all(section, "text-line", general.text_line),
        endless_line: some_octets(section, "endless-line", general.endless_line),
        recipients: above_zero(section, "recipients", general.recipients),
        errors: section.or("errors", general.errors),
        connections: above_zero(section, "connections", general.connections),
        connections_per_address: section
            .or("connections-per-address", general.connections_per_address),
        connection_rate: section.or("connection-rate", general.connection_rate),
        slots: section.or("slots", general.slots),
        tarpit_after: section.or("tarpit-after", general.tarpit_after),
        tarpit: section.or("tarpit", general.tarpit),
        command_timeout: timeout(section, "command-timeout", general.command_timeout),
        message_timeout: timeout(section, "message-timeout", general.message_timeout),
        write_timeout: timeout(section, "write-timeout", general.write_timeout),
        tls_timeout: timeout(section, "tls-timeout", general.tls_timeout),
        shutdown_grace,
        auth_failures_per_address,
        auth_failures_per_account,
        auth_failure_window,
        spool_memory,
    };
    check_slots(section, &limits);
    limits
}

/// A mistake in the limits of all listeners is not told again for each of them.
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

/// A size, or all that there are where it is 0.
fn octets_or_all(section: &mut Section<'_>, key: &'static str, general: u32) -> u32 {
    match section.value(key) {
        None => general,
        Some(Octets(0)) => u32::MAX,
        Some(Octets(size)) => size,
    }
}

fn some_octets(section: &mut Section<'_>, key: &'static str, general: u32) -> u32 {
    section.or(key, SomeOctets(general)).0
}

fn above_zero(section: &mut Section<'_>, key: &'static str, general: u32) -> u32 {
    section.value(key).map_or(general, NonZeroU32::get)
}

fn timeout(section: &mut Section<'_>, key: &'static str, general: Duration) -> Duration {
    section.or(key, Timeout(general)).0
}
