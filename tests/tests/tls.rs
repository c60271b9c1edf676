//! TLS with clients: how it begins, which versions and certificates there are, and what goes wrong.

use postgate_tests::certificate::Authority;
use postgate_tests::client::Client;
use postgate_tests::gateway::{Gateway, Setup};
use postgate_tests::peer::{converse, s_client, s_client_starttls};

/// A gateway with a certificate for mx.example.org of this authority.
fn start(authority: &Authority, listener: &str) -> Gateway {
    setup(authority, listener).start()
}

fn setup(authority: &Authority, listener: &str) -> Setup {
    let setup = Setup::new().listener(listener);
    let issued = authority.issue(&["mx.example.org"]);
    let (chain, key) = issued.write(setup.directory(), "mx");
    setup.set(&format!(
        "certificate = [{{ name = \"mx\", chain = {chain:?}, key = {key:?} }}]"
    ))
}

fn ca_file(gateway: &Gateway, authority: &Authority) -> String {
    let file = gateway.directory().join("ca.pem");
    std::fs::write(&file, authority.pem()).unwrap();
    file.display().to_string()
}

const MESSAGE: &[u8] = b"Subject: sealed\r\n\r\nhello\r\n";

#[test]
fn starttls_is_offered_once() {
    let authority = Authority::new("tests");
    let gateway = start(&authority, "tls = \"optional\"");
    let config = authority.client();
    let mut client = Client::connect(gateway.address());
    client.expect("220 ");
    assert!(client.ask("EHLO client.example").contains("STARTTLS"));
    client.envelope("alice@client.example", &["bob@example.org"]);
    client.says("STARTTLS", "220 2.0.0 Ready to start TLS");
    client.handshake(&config, "mx.example.org").unwrap();
    client.says("MAIL FROM:<alice@client.example>", "503 5.5.1 ");
    let reply = client.ask("EHLO client.example");
    assert!(!reply.contains("STARTTLS"), "{reply}");
    client.says("STARTTLS", "503 5.5.1 ");
    client.says("RSET", "250");
    client.envelope("alice@client.example", &["bob@example.org"]);
    assert!(client.message(MESSAGE).starts_with("250"));
    client.says("QUIT", "221");
    client.expect_close();
}

#[test]
fn implicit_tls_comes_before_the_banner() {
    let authority = Authority::new("tests");
    let gateway = start(&authority, "tls = \"implicit\"");
    let config = authority.client();
    let mut client = Client::connect_tls(gateway.address(), &config, "mx.example.org");
    client.expect("220 mx.example.org ESMTP");
    let reply = client.ask("EHLO client.example");
    assert!(!reply.contains("STARTTLS"), "{reply}");
    client.says("STARTTLS", "503 5.5.1 ");
    client.envelope("alice@client.example", &["bob@example.org"]);
    assert!(client.message(MESSAGE).starts_with("250"));
}

#[test]
fn openssl_speaks_both_ways() {
    let authority = Authority::new("tests");
    for (mode, s_client) in [
        ("optional", s_client_starttls as fn(_) -> _),
        ("implicit", s_client),
    ] {
        let gateway = start(&authority, &format!("tls = \"{mode}\""));
        let ca = ca_file(&gateway, &authority);
        let mut command = s_client(gateway.address());
        command.args(["-CAfile", &ca, "-verify_return_error"]);
        command.args([
            "-servername",
            "mx.example.org",
            "-verify_hostname",
            "mx.example.org",
        ]);
        let (ended_well, said) = converse(&mut command, "EHLO client.example\nQUIT\n");
        assert!(ended_well, "{mode}: {said}");
        assert!(said.contains("Verification: OK"), "{mode}: {said}");
        assert!(said.contains("221 2.0.0"), "{mode}: {said}");
    }
}
