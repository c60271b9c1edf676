//! The stock plugins at work, beyond what their dialogs show.

use postgate_tests::backend::Backend;
use postgate_tests::client::Client;
use postgate_tests::gateway::{Gateway, Setup};
use postgate_tests::mail::{awkward, digest, fields, maildir, split};

fn start(plugins: &[(&str, &str)]) -> (Gateway, Backend) {
    let backend = Backend::working();
    let mut setup = Setup::new()
        .backend(&backend.smtp())
        .set("quarantine.maildir = \"quarantine\"");
    for (number, (guest, sidecar)) in plugins.iter().enumerate() {
        setup = setup.plugin(&format!("{number}0-{guest}"), guest, sidecar);
    }
    (setup.start(), backend)
}

fn deliver(gateway: &Gateway, message: &[u8]) -> String {
    let mut client = Client::greeted(gateway.address());
    client.envelope("alice@client.example", &["bob@example.org"]);
    client.message(message)
}

#[test]
fn access_turns_clients_away_before_the_banner() {
    let (gateway, _backend) = start(&[("access", "[config.client]\ndeny = [\"127.0.0.0/8\"]")]);
    let mut client = gateway.connect();
    client.expect("554 5.7.1 mail from your address is not welcome");
    client.says("EHLO client.example", "503 5.5.1");
    client.says("QUIT", "221");
    client.expect_close();
}

#[test]
fn access_trusts_the_networks_that_it_is_told_to() {
    let sidecar = "[config.client]\nallow = [\"127.0.0.1\"]\ndeny = [\"127.0.0.0/8\"]\n\
        [config.helo]\nrequire-fqdn = true\n[config.sender]\nrefuse = [\"*\"]";
    let (gateway, _backend) = start(&[("access", sidecar)]);
    let mut client = gateway.connect();
    client.expect("220");
    client.says("EHLO laptop", "250");
    client.says("MAIL FROM:<anybody@client.example>", "250");
}

#[test]
fn header_rules_edit_what_arrives() {
    let sidecar = r#"
        [[config.rules]]
        header = "X-Internal-Route"
        match = "present"
        action = "remove"

        [[config.rules]]
        header = "Subject"
        match = { prefix = "[EXTERNAL]" }
        action = { replace = "[external] see the notice" }

        [[config.rules]]
        header = "Message-ID"
        match = "absent"
        action = { append = { name = "X-Note", value = "no message id" } }

        [[config.rules]]
        header = "Subject"
        match = "present"
        action = { prepend = { name = "X-Top", value = "seen" } }
    "#;
    let (gateway, backend) = start(&[("header-rules", sidecar)]);
    let message = b"X-Internal-Route: one\r\nSubject: [external] hello\r\n\
        x-internal-route: two\r\nTo: bob@example.org\r\n\r\nbody\r\n";
    let reply = deliver(&gateway, message);
    assert!(reply.starts_with("250"), "{reply}");
    let arrived = backend.taken().remove(0).content;
    let expected = [
        "Subject: [external] see the notice",
        "To: bob@example.org",
        "X-Note: no message id",
    ];
    let fields = fields(&arrived);
    assert!(
        fields.ends_with(&expected.map(str::to_owned)),
        "{fields:#?}"
    );
    assert!(fields.contains(&"X-Top: seen".to_owned()), "{fields:#?}");
    assert_eq!(split(&arrived).1, b"body\r\n");
}

/// What nobody edits arrives as it was sent, through all three plugins.
#[test]
fn a_message_without_fault_is_left_alone() {
    let sidecars = [
        ("access", ""),
        ("header-rules", ""),
        ("attachment-blocker", ""),
    ];
    let (gateway, backend) = start(&sidecars);
    let message = awkward(50_000);
    let reply = deliver(&gateway, &message);
    assert!(reply.starts_with("250"), "{reply}");
    let arrived = backend.taken().remove(0).content;
    assert_eq!(digest(split(&arrived).1), digest(split(&message).1));
    assert!(
        fields(&arrived).ends_with(&fields(&message)),
        "{:#?}",
        fields(&arrived)
    );
}

const PROGRAM: &[u8] = b"MIME-Version: 1.0\r\nContent-Type: application/octet-stream\r\n\
    Content-Disposition: attachment; filename=\"run.exe\"\r\n\r\nMZ\r\n";

#[test]
fn blocked_attachments_can_go_into_quarantine() {
    let sidecar = "[config]\naction = \"quarantine\"";
    let (gateway, backend) = start(&[("attachment-blocker", sidecar)]);
    let reply = deliver(&gateway, PROGRAM);
    assert!(reply.starts_with("250"), "{reply}");
    assert_eq!(backend.taken(), []);
    let quarantined = maildir(&gateway.directory().join("quarantine"));
    assert_eq!(quarantined.len(), 1);
    assert_eq!(split(&quarantined[0]).1, b"MZ\r\n");
}

#[test]
fn blocked_attachments_can_be_tagged() {
    let (gateway, backend) = start(&[("attachment-blocker", "[config]\naction = \"tag\"")]);
    let reply = deliver(&gateway, PROGRAM);
    assert!(reply.starts_with("250"), "{reply}");
    assert_eq!(backend.taken().len(), 1);
    let line = gateway.log().wait_for_message("message");
    assert!(line["tags"].to_string().contains("attachment"), "{line}");
}

/// Content may look like MIME and be none, and there may be any amount of it.
#[test]
fn no_content_is_too_much_to_look_for_attachments() {
    let (gateway, backend) = start(&[("attachment-blocker", "")]);
    let multipart = "Content-Type: multipart/mixed; boundary=a\r\n\r\n";
    let dump = "--\r\n-- Table structure\r\nINSERT INTO x VALUES (1);\r\n".repeat(30_000);
    let nested = "--a\r\nContent-Type: multipart/x; boundary=q\r\n\r\n".repeat(400);
    for message in [
        format!("Subject: dump\r\n\r\n{dump}"),
        format!("{multipart}--a\r\n\r\n{dump}--a--\r\n"),
    ] {
        let reply = deliver(&gateway, message.as_bytes());
        assert!(reply.starts_with("250"), "{reply}");
        let arrived = backend.taken().pop().unwrap().content;
        let body = message.split_once("\r\n\r\n").unwrap().1;
        assert_eq!(digest(split(&arrived).1), digest(body.as_bytes()));
    }
    // What nobody can look into is not let through.
    let parts = "--a\r\n\r\nx\r\n".repeat(100_000);
    let reply = deliver(&gateway, format!("{multipart}{parts}").as_bytes());
    assert!(reply.starts_with("550 5.7.1"), "{reply}");
    assert!(reply.contains("more parts than"), "{reply}");
    let reply = deliver(&gateway, format!("{multipart}{nested}{dump}").as_bytes());
    assert!(reply.contains("without its parts"), "{reply}");
}

/// The order of the files decides who sees a message first.
#[test]
fn plugins_work_one_after_the_other() {
    let tag = "[[config.rules]]\nheader = \"Subject\"\nmatch = \"present\"\n\
        action = { prepend = { name = \"X-Seen\", value = \"yes\" } }";
    let refuse = "[[config.rules]]\nheader = \"X-Seen\"\nmatch = { equals = \"yes\" }\n\
        action = { refuse = { code = 550, text = \"seen before\" } }";
    let (gateway, _backend) = start(&[("header-rules", tag), ("header-rules", refuse)]);
    assert!(deliver(&gateway, b"Subject: x\r\n\r\n").starts_with("550 5"));
    let (gateway, _backend) = start(&[("header-rules", refuse), ("header-rules", tag)]);
    assert!(deliver(&gateway, b"Subject: x\r\n\r\n").starts_with("250"));
}
