//! How long an instance of a plugin lives, and what it forgets: `isolation` in the sidecar.

use postgate_tests::client::Client;
use postgate_tests::control::{self, SOCKET};
use postgate_tests::gateway::{Gateway, Setup};

fn start(isolation: &str) -> Gateway {
    let sidecar = format!("grants = [\"store\"]\n{isolation}");
    Setup::new()
        .set(SOCKET)
        .plugin("10-isolated", "guests/isolated", &sidecar)
        .start()
}

/// What the plugin remembers at each recipient of two transactions of one session.
fn remembered(gateway: &Gateway) -> Vec<String> {
    let mut client = Client::greeted(gateway.address());
    let mut said = Vec::new();
    for recipients in [2, 1] {
        client.says("MAIL FROM:<alice@client.example>", "250");
        for _ in 0..recipients {
            said.push(recipient(&mut client));
        }
        client.says("RSET", "250");
    }
    client.says("QUIT", "221");
    said
}

fn recipient(client: &mut Client) -> String {
    let reply = client.ask("RCPT TO:<bob@example.org>");
    let text = reply.strip_prefix("550 5.7.1 ");
    text.unwrap_or_else(|| panic!("{reply}")).to_owned()
}

#[test]
fn an_instance_lives_as_long_as_the_operator_says() {
    let table = [
        (
            "isolation = \"connection\"",
            [
                "connect 1 mail 1 rcpt 1 stored 1",
                "connect 1 mail 1 rcpt 2 stored 2",
                "connect 1 mail 2 rcpt 3 stored 3",
            ],
        ),
        (
            "isolation = \"message\"",
            [
                "connect 0 mail 1 rcpt 1 stored 1",
                "connect 0 mail 1 rcpt 2 stored 2",
                "connect 0 mail 1 rcpt 1 stored 3",
            ],
        ),
        (
            "isolation = \"event\"",
            [
                "connect 0 mail 0 rcpt 1 stored 1",
                "connect 0 mail 0 rcpt 1 stored 2",
                "connect 0 mail 0 rcpt 1 stored 3",
            ],
        ),
    ];
    for (isolation, expected) in table {
        let gateway = start(isolation);
        // The second session finds nothing of the first.
        for _ in 0..2 {
            assert_eq!(remembered(&gateway), expected, "{isolation}");
        }
    }
}

/// Another client is another session, also over the same connection.
#[test]
fn a_client_named_by_xclient_finds_nothing_of_the_one_before() {
    let gateway = Setup::new()
        .listener("xclient-from = [\"127.0.0.1\"]")
        .plugin("10-isolated", "guests/isolated", "grants = [\"store\"]")
        .start();
    let mut client = Client::greeted(gateway.address());
    for address in ["192.0.2.1", "192.0.2.2"] {
        client.says(&format!("XCLIENT ADDR={address}"), "220");
        client.says("EHLO client.example", "250");
        client.says("MAIL FROM:<alice@client.example>", "250");
        let said = recipient(&mut client);
        assert_eq!(said, "connect 1 mail 1 rcpt 1 stored 1", "{address}");
        client.says("RSET", "250");
    }
}

/// It does not isolate, and says so in the documentation. The store is that of the session even so.
#[test]
fn a_shared_instance_goes_from_session_to_session() {
    let gateway = start("isolation = \"shared\"\nshared-instances = 1");
    let first = remembered(&gateway);
    assert_eq!(first[0], "connect 1 mail 1 rcpt 1 stored 1");
    assert_eq!(first[2], "connect 1 mail 2 rcpt 3 stored 3");
    let second = remembered(&gateway);
    assert_eq!(second[0], "connect 2 mail 3 rcpt 4 stored 1");
}

#[test]
fn after_a_failure_the_instance_is_gone_and_the_store_is_not() {
    let table = [
        (
            "isolation = \"connection\"",
            "connect 0 mail 0 rcpt 1 stored 3",
        ),
        (
            "isolation = \"message\"",
            "connect 0 mail 0 rcpt 1 stored 3",
        ),
        ("isolation = \"event\"", "connect 0 mail 0 rcpt 1 stored 3"),
        (
            "isolation = \"shared\"\nshared-instances = 1",
            "connect 0 mail 0 rcpt 1 stored 3",
        ),
    ];
    for (isolation, expected) in table {
        let gateway = start(isolation);
        let mut client = Client::greeted(gateway.address());
        client.says("MAIL FROM:<alice@client.example>", "250");
        recipient(&mut client);
        client.says("RCPT TO:<trap@example.org>", "451 4.3.0");
        assert_eq!(recipient(&mut client), expected, "{isolation}");
    }
}

fn instances(gateway: &Gateway) -> u64 {
    let answer = control::ask(gateway, "metrics");
    let text = answer["text"].as_str().expect("metrics are text");
    let series = "postgate_plugin_instances{plugin=\"10-isolated\"} ";
    let mut values = text.lines().filter_map(|line| line.strip_prefix(series));
    values.next().expect("a gauge").parse().expect("a number")
}

/// Ten sessions that are open at a time, and take turns.
#[test]
fn there_are_as_many_instances_as_the_isolation_needs() {
    let table = [
        ("isolation = \"connection\"", 10),
        ("isolation = \"message\"", 10),
        ("isolation = \"event\"", 0),
        ("isolation = \"shared\"\nshared-instances = 1", 1),
    ];
    for (isolation, expected) in table {
        let gateway = start(isolation);
        let mut clients: Vec<_> = (0..10)
            .map(|_| Client::greeted(gateway.address()))
            .collect();
        for client in &mut clients {
            client.says("MAIL FROM:<alice@client.example>", "250");
            recipient(client);
        }
        assert_eq!(instances(&gateway), expected, "{isolation}");
    }
}

/// Sessions that want the one instance at the same time wait for one another.
#[test]
fn a_shared_instance_serves_a_crowd() {
    let gateway = start("isolation = \"shared\"\nshared-instances = 1");
    let address = gateway.address();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(move || {
                let mut client = Client::greeted(address);
                client.says("MAIL FROM:<alice@client.example>", "250");
                for call in 1..=20 {
                    let said = recipient(&mut client);
                    assert!(said.ends_with(&format!(" stored {call}")), "{said}");
                }
            });
        }
    });
    assert_eq!(instances(&gateway), 1);
}

#[test]
fn shared_instances_need_room() {
    let setup = Setup::new().set("plugins.instances = 3").plugin(
        "10-isolated",
        "guests/isolated",
        "grants = [\"store\"]\nisolation = \"shared\"",
    );
    let mut check = postgate_tests::gateway::program();
    let output = postgate_tests::peer::run(check.args(["check", "--config"]).arg(setup.write()));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(64), "{said}");
    assert!(
        said.contains("10-isolated.toml: shared-instances: there is no room for 4"),
        "{said}"
    );
}
