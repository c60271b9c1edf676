//! What a client says by the extensions of SMTP reaches the plugins and the backend.

use std::sync::{Arc, Mutex};

use postgate_tests::backend::{Act, Backend, Step};
use postgate_tests::certificate::Authority;
use postgate_tests::client::Client;
use postgate_tests::gateway::{Gateway, Setup};
use postgate_tests::mail::{awkward, digest, split};

/// A backend that offers everything, and the gateway before it with the guest `recorder`.
fn start() -> (Gateway, Backend) {
    let backend = Backend::scripted(|event| match event.step {
        Step::Helo(_) => Act::Say(GREETING.to_owned()),
        Step::Message { .. } => Act::reply("250 2.0.0 Ok: queued as A1B2C3"),
        _ => Act::Work,
    });
    let gateway = Setup::new()
        .backend(&backend.smtp())
        .plugin("10-recorder", "guests/recorder", "")
        .start();
    (gateway, backend)
}

const GREETING: &str = "250-backend.example\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-DSN\r\n\
     250 ENHANCEDSTATUSCODES\r\n";

/// Waits for the line of the recorder that holds all of this.
fn seen(gateway: &Gateway, signs: &[&str]) -> String {
    let says = |line: &serde_json::Value| {
        let says = line["says"].as_str().filter(|_| line["session"] != "load");
        says.map(|says| says.replace('\\', ""))
    };
    let found = gateway.log().wait_for(&signs.join(" "), |line| {
        says(line).is_some_and(|says| signs.iter().all(|sign| says.contains(sign)))
    });
    says(&found).expect("it was found by what it says")
}

#[test]
fn the_kind_of_body_is_seen() {
    let (gateway, _backend) = start();
    let mut client = Client::greeted(gateway.address());
    for (parameter, seen_as) in [
        ("", "parameters=[]"),
        (" BODY=7BIT", "\"7BIT\""),
        (" BODY=8BITMIME", "\"8BITMIME\""),
        (" BODY=BINARYMIME", "\"BINARYMIME\""),
    ] {
        client.says(
            &format!("MAIL FROM:<alice@client.example>{parameter}"),
            "250",
        );
        client.says("RSET", "250");
        seen(&gateway, &["mail ", "alice@client.example", seen_as]);
    }
}

#[test]
fn eight_bit_content_arrives_as_it_was() {
    let (gateway, backend) = start();
    let mut client = Client::greeted(gateway.address());
    client.says("MAIL FROM:<alice@client.example> BODY=8BITMIME", "250");
    client.says("RCPT TO:<bob@example.org>", "250");
    let message = awkward(5_000);
    assert!(client.message(&message).starts_with("250"));
    let mail = backend.taken().remove(0);
    assert!(mail.mail.contains(" BODY=8BITMIME"), "{}", mail.mail);
    assert_eq!(digest(split(&mail.content).1), digest(split(&message).1));
}

#[test]
fn international_addresses_are_seen_and_passed_on() {
    let (gateway, backend) = start();
    let mut client = Client::greeted(gateway.address());
    client.says("MAIL FROM:<Pelé@client.example> SMTPUTF8", "250");
    client.says("RCPT TO:<测试@example.org>", "250");
    assert!(
        client
            .message("Subject: 测试\r\n\r\n".as_bytes())
            .starts_with("250")
    );
    seen(&gateway, &["mail ", "Pelé@client.example", "SMTPUTF8"]);
    seen(&gateway, &["rcpt ", "测试@example.org"]);
    let mail = backend.taken().remove(0);
    assert!(
        mail.mail.starts_with("MAIL FROM:<Pelé@client.example>"),
        "{}",
        mail.mail
    );
    assert!(mail.mail.contains(" SMTPUTF8"), "{}", mail.mail);
    assert_eq!(mail.recipients, ["RCPT TO:<测试@example.org>"]);
}

/// The backend offers nothing. What the message has decides, after the edits of plugins.
#[test]
fn smtputf8_that_is_not_needed_is_not_asked_of_the_backend() {
    let backend = Backend::scripted(|event| match event.step {
        Step::Helo(_) => Act::reply("250 backend.example"),
        _ => Act::Work,
    });
    let gateway = Setup::new().backend(&backend.smtp()).start();
    let mut client = Client::greeted(gateway.address());
    for (message, expected) in [
        ("Subject: x\r\n\r\nplain\r\n", "250"),
        ("Subject: x\r\n\r\nthé\r\n", "250"),
        ("Subject: thé\r\n\r\nplain\r\n", "550 5.6.7"),
    ] {
        client.says("MAIL FROM:<alice@client.example> SMTPUTF8", "250");
        client.says("RCPT TO:<bob@example.org>", "250");
        let reply = client.message(message.as_bytes());
        assert!(reply.starts_with(expected), "{message}: {reply}");
    }
    client.says("MAIL FROM:<Pelé@client.example> SMTPUTF8", "250");
    client.says("RCPT TO:<bob@example.org>", "550 5.6.7");
    client.says("RSET", "250");
    // Without SMTPUTF8, a message is passed on as it is.
    client.says("MAIL FROM:<alice@client.example>", "250");
    client.says("RCPT TO:<bob@example.org>", "250");
    let reply = client.message("Subject: thé\r\n\r\n".as_bytes());
    assert!(reply.starts_with("250"), "{reply}");
    let taken = backend.taken();
    assert_eq!(taken.len(), 3);
    for mail in taken {
        assert_eq!(mail.mail, "MAIL FROM:<alice@client.example>");
    }
}

/// The keywords of the reply to EHLO that depend on the backend.
fn announced(client: &mut Client) -> Vec<String> {
    let reply = client.says("EHLO client.example", "250");
    let keywords = reply.lines().map(|line| line[4..].to_owned());
    let of_the_backend = ["8BITMIME", "SMTPUTF8", "CHUNKING", "BINARYMIME", "DSN"];
    keywords
        .filter(|keyword| of_the_backend.contains(&keyword.as_str()))
        .collect()
}

/// Sends a message, which must be accepted.
fn deliver(client: &mut Client, parameters: &str) {
    client.says(
        &format!("MAIL FROM:<alice@client.example>{parameters}"),
        "250",
    );
    client.says("RCPT TO:<bob@example.org>", "250");
    let reply = client.message(b"Subject: x\r\n\r\n");
    assert!(reply.starts_with("250"), "{parameters}: {reply}");
}

/// What is announced follows the newest connection to the backend; a client that does not care is not
/// refused for it.
#[test]
fn what_the_backend_lacks_is_not_announced() {
    let offer = Arc::new(Mutex::new("250 backend.example\r\n"));
    let offered = Arc::clone(&offer);
    let backend = Backend::scripted(move |event| match event.step {
        Step::Helo(_) => Act::Say((*offered.lock().unwrap()).to_owned()),
        _ => Act::Work,
    });
    let gateway = Setup::new().backend(&backend.smtp()).start();
    let mut early = Client::greeted(gateway.address());
    let all = ["8BITMIME", "SMTPUTF8", "CHUNKING", "BINARYMIME", "DSN"];
    assert_eq!(announced(&mut early), all, "before the first connection");
    deliver(&mut early, "");

    let mut client = Client::greeted(gateway.address());
    assert_eq!(announced(&mut client), ["CHUNKING"]);
    assert_eq!(announced(&mut early), ["CHUNKING"], "at the next EHLO");
    for parameters in [" BODY=8BITMIME", " SMTPUTF8", " RET=HDRS"] {
        deliver(&mut client, parameters);
    }
    for mail in backend.taken() {
        assert_eq!(mail.mail, "MAIL FROM:<alice@client.example>");
    }

    *offer.lock().unwrap() = "250-backend.example\r\n250-DSN\r\n250 SMTPUTF8\r\n";
    backend.close_connections();
    deliver(&mut client, "");
    assert_eq!(announced(&mut client), ["SMTPUTF8", "CHUNKING", "DSN"]);
}

/// REQUIRETLS is announced over TLS, unless the backend cannot keep it.
#[test]
fn requiretls_is_not_announced_before_a_backend_in_the_clear() {
    let backend = Backend::working();
    let authority = Authority::new("root");
    let gateway = Setup::new()
        .certified_by(&authority)
        .listener("tls = \"optional\"")
        .backend(&backend.smtp())
        .start();
    let mut client = Client::start_tls(gateway.address(), &authority.client(), "mx.example.org");
    let reply = client.says("EHLO client.example", "250");
    assert!(reply.contains("REQUIRETLS"), "{reply}");
    deliver(&mut client, "");
    let reply = client.says("EHLO client.example", "250");
    assert!(!reply.contains("REQUIRETLS"), "{reply}");
    client.says("MAIL FROM:<alice@client.example> REQUIRETLS", "250");
    client.says("RCPT TO:<bob@example.org>", "550 5.7.30");
}

#[test]
fn notifications_are_seen_and_passed_on() {
    let (gateway, backend) = start();
    let mut client = Client::greeted(gateway.address());
    client.says(
        "MAIL FROM:<alice@client.example> RET=HDRS ENVID=QQ12",
        "250",
    );
    client.says(
        "RCPT TO:<bob@example.org> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;bob@example.org",
        "250",
    );
    assert!(client.message(b"Subject: x\r\n\r\n").starts_with("250"));
    seen(&gateway, &["mail ", "RET", "HDRS", "ENVID", "QQ12"]);
    seen(&gateway, &["rcpt ", "NOTIFY", "SUCCESS,DELAY", "ORCPT"]);
    let mail = backend.taken().remove(0);
    for sign in [" RET=HDRS", " ENVID=QQ12"] {
        assert!(mail.mail.contains(sign), "no {sign} in {}", mail.mail);
    }
    for sign in [" NOTIFY=SUCCESS,DELAY", " ORCPT=rfc822;bob@example.org"] {
        assert!(mail.recipients[0].contains(sign), "{:?}", mail.recipients);
    }
}

/// Where the connection is encrypted. That the message then goes nowhere without TLS is for the backend's
/// side.
#[test]
fn a_plugin_sees_that_tls_is_required() {
    let authority = Authority::new("tests");
    let gateway = Setup::new()
        .certified_by(&authority)
        .listener("tls = \"optional\"")
        .plugin("10-recorder", "guests/recorder", "")
        .start();
    let config = authority.client();
    let mut client = Client::start_tls(gateway.address(), &config, "mx.example.org");
    let ehlo = client.ask("EHLO client.example");
    assert!(ehlo.contains("\n250-REQUIRETLS\n"), "{ehlo}");
    client.says("MAIL FROM:<alice@client.example> REQUIRETLS", "250");
    seen(
        &gateway,
        &["mail ", "alice@client.example", "\"REQUIRETLS\""],
    );
}

/// A message that comes in chunks is a message like any other.
#[test]
fn chunks_run_all_events_and_arrive() {
    let (gateway, backend) = start();
    let mut client = Client::greeted(gateway.address());
    client.envelope("alice@client.example", &["bob@example.org"]);
    client.write(b"BDAT 12\r\nSubject: x\r\nBDAT 12 LAST\r\n\r\n.one\r\n..\r\n");
    client.expect("250 2.0.0 12 octets received");
    let reply = client.reply();
    assert!(
        reply.starts_with("250 2.0.0") && reply.contains("A1B2C3"),
        "{reply}"
    );
    seen(&gateway, &["headers count=1", "complete=true", "subject=x"]);
    seen(&gateway, &["message size=24"]);
    let mail = backend.taken().remove(0);
    assert_eq!(split(&mail.content).1, b".one\r\n..\r\n");
}

/// Where a chunk is cut on its way has no meaning: neither in its command nor in its octets.
#[test]
fn a_chunk_may_come_in_many_segments() {
    let (gateway, backend) = start();
    let mut client = Client::greeted(gateway.address());
    client.envelope("alice@client.example", &["bob@example.org"]);
    for octet in b"BDAT 12\r\nSubject: x\r\nBDAT 12 LAST\r\n\r\n.one\r\n..\r\n" {
        client.write(&[*octet]);
    }
    client.expect("250 2.0.0 12 octets received");
    client.expect("250 2.0.0");
    let mail = backend.taken().remove(0);
    assert_eq!(split(&mail.content).1, b".one\r\n..\r\n");
}

#[test]
fn a_plugin_sees_the_line_endings_of_the_listener() {
    for (mode, seen_as) in [
        ("strict", "::Strict"),
        ("ensure", "::Ensure"),
        ("leave", "::Leave"),
    ] {
        let gateway = Setup::new()
            .listener(&format!("line-endings = \"{mode}\""))
            .plugin("10-recorder", "guests/recorder", "")
            .start();
        Client::greeted(gateway.address());
        seen(&gateway, &["connect 127.0.0.1", seen_as]);
    }
}

#[test]
fn a_plugin_sees_when_a_message_came_and_how_large_it_is() {
    let (gateway, _backend) = start();
    let mut client = Client::greeted(gateway.address());
    client.envelope("alice@client.example", &["bob@example.org"]);
    let message = b"Subject: x\r\nTo: y\r\n\r\nbody\r\n";
    assert!(client.message(message).starts_with("250"));
    seen(&gateway, &["headers count=2", "complete=true"]);
    let size = format!("message size={} ", message.len());
    let says = seen(&gateway, &[&size]);
    let second = |name: &str| {
        let number = says.split(name).nth(1).unwrap_or_default();
        let digits: String = number
            .chars()
            .filter(char::is_ascii_digit)
            .take(10)
            .collect();
        digits
            .parse::<u64>()
            .unwrap_or_else(|_| panic!("no {name} in {says}"))
    };
    let started = second("started=");
    assert!(started > 1_700_000_000, "{says}");
    assert!(started <= second("completed="), "{says}");
}
