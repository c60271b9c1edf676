mod chunks;
mod order;
mod parameters;
mod security;
mod smuggling;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;

use super::connection::MAX_PENDING;
use super::*;
use crate::address::{Charset, ForwardPath, ReversePath};
use crate::parameters::MailParameters;
use crate::reply::MAX_REPLY_LINES;

fn client(protocol: Protocol) -> Client {
    Client::new(protocol, ClientName::new("gate.example").unwrap())
}

/// Plays a conversation against a client: `S:` lines are sent by the server, `C:` lines are expected
/// from the client. Returns what the client reported.
fn play(client: &mut Client, lines: &[&str]) -> Vec<String> {
    let mut reported = Vec::new();
    let mut written = String::new();
    run(client, &mut reported, &mut written);
    for line in lines {
        match line.split_at(3) {
            ("S: ", line) => {
                assert_eq!(written, "", "written before the server sent {line}");
                client.receive(format!("{line}\r\n").as_bytes());
            }
            ("C: ", line) => {
                let line = format!("{line}\r\n");
                let rest = written.strip_prefix(&line);
                written = rest
                    .unwrap_or_else(|| panic!("{written:?}, not {line:?}"))
                    .into();
            }
            _ => panic!("neither side says {line}"),
        }
        run(client, &mut reported, &mut written);
    }
    assert_eq!(written, "");
    reported
}

fn run(client: &mut Client, reported: &mut Vec<String>, written: &mut String) {
    loop {
        match client.step() {
            Ok(ClientStep::Answered(stage, answer)) => reported.push(shown(stage, &answer)),
            Ok(ClientStep::Idle | ClientStep::Read | ClientStep::StartTls) => return,
            Ok(ClientStep::Write(octets)) => written.push_str(str::from_utf8(octets).unwrap()),
            Err(fault) => {
                reported.push(format!("{fault:?}"));
                return;
            }
        }
    }
}

fn shown(stage: Stage, answer: &Answer) -> String {
    match answer {
        Answer::Accepted(acceptance) => format!("{stage} {}", acceptance.reply().code()),
        Answer::GoAhead => format!("{stage} go ahead"),
        Answer::Refused(refusal) => format!("{stage} refused {}", refusal.reply().code()),
    }
}

fn mail(parameters: MailParameters) -> Request {
    Request::Mail(
        ReversePath::parse("a@b", Charset::Ascii).unwrap(),
        parameters,
    )
}

fn rcpt(address: &str) -> Request {
    Request::Rcpt(
        ForwardPath::parse(address, Charset::Ascii).unwrap(),
        Vec::new(),
    )
}

fn greeted(protocol: Protocol, capabilities: &[&str]) -> Client {
    let mut client = client(protocol);
    client.receive(b"220 hi\r\n");
    run(&mut client, &mut Vec::new(), &mut String::new());
    client.receive(b"250-hi\r\n");
    for capability in capabilities {
        client.receive(format!("250-{capability}\r\n").as_bytes());
    }
    client.receive(b"250 LAST\r\n");
    run(&mut client, &mut Vec::new(), &mut String::new());
    client
}

#[test]
fn introductions() {
    let table: [(Protocol, &[&str], &[&str]); 7] = [
        (
            Protocol::Smtp,
            &[
                "S: 220 hi",
                "C: EHLO gate.example",
                "S: 250-hi",
                "S: 250 SIZE",
            ],
            &["greeting 220", "EHLO 250"],
        ),
        (
            Protocol::Lmtp,
            &[
                "S: 220-hi",
                "S: 220 you",
                "C: LHLO gate.example",
                "S: 250 hi",
            ],
            &["greeting 220", "LHLO 250"],
        ),
        (
            Protocol::Smtp,
            &[
                "S: 220 hi",
                "C: EHLO gate.example",
                "S: 502 what",
                "C: HELO gate.example",
                "S: 250 hi",
            ],
            &["greeting 220", "HELO 250"],
        ),
        (
            Protocol::Smtp,
            &["S: 220 hi", "C: EHLO gate.example", "S: 450 not now"],
            &["greeting 220", "EHLO refused 450"],
        ),
        (
            Protocol::Lmtp,
            &["S: 220 hi", "C: LHLO gate.example", "S: 500 what"],
            &["greeting 220", "LHLO refused 500"],
        ),
        (Protocol::Smtp, &["S: 554 no"], &["greeting refused 554"]),
        (
            Protocol::Smtp,
            &["S: 354 go"],
            &["Code { stage: Greeting, code: 354 }"],
        ),
    ];
    for (protocol, lines, expected) in table {
        assert_eq!(play(&mut client(protocol), lines), expected, "{lines:?}");
    }
}

#[test]
fn requests_go_together_where_the_server_allows_it() {
    let mut client = greeted(Protocol::Smtp, &["PIPELINING"]);
    for request in [
        Request::Reset,
        mail(MailParameters::default()),
        rcpt("c@d"),
        Request::Data,
    ] {
        client.request(request);
    }
    client.request(Request::Quit);
    let mut written = String::new();
    run(&mut client, &mut Vec::new(), &mut written);
    assert_eq!(
        written,
        "RSET\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n"
    );
    let reported = play(
        &mut client,
        &[
            "S: 250 ok",
            "S: 250 ok",
            "S: 550 no",
            "S: 554 no",
            "C: QUIT",
            "S: 221 bye",
        ],
    );
    assert_eq!(
        reported,
        [
            "RSET 250",
            "MAIL 250",
            "RCPT refused 550",
            "DATA refused 554",
            "QUIT 221"
        ]
    );
}

#[test]
fn requests_go_one_by_one_otherwise() {
    let mut client = greeted(Protocol::Smtp, &[]);
    client.request(mail(MailParameters::default()));
    client.request(rcpt("c@d"));
    client.request(Request::Noop);
    let mut written = String::new();
    run(&mut client, &mut Vec::new(), &mut written);
    assert_eq!(written, "MAIL FROM:<a@b>\r\n");
    let reported = play(
        &mut client,
        &[
            "S: 250 ok",
            "C: RCPT TO:<c@d>",
            "S: 250 ok",
            "C: NOOP",
            "S: 250 ok",
        ],
    );
    assert_eq!(reported, ["MAIL 250", "RCPT 250", "NOOP 250"]);
}

#[test]
fn a_long_group_is_sent_in_parts() {
    let mut client = greeted(Protocol::Smtp, &["PIPELINING"]);
    for _ in 0..MAX_PENDING + 1 {
        client.request(rcpt("c@d"));
    }
    let mut written = String::new();
    run(&mut client, &mut Vec::new(), &mut written);
    assert_eq!(written.lines().count(), MAX_PENDING);
    let mut reported = Vec::new();
    client.receive("250 ok\r\n".repeat(MAX_PENDING + 1).as_bytes());
    run(&mut client, &mut reported, &mut written);
    assert_eq!(reported.len(), MAX_PENDING + 1);
}

fn deliver(client: &mut Client, recipients: &[(&str, &str)]) {
    client.request(mail(MailParameters::default()));
    client.receive(b"250 ok\r\n");
    run(client, &mut Vec::new(), &mut String::new());
    for (recipient, reply) in recipients {
        client.request(rcpt(recipient));
        client.receive(format!("{reply}\r\n").as_bytes());
        run(client, &mut Vec::new(), &mut String::new());
    }
    client.request(Request::Data);
    client.receive(b"354 go\r\n");
    run(client, &mut Vec::new(), &mut String::new());
    let mut writer = client.message().unwrap();
    writer.write(b"one\r\n.t").unwrap();
    writer.write(b"wo\r\n").unwrap();
    writer.finish().unwrap();
    assert!(client.message().is_none());
    assert_eq!(
        client.step(),
        Ok(ClientStep::Write(b"one\r\n..two\r\n.\r\n"))
    );
}

#[test]
fn a_message_has_one_reply_over_smtp() {
    let mut client = greeted(Protocol::Smtp, &["PIPELINING"]);
    deliver(
        &mut client,
        &[("a@b", "250 ok"), ("c@d", "550 no"), ("e@f", "250 ok")],
    );
    let reported = play(&mut client, &["S: 250 ok", "S: 250 more"]);
    assert_eq!(reported, ["message 250", "Unsolicited"]);
}

#[test]
fn a_message_has_one_reply_for_each_accepted_recipient_over_lmtp() {
    let mut client = greeted(Protocol::Lmtp, &["PIPELINING"]);
    for _ in 0..2 {
        deliver(
            &mut client,
            &[("a@b", "250 ok"), ("c@d", "550 no"), ("e@f", "250 ok")],
        );
        let reported = play(&mut client, &["S: 250 ok", "S: 452 full"]);
        assert_eq!(reported, ["message 250", "message refused 452"]);
        assert_eq!(client.step(), Ok(ClientStep::Idle));
    }
}

#[test]
fn a_message_may_be_refused_before_its_end_but_not_accepted() {
    for (reply, expected) in [
        ("552 big", "message refused 552"),
        ("250 ok", "Unsolicited"),
    ] {
        let mut client = greeted(Protocol::Smtp, &[]);
        client.request(Request::Data);
        client.receive(b"354 go\r\n");
        run(&mut client, &mut Vec::new(), &mut String::new());
        client.message().unwrap().write(b"half").unwrap();
        assert_eq!(client.step(), Ok(ClientStep::Write(b"half")));
        assert_eq!(play(&mut client, &[&format!("S: {reply}")]), [expected]);
    }
}

#[test]
fn the_message_waits_for_the_go_ahead() {
    for reply in ["250 ok", "251 ok", "221 bye"] {
        let mut client = greeted(Protocol::Smtp, &[]);
        client.request(Request::Data);
        assert!(client.message().is_none());
        run(&mut client, &mut Vec::new(), &mut String::new());
        let code = reply[..3].parse().unwrap();
        let fault = ClientFault::Code {
            stage: Stage::Data,
            code,
        };
        assert_eq!(
            play(&mut client, &[&format!("S: {reply}")]),
            [format!("{fault:?}")]
        );
        assert!(client.message().is_none());
    }
}

#[test]
fn nonsense_is_a_fault() {
    let endless = b"220-".repeat(MAX_REPLY_LINE);
    let long = [b"220 ".as_slice(), &[b'x'; MAX_REPLY_LINE], b"\r\n"].concat();
    let lines = b"220-more\r\n".repeat(MAX_REPLY_LINES + 1);
    let table: [&[u8]; 7] = [
        b"SSH-2.0\r\n",
        b"\r\n",
        b"\0\0\0\n",
        b"220-hi\r\n221 you\r\n",
        &endless,
        &long,
        &lines,
    ];
    for octets in table {
        let mut client = client(Protocol::Smtp);
        client.receive(octets);
        let shown = octets[..octets.len().min(40)].escape_ascii();
        assert_eq!(client.step(), Err(ClientFault::Malformed), "{shown}");
    }
}

#[test]
fn names_that_could_harm_a_command() {
    for name in ["", "a b", "a\r\nQUIT", "é", &"a".repeat(256)] {
        assert_eq!(ClientName::new(name), Err(InvalidName), "{name:?}");
    }
}

proptest! {
    /// The meaning of replies does not depend on how they are cut.
    #[test]
    fn replies_cut_anywhere(cuts in prop::collection::vec(1..20_usize, 0..20)) {
        let mut client = client(Protocol::Smtp);
        let (mut reported, mut written) = (Vec::new(), String::new());
        for reply in ["220-hi\r\n220 you\r\n", "250-hi\r\n250 SIZE 5\r\n"] {
            let mut rest = reply.as_bytes();
            for cut in cuts.iter().copied().chain([reply.len()]) {
                let (chunk, left) = rest.split_at(cut.min(rest.len()));
                client.receive(chunk);
                run(&mut client, &mut reported, &mut written);
                rest = left;
            }
        }
        prop_assert_eq!(reported, ["greeting 220", "EHLO 250"]);
        prop_assert_eq!(written, "EHLO gate.example\r\n");
        prop_assert_eq!(client.capabilities().size_limit(), Some(5));
    }

    #[test]
    fn no_octets_bring_it_down(octets: Vec<u8>) {
        let mut client = client(Protocol::Smtp);
        client.receive(&octets);
        while let Ok(ClientStep::Answered(..) | ClientStep::Write(_)) = client.step() {}
    }
}
