//! What policy can do to what is listed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;
use crate::auth::Decoy;
use crate::session::{Auth, Channel, Tls};

/// A session whose client has said so much, and what it was told. Policy limits the mechanisms at the
/// first greeting, and knows every user.
fn talked(input: &[u8], limit: &[&str]) -> String {
    let settings = Settings {
        auth: Auth::Optional,
        ..Settings::default()
    };
    let offers = Offers {
        tls: Tls::Active(Channel::default()),
        ..Offers::default()
    };
    let mut session = Session::new(Arc::new(settings), offers);
    session.receive(input);
    let (mut said, mut greetings) = (Vec::new(), 0);
    loop {
        match session.step() {
            Step::Ask(ask) => {
                if matches!(ask, Ask::Helo { .. }) {
                    greetings += 1;
                    if greetings == 1 {
                        session.limit_mechanisms(limit);
                    }
                }
                session.decide(Answer::Authenticated);
            }
            Step::Write(octets) => said.extend_from_slice(octets),
            Step::Read(_) => return String::from_utf8(said).unwrap(),
            other => panic!("{other:?}"),
        }
    }
}

fn listed(said: &str) -> Vec<&str> {
    let lines = said.lines();
    lines
        .filter_map(|line| line.strip_prefix("250-AUTH "))
        .collect()
}

#[test]
fn policy_limits_what_is_listed_until_the_next_greeting() {
    let table: [(&[&str], &[&str]); 4] = [
        (
            &["plain", "OINK", "SCRAM-SHA-256"],
            &["PLAIN", "PLAIN LOGIN"],
        ),
        (&["LOGIN", "PLAIN"], &["PLAIN LOGIN", "PLAIN LOGIN"]),
        (&["CRAM-MD5"], &["PLAIN LOGIN"]),
        (&[], &["PLAIN LOGIN"]),
    ];
    for (limit, expected) in table {
        let said = talked(b"EHLO c\r\nEHLO c\r\n", limit);
        assert_eq!(listed(&said), expected, "{limit:?}");
    }
}

#[test]
fn what_policy_has_taken_out_is_not_taken() {
    let said = talked(b"EHLO c\r\nAUTH LOGIN\r\nAUTH PLAIN\r\n", &["PLAIN"]);
    let last: Vec<_> = said.lines().rev().take(2).collect();
    assert!(last[1].starts_with("504 5.5.4"), "{said}");
    assert_eq!(last[0], "334 ");
}

/// Whatever is offered at the moment: most of these are not, in clear and with AUTH off.
#[test]
fn nobody_else_lists_what_the_session_lists_by_itself() {
    let own = [
        "AUTH PLAIN",
        "starttls",
        "REQUIRETLS",
        "XCLIENT NAME",
        "EXPN",
        "SIZE 1",
        "LIMITS",
    ];
    let settings = Settings {
        more_keywords: own.map(str::to_owned).to_vec(),
        max_recipients: 0,
        ..Settings::default()
    };
    let mut session = Session::new(Arc::new(settings), Offers::default());
    for keyword in own.iter().chain(&["AUTHOR"]) {
        session.add_ehlo_keyword(keyword);
    }
    session.receive(b"EHLO c\r\n");
    let mut said = String::new();
    loop {
        match session.step() {
            Step::Ask(_) => session.decide(Answer::Proceed(None)),
            Step::Write(octets) => said.push_str(str::from_utf8(octets).unwrap()),
            _ => break,
        }
    }
    let listed: Vec<_> = said.lines().skip(2).map(|line| &line[4..]).collect();
    assert_eq!(
        listed.join(" "),
        "PIPELINING SIZE 26214400 8BITMIME SMTPUTF8 ENHANCEDSTATUSCODES CHUNKING BINARYMIME DSN VRFY HELP AUTHOR"
    );
    // And it lists nothing by itself that others could.
    assert!(listed[..10].iter().all(|line| is_own_keyword(line)));
}

#[test]
fn unknown_users_look_like_those_that_are_known_by_then() {
    let settings = Settings {
        auth: Auth::Optional,
        auth_in_clear: true,
        ..Settings::default()
    };
    let offers = Offers {
        scram: true,
        ..Offers::default()
    };
    let mut session = Session::new(Arc::new(settings), offers);
    // "n,,n=eve,r=abc"
    session.receive(b"EHLO c\r\nAUTH SCRAM-SHA-256 biwsbj1ldmUscj1hYmM=\r\n");
    let mut said = Vec::new();
    loop {
        match session.step() {
            Step::Ask(Ask::AuthKeys { .. }) => {
                session.set_decoy(Decoy {
                    iterations: 9_999,
                    salt_length: 24,
                    ..Decoy::default()
                });
                session.decide(Answer::Keys(None));
            }
            Step::Ask(_) => session.decide(Answer::Proceed(None)),
            Step::Write(octets) => said = octets.to_vec(),
            Step::Read(_) => break,
            other => panic!("{other:?}"),
        }
    }
    let said = String::from_utf8(said).unwrap();
    let challenge = said.lines().find_map(|line| line.strip_prefix("334 "));
    let challenge = STANDARD.decode(challenge.unwrap()).unwrap();
    let challenge = String::from_utf8(challenge).unwrap();
    let fields: Vec<_> = challenge.split(',').collect();
    // 24 octets are 32 characters of base64.
    assert_eq!(fields[1].len(), "s=".len() + 32, "{challenge}");
    assert_eq!(fields[2], "i=9999");
}
