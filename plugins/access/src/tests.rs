//! Tests of the whole plugin, with the stand-in for the host.

use postgate_plugin::testing::{self, Level, Session};

use super::*;

const EXAMPLE: &str = include_str!("../example.toml");

/// A plugin with the `[config]` table of a sidecar file.
fn access(sidecar: &str) -> Result<Access, String> {
    let sidecar: toml::Table = sidecar.parse().unwrap();
    testing::plugin(&serde_json::to_string(&sidecar["config"]).unwrap())
}

fn example() -> Access {
    access(EXAMPLE).unwrap()
}

/// The code, and the reason for the log.
fn shown(refusal: Option<Refusal>) -> Option<String> {
    refusal.map(|refusal| format!("{} {}", refusal.code(), refusal.reason().unwrap_or("-")))
}

#[test]
fn nothing_configured_lets_everything_through() {
    Session::new()
        .ehlo("localhost")
        .sender("")
        .recipient("a@b")
        .recipient("c@d")
        .install();
    let mut access: Access = testing::plugin("{}").unwrap();
    assert_eq!(access.on_self_test(), Ok(()));
    assert_eq!(access.on_connect(), ConnectAnswer::next());
    assert_eq!(access.on_helo("mx.example.org"), HeloAnswer::next());
    assert_eq!(access.on_auth(&credentials()), AuthAnswer::next());
    assert_eq!(access.on_mail(&Sender::new("a@b")), MailAnswer::next());
    assert_eq!(access.on_rcpt(&Recipient::new("a@b")), RcptAnswer::next());
    assert_eq!(access.on_data(), DataAnswer::next());
    assert_eq!(access.on_headers(), HeadersAnswer::next());
    access.on_disconnect(&summary());
    assert_eq!(testing::logs(), []);
}

#[test]
fn the_example_is_taken_and_passes_its_test() {
    assert_eq!(example().on_self_test(), Ok(()));
}

#[test]
fn clients() {
    let table = [
        ("198.51.100.7", Some("554 client.deny: 198.51.100.0/24")),
        (
            "2001:db8:bad::1",
            Some("554 client.deny: 2001:db8:bad::/48"),
        ),
        ("198.51.100.80", None),
        ("192.0.2.1", None),
        ("", None),
    ];
    for (address, expected) in table {
        Session::new().remote_ip(address).install();
        let refusal = example().on_connect().refusal();
        assert_eq!(shown(refusal).as_deref(), expected, "{address}");
    }
}

#[test]
fn helo_names() {
    let table = [
        ("client.example.net", None),
        ("client.example.net.", None),
        ("[192.0.2.1]", None),
        ("MX.example.org", Some("550 helo.refuse-own-name")),
        ("localhost", Some("504 helo.require-fqdn")),
        ("[IPv6:2001:db8::1]", None),
        ("mail_1.example.net", None),
        ("bücher.example", None),
        ("XN--BCHER-KVA.example", None),
        ("mx.example.org.", Some("550 helo.refuse-own-name")),
        ("a..b", Some("504 helo.require-fqdn")),
        ("1.2.3.4", Some("504 helo.require-fqdn")),
        ("300.300.300.300", Some("504 helo.require-fqdn")),
        ("mx.example.5", Some("504 helo.require-fqdn")),
        ("[foo]", Some("504 helo.require-fqdn")),
        ("[]", Some("504 helo.require-fqdn")),
        ("[1.2.3]", Some("504 helo.require-fqdn")),
        ("[x-tag:y]", Some("504 helo.require-fqdn")),
        (
            "[1111:2222:3333:4444:5555:6666:7777:8888]",
            Some("504 helo.require-fqdn"),
        ),
        ("-.x", Some("504 helo.require-fqdn")),
        ("-a.example", Some("504 helo.require-fqdn")),
        ("a-.example", Some("504 helo.require-fqdn")),
        (".example.net", Some("504 helo.require-fqdn")),
        ("localhost.", Some("504 helo.require-fqdn")),
        ("a.example..", Some("504 helo.require-fqdn")),
        (".", Some("504 helo.require-fqdn")),
        ("it's me.example", Some("504 helo.require-fqdn")),
        ("mx\u{200b}.example", Some("504 helo.require-fqdn")),
        ("💩.example", Some("504 helo.require-fqdn")),
        (
            "7.dynamic.example.com",
            Some("550 helo.refuse: *.dynamic.example.com"),
        ),
    ];
    for (name, expected) in table {
        Session::new().install();
        let refusal = example().on_helo(name).refusal();
        assert_eq!(shown(refusal).as_deref(), expected, "{name}");
        Session::new().remote_ip("10.1.2.3").install();
        assert_eq!(
            example().on_helo(name),
            HeloAnswer::next(),
            "{name} from an allowed client"
        );
    }
}

#[test]
fn authentication() {
    let table = [
        ("10.1.2.3", None),
        ("192.0.2.1", Some("535 auth.networks")),
        ("", None),
    ];
    for (address, expected) in table {
        Session::new().remote_ip(address).install();
        let refusal = example().on_auth(&credentials()).refusal();
        assert_eq!(shown(refusal).as_deref(), expected, "{address}");
    }
}

#[test]
fn senders() {
    let table = [
        ("", None),
        ("friend@example.net", None),
        (
            "Anyone@Spam.Example",
            Some("550 sender.refuse: *@spam.example"),
        ),
        ("support@spam.example", None),
    ];
    for (sender, expected) in table {
        Session::new().install();
        let refusal = example().on_mail(&Sender::new(sender)).refusal();
        assert_eq!(shown(refusal).as_deref(), expected, "{sender}");
    }
}

#[test]
fn recipients() {
    let table = [
        ("alice@example.org", true),
        ("Alice@Example.ORG", true),
        ("sales-north@example.org", true),
        ("bob@example.org", false),
        ("postmaster@example.org", true),
        ("Postmaster", true),
        ("anyone@example.net", true),
        ("anyone@elsewhere.example", true),
    ];
    Session::new().install();
    for (recipient, expected) in table {
        let answer = example().on_rcpt(&Recipient::new(recipient));
        assert_eq!(answer == RcptAnswer::next(), expected, "{recipient}");
    }
    let refusal = example()
        .on_rcpt(&Recipient::new("bob@example.org"))
        .refusal()
        .unwrap();
    assert_eq!(refusal.to_string(), "550 5.1.1 no such user here");
}

/// The lists are written in one spelling, and clients use others.
#[test]
fn other_spellings_are_no_way_around() {
    let sidecar = r#"
        [config.helo]
        refuse = ["bücher.example", "[192.0.2.1]"]
        [config.sender]
        refuse = ["*@bücher.example", "*@xn--caf-dma.example", "bob@spam.example", "rené@spam.example"]
        allow = ["Alice@bücher.example"]
        [config.recipients]
        "bücher.example" = ["bob"]
        "XN--BCHER-KVA.example" = ["\"al\"", "zoë"]
    "#;
    Session::new().install();
    for (name, refused) in [
        ("XN--BCHER-KVA.example.", true),
        ("Bücher．Example", true),
        ("[IPv6:::ffff:192.0.2.1]", true),
        ("bucher.example", false),
    ] {
        let answer = access(sidecar).unwrap().on_helo(name);
        assert_eq!(answer.refusal().is_some(), refused, "{name}");
    }
    for (sender, refused) in [
        ("a@xn--bcher-kva.example", true),
        ("a@BÜCHER。example", true),
        ("a@café.example", true),
        ("\"bob\"@spam.example", true),
        ("\"B\\ob\"@SPAM.example", true),
        ("\"b ob\"@spam.example", false),
        ("rene\u{301}@spam.example", true),
        ("\"RENE\u{301}\"@spam.example", true),
        ("\"alice\"@xn--bcher-kva.example", false),
    ] {
        let answer = access(sidecar).unwrap().on_mail(&Sender::new(sender));
        assert_eq!(answer.refusal().is_some(), refused, "{sender}");
    }
    for (recipient, refused) in [
        ("bob@xn--bcher-kva.example", false),
        ("\"bob\"@Bücher.example", false),
        ("al@bücher.example", false),
        ("zoë@bücher.example", false),
        ("zoe\u{308}@bücher.example", false),
        ("zoe@bücher.example", true),
        ("\"post\\master\"@bücher.example", false),
        ("eve@xn--bcher-kva.example", true),
        ("eve@bu\u{308}cher.example", true),
        ("\"bob \"@bücher.example", true),
    ] {
        let answer = access(sidecar).unwrap().on_rcpt(&Recipient::new(recipient));
        assert_eq!(answer.refusal().is_some(), refused, "{recipient}");
    }
}

#[test]
fn a_notification_has_one_recipient() {
    let null = || Session::new().sender("").recipient("alice@example.org");
    let table = [
        (null(), false),
        (null().recipient("bob@example.org"), true),
        (null().sender("a@b").recipient("bob@example.org"), false),
    ];
    for (session, refused) in table {
        session.install();
        assert_eq!(example().on_data() != DataAnswer::next(), refused);
        assert_eq!(example().on_headers() != HeadersAnswer::next(), refused);
    }
}

#[test]
fn a_session_ends_with_one_line_where_something_was_refused() {
    Session::new().install();
    let mut access = example();
    let refusals = [
        access.on_helo("localhost").refusal(),
        access.on_helo("mx").refusal(),
    ];
    assert!(refusals.iter().all(Option::is_some));
    assert!(
        access
            .on_rcpt(&Recipient::new("bob@example.org"))
            .refusal()
            .is_some()
    );
    access.on_disconnect(&summary());
    assert_eq!(
        testing::logs(),
        [(Level::Info, "refused: names 2, recipients 1".into())]
    );
}

#[test]
fn mistakes_name_their_place() {
    let table = [
        (
            "[config]\nclients = {}",
            "clients: unknown field `clients`, expected one of \
             `client`, `helo`, `auth`, `sender`, `recipients`",
        ),
        (
            "[config.client]\ndeny = ['192.0.2.1', '192.0.2.1/24']",
            "client.deny[1]: 192.0.2.1/24 has bits set behind its prefix",
        ),
        (
            "[config.helo]\nrefuse = ['']",
            "helo.refuse[0]: a pattern must not be empty",
        ),
    ];
    for (sidecar, expected) in table {
        assert_eq!(access(sidecar).map(|_| ()), Err(expected.into()));
    }
}

#[test]
fn a_denial_that_denies_nothing_fails_the_self_test() {
    let sidecar = "[config.client]\nallow = ['10.0.0.0/8']\ndeny = ['10.1.0.0/16']";
    let expected = "client.deny: 10.1.0.0/16 is inside 10.0.0.0/8 of client.allow";
    assert_eq!(
        access(sidecar).unwrap().on_self_test(),
        Err(expected.into())
    );
}

fn credentials() -> Credentials {
    Credentials {
        mechanism: "PLAIN".into(),
        identity: "alice".into(),
        act_as: String::new(),
        proof: Proof::Password("secret".into()),
    }
}

fn summary() -> Summary {
    Summary {
        reason: postgate_plugin::Reason::Quit,
        commands: 0,
        errors: 0,
        messages: 0,
    }
}
