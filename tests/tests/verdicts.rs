//! What becomes of the verdicts of plugins.

use postgate_tests::backend::Backend;
use postgate_tests::client::Client;
use postgate_tests::gateway::{Gateway, Setup};
use postgate_tests::mail::{maildir, split};

const CLEAR_AUTH: &str = "auth = \"optional\"\nauth-in-clear = true";
/// `\0bob\0secret`, and `\0bob\0` with passwords that the guest `verdicts` knows.
const SECRET: &str = "AGJvYgBzZWNyZXQ=";
const ACCEPT: &str = "AGJvYgBhY2NlcHQ=";
const REFUSE450: &str = "AGJvYgByZWZ1c2U0NTA=";

/// A gateway in front of a working backend, with these plugins.
fn start(plugins: &[(&str, &str, &str)]) -> (Gateway, Backend) {
    let backend = Backend::working();
    let setup = Setup::new().backend(&backend.smtp()).listener(CLEAR_AUTH);
    (setup.plugins(plugins).start(), backend)
}

#[test]
fn verdicts_on_commands() {
    let (gateway, _backend) = start(&[("10-verdicts", "guests/verdicts", "")]);
    let refused = "550 5.7.1 asked to refuse";
    let refused_for_now = "450 4.7.1 asked to refuse for now";
    let mut client = gateway.connect();
    client.expect("220 ");
    assert_eq!(client.ask("EHLO refuse550"), refused);
    client.says("MAIL FROM:<alice@client.example>", "503");
    assert_eq!(client.ask("EHLO refuse450"), refused_for_now);
    client.says("EHLO accept", "250");
    assert_eq!(client.ask("MAIL FROM:<refuse550@client.example>"), refused);
    assert_eq!(
        client.ask("MAIL FROM:<refuse450@client.example>"),
        refused_for_now
    );
    client.says("MAIL FROM:<accept@client.example>", "250");
    assert_eq!(client.ask("RCPT TO:<refuse550@example.org>"), refused);
    assert_eq!(
        client.ask("RCPT TO:<refuse450@example.org>"),
        refused_for_now
    );
    client.says("DATA", "503 5.5.1");
    client.says("RCPT TO:<accept@example.org>", "250");
    client.says("RCPT TO:<victim@elsewhere.example>", "550 5.7.1");
    assert_eq!(
        client.ask("RCPT TO:<disconnect@example.org>"),
        "554 5.7.1 asked to disconnect"
    );
    client.expect_close();
}

/// 421 ends the session at each event at which this plugin can refuse.
#[test]
fn a_refusal_with_421_closes() {
    let (gateway, _backend) = start(&[("10-verdicts", "guests/verdicts", "")]);
    let closing = "421 4.7.1 asked to refuse for now";
    let steps: [&[&str]; 4] = [
        &["EHLO refuse421"],
        &["EHLO x.example", "MAIL FROM:<refuse421@client.example>"],
        &[
            "EHLO x.example",
            "MAIL FROM:<alice@client.example>",
            "RCPT TO:<refuse421@example.org>",
        ],
        &["EHLO x.example", "AUTH PLAIN AGJvYgByZWZ1c2U0MjE="],
    ];
    for lines in steps {
        let mut client = gateway.connect();
        client.expect("220 ");
        let (last, before) = lines.split_last().expect("a line");
        for line in before {
            client.says(line, "250");
        }
        assert_eq!(client.ask(last), closing, "{lines:?}");
        client.expect_close();
    }
    let mut client = Client::greeted(gateway.address());
    client.envelope("alice@client.example", &["bob@example.org"]);
    let reply = client.message(b"X-Verdict: refuse421\r\n\r\n");
    assert_eq!(reply, closing);
    client.expect_close();
}

#[test]
fn verdicts_on_credentials() {
    let (gateway, _backend) = start(&[("10-verdicts", "guests/verdicts", "")]);
    let mut client = Client::greeted(gateway.address());
    client.says(&format!("AUTH PLAIN {SECRET}"), "535 5.7.8");
    client.says(
        &format!("AUTH PLAIN {REFUSE450}"),
        "450 4.7.1 asked to refuse for now",
    );
    client.says(&format!("AUTH PLAIN {ACCEPT}"), "235 2.7.0");
    client.says("MAIL FROM:<bob@example.org>", "250");
    // Who has authenticated may relay.
    client.says("RCPT TO:<anybody@elsewhere.example>", "250");
    let log = gateway.log().text();
    for secret in [SECRET, ACCEPT, "secret"] {
        assert!(!log.contains(secret), "the log shows {secret}");
    }
}

#[test]
fn verdicts_on_messages() {
    let backend = Backend::working();
    let gateway = Setup::new()
        .backend(&backend.smtp())
        .set("quarantine.maildir = \"quarantine\"")
        .plugin("10-verdicts", "guests/verdicts", "")
        .start();
    let mut client = Client::greeted(gateway.address());
    let mut send = |verdict: &str| {
        client.envelope("alice@client.example", &["bob@example.org"]);
        client.message(format!("X-Verdict: {verdict}\r\n\r\nbody of {verdict}\r\n").as_bytes())
    };
    assert_eq!(send("refuse550"), "550 5.7.1 asked to refuse");
    assert_eq!(send("refuse450"), "450 4.7.1 asked to refuse for now");
    assert!(send("discard").starts_with("250 2.0.0"));
    assert!(send("quarantine").starts_with("250 2.0.0"));
    assert_eq!(backend.taken(), []);
    let quarantined = maildir(&gateway.directory().join("quarantine"));
    assert_eq!(quarantined.len(), 1);
    assert_eq!(split(&quarantined[0]).1, b"body of quarantine\r\n");
    assert!(send("accept").starts_with("250"));
    assert!(send("anything").starts_with("250"));
    assert_eq!(backend.taken().len(), 2);
    assert_eq!(send("disconnect"), "554 5.7.1 asked to disconnect");
    client.expect_close();
}

#[test]
fn the_first_refusal_wins_and_plugins_come_in_the_order_of_their_names() {
    let echo = |text: &str| format!("[config]\ntext = \"{text}\"");
    let (gateway, _backend) = start(&[
        ("20-late", "guests/config-echo", &echo("the late one")),
        ("10-early", "guests/config-echo", &echo("the early one")),
    ]);
    let mut client = Client::greeted(gateway.address());
    client.says("MAIL FROM:<alice@client.example>", "250");
    assert_eq!(
        client.ask("RCPT TO:<bob@example.org>"),
        "550 5.7.1 the early one"
    );
}

#[test]
fn accept_skips_the_plugins_behind() {
    let sidecar = "[config]\ntext = \"refused after all\"";
    let (gateway, _backend) = start(&[
        ("10-verdicts", "guests/verdicts", ""),
        ("20-echo", "guests/config-echo", sidecar),
    ]);
    let mut client = Client::greeted(gateway.address());
    client.says("MAIL FROM:<alice@client.example>", "250");
    client.says("RCPT TO:<accept@example.org>", "250 2.1.5");
    assert_eq!(
        client.ask("RCPT TO:<bob@example.org>"),
        "550 5.7.1 refused after all"
    );
}

/// However long or odd the words of a plugin are, the client gets one reply, in lines of 512 octets: a line
/// break begins a line of the same reply, and a NUL is a blank.
#[test]
fn the_words_of_a_plugin_stay_one_reply() {
    let long = "word ".repeat(300);
    let cut = format!("550 5.7.1 {}", &long[..500]);
    for (text, expected) in [
        (long.as_str(), cut.as_str()),
        ("one\\r\\n250 two", "550-5.7.1 one\n550 5.7.1 250 two"),
        ("one\\n550 two", "550-5.7.1 one\n550 5.7.1 550 two"),
        ("one\\rtwo", "550-5.7.1 one\n550 5.7.1 two"),
        ("nul\\u0000nul", "550 5.7.1 nul nul"),
        ("", "550 5.7.1 Refused by policy"),
    ] {
        let sidecar = format!("[config]\ntext = \"{text}\"");
        let (gateway, _backend) = start(&[("10-echo", "guests/config-echo", &sidecar)]);
        let mut client = Client::greeted(gateway.address());
        client.says("MAIL FROM:<alice@client.example>", "250");
        let reply = client.ask("RCPT TO:<bob@example.org>");
        assert_eq!(reply, expected, "{text}");
        assert_eq!(client.ask("NOOP"), "250 2.0.0 Ok", "after {text}");
    }
}
