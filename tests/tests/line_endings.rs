//! Lone CRs and LFs on their way from a client to the backend, and what plugins see of them.

use postgate_tests::backend::Backend;
use postgate_tests::client::Client;
use postgate_tests::gateway::{Gateway, Setup};
use postgate_tests::mail::{maildir, split};

/// A multipart with an attachment, whose lines end with a lone CR.
const LONE_CRS: &[u8] = b"Content-Type: multipart/mixed; boundary=b\r\r--b\r\rtext\r--b\r\
    Content-Disposition: attachment; filename=x.exe\r\rMZ\r--b--\r";

/// Sends a message as one chunk. Returns the reply.
fn chunk(gateway: &Gateway, parameter: &str, message: &[u8]) -> String {
    let mut client = Client::greeted(gateway.address());
    client.says(
        &format!("MAIL FROM:<alice@client.example>{parameter}"),
        "250",
    );
    client.says("RCPT TO:<bob@example.org>", "250");
    client.write(format!("BDAT {} LAST\r\n", message.len()).as_bytes());
    client.write(message);
    client.reply()
}

/// Waits until a plugin has said this.
fn seen(gateway: &Gateway, says: &str) {
    gateway.log().wait_for(says, |line| {
        line["says"]
            .as_str()
            .is_some_and(|text| text.contains(says))
    });
}

#[test]
fn lone_carriage_returns_do_not_hide_an_attachment() {
    let backend = Backend::working();
    let gateway = Setup::new()
        .backend(&backend.smtp())
        .plugin("10-parts", "guests/parts", "")
        .start();
    let reply = chunk(&gateway, "", LONE_CRS);
    assert!(reply.starts_with("550 5.6.11"), "{reply}");
    assert_eq!(backend.taken(), []);
}

/// A Maildir gets the octets as they came, and plugins see the parts that mail programs find in them.
#[test]
fn plugins_see_the_parts_between_lone_carriage_returns() {
    let parameter = " BODY=BINARYMIME";
    let gateway = Setup::new().plugin("10-parts", "guests/parts", "").start();
    let reply = chunk(&gateway, parameter, LONE_CRS);
    assert!(reply.starts_with("250"), "{reply}");
    seen(&gateway, "filename=x.exe");
    seen(&gateway, "message count=3 ");
    let stored = maildir(&gateway.maildir()).remove(0);
    assert!(stored.ends_with(LONE_CRS), "{}", stored.escape_ascii());
}

#[test]
fn mended_chunks_are_what_plugins_see() {
    let backend = Backend::working();
    let gateway = Setup::new()
        .backend(&backend.smtp())
        .listener("line-endings = \"ensure\"")
        .plugin("10-parts", "guests/parts", "")
        .start();
    let message = b"Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\ntwo\n--b--";
    let reply = chunk(&gateway, "", message);
    assert!(reply.starts_with("250"), "{reply}");
    seen(&gateway, "1 parent=0 container=false size=8");
    let mail = backend.taken().remove(0);
    assert_eq!(
        split(&mail.content).1,
        b"--b\r\n\r\none\r\ntwo\r\n--b--\r\n"
    );
}

/// The boundary follows the header block without an empty line.
#[test]
fn a_missing_empty_line_hides_no_parts() {
    let backend = Backend::working();
    let gateway = Setup::new()
        .backend(&backend.smtp())
        .plugin("10-parts", "guests/parts", "")
        .start();
    let mut client = Client::greeted(gateway.address());
    client.envelope("alice@client.example", &["bob@example.org"]);
    let message = b"Content-Type : multipart/mixed; boundary=b\r\n--b\r\n\
        Content-Disposition: attachment; filename=x.exe\r\n\r\nMZ\r\n--b--\r\n";
    assert!(client.message(message).starts_with("250"));
    seen(&gateway, "filename=x.exe");
    let mail = backend.taken().remove(0);
    let (head, body) = split(&mail.content);
    assert!(head.ends_with(b"Content-Type: multipart/mixed; boundary=b\r\n"));
    assert!(body.starts_with(b"--b\r\n"), "{}", body.escape_ascii());
}

#[test]
fn leave_leaves_nothing_to_a_server() {
    let message = b"A: b\r\n\r\none\ntwo\rthree\r\n";
    let backend = Backend::working();
    for address in [backend.smtp(), backend.lmtp()] {
        let gateway = Setup::new()
            .backend(&address)
            .listener("line-endings = \"leave\"")
            .plugin("10-recorder", "guests/recorder", "")
            .start();
        let mut client = Client::greeted(gateway.address());
        seen(&gateway, "::Strict");
        client.envelope("alice@client.example", &["bob@example.org"]);
        let reply = client.message(message);
        assert!(reply.starts_with("550 5.6.11"), "{reply}");
    }
    assert_eq!(backend.taken(), []);
    let gateway = Setup::new().listener("line-endings = \"leave\"").start();
    let mut client = Client::greeted(gateway.address());
    client.envelope("alice@client.example", &["bob@example.org"]);
    assert!(client.message(message).starts_with("250"));
    let reply = chunk(&gateway, "", b"A: b\r\n\r\none\ntwo");
    assert!(reply.starts_with("250"), "{reply}");
    let mut bodies: Vec<_> = maildir(&gateway.maildir())
        .iter()
        .map(|message| split(message).1.to_vec())
        .collect();
    bodies.sort();
    assert_eq!(bodies, [b"one\ntwo".as_slice(), b"one\ntwo\rthree\r\n"]);
}

#[test]
fn a_replaced_body_is_lines_for_the_next_plugin_and_the_backend() {
    let backend = Backend::working();
    let gateway = Setup::new()
        .backend(&backend.smtp())
        .plugin("10-editor", "guests/editor", "")
        .plugin("20-parts", "guests/parts", "")
        .start();
    let mut client = Client::greeted(gateway.address());
    client.envelope("alice@client.example", &["bob@example.org"]);
    let message = b"X-Replace-Body: one|two\r\n\r\nold\r\n";
    assert!(client.message(message).starts_with("250"));
    seen(&gateway, "0 parent=0 container=false size=10");
    let mail = backend.taken().remove(0);
    assert_eq!(split(&mail.content).1, b"one\r\ntwo\r\n");
}
