//! Configuration files and the result of parsing them.

mod backend;
mod listeners;
mod machine;
mod overrides;
mod sidecar;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;
use tracing::level_filters::LevelFilter;

use super::sidecar::Sidecar;
use super::*;

const MINIMAL: &str = "hostname = \"mx.example.org\"\n[[backend]]\naddress = \"maildir:mail\"\n";

/// The rules of `relay.domains`.
fn relay_rules(config: &Config) -> Vec<&str> {
    let domains = config.relay.domains.iter();
    domains.map(RelayDomain::as_str).collect()
}

fn parse(text: &str) -> Result<Config, Vec<String>> {
    parse_with(text, &[])
}

/// Parses with overrides: key, source and value.
fn parse_with(
    text: &str,
    settings: &[(&'static str, &'static str, &str)],
) -> Result<Config, Vec<String>> {
    let mut overrides = Overrides::default();
    for (key, source, value) in settings {
        overrides.set(key, source, value);
    }
    let shown = |errors: Vec<ConfigError>| errors.iter().map(ToString::to_string).collect();
    Config::parse(text, Path::new("conf/postgate.toml"), &overrides).map_err(shown)
}

#[test]
fn only_the_host_name_is_required() {
    let config = parse("hostname = \"mx.example.org\"").unwrap();
    assert_eq!(
        config.listeners,
        [Listener::at("127.0.0.1:2525".parse().unwrap())]
    );
    assert_eq!(config.limits, Limits::default());
    assert_eq!(config.relay, Relay::default());
    assert_eq!(config.replies, BTreeMap::new());
    assert_eq!(config.backend, None);
    assert_eq!(config.dns, DnsSettings::default());
    assert_eq!(config.plugins, Plugins::default());
    assert_eq!(config.log, Log::default());
}

#[test]
fn reads_values() {
    let config = parse(
        r#"
        hostname = "[192.0.2.1]"
        [[listener]]
        name = "in"
        address = "[::1]:0"
        auth = "required"
        auth-in-clear = true
        [[listener]]
        address = "0.0.0.0:25"
        [limits]
        message-size = 0
        spool-memory = "10kB"
        shutdown-grace = "0s"
        command-timeout = "1h"
        [relay]
        domains = ["Example.ORG", ".example.net"]
        [[backend]]
        address = "lmtp://[::1]:24"
        max-idle = 0
        [log]
        level = "warn,postgate::delivery=debug"
        format = "json"
        [runtime]
        workers = 0x2
        "#,
    )
    .unwrap();
    assert_eq!(config.hostname, "[192.0.2.1]");
    assert_eq!(config.listeners[0].name, "in");
    assert_eq!(config.listeners[0].auth, AuthMode::Required);
    assert!(config.listeners[0].auth_in_clear);
    assert_eq!(config.listeners[1].name, "0.0.0.0:25");
    assert_eq!(config.limits.message_size, u32::MAX);
    assert_eq!(config.limits.spool_memory, 10_000);
    assert_eq!(config.limits.shutdown_grace, Duration::ZERO);
    assert_eq!(config.limits.command_timeout, Duration::from_secs(3600));
    assert_eq!(relay_rules(&config), ["example.org", ".example.net"]);
    assert_eq!(
        config.backend.unwrap().address.to_string(),
        "lmtp://[::1]:24"
    );
    assert_eq!(config.log.level.default, LevelFilter::WARN);
    let delivery = ("postgate::delivery".to_owned(), LevelFilter::DEBUG);
    assert_eq!(config.log.level.modules, [delivery]);
    assert_eq!(config.runtime.workers, Some(2));
}

#[test]
fn all_mistakes_are_listed_at_once() {
    let errors =
        Config::parse(MISTAKES, Path::new("postgate.toml"), &Overrides::default()).unwrap_err();
    let shown: Vec<String> = errors.iter().map(summary).collect();
    assert_eq!(shown, LISTED);
}

/// A mistake without the file and the allowed values.
fn summary(error: &ConfigError) -> String {
    let line = error.line.unwrap_or_default();
    match &error.mistake {
        Mistake::Invalid { found, .. } => format!("{line} {} found {found}", error.key),
        other => format!("{line} {} {other}", error.key),
    }
}

proptest! {
    #[test]
    fn any_text_is_valid_or_has_mistakes(pieces in prop::collection::vec(piece(), 0..12)) {
        let text = pieces.concat();
        if let Err(mistakes) = parse(&text) {
            prop_assert_ne!(mistakes, Vec::<String>::new());
        }
        if let Err(errors) = Sidecar::parse(&text, Path::new("10-a.toml")) {
            prop_assert_ne!(errors, []);
        }
    }
}

fn piece() -> impl Strategy<Value = String> {
    const PARTS: &[&str] = &[
        "[limits]\n",
        "[[listener]]\n",
        "[config]\n",
        "domains",
        "message-size",
        "relay.",
        " = ",
        "\"4GiB\"",
        "\"99999999h\"",
        "\"é",
        "'",
        "é\n",
        "0xFF",
        "1979-05-27",
        "[",
        "]",
        "{a = ",
        "}",
        "\n",
        "\r",
        "\0",
    ];
    prop_oneof![4 => prop::sample::select(PARTS).prop_map(str::to_owned), 1 => any::<String>()]
}

#[test]
fn syntax_errors_have_their_lines() {
    let mistakes = parse("a = \n[b\nc = 1\n").unwrap_err();
    assert_eq!(
        mistakes,
        [
            "conf/postgate.toml:1: not TOML: string values must be quoted, expected literal string",
            "conf/postgate.toml:2: not TOML: unclosed table, expected `]`",
        ],
    );
}

#[test]
fn a_missing_file_is_a_mistake() {
    let file = Path::new("/nonexistent/postgate.toml");
    let errors = Config::load(file, &Overrides::default()).unwrap_err();
    assert!(matches!(errors[0].mistake, Mistake::Unreadable(_)));
}

#[test]
fn unknown_log_levels_are_mistakes() {
    for level in ["", "info,", "inof", "=info", "postgate=", "postgate=inof"] {
        let text = format!("{MINIMAL}[log]\nlevel = \"{level}\"\n");
        assert!(parse(&text).is_err(), "{level}");
    }
}

#[test]
fn valid_and_invalid_backend_addresses() {
    let good = [
        "smtp://mx.example.org:25",
        "smtp://192.0.2.1:25",
        "lmtp://[::1]:24",
        "smtp+unix:///run/smtp",
        "lmtp+unix:///run/lmtp",
        "maildir:/var/mail",
    ];
    for address in good {
        let text = MINIMAL.replace("maildir:mail", address);
        assert_eq!(
            parse(&text).unwrap().backend.unwrap().address.to_string(),
            address
        );
    }
    let bad = [
        "",
        "smtp",
        "smtp:",
        "smtp:mx:25",
        "smtp://",
        "smtp://mx",
        "smtp://:25",
        "smtp://mx:0",
        "smtp://mx:65536",
        "smtp://::1:25",
        "smtp://[mx]:25",
        "smtp://[::1:25",
        "smtp://a b:25",
        "lmtp+unix://relative",
        "maildir:",
        "smtps://mx:465",
    ];
    for address in bad {
        assert!(
            parse(&MINIMAL.replace("maildir:mail", address)).is_err(),
            "{address}"
        );
    }
}

/// A file with mistakes of all kinds.
const MISTAKES: &str = r#"hostname = "mx example"
logs = 3
[[listener]]
address = "nowhere"
auth = "maybe"
[[listener]]
adress = "127.0.0.1:25"
[[listener]]
name = "in"
address = "0.0.0.0:25"
auth-in-clear = true
[[listener]]
address = "0.0.0.0:25"
auth = "required"
[[listener]]
name = "in"
address = "127.0.0.1:26"
[limits]
message-size = "25Mb"
message-sise = 1
recipients = 0
errors = -1
command-timeout = 30
write-timeout = "0s"
spool-memory = "4GiB"
domains = 1
[relay]
domains = ["ok.example", 5, "-"]
[[backend]]
name = ""
address = "smtp://host"
[[backend]]
address = "lmtp+unix://relative"
[plugins]
directory = "/nonexistent"
[log]
level = "inof"
[runtime]
workers = "a long text, longer than anybody wants to see it in a message"
"#;

/// The mistakes in [`MISTAKES`].
const LISTED: [&str; 27] = [
    r#"1 hostname found "mx example""#,
    "2 logs unknown key; did you mean `log`?",
    r#"4 listener[0].address found "nowhere""#,
    r#"5 listener[0].auth found "maybe""#,
    r#"6 listener[1].address missing; write one such as "127.0.0.1:2525""#,
    "7 listener[1].adress unknown key; did you mean `listener.address`?",
    "11 listener[2].auth-in-clear credentials may be sent in clear to a loopback address only",
    "13 listener[3].address 0.0.0.0:25 has another listener already",
    "14 listener[3].auth needs TLS, such as `tls = \"required\"`, or on a loopback address \
     `auth-in-clear = true`: nobody should send a password in clear over a network",
    r#"16 listener[4].name another listener is already called "in"; give each of them a `name` of its own"#,
    r#"19 limits.message-size found "25Mb""#,
    "20 limits.message-sise unknown key; did you mean `limits.message-size`?",
    "21 limits.recipients found 0",
    "22 limits.errors found -1",
    "23 limits.command-timeout found 30",
    r#"24 limits.write-timeout found "0s""#,
    r#"25 limits.spool-memory found "4GiB""#,
    "26 limits.domains unknown key; did you mean `relay.domains`?",
    "28 relay.domains[1] found 5",
    r#"28 relay.domains[2] found "-""#,
    r#"30 backend[0].name found """#,
    r#"31 backend[0].address found "smtp://host""#,
    r#"33 backend[1].address found "lmtp+unix://relative""#,
    "33 backend[1].address there can be only one backend",
    "35 plugins.directory there is no directory /nonexistent",
    r#"37 log.level found "inof""#,
    r#"39 runtime.workers found "a long text, longer than anybody wants to see it in a messa…"#,
];
