//! Clients that leave while the gateway makes them wait: their places are free at once.

use postgate_tests::backend::Backend;
use postgate_tests::client::Client;
use postgate_tests::control;
use postgate_tests::gateway::{Gateway, Setup};
use postgate_tests::peer::pause;
use postgate_tests::player::script::sidecar;

/// Waits until only so many connections are open.
fn wait_for_connections(gateway: &Gateway, count: usize) {
    let line = format!("postgate_connections {count}");
    loop {
        let metrics = control::ask(gateway, "metrics");
        let text = metrics["text"].as_str().expect("text");
        if text.lines().any(|known| known == line) {
            return;
        }
        pause();
    }
}

/// A gateway in which a plugin makes every sender wait for hours.
fn slow(backend: &Backend) -> Gateway {
    let answer = "mail edit delay 3600000".parse().expect("an answer");
    let slow = format!("limits.delay = \"2h\"\n{}", sidecar([&answer]));
    Setup::new()
        .backend(&backend.smtp())
        .plugin("10-slow", "guests/scripted", &slow)
        .set(control::SOCKET)
        .set("limits = { plugins-timeout = \"9m\", connections = 4 }")
        .start()
}

#[test]
fn a_delay_ends_when_its_client_leaves() {
    let backend = Backend::working();
    let gateway = slow(&backend);
    let mail = "MAIL FROM:<alice@client.example>\r\n";
    let rest =
        format!("{mail}RCPT TO:<bob@example.org>\r\nDATA\r\nSubject: x\r\n\r\n.\r\nQUIT\r\n");
    // Alone, and before what the gateway has not read yet.
    for commands in [mail, &rest] {
        let clients: Vec<_> = (0..4)
            .map(|_| {
                let mut client = Client::greeted(gateway.address());
                client.write(commands.as_bytes());
                client
            })
            .collect();
        wait_for_connections(&gateway, 4);
        drop(clients);
        wait_for_connections(&gateway, 0);
    }
    assert_eq!(backend.taken(), []);
    let ended = gateway
        .log()
        .find(|line| line["message"] == "disconnected" && line["ending"] == "closed");
    assert_eq!(ended.len(), 8, "{ended:#?}");
}

/// A client that sends nothing more and reads has its answers, if nothing makes it wait.
#[test]
fn a_client_may_close_its_direction_first() {
    let backend = Backend::working();
    let gateway = Setup::new().backend(&backend.smtp()).start();
    let mut client = Client::greeted(gateway.address());
    client.write(
        b"MAIL FROM:<alice@client.example>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n\
          Subject: x\r\n\r\n.\r\nQUIT\r\n",
    );
    client.hang_up();
    for reply in ["250", "250", "354", "250", "221"] {
        client.expect(reply);
    }
    client.expect_close();
    assert_eq!(backend.taken().len(), 1);
}

#[test]
fn a_pause_after_errors_ends_when_its_client_leaves() {
    let gateway = Setup::new()
        .set(control::SOCKET)
        .set("limits = { tarpit-after = 1, tarpit = \"1h\" }")
        .start();
    let mut client = Client::greeted(gateway.address());
    client.write(b"NONSENSE\r\nNONSENSE\r\nNONSENSE\r\n");
    client.expect("500");
    client.expect("500");
    drop(client);
    wait_for_connections(&gateway, 0);
}

#[test]
fn a_client_that_leaves_waits_for_no_place() {
    let gateway = Setup::new()
        .set(control::SOCKET)
        .set("limits.slots = 1")
        .start();
    let mut served = Client::greeted(gateway.address());
    let waiting = gateway.connect();
    wait_for_connections(&gateway, 2);
    drop(waiting);
    wait_for_connections(&gateway, 1);
    served.says("QUIT", "221");
}
