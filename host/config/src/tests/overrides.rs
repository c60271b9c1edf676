//! Overrides by environment variables and flags.

use std::path;

use tracing::level_filters::LevelFilter;

use super::{MINIMAL, parse_with, relay_rules};
use crate::*;

const FILE: &str = r#"
hostname = "file.example"
[[listener]]
name = "mx"
address = "192.0.2.1:25"
banner = "ESMTP here"
[[listener]]
address = "127.0.0.1:587"
auth = "required"
auth-in-clear = true
[relay]
domains = ["file.example"]
[[backend]]
address = "lmtp://file.example:24"
max-idle = 3
[log]
level = "warn"
"#;

#[test]
fn overrides_replace_values_of_the_file() {
    let config = parse_with(
        FILE,
        &[
            ("hostname", "--hostname", "flag.example"),
            (
                "listener.address",
                "POSTGATE_LISTEN",
                "0.0.0.0:2525, [::]:2525",
            ),
            ("relay.domains", "--relay-domains", "a.example, .B.example"),
            ("backend.address", "--backend", "maildir:mail"),
            ("plugins.directory", "POSTGATE_PLUGINS", "src"),
            ("log.level", "--log-level", "debug"),
            ("log.format", "POSTGATE_LOG_FORMAT", "json"),
        ],
    )
    .unwrap();
    assert_eq!(config.hostname, "flag.example");
    let listeners = config.listeners.iter();
    let listeners: Vec<_> = listeners
        .map(|listener| {
            (
                listener.address.to_string(),
                &*listener.name,
                &*listener.banner,
            )
        })
        .collect();
    assert_eq!(
        listeners,
        [
            ("0.0.0.0:2525".to_owned(), "mx", "ESMTP here"),
            ("[::]:2525".to_owned(), "mx", "ESMTP here"),
        ],
    );
    assert_eq!(config.listener_names(), ["mx"]);
    assert_eq!(relay_rules(&config), ["a.example", ".b.example"]);
    let backend = config.backend.unwrap();
    let here = path::absolute("mail").unwrap();
    assert_eq!(backend.address, BackendAddress::Maildir(here));
    assert_eq!(backend.max_idle, 3);
    assert_eq!(config.plugins.directory, path::absolute("src").ok());
    assert_eq!(config.log.level.default, LevelFilter::DEBUG);
    assert_eq!(config.log.format, LogFormat::Json);
}

#[test]
fn overrides_suffice_without_a_file() {
    let config = parse_with(
        "",
        &[
            ("hostname", "--hostname", "flag.example"),
            ("listener.address", "--listen", "127.0.0.1:0"),
            ("backend.address", "--backend", "smtp://127.0.0.1:26"),
        ],
    )
    .unwrap();
    assert_eq!(
        config.listeners,
        [Listener::at("127.0.0.1:0".parse().unwrap())]
    );
    assert_eq!(
        config.backend.unwrap().address.to_string(),
        "smtp://127.0.0.1:26"
    );
}

#[test]
fn settings_are_checked_against_overriding_addresses() {
    let clear = format!("{MINIMAL}[[listener]]\naddress = \"127.0.0.1:1\"\nauth-in-clear = true\n");
    let listen = |value| parse_with(&clear, &[("listener.address", "--listen", value)]);
    assert!(listen("[::1]:2").is_ok());
    assert_eq!(
        listen("[::1]:2,192.0.2.1:2").unwrap_err(),
        [
            "conf/postgate.toml:6: listener[0].auth-in-clear: credentials may be sent in clear to a \
             loopback address only"
        ],
    );
}

#[test]
fn mistakes_name_the_variable_or_the_flag() {
    let mistakes = parse_with(
        MINIMAL,
        &[
            ("hostname", "--hostname", "two words"),
            ("listener.address", "POSTGATE_LISTEN", "127.0.0.1:1,,"),
            ("backend.address", "POSTGATE_BACKEND", "ftp://a"),
            ("relay.domains", "--relay-domains", "a.example,"),
            ("plugins.directory", "--plugins", "/nonexistent"),
            ("log.level", "POSTGATE_LOG_LEVEL", "inof"),
            ("log.format", "--log-format", "xml"),
        ],
    )
    .unwrap_err();
    let expected = [
        r#"--hostname: expected a domain such as "mx.example.org", or an address literal such as "[192.0.2.1]", found "two words""#,
        r#"POSTGATE_LISTEN: expected an IP address, a host name or "*""#,
        r#"--relay-domains: expected a domain such as "example.org""#,
        r#"POSTGATE_BACKEND: expected "smtp://host:port""#,
        "--plugins: there is no directory /nonexistent",
        r#"POSTGATE_LOG_LEVEL: expected "error""#,
        r#"--log-format: expected "text" or "json", found "xml""#,
    ];
    assert_eq!(mistakes.len(), expected.len(), "{mistakes:#?}");
    for (mistake, expected) in mistakes.iter().zip(expected) {
        assert!(mistake.starts_with(expected), "{mistake}");
    }
}

#[test]
fn a_duplicate_overriding_address_is_a_mistake() {
    let listen = [("listener.address", "--listen", "127.0.0.1:1,127.0.0.1:1")];
    assert_eq!(
        parse_with(MINIMAL, &listen).unwrap_err(),
        ["--listen: 127.0.0.1:1 is there twice"],
    );
}
