//! One mailbox in all its spellings, and local parts that are longer than others take.

use std::fs;

use postgate_tests::backend::Backend;
use postgate_tests::client::Client;
use postgate_tests::gateway::Setup;
use postgate_users::{Cost, Password, Secret, User};

const MESSAGE: &[u8] = b"From: a@client.example\r\n\r\nhello\r\n";

/// Through a plugin that looks at both, to an SMTP server and into a Maildir.
#[test]
fn long_local_parts_go_to_the_backend() {
    let sender = format!("{}@client.example", "s".repeat(483));
    let recipient = format!("reply+{}@example.org", "0123456789abcdef".repeat(16));
    let refused = format!("{}@example.org", "r".repeat(400));
    let sidecar = "[config.sender]\nrefuse = [\"nobody@*\"]\n\
        [config.recipients]\n\"example.org\" = [\"reply+*\"]";
    let backend = Backend::working();
    let smtp = Setup::new().backend(&backend.smtp());
    for setup in [smtp, Setup::new()] {
        let gateway = setup.plugin("10-access", "access", sidecar).start();
        let mut client = Client::greeted(gateway.address());
        client.envelope(&sender, &[&recipient]);
        client.says(&format!("RCPT TO:<{refused}>"), "550 5.1.1");
        assert!(client.message(MESSAGE).starts_with("250"));
    }
    let taken = backend.taken();
    assert!(taken[0].mail.starts_with(&format!("MAIL FROM:<{sender}>")));
    assert_eq!(taken[0].recipients, [format!("RCPT TO:<{recipient}>")]);
}

#[test]
fn a_domain_is_relayed_to_in_every_spelling() {
    for (configured, others) in [
        ("bücher.example", "buecher.example"),
        ("xn--bcher-kva.example", "xn--a.example"),
        ("BÜCHER.Example.", "bucher.example"),
    ] {
        let gateway = Setup::new()
            .set(&format!("relay.domains = [{configured:?}]"))
            .start();
        let mut client = Client::greeted(gateway.address());
        client.says("MAIL FROM:<>", "250");
        client.says("RCPT TO:<a@xn--bcher-kva.example>", "250");
        client.says("RCPT TO:<\"a\"@XN--BCHER-KVA.EXAMPLE>", "250");
        client.says(&format!("RCPT TO:<a@{others}>"), "550 5.7.1");
        client.says("RSET", "250");
        client.says("MAIL FROM:<> SMTPUTF8", "250");
        for spelling in ["bücher.example", "Bücher.EXAMPLE", "bu\u{308}cher。example"] {
            client.says(&format!("RCPT TO:<a@{spelling}>"), "250");
        }
        client.says("RCPT TO:<a@büchér.example>", "550 5.7.1");
    }
}

#[test]
fn no_spelling_is_a_way_around_a_list() {
    let sidecar = r#"
        [config.helo]
        refuse = ["bücher.example"]
        [config.sender]
        refuse = ["*@bücher.example", "bob@spam.example"]
        allow = ["alice@xn--bcher-kva.example"]
        [config.recipients]
        "example.org" = ["carol"]
    "#;
    let gateway = Setup::new().plugin("10-access", "access", sidecar).start();
    let mut client = Client::connect(gateway.address());
    client.expect("220");
    client.says("EHLO XN--BCHER-KVA.example", "550 5.7.1");
    client.says("EHLO client.example", "250");
    for (sender, reply) in [
        ("a@xn--bcher-kva.example", "550 5.7.1"),
        ("a@BÜCHER.example", "550 5.7.1"),
        ("a@bücher。example", "550 5.7.1"),
        ("\"bob\"@spam.example", "550 5.7.1"),
        ("\"b\\ob\"@SPAM.example", "550 5.7.1"),
        ("\"alice\"@bücher.example", "250"),
    ] {
        client.says(&format!("MAIL FROM:<{sender}> SMTPUTF8"), reply);
    }
    client.says("RCPT TO:<\"carol\"@example.org>", "250");
    client.says("RCPT TO:<\"car ol\"@example.org>", "550 5.1.1");
    client.says("RCPT TO:<\"post\\master\"@example.org>", "250");
}

#[test]
fn users_send_from_their_addresses_in_every_spelling() {
    let cost = Cost {
        memory: 64,
        passes: 1,
        iterations: 4_096,
    };
    let user = User {
        name: "eve@xn--bcher-kva.example".into(),
        secrets: vec![
            Secret::argon2id(
                &Password::new("secret").expect("is not empty"),
                [1; 16],
                cost,
            )
            .expect("64 KiB are there"),
        ],
        senders: vec!["sales@bücher.example".into()],
        act_as: vec![],
    };
    let setup = Setup::new()
        .listener("auth = \"optional\"\nauth-in-clear = true")
        .plugin(
            "12-auth-file",
            "auth-file",
            "grants = [\"files\"]\n[files]\nusers = \"../users\"\n\
             [limits]\ncpu = \"20s\"\nwall = \"60s\"\n",
        );
    fs::write(setup.directory().join("users"), format!("{user}\n")).expect("the users");
    let gateway = setup.start();
    let mut client = Client::greeted(gateway.address());
    // eve@xn--bcher-kva.example, secret
    client.says(
        "AUTH PLAIN AGV2ZUB4bi0tYmNoZXIta3ZhLmV4YW1wbGUAc2VjcmV0",
        "235",
    );
    for (sender, reply) in [
        ("eve@xn--bcher-kva.example", "250"),
        ("\"eve\"@bücher.example", "250"),
        ("Eve@BÜCHER。example", "250"),
        ("\"sales\"@xn--bcher-kva.example", "250"),
        ("\"eve \"@bücher.example", "553 5.7.1"),
        ("eve@bucher.example", "553 5.7.1"),
        ("bob@xn--bcher-kva.example", "553 5.7.1"),
    ] {
        client.says(&format!("MAIL FROM:<{sender}> SMTPUTF8"), reply);
        client.says("RSET", "250");
    }
}

#[test]
fn plugins_remove_a_recipient_in_every_spelling() {
    let backend = Backend::working();
    let gateway = Setup::new()
        .backend(&backend.smtp())
        .plugin("10-editor", "guests/editor", "")
        .start();
    let mut client = Client::greeted(gateway.address());
    client.envelope(
        "a@client.example",
        &[
            "bob@example.org",
            "\"bob\"@EXAMPLE.org",
            "carol@example.org",
        ],
    );
    let message = b"X-Remove-Recipient: \"b\\ob\"@example.org\r\n\
        X-Add-Recipient: \"carol\"@example.org\r\n\r\nhello\r\n";
    assert!(client.message(message).starts_with("250"));
    let recipients: Vec<_> = backend.taken()[0].recipients.clone();
    assert_eq!(recipients, ["RCPT TO:<carol@example.org>"]);
}
