//! What becomes of header fields on their way.

use postgate_tests::backend::{Backend, Mail};
use postgate_tests::client::Client;
use postgate_tests::gateway::{Gateway, Setup};
use postgate_tests::mail::{awkward, fields, maildir};
use postgate_tests::peer::dkim;

fn send(gateway: &Gateway, recipients: &[&str], message: &[u8]) {
    let mut client = Client::greeted(gateway.address());
    client.envelope("alice@client.example", recipients);
    let reply = client.message(message);
    assert!(reply.starts_with("250"), "{reply}");
}

/// What a backend gets of a message, with these rules of `header-rules`.
fn ruled(rules: &str, recipients: &[&str], message: &[u8]) -> Vec<Mail> {
    let backend = Backend::working();
    let gateway = Setup::new()
        .backend(&backend.smtp())
        .plugin("20-rules", "header-rules", rules)
        .start();
    send(&gateway, recipients, message);
    backend.taken()
}

/// A signature of the sender holds after plugins have changed other fields, by the strictest reading,
/// too.
#[test]
fn a_signature_survives_edits_of_the_header() {
    let key = dkim::key();
    let backend = Backend::working();
    let gateway = Setup::new()
        .backend(&backend.smtp())
        .plugin("10-editor", "guests/editor", "")
        .start();
    for canonicalization in ["simple", "relaxed"] {
        for size in [400, 100_000] {
            let message = dkim::sign(&key, canonicalization, &awkward(size));
            assert!(dkim::verifies(&key, &message), "it never did");
            send(&gateway, &["bob@example.org"], &message);
            let arrived = backend.taken().pop().unwrap().content;
            let edited = fields(&arrived)
                .iter()
                .any(|field| field == "X-Last: appended");
            assert!(edited, "nothing was edited");
            assert!(dkim::verifies(&key, &arrived), "{canonicalization} {size}");
            // It would have shown.
            let spoiled = [&arrived[..], b"x\r\n"].concat();
            assert!(!dkim::verifies(&key, &spoiled));
        }
    }
}

#[test]
fn a_field_that_a_plugin_adds_is_folded() {
    let text = ["a word or two"; 80].join(" ");
    let rules = format!(
        "[[config.rules]]\nheader = \"Subject\"\nmatch = \"present\"\n\
         action = {{ append = {{ name = \"X-Long\", value = \"{text}\" }} }}\n"
    );
    let mails = ruled(&rules, &["bob@example.org"], b"Subject: x\r\n\r\n");
    let fields = fields(&mails[0].content);
    let field = fields
        .iter()
        .find(|field| field.starts_with("X-Long:"))
        .unwrap();
    assert!(field.split("\r\n").all(|line| line.len() <= 78), "{field}");
    assert_eq!(field.replace("\r\n", ""), format!("X-Long: {text}"));
}

/// By every edit at every event, of words of any length and beyond ASCII: 78 octets where there is a blank, and
/// never more than the 998 of RFC 5322. What cannot be folded so is a failure of the plugin.
#[test]
fn no_line_of_an_added_field_is_too_long() {
    let values = [
        ["a word or two"; 80].join(" "),
        ["für", "Größe", "日本語の言葉"].join(" ").repeat(30),
        format!("short {} short", "x".repeat(890)),
        format!("short {} short", "é".repeat(440)),
        [&*"y".repeat(70); 20].join(" \t "),
        "z".repeat(900),
    ];
    let too_long = ["x".repeat(2_000), format!("short {}", "é".repeat(451))];
    let mut cases = Vec::new();
    for value in values.iter().chain(&too_long) {
        cases.push(("data", "prepend", value));
        for at in ["headers", "message"] {
            cases.extend(
                ["append", "insert", "prepend", "replace", "set"].map(|edit| (at, edit, value)),
            );
        }
    }
    let table = cases.iter().map(|(at, edit, value)| {
        let case = serde_json::json!({ "at": at, "edit": edit, "name": "X-Note", "value": value });
        let case: toml::Table = serde_json::from_value(case).expect("a table");
        format!("[[config.cases]]\n{case}")
    });
    let sidecar = format!("breaker.failures = 0\n{}", table.collect::<String>());
    let backend = Backend::working();
    let gateway = Setup::new()
        .backend(&backend.smtp())
        .plugin("10-header", "guests/bad-header", &sidecar)
        .start();
    for (number, (at, edit, value)) in cases.iter().enumerate() {
        let mut client = Client::greeted(gateway.address());
        client.envelope("alice@client.example", &[&format!("{number}@example.org")]);
        if too_long.contains(value) {
            let reply = match *at {
                "data" => client.ask("DATA"),
                _ => client.message(b"X-Note: old\r\n\r\n"),
            };
            assert!(reply.starts_with("451 4.3.0"), "{at} {edit}: {reply}");
            continue;
        }
        let reply = client.message(b"X-Note: old\r\n\r\n");
        assert!(reply.starts_with("250"), "{at} {edit}: {reply}");
        let arrived = backend.taken().pop().expect("a message").content;
        let field = fields(&arrived)
            .into_iter()
            .find(|field| field.replace("\r\n", "") == format!("X-Note: {value}"));
        let field = field.unwrap_or_else(|| {
            panic!(
                "{at} {edit}: no {value} in {}",
                String::from_utf8_lossy(&arrived)
            )
        });
        for line in field.split("\r\n") {
            let is_word = line
                .trim_start_matches("X-Note:")
                .trim()
                .split([' ', '\t'])
                .count()
                == 1;
            assert!(
                line.len() <= if is_word { 998 } else { 78 },
                "{at} {edit}: {line}"
            );
        }
    }
    assert_eq!(backend.taken().len(), cases.len() - 2 * 11);
}

/// The Maildir, where a message has arrived, has the one that is true; on the way there is none but
/// what the client sent.
#[test]
fn the_return_path_comes_with_the_final_delivery() {
    let message = b"Subject: x\r\nReturn-Path: <mallory@client.example>\r\n\r\n";
    let of = |content: &[u8]| {
        let fields = fields(content).into_iter().enumerate();
        let found = fields.filter(|(_, field)| field.starts_with("Return-Path:"));
        found.collect::<Vec<_>>()
    };
    let gateway = Setup::new().start();
    send(&gateway, &["bob@example.org"], message);
    let stored = maildir(&gateway.maildir()).remove(0);
    let expected = (0, "Return-Path: <alice@client.example>".to_owned());
    assert_eq!(of(&stored), [expected]);

    for (message, expected) in [(&message[..], 1), (b"Subject: x\r\n\r\n", 0)] {
        let mails = ruled("", &["bob@example.org"], message);
        assert_eq!(of(&mails[0].content).len(), expected);
    }
}

/// All recipients get the same message, and it is sent once.
#[test]
fn bcc_is_kept_unless_a_rule_strips_it() {
    let message = b"To: bob@example.org\r\nBcc: carol@example.org,\r\n dave@example.org\r\n\r\n";
    let recipients = ["bob@example.org", "carol@example.org", "dave@example.org"];
    let strip = "[[config.rules]]\nheader = \"Bcc\"\nmatch = \"present\"\naction = \"remove\"\n";
    for (rules, is_kept) in [("", true), (strip, false)] {
        let mails = ruled(rules, &recipients, message);
        assert_eq!(mails.len(), 1);
        assert_eq!(mails[0].recipients.len(), 3);
        let fields = fields(&mails[0].content);
        let bcc = "Bcc: carol@example.org,\r\n dave@example.org";
        assert_eq!(
            fields.iter().any(|field| field == bcc),
            is_kept,
            "{fields:?}"
        );
        assert_eq!(
            fields.last().is_some_and(|field| field.starts_with("To:")),
            !is_kept
        );
    }
}
