//! Clients do not wait for ever: all plugins together have an end of their time.

use postgate_tests::backend::Backend;
use postgate_tests::client::Client;
use postgate_tests::dns::NameServer;
use postgate_tests::gateway::{Setup, program};
use postgate_tests::peer::run;
use postgate_tests::player::script::sidecar;

fn send(client: &mut Client) -> String {
    client.envelope("alice@client.example", &["bob@example.org"]);
    client.message(b"Subject: x\r\n\r\n")
}

/// Each waits for less than it may, and for an answer that never comes: it is the sum that is too long.
/// The time is the gateway's, and so `on-failure` has no say.
#[test]
fn plugins_that_wait_are_stopped_together() {
    let backend = Backend::working();
    let dns = NameServer::dead();
    let patient = "grants = [\"clock\", \"dns\", \"random\", \"store\"]\non-failure = \"accept\"\n\
        limits.message-wall = ";
    let plugins = [
        ("10-first", "400ms"),
        ("20-second", "1h"),
        ("30-third", "1h"),
    ];
    let gateway = plugins
        .iter()
        .fold(Setup::new(), |setup, (name, wall)| {
            setup.plugin(name, "guests/rogue", &format!("{patient}\"{wall}\""))
        })
        .backend(&backend.smtp())
        .set(&dns.settings_with("1m"))
        .set("limits.plugins-timeout = \"1500ms\"")
        .listener("name = \"dns-wait@message\"")
        .start();
    let mut client = Client::greeted(gateway.address());
    let reply = send(&mut client);
    assert!(reply.starts_with("451 4.3.0"), "{reply}");
    assert_eq!(backend.taken(), []);
    client.says("NOOP", "250");
    let failures = |message: &str| {
        let lines = gateway
            .log()
            .find(|line| line["message"] == message && line["event"] == "message");
        let shown = |line: &serde_json::Value| format!("{} {}", line["plugin"], line["cause"]);
        lines.iter().map(shown).collect::<Vec<_>>()
    };
    assert_eq!(failures("plugin failed"), ["\"10-first\" \"message-wall\""]);
    let of_host = failures("the host failed while it asked a plugin");
    assert_eq!(of_host, ["\"20-second\" \"plugins-timeout\""]);
}

/// What they want the client to wait for counts too, and the log says what they wanted.
#[test]
fn plugins_that_delay_are_cut_short_together() {
    let backend = Backend::working();
    let answer = "message edit delay 3600000".parse().expect("an answer");
    let slow = format!("limits.delay = \"2h\"\n{}", sidecar([&answer]));
    let gateway = Setup::new()
        .backend(&backend.smtp())
        .plugin("10-slow", "guests/scripted", &slow)
        .plugin("20-slow", "guests/scripted", &slow)
        .set("limits.plugins-timeout = \"1s\"")
        .start();
    let reply = send(&mut Client::greeted(gateway.address()));
    assert!(reply.starts_with("250"), "{reply}");
    let line = gateway
        .log()
        .wait_for_message("plugins would delay the client for too long");
    assert_eq!(line["event"], "message", "{line}");
    assert_eq!(line["delay"], "7200s", "{line}");
    assert_eq!(backend.taken().len(), 1);
}

/// No setting makes the plugins outlast a client, which waits for ten minutes.
#[test]
fn no_setting_goes_beyond_what_clients_wait() {
    for (time, code) in [("9m", 0), ("9m1s", 64), ("10m", 64), ("0s", 64)] {
        for place in ["limits.plugins-timeout", "listener"] {
            let setup = match place {
                "listener" => {
                    Setup::new().listener(&format!("limits = {{ plugins-timeout = \"{time}\" }}"))
                }
                key => Setup::new().set(&format!("{key} = \"{time}\"")),
            };
            let output = run(program().args(["check", "--config"]).arg(setup.write()));
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(code), "{place} {time}: {said}");
            assert!(code == 0 || said.contains("plugins-timeout"), "{said}");
        }
    }
}
