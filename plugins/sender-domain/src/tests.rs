//! Tests of the whole plugin, with the stand-in for the host.

use std::net::{Ipv4Addr, Ipv6Addr};

use postgate_plugin::testing::{self, Dns};

use super::*;

const EXAMPLE: &str = include_str!("../example.toml");

/// A plugin with the `[config]` table of a sidecar file.
fn plugin(sidecar: &str) -> Result<SenderDomain, String> {
    let sidecar: toml::Table = sidecar.parse().unwrap();
    testing::plugin(&serde_json::to_string(&sidecar["config"]).unwrap())
}

fn example() -> SenderDomain {
    install_domains();
    plugin(EXAMPLE).unwrap()
}

fn install_domains() {
    Dns::new()
        .mx("mail.example", 10, "mx.mail.example")
        .mx("null.example", 0, "")
        .mx("null.internal.example", 0, "")
        .mx("muddled.example", 0, "")
        .mx("muddled.example", 10, "mx.mail.example")
        .address("ipv4.example", Ipv4Addr::LOCALHOST)
        .address("ipv6.example", Ipv6Addr::LOCALHOST)
        .mx("under_score.example", 10, "mx.mail.example")
        .mx("xn--bcher-kva.example", 10, "mx.mail.example")
        .mx("xn--null-zqa.example", 0, "")
        .fails("broken.example")
        .install();
}

#[test]
fn senders() {
    let table = [
        ("", None),
        ("a@mail.example", None),
        ("a@Mail.Example", None),
        ("a@under_score.example", None),
        ("a@bücher.example", None),
        ("a@BÜCHER。example", None),
        ("a@XN--BCHER-KVA.example", None),
        ("a@ipv4.example", None),
        ("a@ipv6.example", None),
        ("a@[192.0.2.1]", None),
        ("a@[IPv6:2001:db8::1]", None),
        ("a@muddled.example", None),
        ("a@null.internal.example", None),
        (
            "a@absent.example",
            Some("550 5.1.8 the sender's domain cannot be mailed to"),
        ),
        (
            "a@host.mail.example",
            Some("550 5.1.8 the sender's domain cannot be mailed to"),
        ),
        (
            "a@-..example",
            Some("550 5.1.8 the sender's domain cannot be mailed to"),
        ),
        (
            "a@null.example",
            Some("550 5.7.27 the sender's domain takes no mail"),
        ),
        (
            "a@broken.example",
            Some("451 4.4.3 the sender's domain cannot be looked up"),
        ),
    ];
    for (sender, expected) in table {
        let refusal = example().on_mail(&Sender::new(sender)).refusal();
        let shown = refusal.map(|refusal| refusal.to_string());
        assert_eq!(shown.as_deref(), expected, "{sender}");
    }
}

#[test]
fn recipients() {
    let table = [
        ("Postmaster", None),
        ("a@mail.example", None),
        ("a@absent.example", None),
        ("a@broken.example", None),
        ("a@muddled.example", None),
        ("a@[192.0.2.1]", None),
        ("a@null.internal.example", None),
        (
            "a@null.example",
            Some("556 5.1.10 the recipient's domain takes no mail"),
        ),
    ];
    for (recipient, expected) in table {
        let refusal = example().on_rcpt(&Recipient::new(recipient)).refusal();
        let shown = refusal.map(|refusal| refusal.to_string());
        assert_eq!(shown.as_deref(), expected, "{recipient}");
    }
}

#[test]
fn recipients_are_not_looked_at_unless_asked_for() {
    install_domains();
    let mut plugin: SenderDomain = testing::plugin("{}").unwrap();
    let recipient = Recipient::new("a@null.example");
    assert_eq!(plugin.on_rcpt(&recipient), RcptAnswer::next());
    let refusal = plugin
        .on_mail(&Sender::new("a@null.internal.example"))
        .refusal();
    assert_eq!(
        refusal.unwrap().reason(),
        Some("null.internal.example has a null MX")
    );
}

#[test]
fn mistakes_name_their_place() {
    let table = [
        (
            "[config]\nallowed = []",
            "allowed: unknown field `allowed`, expected `allow` or `recipients`",
        ),
        (
            "[config]\nallow = ['*.example', '']",
            "allow[1]: a pattern must not be empty",
        ),
    ];
    for (sidecar, expected) in table {
        assert_eq!(plugin(sidecar).map(|_| ()), Err(expected.into()));
    }
}
