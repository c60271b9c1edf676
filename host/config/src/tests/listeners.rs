//! Listeners and their limits, replies and name servers.

use std::net::SocketAddr;
use std::time::Duration;

use postgate_proto::address::Charset;
use postgate_proto::auth::Mechanism;
use postgate_proto::data::LineEndings;
use postgate_proto::fault::Fault;
use postgate_proto::parameters::Extensions;

use super::{MINIMAL, parse};
use crate::*;

/// Parses a table `[[listener]]` with these lines.
fn listener(lines: &str) -> Result<Vec<Listener>, Vec<String>> {
    let config = parse(&format!("{MINIMAL}[[listener]]\n{lines}"));
    config.map(|config| config.listeners)
}

#[test]
fn reads_values_of_a_listener() {
    let listeners = listener(
        r#"
        address = "127.0.0.1:25"
        banner = "ESMTP"
        default-domain = "example.org"
        early-talkers = "refuse"
        greet-delay = "2s"
        add-keywords = ["XFOO a b"]
        only-keywords = []
        auth-mechanisms = ["plain", "CRAM-MD5"]
        line-endings = "ensure-legacy"
        lenient-commands = true
        strict-mail = true
        strict-rcpt = true
        proxy = "required"
        proxy-from = ["127.0.0.1", "10.0.0.0/8"]
        xclient-from = ["::1"]
        reverse-dns = true
        [listener.extensions]
        chunking = false
        requiretls = false
        vrfy = false
        "#,
    )
    .unwrap();
    let expected = Listener {
        banner: "ESMTP".into(),
        default_domain: Some("example.org".into()),
        early_talkers: EarlyTalkers::Refuse,
        greet_delay: Duration::from_secs(2),
        more_keywords: vec!["XFOO a b".into()],
        only_keywords: Some(Vec::new()),
        auth_mechanisms: vec![Mechanism::Plain, Mechanism::CramMd5],
        line_endings: LineEndings::EnsureLegacy,
        lenient_commands: true,
        strict_mail: true,
        strict_rcpt: true,
        proxy: ProxyMode::Required,
        proxy_from: vec![
            "127.0.0.1/32".parse().unwrap(),
            "10.0.0.0/8".parse().unwrap(),
        ],
        xclient_from: vec!["::1/128".parse().unwrap()],
        reverse_dns: true,
        extensions: Extensions {
            binarymime: false,
            chunking: false,
            requiretls: false,
            vrfy: false,
            ..Extensions::default()
        },
        ..Listener::at("127.0.0.1:25".parse().unwrap())
    };
    assert_eq!(listeners, [expected]);
}

#[test]
fn a_listener_overrides_general_limits() {
    let config = parse(
        r#"
        hostname = "mx.example.org"
        [limits]
        message-size = "1MiB"
        text-line = 0
        connections = 20
        slots = 20
        spool-memory = 0
        [[listener]]
        address = "127.0.0.1:1"
        [[listener]]
        address = "127.0.0.1:2"
        [listener.limits]
        message-size = 0
        slots = 3
        tarpit-after = 1
        tarpit = "1s"
        "#,
    )
    .unwrap();
    let [first, second] = &*config.listeners else {
        panic!("{:?}", config.listeners);
    };
    assert_eq!(first.limits, config.limits);
    assert_eq!(first.limits.text_line, u32::MAX);
    let expected = Limits {
        message_size: u32::MAX,
        slots: 3,
        tarpit_after: 1,
        tarpit: Duration::from_secs(1),
        ..config.limits
    };
    assert_eq!(second.limits, expected);
}

/// The name and address of each listener for an address in the file.
fn bound(address: &str) -> Result<Vec<(String, String)>, Vec<String>> {
    let listeners = listener(&format!("address = \"{address}\""))?;
    let shown = |l: Listener| (l.name, l.address.to_string());
    Ok(listeners.into_iter().map(shown).collect())
}

#[test]
fn valid_listener_addresses() {
    let pair = |name: &str, address: &str| (name.to_owned(), address.to_owned());
    assert_eq!(
        bound("0.0.0.0:25").unwrap(),
        [pair("0.0.0.0:25", "0.0.0.0:25")]
    );
    assert_eq!(bound("[::]:25").unwrap(), [pair("[::]:25", "[::]:25")]);
    assert_eq!(
        bound("127.0.0.1:1, [::1]:1").unwrap(),
        [
            pair("127.0.0.1:1", "127.0.0.1:1"),
            pair("[::1]:1", "[::1]:1")
        ],
    );
    assert_eq!(bound("127.0.0.1:0,127.0.0.1:0").unwrap().len(), 2);
    let all = bound("*:25").unwrap();
    assert_eq!(all[0], pair("*:25", "0.0.0.0:25"));
    assert!(
        all[1..]
            .iter()
            .all(|address| *address == pair("*:25", "[::]:25"))
    );
    let local = bound("localhost:25").unwrap();
    assert!(!local.is_empty());
    for (name, address) in local {
        assert_eq!(name, "localhost:25");
        let address: SocketAddr = address.parse().unwrap();
        assert!(
            address.ip().is_loopback() && address.port() == 25,
            "{address}"
        );
    }
}

#[test]
fn invalid_listener_addresses() {
    let bad = [
        "",
        ":25",
        "127.0.0.1",
        "127.0.0.1:",
        "localhost",
        "localhost:",
        "localhost:+25",
        "*",
        "*:",
        "[::1]",
        "::1:25",
        "127.0.0:25",
        "a b:25",
        "127.0.0.1:65536",
        "127.0.0.1:1,",
        ",127.0.0.1:1",
        "127.0.0.1:1,:2",
    ];
    for address in bad {
        let mistakes = bound(address).unwrap_err();
        let expected =
            "conf/postgate.toml:5: listener[0].address: expected an IP address, a host name";
        assert!(mistakes[0].starts_with(expected), "{address}: {mistakes:?}");
    }
    let mistakes = bound("127.0.0.1:1,127.0.0.1:1").unwrap_err();
    let expected = "conf/postgate.toml:5: listener[0].address: 127.0.0.1:1 is there twice";
    assert_eq!(mistakes, [expected]);
    // RFC 6761 §6.4: names in this domain never have addresses.
    let mistakes = bound("nowhere.invalid:25").unwrap_err();
    let expected = "conf/postgate.toml:5: listener[0].address: nowhere.invalid:25 has no address: ";
    assert!(mistakes[0].starts_with(expected), "{mistakes:?}");
}

#[test]
fn addresses_of_one_listener_share_its_name() {
    let listeners = listener("name = \"mx\"\naddress = \"127.0.0.1:1,[::1]:1\"").unwrap();
    assert!(listeners.iter().all(|listener| listener.name == "mx"));
    assert_eq!(listeners.len(), 2);
}

#[test]
fn conflicting_keys_are_mistakes() {
    let table = [
        (
            "proxy = \"optional\"",
            "6: listener[0].proxy: needs `proxy-from`, the proxies that are trusted to say whom they speak for",
        ),
        (
            "[listener.extensions]\nchunking = false\nbinarymime = true",
            "8: listener[0].extensions.binarymime: needs `chunking = true`, since such messages come with BDAT only",
        ),
        (
            "[listener.limits]\nslots = 1001",
            "7: listener[0].limits.slots: 1001 slots are more than there can be connections, 1000",
        ),
        (
            "[limits]\nconnections = 3\nslots = 4",
            "8: limits.slots: 4 slots are more than there can be connections, 3",
        ),
        (
            "[limits]\nslots = 4\n[[listener]]\naddress = \"127.0.0.1:2\"\n[listener.limits]\nconnections = 3",
            "11: listener[1].limits.connections: 4 slots are more than there can be connections, 3",
        ),
        (
            "[replies]\nrelay-denied = \"450 4.7.1 Later\"",
            "7: replies.relay-denied: must begin with 5, as the usual reply does",
        ),
        (
            "[replies]\ntoo-many-recipients = \"421 4.5.3 Bye\"",
            "7: replies.too-many-recipients: 421 would tell the client that the session is over, which it is not",
        ),
        (
            "[replies]\nrelay-deneid = \"550 5.7.1 No\"",
            "7: replies.relay-deneid: unknown key; did you mean `replies.relay-denied`?",
        ),
        (
            "[listener.limits]\nspool-memory = 1",
            "7: listener[0].limits.spool-memory: unknown key; did you mean `limits.spool-memory`?",
        ),
        (
            "add-keywords = [\"XFOO\", \"auth PLAIN\"]",
            "6: listener[0].add-keywords: \"auth PLAIN\" has a keyword that the gateway lists by itself, where it can be used",
        ),
        (
            "auth-mechanisms = []",
            "6: listener[0].auth-mechanisms: names no mechanism; write `auth = \"off\"` where nobody shall authenticate",
        ),
    ];
    for (lines, expected) in table {
        let mistakes = listener(&format!("address = \"127.0.0.1:1\"\n{lines}")).unwrap_err();
        assert_eq!(mistakes, [format!("conf/postgate.toml:{expected}")]);
    }
}

#[test]
fn invalid_values_of_a_listener() {
    let table = [
        ("banner", r#""""#),
        ("banner", r#""a\nb""#),
        ("banner", r#""é""#),
        ("default-domain", r#""a b""#),
        ("early-talkers", r#""maybe""#),
        ("auth-mechanisms", r#"["PLAIN", "MD5"]"#),
        ("auth-mechanisms", r#""PLAIN""#),
        ("greet-delay", "1"),
        ("add-keywords", r#"["-X"]"#),
        ("add-keywords", r#"["X  a"]"#),
        ("add-keywords", r#"["X\r\n"]"#),
        ("only-keywords", r#"[""]"#),
        ("line-endings", r#""lf""#),
        ("proxy", r#""on""#),
        ("proxy-from", r#"["localhost"]"#),
        ("proxy-from", r#"["10.0.0.1/8"]"#),
        ("xclient-from", r#"["10.0.0.0/33"]"#),
        ("reverse-dns", "1"),
    ];
    for (key, value) in table {
        let lines = format!("address = \"127.0.0.1:1\"\n{key} = {value}");
        let mistakes = listener(&lines).unwrap_err();
        assert_eq!(mistakes.len(), 1, "{mistakes:?}");
        assert!(
            mistakes[0].contains(&format!("listener[0].{key}")),
            "{mistakes:?}"
        );
    }
    for limit in [
        "header-size = 0",
        "endless-line = 0",
        "connections = 0",
        "slots = -1",
    ] {
        assert!(
            parse(&format!("{MINIMAL}[limits]\n{limit}")).is_err(),
            "{limit}"
        );
    }
}

#[test]
fn valid_and_invalid_replies() {
    let denied = |reply: &str| {
        let config = parse(&format!("{MINIMAL}[replies]\nrelay-denied = {reply}"))?;
        let mut octets = Vec::new();
        config.replies[Fault::RelayDenied.name()].write(Charset::Utf8, &mut octets);
        Ok::<_, Vec<String>>(String::from_utf8(octets).unwrap())
    };
    let good = [
        (
            r#""550 5.7.1 We do not relay""#,
            "550 5.7.1 We do not relay\r\n",
        ),
        (
            r#""554 5.7.0 No\nand no""#,
            "554-5.7.0 No\r\n554 5.7.0 and no\r\n",
        ),
        (r#""550""#, "550 5.7.1 Refused by policy\r\n"),
        (r#""501 No""#, "501 5.7.1 No\r\n"),
    ];
    for (reply, expected) in good {
        assert_eq!(denied(reply).as_deref(), Ok(expected), "{reply}");
    }
    let bad = [
        "550",
        r#""""#,
        r#""no""#,
        r#""55 no""#,
        r#""5500 no""#,
        r#""+55 no""#,
        r#""650 no""#,
        r#""550 4.7.1 no""#,
        r#""550 5.7.1 a\rb""#,
        r#""550 5.7.1 é""#,
    ];
    for reply in bad {
        assert!(denied(reply).is_err(), "{reply}");
    }
}

#[test]
fn valid_and_invalid_name_servers() {
    let servers = |list: &str| {
        let config = parse(&format!(
            "{MINIMAL}[dns]\nservers = {list}\ntimeout = \"1s\""
        ))?;
        assert_eq!(config.dns.timeout, Duration::from_secs(1));
        let shown = config.dns.servers.iter().map(ToString::to_string);
        Ok::<_, Vec<String>>(shown.collect::<Vec<_>>())
    };
    let list = r#"["192.0.2.1", "192.0.2.1:5353", "::1", "[::1]:5353"]"#;
    let expected = ["192.0.2.1:53", "192.0.2.1:5353", "[::1]:53", "[::1]:5353"];
    assert_eq!(servers(list).unwrap(), expected);
    for list in [
        r#"["localhost"]"#,
        r#"["192.0.2.1:0"]"#,
        r#"["192.0.2.1:"]"#,
        r#""192.0.2.1""#,
    ] {
        assert!(servers(list).is_err(), "{list}");
    }
}
