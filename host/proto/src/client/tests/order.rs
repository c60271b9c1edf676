//! Replies that come too early, and replies by their first digit.

use super::*;

/// A reply must not be taken for the answer to a question that it comes before.
#[test]
fn a_reply_before_its_question_breaks_the_connection() {
    const FAULT: &str = "Unsolicited";
    let hello = "250-hi\r\n250 PIPELINING\r\n";
    let table: [(&[&str], &str); 8] = [
        (&["220 hi\r\n250 hi\r\n"], "before EHLO"),
        (
            &["220 hi\r\n", "250-hi\r\n250 a\r\n250 ok\r\n"],
            "before MAIL",
        ),
        (
            &["220 hi\r\n", "250-hi\r\n250 a\r\n", "250 ok\r\n250 ok\r\n"],
            "before RCPT",
        ),
        (
            &["220 hi\r\n", hello, "250 ok\r\n250 ok\r\n354 go\r\n"],
            "before DATA",
        ),
        (
            &[
                "220 hi\r\n",
                hello,
                "250 ok\r\n250 ok\r\n",
                "354 go\r\n250 ok\r\n",
            ],
            "before the message, in one segment",
        ),
        (
            &["220 hi\r\n", hello, "250 ok\r\n250 ok\r\n", "354 go\r\n2"],
            "before the message, a part of it",
        ),
        (
            &[
                "220 hi\r\n",
                hello,
                "250 ok\r\n250 ok\r\n",
                "354 go\r\n",
                "250 ok\r\n",
            ],
            "before the end of the message",
        ),
        (&["220 hi\r\n", "500 what\r\n250 hi\r\n"], "before HELO"),
    ];
    for (segments, place) in table {
        let mut client = client(Protocol::Smtp);
        let (mut reported, mut written) = (Vec::new(), String::new());
        for (count, segment) in segments.iter().enumerate() {
            run(&mut client, &mut reported, &mut written);
            client.receive(segment.as_bytes());
            run(&mut client, &mut reported, &mut written);
            match count {
                1 => {
                    client.request(mail(MailParameters::default()));
                    client.request(rcpt("c@d"));
                }
                2 => client.request(Request::Data),
                _ => {}
            }
            if let Some(mut writer) = client.message() {
                writer.write(b"text\r\n").unwrap();
            }
        }
        run(&mut client, &mut reported, &mut written);
        assert_eq!(reported.last().unwrap(), FAULT, "{place}: {reported:?}");
    }
}

/// The end is never sent after a reply that was not asked for, even if it was not looked at.
#[test]
fn a_message_that_was_answered_is_not_ended() {
    let mut client = greeted(Protocol::Smtp, &["PIPELINING"]);
    client.request(mail(MailParameters::default()));
    client.request(rcpt("c@d"));
    client.receive(b"250 ok\r\n250 ok\r\n");
    run(&mut client, &mut Vec::new(), &mut String::new());
    client.request(Request::Data);
    client.receive(b"354 go\r\n");
    run(&mut client, &mut Vec::new(), &mut String::new());
    client.receive(b"250 ok\r\n");
    let mut writer = client.message().unwrap();
    writer.write(b"text\r\n").unwrap();
    writer.finish().unwrap();
    assert_eq!(client.step(), Err(ClientFault::Unsolicited));
}

#[test]
fn replies_go_by_their_first_digit() {
    for (replies, expected) in [
        ("299 odd\r\n", "MAIL 250"),
        ("251 odd\r\n", "MAIL 250"),
        ("221 odd\r\n", "Code { stage: Mail, code: 221 }"),
        ("235 odd\r\n", "Code { stage: Mail, code: 235 }"),
        ("499 odd\r\n", "MAIL refused 499"),
        ("599 odd\r\n", "MAIL refused 599"),
        ("521 odd\r\n", "MAIL refused 521"),
        ("399 odd\r\n", "Code { stage: Mail, code: 399 }"),
        ("199 odd\r\n", "Malformed"),
        ("600 odd\r\n", "Malformed"),
    ] {
        let mut client = greeted(Protocol::Smtp, &[]);
        client.request(mail(MailParameters::default()));
        client.receive(replies.as_bytes());
        let mut reported = Vec::new();
        run(&mut client, &mut reported, &mut String::new());
        assert_eq!(reported, [expected]);
    }
    for code in [300, 334, 350, 354, 399] {
        let mut client = greeted(Protocol::Smtp, &[]);
        client.request(Request::Data);
        client.receive(format!("{code} go\r\n").as_bytes());
        run(&mut client, &mut Vec::new(), &mut String::new());
        assert!(client.message().is_some(), "{code}");
    }
}
