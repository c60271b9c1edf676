//! Replies, written and read.

use super::*;
use crate::address::Charset;

fn written(reply: &Reply) -> String {
    let mut out = Vec::new();
    reply.write(Charset::Utf8, &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn writes_every_line_with_its_codes() {
    let lines = vec!["one".into(), "two".into()];
    let reply = Reply::new(550, Some(Enhanced::new(5, 7, 1)), lines).unwrap();
    assert_eq!(written(&reply), "550-5.7.1 one\r\n550 5.7.1 two\r\n");
}

#[test]
fn a_client_without_smtputf8_gets_ascii() {
    let lines = vec!["Größe:\u{fffd}".into(), "日本".into()];
    let reply = Reply::new(250, None, lines).unwrap();
    let mut out = Vec::new();
    reply.write(Charset::Ascii, &mut out);
    assert_eq!(out, b"250-Gr??e:?\r\n250 ??\r\n");
    assert_eq!(written(&reply), "250-Größe:\u{fffd}\r\n250 日本\r\n");
}

#[test]
fn an_empty_reply_still_is_a_line() {
    assert_eq!(written(&Reply::plain(250, vec![]).unwrap()), "250 \r\n");
}

#[test]
fn text_can_not_start_another_reply() {
    let reply = Reply::new(250, None, vec!["ok\r\n354 go\0 on".into()]).unwrap();
    assert_eq!(written(&reply), "250-ok\r\n250 354 go  on\r\n");
}

#[test]
fn a_long_line_is_cut_at_a_character() {
    let reply = Reply::plain(250, vec!["ä".repeat(400)]).unwrap();
    let line = written(&reply);
    assert_eq!(line.len(), MAX_LINE);
    assert!(line.ends_with("ä\r\n"));
}

#[test]
fn codes_that_can_not_be() {
    assert_eq!(Reply::plain(999, vec![]), Err(InvalidReply::Code(999)));
    assert_eq!(Reply::plain(199, vec![]), Err(InvalidReply::Code(199)));
    let enhanced = Enhanced::new(2, 0, 0);
    assert_eq!(
        Reply::new(550, Some(enhanced), vec![]),
        Err(InvalidReply::Class {
            code: 550,
            enhanced
        })
    );
    assert!(Refusal::new(Reply::plain(250, vec![]).unwrap()).is_err());
    assert!(Acceptance::new(Reply::plain(550, vec![]).unwrap()).is_err());
}

#[test]
fn every_code_has_defaults_of_its_own_class() {
    for code in 200..600 {
        let reply = Reply::plain(code, vec![]).unwrap().completed();
        match reply.enhanced() {
            Some(enhanced) => assert_eq!(u16::from(enhanced.class()), code / 100),
            None => assert_eq!(code / 100, 3),
        }
        assert!(reply.lines().all(|line| !line.is_empty()));
    }
    for (code, enhanced) in [
        (235, "2.7.0"),
        (251, "2.1.5"),
        (252, "2.5.0"),
        (421, "4.3.2"),
        (432, "4.7.12"),
        (450, "4.2.0"),
        (452, "4.3.1"),
        (454, "4.7.0"),
        (455, "4.5.1"),
        (500, "5.5.1"),
        (501, "5.5.4"),
        (521, "5.3.2"),
        (523, "5.7.10"),
        (530, "5.7.0"),
        (534, "5.7.9"),
        (535, "5.7.8"),
        (538, "5.7.11"),
        (550, "5.7.1"),
        (551, "5.1.6"),
        (552, "5.2.2"),
        (553, "5.1.3"),
        (555, "5.5.4"),
        (556, "5.1.10"),
    ] {
        let reply = Reply::plain(code, vec![]).unwrap().completed();
        assert_eq!(reply.enhanced().unwrap().to_string(), enhanced, "{code}");
    }
}

#[test]
fn parses_what_servers_say() {
    let mut parser = ReplyParser::default();
    assert_eq!(parser.line(b"250-2.1.0 first"), Ok(None));
    let reply = parser.line(b"250 2.1.0 second").unwrap().unwrap();
    assert_eq!(reply.to_string(), "250 2.1.0 first / second");
    let table: [(&[u8], Option<&str>); 8] = [
        (b"250", Some("250 ")),
        (b"354 go", Some("354 go")),
        (b"550 4.1.1 odd class", Some("550 4.1.1 odd class")),
        (b"25", None),
        (b"600 no", None),
        (b"2x0 no", None),
        (b"250_no", None),
        (b"\xff\xff\xff no", None),
    ];
    for (line, expected) in table {
        let parsed = ReplyParser::default().line(line);
        let shown = parsed.ok().flatten().map(|reply| reply.to_string());
        assert_eq!(shown.as_deref(), expected, "{}", line.escape_ascii());
    }
}

#[test]
fn a_reply_of_two_codes_or_without_end_is_malformed() {
    let mut parser = ReplyParser::default();
    parser.line(b"250-one").unwrap();
    assert_eq!(parser.line(b"251 two"), Err(MalformedReply));
    let mut parser = ReplyParser::default();
    for _ in 0..MAX_REPLY_LINES {
        parser.line(b"250-more").unwrap();
    }
    assert_eq!(parser.line(b"250-more"), Err(MalformedReply));
}
