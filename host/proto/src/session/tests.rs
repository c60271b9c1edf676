//! Whole sessions against a policy that agrees to everything.

use super::*;
use crate::relay::RelayDomains;
use crate::reply::Acceptance;

/// Plays a client's octets, cut into chunks, against a session that agrees to everything; gives
/// the replies, the message, and the questions asked.
fn play(input: &[u8], chunk: usize) -> (String, Vec<u8>, Vec<&'static str>) {
    let settings = Settings {
        relay: RelayDomains::new(["example.org".into()]),
        max_message_size: 100,
        ..Settings::default()
    };
    let mut session = Session::new(Arc::new(settings), Offers::default());
    let mut chunks = input.chunks(chunk);
    let (mut replies, mut message, mut asked) = (Vec::new(), Vec::new(), Vec::new());
    loop {
        let ask = match session.step() {
            Step::Ask(ask) => ask,
            Step::Close(_) => break,
            Step::Read(_) => match chunks.next() {
                Some(octets) => {
                    session.receive(octets);
                    continue;
                }
                None => break,
            },
            Step::StartTls => panic!("TLS is not offered"),
            Step::Reset => {
                asked.push("reset");
                continue;
            }
            Step::Store(octets) => {
                message.extend_from_slice(octets);
                continue;
            }
            Step::Write(octets) => {
                replies.extend_from_slice(octets);
                continue;
            }
        };
        asked.push(match ask {
            Ask::Auth(_) => "auth",
            Ask::AuthKeys { .. } => "auth-keys",
            Ask::Command { .. } => "command",
            Ask::Connect => "connect",
            Ask::Data => "data",
            Ask::Expn(_) => "expn",
            Ask::Headers => "headers",
            Ask::Helo { .. } => "helo",
            Ask::Help(_) => "help",
            Ask::Mail { .. } => "mail",
            Ask::Message => "message",
            Ask::Rcpt { .. } => "rcpt",
            Ask::StartTls => "starttls",
            Ask::Vrfy(_) => "vrfy",
            Ask::Xclient(_) => "xclient",
        });
        session.decide(Answer::Proceed(None));
    }
    (String::from_utf8(replies).unwrap(), message, asked)
}

const ENVELOPE: &str = "EHLO c\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@example.org>\r\nDATA\r\n";

#[test]
fn a_whole_session_in_any_cut() {
    let input = format!("{ENVELOPE}Subject: x\r\n\r\n..body\r\n.\r\nQUIT\r\n");
    let whole = play(input.as_bytes(), input.len());
    assert_eq!(whole.1, b"Subject: x\r\n\r\n.body\r\n");
    assert_eq!(
        whole.2,
        [
            "connect", "helo", "mail", "rcpt", "data", "headers", "message"
        ]
    );
    let codes: Vec<_> = whole.0.lines().map(|line| &line[..4]).collect();
    assert_eq!(codes.first(), Some(&"220 "));
    assert!(codes.ends_with(&["250 ", "250 ", "250 ", "354 ", "250 ", "221 "]));
    for chunk in 1..40 {
        assert_eq!(play(input.as_bytes(), chunk), whole, "in chunks of {chunk}");
    }
}

#[test]
fn headers_are_asked_once_whatever_the_message() {
    for text in [
        "",
        "\r\n",
        "\r\nbody\r\n",
        "A: b\r\n",
        "A: b\r\n\r\n",
        "no header\r\n",
    ] {
        let input = format!("{ENVELOPE}{text}.\r\n");
        for chunk in [1, 2, 7, input.len()] {
            let (replies, message, asked) = play(input.as_bytes(), chunk);
            assert_eq!(message, text.as_bytes());
            assert!(
                asked.ends_with(&["data", "headers", "message"]),
                "{text:?} {asked:?}"
            );
            assert!(replies.ends_with("250 2.0.0 Message accepted\r\n"));
        }
    }
}

#[test]
fn a_message_with_a_fault_is_refused_at_its_end_and_the_session_goes_on() {
    let long = "x".repeat(99) + "\r\n";
    for (text, code) in [("a\nb\r\n", "550 5.6.11"), (long.as_str(), "552 5.3.4")] {
        let input = format!("{ENVELOPE}{text}.\r\nNOOP\r\n");
        for chunk in [1, 2, 7, input.len()] {
            let (replies, _, asked) = play(input.as_bytes(), chunk);
            assert_eq!(asked.last(), Some(&"reset"));
            let mut last = replies.lines().rev();
            assert_eq!(last.next(), Some("250 2.0.0 Ok"));
            assert!(
                last.next().is_some_and(|line| line.starts_with(code)),
                "{replies}"
            );
        }
    }
}

mod auth;
mod commands;
mod tls;

/// What policy has said about one client is not said to the next one.
#[test]
fn a_client_named_by_xclient_hears_nothing_of_the_one_before() {
    let offers = Offers {
        xclient: true,
        ..Offers::default()
    };
    let mut session = Session::new(Arc::default(), offers);
    session.receive(b"EHLO a.example\r\nXCLIENT ADDR=192.0.2.1\r\nEHLO b.example\r\n");
    let mut replies = Vec::new();
    loop {
        match session.step() {
            Step::Ask(ask) => {
                if matches!(&ask, Ask::Helo { name, .. } if &**name == "a.example") {
                    session.add_ehlo_keyword("XFIRST");
                    session.set_greeting("hello again");
                }
                session.decide(Answer::Proceed(None));
            }
            Step::Write(octets) => replies.extend_from_slice(octets),
            _ => break,
        }
    }
    let replies = String::from_utf8(replies).unwrap();
    let (first, second) = replies.rsplit_once("220 ").unwrap();
    for text in ["XFIRST", "hello again"] {
        assert!(first.contains(text), "{first}");
        assert!(!second.contains(text), "{second}");
    }
    assert!(second.contains("250-"), "{second}");
}
