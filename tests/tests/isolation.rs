//! Plugins that trap, loop, hoard or talk nonsense: they hurt their own verdict and nothing else.

use postgate_tests::backend::Backend;
use postgate_tests::client::Client;
use postgate_tests::gateway::{Gateway, Setup};
use serde_json::json;

/// A gateway with one misbehaving plugin, and the backend behind it.
fn start(guest: &str, sidecar: &str) -> (Gateway, Backend) {
    let backend = Backend::working();
    let guest = format!("guests/{guest}");
    let gateway = Setup::new()
        .backend(&backend.smtp())
        .plugin("10-bad", &guest, sidecar)
        .start();
    (gateway, backend)
}

fn deliver(client: &mut Client) -> String {
    client.envelope("alice@client.example", &["bob@example.org"]);
    client.message(b"Subject: x\r\n\r\nhello\r\n")
}

/// The failure is told to the operator as one, with the name of the plugin.
fn assert_logged(gateway: &Gateway) {
    gateway.log().wait_for("a warning about 10-bad", |line| {
        line["level"] == "WARN" && line.to_string().contains("10-bad")
    });
}

/// The three ways in which a plugin never answers.
#[test]
fn a_plugin_that_dies_costs_its_own_session_only() {
    for (guest, victim) in [("trap", "trap"), ("spin", "spin"), ("hoard", "hoard")] {
        let (mut gateway, backend) = start(guest, "");
        let mut bystander = Client::greeted(gateway.address());
        bystander.says("MAIL FROM:<alice@client.example>", "250");
        let mut client = Client::greeted(gateway.address());
        client.says("MAIL FROM:<alice@client.example>", "250");
        let reply = client.ask(&format!("RCPT TO:<{victim}@example.org>"));
        assert!(reply.starts_with("451 4.3.0"), "{guest}: {reply}");
        assert_says_nothing_internal(&reply);
        assert_logged(&gateway);
        bystander.says("RCPT TO:<bob@example.org>", "250");
        assert!(
            bystander.message(b"Subject: x\r\n\r\n").starts_with("250"),
            "{guest}"
        );
        let reply = deliver(&mut Client::greeted(gateway.address()));
        assert!(
            reply.starts_with("250"),
            "{guest}: the next session: {reply}"
        );
        assert_eq!(backend.taken().len(), 2, "{guest}");
        assert!(gateway.is_up(), "{guest}");
    }
}

fn assert_says_nothing_internal(reply: &str) {
    for word in [
        "wasm", "plugin", "trap", "fuel", "epoch", "memory", "10-bad",
    ] {
        assert!(!reply.to_lowercase().contains(word), "{reply} says {word}");
    }
}

/// Many that loop at once still leave time for the others.
#[test]
fn looping_plugins_do_not_starve_other_sessions() {
    let (gateway, _backend) = start("spin", "");
    let mut loopers: Vec<_> = (0..8).map(|_| Client::greeted(gateway.address())).collect();
    for client in &mut loopers {
        client.says("MAIL FROM:<mallory@client.example>", "250");
        client.send("RCPT TO:<spin@example.org>");
    }
    let reply = deliver(&mut Client::greeted(gateway.address()));
    assert!(reply.starts_with("250"), "{reply}");
    for client in &mut loopers {
        client.expect("451 4.3.0");
    }
}

#[test]
fn what_a_failure_means_is_for_the_operator_to_say() {
    for (sidecar, expected) in [
        ("", "451 4.3.0"),
        ("on-failure = \"tempfail\"", "451 4.3.0"),
        ("on-failure = \"accept\"", "250 2.1.5"),
        ("on-failure = \"reject\"", "5"),
    ] {
        let (gateway, _backend) = start("trap", sidecar);
        let mut client = Client::greeted(gateway.address());
        client.says("MAIL FROM:<alice@client.example>", "250");
        client.says("RCPT TO:<trap@example.org>", expected);
        client.says("NOOP", "250");
    }
}

/// What cannot be said on the wire counts as a failure, and nothing of it gets out.
#[test]
fn a_reply_code_that_does_not_exist_is_a_failure() {
    let (gateway, _backend) = start("bad-code", "");
    let mut client = Client::greeted(gateway.address());
    client.says("MAIL FROM:<alice@client.example>", "250");
    client.says("RCPT TO:<bob@example.org>", "451 4.3.0");
    assert_logged(&gateway);
}

/// A case of the guest `bad-header`: an event, an edit, a name and a value.
type Case<'a> = (&'a str, &'a str, &'a str, &'a str);

/// The sidecar that tells the guest of its cases.
fn bad_headers(cases: &[Case<'_>], settings: &str) -> String {
    let mut sidecar = format!("breaker.failures = 0\n{settings}\n");
    for (at, edit, name, value) in cases {
        let case = json!({ "at": at, "edit": edit, "name": name, "value": value });
        let case: toml::Table = serde_json::from_value(case).expect("a table");
        sidecar += &format!("[[config.cases]]\n{case}");
    }
    sidecar
}

/// No edit at any event gets a line break into the header block, or a name that is none.
#[test]
fn a_header_that_could_be_two_is_a_failure() {
    let bad_value = ("X-Note", "harmless\r\nInjected: yes");
    let bad_name = ("X-Note: harmless\r\nInjected", "yes");
    let mut table = Vec::new();
    for (name, value) in [
        bad_value,
        ("X-Note", "a\nb"),
        ("X-Note", "a\u{0}b"),
        bad_name,
    ] {
        table.push(("data", "prepend", name, value));
        for at in ["headers", "message"] {
            for edit in ["append", "insert", "prepend", "replace", "set"] {
                table.push((at, edit, name, value));
            }
        }
    }
    for name in ["", "a b", "a:", "\u{e9}", "X-Note\r\n"] {
        table.push(("data", "prepend", name, "value"));
        for edit in ["append", "remove", "remove-all", "replace"] {
            table.push(("headers", edit, name, "value"));
        }
    }
    let (gateway, backend) = start("bad-header", &bad_headers(&table, ""));
    for (number, case) in table.iter().enumerate() {
        let mut client = Client::greeted(gateway.address());
        client.envelope("alice@client.example", &[&format!("{number}@example.org")]);
        let reply = match case.0 {
            "data" => client.ask("DATA"),
            _ => client.message(b"Subject: x\r\n\r\nhello\r\n"),
        };
        assert!(reply.starts_with("451 4.3.0"), "{case:?}: {reply}");
    }
    assert_eq!(backend.taken(), []);
    assert_logged(&gateway);
}

/// With `accept` the message goes on, and not one edit of the failed answer with it.
#[test]
fn a_failed_answer_changes_nothing() {
    let case = ("headers", "prepend", "X-Note", "harmless\r\nInjected: yes");
    let sidecar = bad_headers(&[case], "on-failure = \"accept\"");
    let (gateway, backend) = start("bad-header", &sidecar);
    let mut client = Client::greeted(gateway.address());
    client.envelope("alice@client.example", &["0@example.org"]);
    let reply = client.message(b"Subject: x\r\n\r\nhello\r\n");
    assert!(reply.starts_with("250"), "{reply}");
    let content = backend.taken().remove(0).content;
    let content = String::from_utf8_lossy(&content);
    assert!(
        !content.contains("X-Note") && !content.contains("Injected"),
        "{content}"
    );
}

#[test]
fn memory_of_one_session_is_not_seen_by_another() {
    let (gateway, _backend) = start("counter", "");
    for _ in 0..5 {
        let mut client = Client::greeted(gateway.address());
        client.says("MAIL FROM:<alice@client.example>", "250");
        for call in 1..=3 {
            let reply = client.ask("RCPT TO:<bob@example.org>");
            assert_eq!(reply, format!("550 5.7.1 call {call}"));
        }
    }
}

/// The same, for sessions that are open at the same time and take turns.
#[test]
fn parallel_sessions_have_their_own_instances() {
    let (gateway, _backend) = start("counter", "");
    let mut clients: Vec<_> = (0..20)
        .map(|_| Client::greeted(gateway.address()))
        .collect();
    for client in &mut clients {
        client.says("MAIL FROM:<alice@client.example>", "250");
    }
    for call in 1..=3 {
        for client in &mut clients {
            let reply = client.ask("RCPT TO:<bob@example.org>");
            assert_eq!(reply, format!("550 5.7.1 call {call}"));
        }
    }
}

#[test]
fn the_store_lives_as_long_as_the_session() {
    let (gateway, _backend) = start("ungranted", "grants = [\"store\"]");
    for _ in 0..2 {
        let mut client = Client::greeted(gateway.address());
        client.says("MAIL FROM:<alice@client.example>", "250");
        for count in 1..=3 {
            let reply = client.ask("RCPT TO:<bob@example.org>");
            assert_eq!(reply, format!("550 5.7.1 recipient {count} in the store"));
        }
    }
}
