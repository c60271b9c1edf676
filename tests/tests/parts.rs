//! What plugins read of the MIME parts of a message, through the guest `parts`.

use postgate_tests::backend::Backend;
use postgate_tests::client::Client;
use postgate_tests::gateway::{Gateway, Setup};

/// A gateway with the guest once for each sidecar.
fn start(configs: &[&str]) -> (Gateway, Backend) {
    let backend = Backend::working();
    let mut setup = Setup::new().backend(&backend.smtp());
    for (number, config) in configs.iter().enumerate() {
        let sidecar = format!("limits.log-lines = 1000\n[config]\n{config}");
        setup = setup.plugin(&format!("{number}0-parts"), "guests/parts", &sidecar);
    }
    (setup.start(), backend)
}

/// What one of the guests said about a message.
fn said(gateway: &Gateway, plugin: &str, message: &[u8]) -> Vec<String> {
    let mut client = Client::greeted(gateway.address());
    client.envelope("alice@client.example", &["bob@example.org"]);
    let reply = client.message(message);
    assert!(reply.starts_with("250"), "{reply}");
    let says = |line: &serde_json::Value| {
        let text = line["says"].as_str()?;
        // The log shows a text as it would stand in a program.
        (line["plugin"] == plugin)
            .then(|| serde_json::from_str(text).unwrap_or_else(|_| text.into()))
    };
    gateway.log().wait_for("the last line of a guest", |line| {
        says(line).is_some_and(|text: String| text.starts_with("message "))
    });
    let lines = gateway.log().find(|line| says(line).is_some());
    lines.iter().filter_map(says).collect()
}

const MESSAGE: &[u8] = b"MIME-Version: 1.0\r\nSubject: parts\r\n\
    Content-Type: MULTIPART/Mixed; boundary=\"a b\"\r\n\r\n\
    preamble\r\n\
    --a b\r\nContent-Type: multipart/alternative; boundary=c\r\n\r\n\
    --c\r\nContent-Type: text/plain; Charset=ISO-8859-1\r\n\
    Content-Transfer-Encoding: Quoted-Printable\r\n\r\ncaf=E9 =\r\nau lait\r\n\
    --c\r\nContent-Type: text/html; charset=utf-8\r\nContent-ID: <two@client.example>\r\n\r\n\
    <p>caf\xC3\xA9</p>\r\n--c--\r\n\
    --a b\r\nContent-Type: application/x-thing; name*0*=utf-8''na%C3%AF;\r\n name*1=ve.exe\r\n\
    Content-Disposition: ATTACHMENT; filename=ignored.txt\r\n\
    Content-Description: =?utf-8?q?une_chose_=C3=A9trange?=\r\n\
    Content-Transfer-Encoding: base64\r\nX-Own: one\r\n two\r\n\r\nTVqQ\r\nAA==\r\n\
    --a b\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\nX-Empty:\r\n\r\ninner\r\n\
    --a b--\r\nepilogue\r\n";

#[test]
fn every_fact_of_every_part_has_its_value() {
    let (gateway, _backend) = start(&[""]);
    let said = said(&gateway, "00-parts", MESSAGE);
    let expected = [
        "0 parent=0 container=true size=0",
        "0 type=multipart/mixed encoding=7bit disposition=- filename=-",
        "0 id=- description=-",
        "0 parameters boundary=a b",
        "0 field MIME-Version: 1.0",
        "0 field Subject: parts",
        "0 field Content-Type: MULTIPART/Mixed; boundary=\"a b\"",
        "0 octets ",
        "0 text -",
        "0 tail=0 over=0",
        "1 parent=0 container=true size=0",
        "1 type=multipart/alternative encoding=7bit disposition=- filename=-",
        "1 id=- description=-",
        "1 parameters boundary=c",
        "1 field Content-Type: multipart/alternative; boundary=c",
        "1 octets ",
        "1 text -",
        "1 tail=0 over=0",
        "2 parent=1 container=false size=12",
        "2 type=text/plain encoding=quoted-printable disposition=- filename=-",
        "2 id=- description=-",
        "2 parameters charset=ISO-8859-1",
        "2 field Content-Type: text/plain; Charset=ISO-8859-1",
        "2 field Content-Transfer-Encoding: Quoted-Printable",
        "2 octets caf\\xe9 au lait",
        "2 text caf\u{e9} au lait",
        "2 tail=1 over=0",
        "3 parent=1 container=false size=12",
        "3 type=text/html encoding=7bit disposition=- filename=-",
        "3 id=two@client.example description=-",
        "3 parameters charset=utf-8",
        "3 field Content-Type: text/html; charset=utf-8",
        "3 field Content-ID: <two@client.example>",
        "3 octets <p>caf\\xc3\\xa9</p>",
        "3 text <p>caf\u{e9}</p>",
        "3 tail=1 over=0",
        "4 parent=0 container=false size=4",
        "4 type=application/x-thing encoding=base64 disposition=attachment filename=ignored.txt|na\u{ef}ve.exe",
        "4 id=- description=une chose \u{e9}trange",
        "4 parameters name=na\u{ef}ve.exe",
        "4 field Content-Type: application/x-thing; name*0*=utf-8''na%C3%AF; name*1=ve.exe",
        "4 field Content-Disposition: ATTACHMENT; filename=ignored.txt",
        "4 field Content-Description: =?utf-8?q?une_chose_=C3=A9trange?=",
        "4 field Content-Transfer-Encoding: base64",
        "4 field X-Own: one two",
        "4 octets MZ\\x90\\x00",
        "4 text -",
        "4 tail=1 over=0",
        "5 parent=0 container=true size=0",
        "5 type=message/rfc822 encoding=7bit disposition=- filename=-",
        "5 id=- description=-",
        "5 parameters ",
        "5 field Content-Type: message/rfc822",
        "5 octets ",
        "5 text -",
        "5 tail=0 over=0",
        "6 parent=5 container=false size=5",
        "6 type=text/plain encoding=7bit disposition=- filename=-",
        "6 id=- description=-",
        "6 parameters ",
        "6 field Subject: inner",
        "6 field X-Empty:",
        "6 octets inner",
        "6 text inner",
        "6 tail=1 over=0",
        "message count=7 plain=Some(2) html=Some(3) beyond=false",
    ];
    for (number, expected) in expected.iter().enumerate() {
        assert_eq!(said.get(number).map(String::as_str), Some(*expected));
    }
    assert_eq!(said.len(), expected.len());
}

/// The plugins behind see the parts as they are under the new header block.
#[test]
fn another_content_type_is_another_set_of_parts() {
    let (gateway, _backend) = start(&["set-type = \"text/html\"", ""]);
    let said = said(&gateway, "10-parts", MESSAGE);
    let last = said.last().map(String::as_str);
    let expected = "message count=1 plain=None html=Some(0) beyond=false";
    assert_eq!(last, Some(expected));
    assert!(
        said.iter()
            .any(|line| line.starts_with("0 type=text/html "))
    );
}
