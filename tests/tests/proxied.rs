//! Clients that come through a proxy, made by hand, by swaks, by HAProxy and by Nginx.

use std::collections::BTreeSet;

use postgate_tests::backend::Backend;
use postgate_tests::client::Client;
use postgate_tests::gateway::{Gateway, Setup};
use postgate_tests::peer::{HaProxy, Nginx, NginxModule, run, swaks};

const TRUSTED: &str = "proxy-from = [\"127.0.0.1\"]";

fn setup(mode: &str) -> Setup {
    Setup::new()
        .listener(&format!("proxy = \"{mode}\"\n{TRUSTED}"))
        .plugin("10-proxied", "guests/proxied", "")
}

/// Sends octets first and gives the session that follows, which must begin with the banner.
fn behind(gateway: &Gateway, header: &[u8]) -> Client {
    let mut client = gateway.connect();
    client.write(header);
    client.expect("220 ");
    client
}

/// Waits until the plugin has written this, but for quotation marks.
fn assert_seen(gateway: &Gateway, text: &str) {
    gateway.log().wait_for(text, |line| {
        let says = line["says"].to_string().replace(['\\', '"'], "");
        line["plugin"] == "10-proxied" && says.contains(text)
    });
}

#[test]
fn without_the_setting_a_header_is_an_unknown_command() {
    let gateway = Setup::new().start();
    let mut client = gateway.connect();
    client.write(b"PROXY TCP4 192.0.2.1 192.0.2.2 1111 2222\r\n");
    client.expect("220 ");
    client.expect("500 5.5.1");
}

#[test]
fn a_header_says_who_the_client_is() {
    let gateway = setup("required").start();
    let mut large_check = b"\r\n\r\n\0\r\nQUIT\n\x20\x11\xff\xff".to_vec();
    large_check.resize(large_check.len() + 0xffff, b'\n');
    let table: [(&[u8], &str); 10] = [
        (
            b"PROXY TCP4 1.1.1.1 2.2.2.2 1111 2222\r\n",
            "connect 1.1.1.1 ",
        ),
        (b"PROXY TCP6 003::0003 4::4 3333 4444\r\n", "connect 3::3 "),
        (b"PROXY UNKNOWN\r\n", "connect 127.0.0.1 "),
        (b"PROXY UNKNOWN anything at all\r\n", "connect 127.0.0.1 "),
        (
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x05\x05\x05\x05\x06\x06\x06\x06\x01\x02\x03\x04",
            "connect 5.5.5.5 ",
        ),
        (b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0", "connect 127.0.0.1 "),
        // Health checks of balancers: the block is none of a client.
        (
            b"\r\n\r\n\0\r\nQUIT\n\x20\xff\0\x05QUIT\n",
            "connect 127.0.0.1 ",
        ),
        (&large_check, "connect 127.0.0.1 "),
        // Datagrams, by which no client of SMTP comes.
        (
            b"\r\n\r\n\0\r\nQUIT\n\x21\x12\0\x0c\x05\x05\x05\x05\x06\x06\x06\x06\x01\x02\x03\x04",
            "connect 127.0.0.1 ",
        ),
        // A port that the proxy does not know.
        (b"PROXY TCP4 1.1.1.3 2.2.2.2 0 2222\r\n", "connect 1.1.1.3 "),
    ];
    for (header, seen) in table {
        let mut client = behind(&gateway, header);
        client.says("EHLO client.example", "250");
        client.says("QUIT", "221");
        assert_seen(&gateway, seen);
    }
    let addresses = "source_ip: Some(1.1.1.1), source_port: 1111, destination_ip: Some(2.2.2.2), \
                     destination_port: 2222";
    assert_seen(&gateway, &format!("protocol: TCP4, {addresses}"));
    assert_seen(&gateway, "protocol: TCP6, source_ip: Some(3::3)");
    // What a proxy that ends TLS says of the client's.
    let header = [
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x2c\x05\x05\x05\x05\x06\x06\x06\x06\x01\x02\x03\x04"
            .as_slice(),
        b"\x01\0\x04smtp",
        b"\x02\0\x0emx.example.org",
        b"\x20\0\x05\x01\0\0\0\0",
    ]
    .concat();
    behind(&gateway, &header);
    let facts = "authority: Some(mx.example.org), alpn: Some(smtp), tls: true";
    assert_seen(&gateway, facts);
    assert_seen(&gateway, "protocol: UNKNOWN, source_ip: None");
}

#[test]
fn a_header_may_come_in_pieces_or_with_commands() {
    let gateway = setup("required")
        .listener("extensions = { pipelining = false }")
        .start();
    let mut client = behind(
        &gateway,
        b"PROXY TCP4 1.1.1.1 2.2.2.2 1111 2222\r\nEHLO client.example\r\n",
    );
    client.expect("250");
    let mut client = gateway.connect();
    let header = b"PROXY TCP4 1.1.1.2 2.2.2.2 1111 2222\r\n";
    let (last, first) = header.split_last().expect("it has octets");
    for octet in first {
        client.write(&[*octet]);
    }
    // Another client is served meanwhile.
    behind(&gateway, b"PROXY TCP4 1.1.1.3 2.2.2.2 1111 2222\r\n");
    assert!(client.has_heard_nothing());
    client.write(&[*last]);
    client.expect("220 ");
    assert_seen(&gateway, "connect 1.1.1.2 ");
}

#[test]
fn a_bad_header_ends_the_connection_before_any_session() {
    let gateway = setup("required").start();
    let headers: [&[u8]; 9] = [
        b"PROXY\r\n",
        b"PROXY TCP4 1.1.1.1 2.2.2.2 1111\r\n",
        b"PROXY TCP4 1.1.1.1 2.2.2.2 1111 65536\r\n",
        b"PROXY TCP4 1.1.1.256 2.2.2.2 1111 2222\r\n",
        b"PROXY TCP4 3::3 4::4 1111 2222\r\n",
        b"PROXY TCP5 1.1.1.1 2.2.2.2 1111 2222\r\n",
        b"EHLO client.example\r\n",
        b"\r\n\r\n\0\r\nQUIT\n\x31\x11\0\x0c\x05\x05\x05\x05\x06\x06\x06\x06\x01\x02\x03\x04",
        b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03",
    ];
    for header in headers {
        let mut client = gateway.connect();
        client.write(header);
        let said = client.drain();
        let is_refusal = said.starts_with("421 4.3.2 ");
        assert!(is_refusal, "{}: {said}", header.escape_ascii());
    }
    // Once the log has this, it would have what came before.
    behind(&gateway, b"PROXY TCP4 1.1.1.1 2.2.2.2 1111 2222\r\n");
    assert_seen(&gateway, "connect 1.1.1.1 ");
    let asked = gateway.log().find(|line| {
        line["plugin"] == "10-proxied" && line["session"] != "load" && !line["says"].is_null()
    });
    let sessions: BTreeSet<_> = asked
        .iter()
        .map(|line| line["session"].to_string())
        .collect();
    assert_eq!(sessions.len(), 1, "{asked:#?}");
}

/// Health checks come every few seconds from one address.
#[test]
fn what_a_proxy_says_for_itself_is_not_counted_as_a_client() {
    let gateway = setup("required")
        .set("limits = { connection-rate = 1, connections-per-address = 1 }")
        .start();
    let local = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0".as_slice();
    let mut checks = Vec::new();
    for header in [local, b"PROXY UNKNOWN\r\n"].repeat(3) {
        checks.push(behind(&gateway, header));
    }
    let client = b"PROXY TCP4 1.1.1.1 2.2.2.2 1111 2222\r\n";
    let _first = behind(&gateway, client);
    let mut second = gateway.connect();
    second.write(client);
    second.expect("421");
}

/// A proxy may send what the client has sent early together with its header.
#[test]
fn a_client_that_talks_early_is_refused_behind_a_proxy_too() {
    let gateway = setup("required")
        .listener("early-talkers = \"refuse\"\ngreet-delay = \"50ms\"")
        .start();
    let mut client = gateway.connect();
    client.write(b"PROXY TCP4 1.1.1.1 2.2.2.2 1111 2222\r\nEHLO client.example\r\n");
    client.expect("554 5.5.0");
    client.expect_close();
    behind(&gateway, b"PROXY TCP4 1.1.1.1 2.2.2.2 1111 2222\r\n").says("NOOP", "250");
}

#[test]
fn a_second_header_is_refused() {
    let gateway = setup("optional").start();
    let header = b"PROXY TCP4 1.1.1.1 2.2.2.2 1111 2222\r\n";
    let mut client = behind(&gateway, &header.repeat(2));
    client.expect("421 4.3.0");
    client.expect_close();
    let mut client = behind(&gateway, header);
    client.says("EHLO client.example", "250");
    client.write(header);
    client.expect("503 5.5.1");
}

/// Limits on one client are limits on who is behind the proxy, not on the proxy.
#[test]
fn clients_behind_a_proxy_are_counted_each_for_itself() {
    let gateway = setup("required")
        .set("limits.connections-per-address = 1")
        .start();
    let _first = behind(&gateway, b"PROXY TCP4 192.0.2.1 192.0.2.9 1111 25\r\n");
    let _second = behind(&gateway, b"PROXY TCP4 192.0.2.2 192.0.2.9 1111 25\r\n");
    let mut third = gateway.connect();
    third.write(b"PROXY TCP4 192.0.2.1 192.0.2.9 1112 25\r\n");
    third.expect("421 4.7.0");
    third.expect_close();
}

#[test]
fn only_trusted_proxies_are_believed() {
    let foreign = "proxy = \"required\"\nproxy-from = [\"192.0.2.0/24\"]";
    let gateway = Setup::new().listener(foreign).start();
    let mut client = gateway.connect();
    client.expect("421 4.3.2");
    client.expect_close();
    let foreign = "proxy = \"optional\"\nproxy-from = [\"192.0.2.0/24\"]";
    let gateway = Setup::new()
        .listener(foreign)
        .plugin("10-proxied", "guests/proxied", "")
        .start();
    let mut client = behind(&gateway, b"PROXY TCP4 1.1.1.1 2.2.2.2 1111 2222\r\n");
    client.expect("500 5.5.1");
    assert_seen(&gateway, "connect 127.0.0.1 ");
}

#[test]
fn a_trusted_client_may_come_without_a_header_where_it_is_optional() {
    let gateway = setup("optional").start();
    let mut client = behind(&gateway, b"EHLO client.example\r\n");
    client.expect("250");
    assert_seen(&gateway, "connect 127.0.0.1 ");
}

#[test]
fn a_plugin_may_refuse_or_rename_the_client() {
    let gateway = setup("required").start();
    let mut client = gateway.connect();
    client.write(b"PROXY TCP4 192.0.2.66 192.0.2.2 1111 2222\r\n");
    client.expect("554 5.7.1 not from there");
    client.expect_close();
    let sidecar = "[config]\nclient-ip = \"198.51.100.7\"\nclient-host = \"seven.example\"";
    let gateway = Setup::new()
        .listener(&format!("proxy = \"required\"\n{TRUSTED}"))
        .plugin("10-proxied", "guests/proxied", sidecar)
        .start();
    behind(&gateway, b"PROXY TCP4 1.1.1.1 2.2.2.2 1111 2222\r\n");
    assert_seen(&gateway, "connect 198.51.100.7 seven.example");
}

#[test]
fn rules_of_other_plugins_hold_for_the_client_behind_the_proxy() {
    let gateway = Setup::new()
        .listener(&format!("proxy = \"required\"\n{TRUSTED}"))
        .plugin(
            "10-access",
            "access",
            "[config.client]\ndeny = [\"1.1.1.1\"]",
        )
        .start();
    let mut client = gateway.connect();
    client.write(b"PROXY TCP4 1.1.1.1 2.2.2.2 1111 2222\r\n");
    client.expect("554 5.7.1");
    behind(&gateway, b"PROXY TCP4 1.1.1.2 2.2.2.2 1111 2222\r\n");
}

/// The gateway has no right beyond those of any user, and the proxy has the port.
#[test]
fn haproxy_stands_in_front_of_an_unprivileged_gateway() {
    for header in ["send-proxy", "send-proxy-v2"] {
        let backend = Backend::working();
        let gateway = setup("required")
            .backend(&backend.smtp())
            .under(&["setpriv", "--bounding-set=-all", "--inh-caps=-all"])
            .start();
        assert_eq!(effective_rights(&gateway), "0000000000000000");
        let proxy = HaProxy::start(gateway.address(), header);
        let mut client = Client::greeted(proxy.address());
        client.envelope("alice@client.example", &["bob@example.org"]);
        let reply = client.message(b"Subject: through a proxy\r\n\r\n");
        assert!(reply.starts_with("250"), "{header}: {reply}");
        assert_eq!(backend.taken().len(), 1, "{header}");
        let port = format!("destination_port: {}", proxy.address().port());
        assert_seen(&gateway, &port);
    }
}

#[test]
fn nginx_stands_in_front_of_the_gateway() {
    for module in [NginxModule::Stream, NginxModule::Mail] {
        let backend = Backend::working();
        let gateway = setup("required").backend(&backend.smtp()).start();
        let proxy = Nginx::start(gateway.address(), module);
        let mut client = Client::greeted(proxy.address());
        client.envelope("alice@client.example", &["bob@example.org"]);
        let reply = client.message(b"Subject: through a proxy\r\n\r\n");
        assert!(reply.starts_with("250"), "{module:?}: {reply}");
        assert_eq!(backend.taken().len(), 1, "{module:?}");
        let port = format!("destination_port: {}", proxy.address().port());
        assert_seen(&gateway, &port);
    }
}

fn effective_rights(gateway: &Gateway) -> String {
    let status = format!("/proc/{}/status", gateway.process_id());
    let status = std::fs::read_to_string(status).expect("the gateway runs");
    let rights = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    rights.expect("its rights").trim().to_owned()
}

#[test]
fn swaks_speaks_for_another_client() {
    let gateway = setup("required").start();
    let addresses = [
        "--proxy-source",
        "198.51.100.1",
        "--proxy-source-port",
        "1111",
        "--proxy-dest",
        "198.51.100.2",
        "--proxy-dest-port",
        "2222",
    ];
    for (version, family) in [("1", "TCP4"), ("2", "AF_INET")] {
        let mut command = swaks(gateway.address());
        command.args(["--proxy-version", version, "--proxy-family", family]);
        let output = run(command.args(addresses));
        let transcript = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "version {version}: {transcript}");
    }
    let seen = gateway.log().wait_for_all("two sessions", 2, |line| {
        line["plugin"] == "10-proxied" && line["says"].to_string().contains("connect 198.51.100.1 ")
    });
    assert_eq!(seen.len(), 2);
}

#[test]
fn swaks_says_xclient() {
    let backend = Backend::working();
    let gateway = Setup::new()
        .backend(&backend.smtp())
        .listener("xclient-from = [\"127.0.0.1\"]")
        .start();
    let output = run(swaks(gateway.address())
        .args(["--xclient-addr", "198.51.100.9"])
        .args(["--xclient-name", "nine.example"]));
    let transcript = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{transcript}");
    let content = backend.taken().remove(0).content;
    let content = String::from_utf8_lossy(&content);
    assert!(content.contains("nine.example [198.51.100.9]"), "{content}");
}
