//! What the Domain Name System has to do with mail: names of clients, and where mail could go.

use std::net::Ipv4Addr;

use postgate_tests::client::Client;
use postgate_tests::dns::{NameServer, Record};
use postgate_tests::gateway::{Gateway, Setup};

const CLIENT: Record = Record::Address(std::net::IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7)));

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
