//! Reads the listeners and checks them for conflicts.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use ipnet::IpNet;
use postgate_proto::auth::Mechanism;
use postgate_proto::parameters::Extensions;
use postgate_proto::session::is_own_keyword;
use toml::de::DeValue;

use crate::address::{ListenAddress, ListenAddresses};
use crate::document::Section;
use crate::limits::{self, Limits};
use crate::listener::{AuthMode, Listener, ProxyMode, Submission};
use crate::tls::{CertificateFiles, TlsMode};
use crate::value::{Hostname, Name, PrintableText, Setting, is_printable};

use super::tls;

/// All listeners, or the default one. If an environment variable or a flag gives addresses, there
/// is one listener for each, with the settings of the first one in the file.
pub(super) fn all(
    root: &mut Section<'_>,
    general: &Limits,
    certificates: &[CertificateFiles],
) -> Vec<Listener> {
    let only_first = root.is_overridden("listener.address");
    let mut listeners: Vec<Listener> = Vec::new();
    let mut count = 0;
    root.each_table("listener", |section| {
        let listens_on = match count > 0 && only_first {
            true => section.value_in_file("address"),
            false => section.required("address", r#"write one such as "127.0.0.1:2525""#),
        };
        count += 1;
        let entry = entry(section, listens_on, general, certificates);
        if count > 1 && only_first {
            return;
        }
        check_against(&listeners, &entry, section);
        listeners.extend(entry);
    });
    if count == 0 {
        let read = |section: &mut Section<'_>| {
            let listens_on = section.value_or("address", default_addresses());
            entry(section, Some(listens_on), general, certificates)
        };
        listeners = root.absent_table("listener", read);
    }
    listeners
}

/// The listeners of one table, which have the same settings but different addresses.
fn entry(
    section: &mut Section<'_>,
    listens_on: Option<ListenAddresses>,
    general: &Limits,
    certificates: &[CertificateFiles],
) -> Vec<Listener> {
    let name = section.value("name").map(|Name(name)| name);
    let settings = settings(section, general);
    let mut listeners: Vec<Listener> = Vec::new();
    for written in listens_on.into_iter().flat_map(|ListenAddresses(all)| all) {
        let name = name.clone().unwrap_or_else(|| written.to_string());
        for address in resolved(&written, section) {
            if let Some(mapped) = mapped(address) {
                let text = format!("{address} is an IPv4 address; write it as {mapped}");
                section.conflict("address", text);
                continue;
            }
            if let Some(taken) = overlapping(&listeners, address) {
                let text = match taken.address == address {
                    true => format!("{address} is there twice"),
                    false => format!("{address} overlaps {}, which is there too", taken.address),
                };
                section.conflict("address", text);
                continue;
            }
            let name = name.clone();
            listeners.push(Listener {
                name,
                host: written.host().map(str::to_owned),
                address,
                ..settings.clone()
            });
        }
    }
    check(section, &settings, &listeners);
    tls::check(section, &settings, certificates);
    listeners
}

fn settings(section: &mut Section<'_>, general: &Limits) -> Listener {
    let default = Listener::at(DEFAULT_ADDRESS);
    Listener {
        auth: section.value_or("auth", default.auth),
        auth_in_clear: section.value_or("auth-in-clear", default.auth_in_clear),
        auth_mechanisms: mechanisms(section).unwrap_or(default.auth_mechanisms),
        banner: section.value_or("banner", PrintableText(default.banner)).0,
        default_domain: section.value("default-domain").map(|Hostname(name)| name),
        early_talkers: section.value_or("early-talkers", default.early_talkers),
        greet_delay: greet_delay(section).unwrap_or(default.greet_delay),
        extensions: section.table("extensions", extensions),
        more_keywords: more_keywords(section),
        only_keywords: only_keywords(section),
        submission: Submission {
            complete: section.value_or("submission", default.submission.complete),
            strip_bcc: section.value_or("strip-bcc", default.submission.strip_bcc),
        },
        line_endings: section.value_or("line-endings", default.line_endings),
        lenient_commands: section.value_or("lenient-commands", default.lenient_commands),
        strict_mail: section.value_or("strict-mail", default.strict_mail),
        strict_rcpt: section.value_or("strict-rcpt", default.strict_rcpt),
        proxy: section.value_or("proxy", default.proxy),
        proxy_from: networks(section, "proxy-from"),
        xclient_from: networks(section, "xclient-from"),
        reverse_dns: section.value_or("reverse-dns", default.reverse_dns),
        tls: section.value_or("tls", default.tls),
        tls_profile: section.value_or("tls-profile", default.tls_profile),
        certificates: section.non_empty_list(
            "certificates",
            "is empty; leave it out for all certificates",
        ),
        client_certificates: section.value_or("client-certificates", default.client_certificates),
        client_ca: section.path("client-ca"),
        limits: section.table("limits", |section| {
            limits::read_of_listener(section, general)
        }),
        name: default.name,
        host: default.host,
        address: default.address,
    }
}

fn mechanisms(section: &mut Section<'_>) -> Option<Vec<Mechanism>> {
    let text = "names no mechanism; write `auth = \"off\"` where nobody shall authenticate";
    section.non_empty_list("auth-mechanisms", text)
}

fn extensions(section: &mut Section<'_>) -> Extensions {
    let default = Extensions::default();
    let chunking = section.value_or("chunking", default.chunking);
    let binarymime: Option<bool> = section.value("binarymime");
    if binarymime == Some(true) && !chunking {
        let text = "needs `chunking = true`, since such messages come with BDAT only";
        section.conflict("binarymime", text.to_owned());
    }
    Extensions {
        binarymime: binarymime.unwrap_or(chunking),
        chunking,
        dsn: section.value_or("dsn", default.dsn),
        eight_bit_mime: section.value_or("eight-bit-mime", default.eight_bit_mime),
        pipelining: section.value_or("pipelining", default.pipelining),
        requiretls: section.value_or("requiretls", default.requiretls),
        smtputf8: section.value_or("smtputf8", default.smtputf8),
        vrfy: section.value_or("vrfy", default.vrfy),
    }
}

/// A line of the reply to EHLO: a keyword and its parameters (RFC 5321 §4.1.1.1).
struct Keyword(String);

impl Setting for Keyword {
    const ALLOWED: &'static str = r#"a keyword of letters, digits and "-", with parameters of printable ASCII if it has any, such as "XFOO a b""#;

    fn read(value: &DeValue<'_>) -> Option<Self> {
        let text = value.as_str()?;
        let mut words = text.split(' ');
        let is_keyword = words.next().is_some_and(|word| {
            word.starts_with(|c: char| c.is_ascii_alphanumeric())
                && word
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        });
        let are_parameters = words.all(|word| !word.is_empty());
        (is_keyword && are_parameters && is_printable(text)).then(|| Self(text.to_owned()))
    }
}

fn keywords(section: &mut Section<'_>, key: &'static str) -> Option<Vec<String>> {
    let keywords: Vec<Keyword> = section.list(key)?;
    Some(keywords.into_iter().map(|Keyword(line)| line).collect())
}

fn more_keywords(section: &mut Section<'_>) -> Vec<String> {
    let keywords = keywords(section, "add-keywords").unwrap_or_default();
    for keyword in keywords.iter().filter(|keyword| is_own_keyword(keyword)) {
        let text = format!(
            "{keyword:?} has a keyword that the gateway lists by itself, where it can be used"
        );
        section.conflict("add-keywords", text);
    }
    keywords
}

/// The keywords that are listed, and no others. The gateway writes its own with their parameters.
fn only_keywords(section: &mut Section<'_>) -> Option<Vec<String>> {
    let keywords = keywords(section, "only-keywords")?;
    for keyword in keywords.iter().filter(|keyword| is_own_keyword(keyword)) {
        if let Some((name, _)) = keyword.split_once(' ') {
            let text = format!(
                "{keyword:?}: the gateway writes the parameters of its own keywords; write {name:?}, which \
                 is listed where it can be used"
            );
            section.conflict("only-keywords", text);
        }
    }
    Some(keywords)
}

fn greet_delay(section: &mut Section<'_>) -> Option<Duration> {
    let delay: Duration = section.value("greet-delay")?;
    if delay >= MAX_GREET_DELAY {
        let text = "is too long: clients wait for 5m at most, and the banner has to come before";
        section.conflict("greet-delay", text.to_owned());
    }
    Some(delay)
}

fn networks(section: &mut Section<'_>, key: &'static str) -> Vec<IpNet> {
    section.list(key).unwrap_or_default()
}

fn resolved(written: &ListenAddress, section: &mut Section<'_>) -> Vec<SocketAddr> {
    written.resolve().unwrap_or_else(|error| {
        section.conflict("address", format!("{written} has no address: {error}"));
        Vec::new()
    })
}

/// Reports conflicts within one table.
fn check(section: &mut Section<'_>, settings: &Listener, listeners: &[Listener]) {
    let is_loopback = |listener: &Listener| listener.address.ip().is_loopback();
    if settings.auth_in_clear && !listeners.iter().all(is_loopback) {
        let text = "credentials may be sent in clear to a loopback address only";
        section.conflict("auth-in-clear", text.to_owned());
    } else if settings.auth != AuthMode::Off
        && settings.tls == TlsMode::Off
        && !settings.auth_in_clear
    {
        let text = "needs TLS, such as `tls = \"required\"`, or on a loopback address \
                    `auth-in-clear = true`: nobody should send a password in clear over a network";
        section.conflict("auth", text.to_owned());
    }
    if settings.proxy != ProxyMode::Off && settings.proxy_from.is_empty() {
        let text = "needs `proxy-from`, the proxies that are trusted to say whom they speak for";
        section.conflict("proxy", text.to_owned());
    }
}

/// Reports addresses and names of one table that earlier tables use.
fn check_against(earlier: &[Listener], entry: &[Listener], section: &mut Section<'_>) {
    for listener in entry {
        if let Some(taken) = overlapping(earlier, listener.address) {
            let (address, name) = (listener.address, &taken.name);
            let text = match taken.address == address {
                true => format!("{address} has another listener already"),
                false => format!(
                    "{address} overlaps {} of the listener {name:?}",
                    taken.address
                ),
            };
            section.conflict("address", text);
        } else if earlier.iter().any(|earlier| earlier.name == listener.name) {
            let text = format!(
                "another listener is already called {:?}; give each of them a `name` of its own",
                listener.name
            );
            section.conflict("name", text);
        }
    }
}

/// The listener that the system would not let bind together with this address: one with the same address,
/// or either is the wildcard of its family. (Listeners on IPv6 do not take IPv4.) Port 0 stands for a
/// different port each time.
fn overlapping(listeners: &[Listener], address: SocketAddr) -> Option<&Listener> {
    let overlaps = |taken: SocketAddr| {
        taken.port() == address.port()
            && taken.is_ipv4() == address.is_ipv4()
            && (taken == address || taken.ip().is_unspecified() || address.ip().is_unspecified())
    };
    let mut listeners = listeners.iter();
    listeners.find(|listener| address.port() != 0 && overlaps(listener.address))
}

/// The IPv4 address that an address maps into IPv6 (RFC 4291 §2.5.5.2). Listeners on IPv6 do not take IPv4.
fn mapped(address: SocketAddr) -> Option<SocketAddr> {
    let ip = address.ip().to_canonical();
    (ip != address.ip()).then(|| SocketAddr::new(ip, address.port()))
}

fn default_addresses() -> ListenAddresses {
    ListenAddresses(vec![ListenAddress::Ip(DEFAULT_ADDRESS)])
}

/// The time that clients wait for the banner (RFC 5321 §4.5.3.2.1).
const MAX_GREET_DELAY: Duration = Duration::from_mins(5);
const DEFAULT_ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 2525);
