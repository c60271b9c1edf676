//! SIGTERM: what is under way ends well, and nothing new begins.

use std::net::TcpStream;

use postgate_tests::backend::Backend;
use postgate_tests::client::Client;
use postgate_tests::gateway::Setup;

#[test]
fn an_idle_gateway_ends_at_once() {
    let mut gateway = Setup::new().start();
    gateway.terminate();
    assert_eq!(gateway.wait().code(), Some(0));
    assert!(TcpStream::connect(gateway.address()).is_err());
}

#[test]
fn idle_clients_are_told() {
    let mut gateway = Setup::new().start();
    let mut greeted = Client::greeted(gateway.address());
    let mut in_transaction = Client::greeted(gateway.address());
    in_transaction.says("MAIL FROM:<alice@client.example>", "250");
    gateway.terminate();
    for client in [&mut greeted, &mut in_transaction] {
        client.expect("421 4.3.2");
        client.expect_close();
    }
    assert_eq!(gateway.wait().code(), Some(0));
}

#[test]
fn a_message_under_way_is_finished() {
    let backend = Backend::working();
    let mut gateway = Setup::new().backend(&backend.smtp()).start();
    let mut idle = Client::greeted(gateway.address());
    let mut busy = Client::greeted(gateway.address());
    busy.envelope("alice@client.example", &["bob@example.org"]);
    busy.says("DATA", "354");
    busy.write(b"Subject: in time\r\n\r\nhalf of it");
    gateway.terminate();
    // The idle client hears of it, so the shutdown has begun.
    idle.expect("421 4.3.2");
    busy.write(b" and the rest\r\n.\r\n");
    busy.expect("250 2.0.0");
    busy.expect("421 4.3.2");
    busy.expect_close();
    assert_eq!(gateway.wait().code(), Some(0));
    assert_eq!(backend.taken().len(), 1);
}

#[test]
fn nobody_can_hold_up_the_end() {
    let mut gateway = Setup::new()
        .set("limits.shutdown-grace = \"300ms\"")
        .start();
    let mut stuck = Client::greeted(gateway.address());
    stuck.says("MAIL FROM:<alice@client.example>", "250");
    stuck.says("RCPT TO:<bob@example.org>", "250");
    stuck.says("DATA", "354");
    stuck.write(b"Subject: I will never end\r\n");
    gateway.terminate();
    stuck.expect("421 4.3.2");
    stuck.expect_close();
    assert_eq!(gateway.wait().code(), Some(0));
}
