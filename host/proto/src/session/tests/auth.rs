//! AUTH mechanisms, EHLO keywords and SCRAM keys.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;
use crate::auth::{Decoy, KeyShape, Mechanism};

/// The replies to this input. Policy limits the mechanisms at the first HELO, and accepts all
/// credentials.
fn talked(input: &[u8], limit: &[Mechanism]) -> String {
    let settings = Settings {
        auth: Auth::Optional,
        ..Settings::default()
    };
    let offers = Offers {
        tls: Tls::Active(Channel::default()),
        ..Offers::default()
    };
    let (mut driver, mut greetings) = (Driver::default(), 0);
    let last = driver.run(session_with(settings, offers, input), |ask, profile| {
        if let Ask::Helo { .. } = ask {
            profile.lift_mechanism_limit();
            greetings += 1;
            if greetings == 1 {
                profile.limit_mechanisms(limit);
            }
        }
        Answer::Authenticated
    });
    assert!(matches!(last, Step::Read(_)), "{last:?}");
    driver.written().to_owned()
}

fn listed(said: &str) -> Vec<&str> {
    let lines = said.lines();
    lines
        .filter_map(|line| line.strip_prefix("250-AUTH "))
        .collect()
}

#[test]
fn policy_limits_what_is_listed_until_the_next_greeting() {
    use Mechanism::{CramMd5, Login, Plain, ScramSha256};
    let table: [(&[Mechanism], &[&str]); 4] = [
        (&[Plain, ScramSha256], &["PLAIN", "PLAIN LOGIN"]),
        (&[Login, Plain], &["PLAIN LOGIN", "PLAIN LOGIN"]),
        (&[CramMd5], &["PLAIN LOGIN"]),
        (&[], &["PLAIN LOGIN"]),
    ];
    for (limit, expected) in table {
        let said = talked(b"EHLO c\r\nEHLO c\r\n", limit);
        assert_eq!(listed(&said), expected, "{limit:?}");
    }
}

#[test]
fn what_policy_has_taken_out_is_not_taken() {
    let said = talked(
        b"EHLO c\r\nAUTH LOGIN\r\nAUTH PLAIN\r\n",
        &[Mechanism::Plain],
    );
    let last: Vec<_> = said.lines().rev().take(2).collect();
    assert!(last[1].starts_with("504 5.5.4"), "{said}");
    assert_eq!(last[0], "334 ");
}

/// Even if the extension is not available, as most of these without TLS and AUTH.
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
    let mut driver = Driver::default();
    let profile = Arc::make_mut(&mut driver.profile);
    for keyword in own.iter().chain(&["AUTHOR"]) {
        profile.add_ehlo_keyword(keyword);
    }
    let session = session_with(settings, Offers::default(), b"EHLO c\r\n");
    _ = driver.run(session, accept_all);
    let said = driver.written();
    let listed: Vec<_> = said.lines().skip(2).map(|line| &line[4..]).collect();
    assert_eq!(
        listed.join(" "),
        "PIPELINING SIZE 26214400 8BITMIME SMTPUTF8 ENHANCEDSTATUSCODES CHUNKING BINARYMIME DSN VRFY HELP AUTHOR"
    );
    // All keywords of the session are its own.
    assert!(listed[..10].iter().all(|line| is_own_keyword(line)));
}

#[test]
fn unknown_users_look_like_users() {
    let settings = Settings {
        auth: Auth::Optional,
        auth_in_clear: true,
        ..Settings::default()
    };
    let decoy = Decoy {
        shape: KeyShape::new(24, 9_999).unwrap(),
        ..Decoy::default()
    };
    let mut driver = Driver::default();
    // "n,,n=eve,r=abc"
    let input = b"EHLO c\r\nAUTH SCRAM-SHA-256 biwsbj1ldmUscj1hYmM=\r\n";
    let session = session_with(settings, with_scram(), input);
    _ = driver.run(session, |ask, _| match ask {
        Ask::AuthKeys { .. } => Answer::Keys(ScramLookup::Unknown(decoy)),
        _ => Answer::Proceed(None),
    });
    let said = driver.written();
    let challenge = said.lines().find_map(|line| line.strip_prefix("334 "));
    let challenge = STANDARD.decode(challenge.unwrap()).unwrap();
    let challenge = String::from_utf8(challenge).unwrap();
    let fields: Vec<_> = challenge.split(',').collect();
    // 24 octets are 32 characters of base64.
    assert_eq!(fields[1].len(), "s=".len() + 32, "{challenge}");
    assert_eq!(fields[2], "i=9999");
}

/// Otherwise the reply would reveal which users exist.
#[test]
fn keys_that_were_not_looked_up_are_a_temporary_failure() {
    for answer in [Answer::Proceed(None), Answer::Authenticated] {
        let settings = Settings {
            auth: Auth::Optional,
            auth_in_clear: true,
            ..Settings::default()
        };
        let input = b"EHLO c\r\nAUTH SCRAM-SHA-256 biwsbj1ldmUscj1hYmM=\r\n";
        let session = session_with(settings, with_scram(), input);
        let mut driver = Driver::default();
        _ = driver.run(session, |_, _| answer.clone());
        let last = driver.written().lines().last();
        assert_eq!(last, Some("454 4.7.0 Temporary authentication failure"));
        assert_eq!(driver.faults, [Fault::AuthRejected]);
    }
}

fn with_scram() -> Offers {
    Offers {
        questions: [OptionalQuestion::AuthKeys].into_iter().collect(),
        ..Offers::default()
    }
}
