//! What the Domain Name System has to do with mail: names of clients, and where mail could go.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use postgate_tests::client::Client;
use postgate_tests::dns::{NameServer, Record};
use postgate_tests::gateway::{Gateway, Setup};

const CLIENT: Record = Record::Address(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7)));

/// The domains that a plugin is asked about as those of recipients.
const RELAYED: &str = "relay.domains = [\"a.example\", \"absent.example\", \"broken.example\"]";

/// A gateway whose clients come through a proxy, so that they can have any address.
fn gateway(names: &NameServer, listener: &str) -> Gateway {
    Setup::new()
        .listener("proxy = \"required\"\nproxy-from = [\"127.0.0.1\"]")
        .listener(listener)
        .set(&names.settings())
        .plugin("10-proxied", "guests/proxied", "")
        .start()
}

/// What the plugin sees of a client.
fn seen(gateway: &Gateway, client: &str) -> String {
    let mut connection = gateway.connect();
    connection.write(format!("PROXY TCP4 {client} 192.0.2.2 1111 2222\r\n").as_bytes());
    connection.expect("220 ");
    let sign = format!("connect {client} ");
    let line = gateway.log().wait_for(&sign, |line| {
        line["plugin"] == "10-proxied" && line["says"].to_string().contains(&sign)
    });
    let says = line["says"].as_str().unwrap_or_default().trim_matches('"');
    says.strip_prefix(&sign).unwrap_or(says).to_owned()
}

#[test]
fn a_client_has_the_name_that_its_address_has_where_the_name_says_so_too() {
    let names = NameServer::with(&[
        ("7.2.0.192.in-addr.arpa", Record::Pointer("seven.example")),
        ("seven.example", CLIENT),
        ("8.2.0.192.in-addr.arpa", Record::Pointer("seven.example")),
        ("9.2.0.192.in-addr.arpa", Record::Pointer("nobody.example")),
        ("10.2.0.192.in-addr.arpa", Record::Failure),
    ]);
    let gateway = gateway(&names, "reverse-dns = true");
    for (client, name) in [
        ("192.0.2.7", "seven.example HostCheck::Confirmed"),
        ("192.0.2.8", "192.0.2.8 HostCheck::Unconfirmed"),
        ("192.0.2.9", "192.0.2.9 HostCheck::Unconfirmed"),
        ("192.0.2.10", "192.0.2.10 HostCheck::Unknown"),
        ("192.0.2.11", "192.0.2.11 HostCheck::Unconfirmed"),
    ] {
        assert_eq!(seen(&gateway, client), name, "{client}");
    }
}

#[test]
fn nobody_is_asked_where_names_are_not_wanted() {
    let names = NameServer::with(&[
        ("7.2.0.192.in-addr.arpa", Record::Pointer("seven.example")),
        ("seven.example", CLIENT),
    ]);
    let gateway = gateway(&names, "reverse-dns = false");
    assert_eq!(seen(&gateway, "192.0.2.7"), "192.0.2.7 HostCheck::Unknown");
    assert_eq!(names.queries(), 0);
}

#[test]
fn a_dead_name_server_does_not_keep_a_client_from_its_banner() {
    let names = NameServer::dead();
    let gateway = gateway(&names, "reverse-dns = true");
    assert_eq!(seen(&gateway, "192.0.2.7"), "192.0.2.7 HostCheck::Unknown");
}

/// Both kinds of questions about the domains of an envelope, by the stock plugin.
#[test]
fn domains_that_no_mail_can_reach() {
    let names = NameServer::with(&[
        ("mail.example", Record::Exchanger(10, "mx.mail.example")),
        ("address.example", CLIENT),
        ("null.example", Record::Exchanger(0, "")),
        ("broken.example", Record::Failure),
    ]);
    let gateway = Setup::new()
        .set(&names.settings())
        .set("relay.domains = [\"mail.example\", \"null.example\"]")
        .plugin(
            "10-sender-domain",
            "sender-domain",
            "grants = [\"dns\"]\n[config]\nrecipients = true",
        )
        .start();
    let mut client = Client::greeted(gateway.address());
    for (sender, reply) in [
        ("a@absent.example", "550 5.1.8"),
        ("a@null.example", "550 5.7.27"),
        ("a@broken.example", "451 4.4.3"),
        ("a@address.example", "250 2.1.0"),
    ] {
        client.says(&format!("MAIL FROM:<{sender}>"), reply);
    }
    client.says("RCPT TO:<b@null.example>", "556 5.1.10");
    client.says("RCPT TO:<b@mail.example>", "250 2.1.5");
}

/// With underscores, and as U-labels.
#[test]
fn any_name_that_the_dns_allows_is_looked_up() {
    let mail = Record::Exchanger(10, "mx.mail.example");
    let names = NameServer::with(&[
        ("under_score.test", mail),
        ("x_y.z.test", mail),
        ("_dmarc.test", mail),
        ("xn--bcher-kva.test", mail),
    ]);
    let gateway = Setup::new()
        .set(&names.settings())
        .plugin("10-sender-domain", "sender-domain", "grants = [\"dns\"]")
        .start();
    let mut client = Client::greeted(gateway.address());
    for (sender, reply) in [
        ("a@under_score.test", "250 2.1.0"),
        ("a@x_y.z.test", "250 2.1.0"),
        ("a@_dmarc.test", "250 2.1.0"),
        ("a@xn--bcher-kva.test", "250 2.1.0"),
        ("a@absent_.test", "550 5.1.8"),
    ] {
        client.says(&format!("MAIL FROM:<{sender}>"), reply);
        client.says("RSET", "250");
    }
    client.says("MAIL FROM:<a@BÜCHER.test> SMTPUTF8", "250 2.1.0");
}

#[test]
fn a_dead_name_server_is_no_reason_to_turn_mail_away_for_good() {
    let names = NameServer::dead();
    let gateway = Setup::new()
        .set(&names.settings())
        .plugin("10-sender-domain", "sender-domain", "grants = [\"dns\"]")
        .start();
    let mut client = Client::greeted(gateway.address());
    client.says("MAIL FROM:<alice@client.example>", "451 4.4.3");
    client.says("MAIL FROM:<>", "250");
}

/// Each kind of record, by a plugin that may query the DNS.
#[test]
fn a_plugin_asks_for_each_kind_of_record() {
    let names = NameServer::with(&[
        (
            "a.example",
            Record::Address(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1))),
        ),
        (
            "a.example",
            Record::Address(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2))),
        ),
        (
            "a.example",
            Record::Address(IpAddr::V6(Ipv6Addr::LOCALHOST)),
        ),
        ("a.example", Record::Exchanger(20, "second.example")),
        ("a.example", Record::Exchanger(10, "first.example")),
        ("a.example", Record::Text("v=spf1 ", "-all")),
        ("9.2.0.192.in-addr.arpa", Record::Pointer("nine.example")),
        ("broken.example", Record::Failure),
    ]);
    let gateway = Setup::new()
        .listener("proxy = \"required\"\nproxy-from = [\"127.0.0.1\"]")
        .set(&names.settings())
        .set(RELAYED)
        .plugin("10-resolver", "guests/resolver", "grants = [\"dns\"]")
        .start();
    // The names of the loopback address are in a file of the machine.
    let mut client = gateway.connect();
    client.write(b"PROXY TCP4 192.0.2.9 192.0.2.2 1111 2222\r\n");
    client.expect("220 ");
    client.says("EHLO client.example", "250");
    client.says("MAIL FROM:<>", "250");
    for (recipient, found) in [
        ("ipv4@a.example", "192.0.2.1, 192.0.2.2"),
        ("ipv6@a.example", "::1"),
        ("mx@a.example", "10 first.example, 20 second.example"),
        ("txt@a.example", "v=spf1 -all"),
        ("ptr@a.example", "nine.example"),
        ("ipv4@absent.example", "there is no such record"),
        ("txt@broken.example", "no server answered"),
    ] {
        client.says(
            &format!("RCPT TO:<{recipient}>"),
            &format!("550 5.7.1 found: {found}"),
        );
    }
}

#[test]
fn a_query_of_a_plugin_ends_if_no_server_answers() {
    let names = NameServer::dead();
    let gateway = Setup::new()
        .set(&names.settings())
        .set(RELAYED)
        .plugin(
            "10-resolver",
            "guests/resolver",
            "grants = [\"dns\"]\nlimits.wall = \"30s\"",
        )
        .start();
    let mut client = Client::greeted(gateway.address());
    client.says("MAIL FROM:<>", "250");
    client.says(
        "RCPT TO:<mx@a.example>",
        "550 5.7.1 found: no server answered",
    );
}

/// What the name server said is kept, even that there is nothing, for all sessions.
#[test]
fn a_name_that_is_asked_for_twice_costs_one_query() {
    let names = NameServer::with(&[("a.example", Record::Exchanger(10, "mx.a.example"))]);
    let gateway = Setup::new()
        .set(&names.settings())
        .set(RELAYED)
        .plugin("10-resolver", "guests/resolver", "grants = [\"dns\"]")
        .start();
    for recipient in ["mx@a.example", "mx@absent.example"] {
        let ask = || {
            let mut client = Client::greeted(gateway.address());
            client.says("MAIL FROM:<>", "250");
            client.says(&format!("RCPT TO:<{recipient}>"), "550 5.7.1 found: ");
            names.queries()
        };
        let first = ask();
        assert!(first > 0);
        assert_eq!(ask(), first, "{recipient}");
    }
}
