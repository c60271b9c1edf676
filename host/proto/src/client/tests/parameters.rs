use super::*;
use crate::parameters::{Body, Parameter};

fn parameter(name: &str, value: &str) -> Parameter {
    Parameter {
        name: name.into(),
        value: value.into(),
    }
}

#[test]
fn parameters_are_sent_where_they_are_offered() {
    let parameters = |body| MailParameters {
        body: Some(body),
        size: Some(7),
        smtputf8: true,
        all: vec![
            parameter("ENVID", "QQ3"),
            parameter("AUTH", "<>"),
            parameter("RET", "HDRS"),
            parameter("XOWN", "1"),
            parameter("REQUIRETLS", ""),
        ],
    };
    let table: [(&[&str], Body, &str); 10] = [
        (&[], Body::EightBitMime, ""),
        (&["SIZE 100"], Body::EightBitMime, " SIZE=7"),
        (
            &["8BITMIME", "SIZE"],
            Body::EightBitMime,
            " SIZE=7 BODY=8BITMIME",
        ),
        (&["8BITMIME"], Body::SevenBit, " BODY=7BIT"),
        (&["8BITMIME", "BINARYMIME"], Body::BinaryMime, ""),
        (&["8BITMIME", "CHUNKING"], Body::BinaryMime, ""),
        (
            &["CHUNKING", "BINARYMIME"],
            Body::BinaryMime,
            " BODY=BINARYMIME",
        ),
        (&["smtputf8"], Body::EightBitMime, " SMTPUTF8"),
        (&["REQUIRETLS"], Body::EightBitMime, " REQUIRETLS"),
        (
            &["DSN", "AUTH PLAIN"],
            Body::EightBitMime,
            " ENVID=QQ3 RET=HDRS",
        ),
    ];
    for (capabilities, body, expected) in table {
        let mut client = greeted(Protocol::Smtp, capabilities);
        client.request(mail(parameters(body)));
        let expected = format!("MAIL FROM:<a@b>{expected}\r\n");
        assert_eq!(client.step(), Ok(ClientStep::Write(expected.as_bytes())));
    }
}

#[test]
fn parameters_of_recipients_are_sent_where_they_are_offered() {
    let parameters = vec![
        parameter("NOTIFY", "SUCCESS,DELAY"),
        parameter("RET", "FULL"),
        parameter("ORCPT", "rfc822;c+2Bd@e"),
        parameter("XOWN", ""),
    ];
    let harmful = ["", "NEVER\r\nQUIT", "NEVER QUIT"].map(|value| parameter("NOTIFY", value));
    let table: [(&[&str], &[Parameter], &str); 4] = [
        (&[], &parameters, ""),
        (
            &["DSN"],
            &parameters,
            " NOTIFY=SUCCESS,DELAY ORCPT=rfc822;c+2Bd@e",
        ),
        (&["DSN"], &[], ""),
        (&["DSN"], &harmful, ""),
    ];
    for (capabilities, parameters, expected) in table {
        let mut client = greeted(Protocol::Smtp, capabilities);
        let recipient = ForwardPath::parse("c@d", Charset::Ascii).unwrap();
        client.request(Request::Rcpt(recipient, parameters.to_vec()));
        let expected = format!("RCPT TO:<c@d>{expected}\r\n");
        assert_eq!(client.step(), Ok(ClientStep::Write(expected.as_bytes())));
    }
}
