//! AUTH exchanges.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use postgate_proto::auth::{Credentials, Decoy, Mechanism, Proof};
use postgate_proto::session::{
    Answer, Ask, Auth, Offers, OptionalQuestion, ScramLookup, Session, Settings, Step, Tls,
};

use super::conversation::{CHANNEL, keys};
use super::reply_lines::assert_reply_lines;

/// Whatever a client responds, identities hold no control characters, no client is authenticated
/// without the answer of policy, and SCRAM never verifies without the password.
pub fn sasl(octets: &[u8]) {
    let (&choice, responses) = octets.split_first().unwrap_or((&0, octets));
    let mechanism = Mechanism::ALL[usize::from(choice) % Mechanism::ALL.len()];
    let mut sent = format!("EHLO c\r\nAUTH {mechanism}\r\n");
    for response in responses.split(|octet| *octet == b'\n') {
        sent.push_str(&STANDARD.encode(response));
        sent.push_str("\r\n");
    }
    let settings = Settings {
        auth: Auth::Optional,
        max_errors: 0,
        mechanisms: Mechanism::ALL.to_vec(),
        ..Settings::default()
    };
    let offers = Offers {
        questions: [OptionalQuestion::AuthKeys].into_iter().collect(),
        tls: Tls::Active(CHANNEL),
        ..Offers::default()
    };
    let mut session = Session::new(Arc::new(settings), offers);
    session.receive(sent.as_bytes());
    let said = run(session, choice);
    assert_reply_lines(&said);
    let is_authenticated = said.windows(6).any(|window| window == b"\r\n235 ");
    assert!(!is_authenticated, "nobody has said so");
}

fn run(mut session: Session, choice: u8) -> Vec<u8> {
    let mut said = Vec::new();
    let profile = Arc::default();
    loop {
        session = match session.step() {
            Step::Ask(ask, asking) => asking.decide(answer(&ask, choice), &profile),
            Step::Close(_) | Step::Read(_) | Step::StartTls(_) => return said,
            Step::Fault(faulted) => faulted.resume(),
            Step::Reset(resetting) => resetting.done(),
            Step::Store(storing) => storing.stored(),
            Step::Write(writing) => {
                said.extend_from_slice(writing.octets());
                writing.written()
            }
        };
    }
}

fn answer(ask: &Ask, choice: u8) -> Answer {
    match ask {
        Ask::Auth(credentials) => {
            check(credentials);
            Answer::Proceed(None)
        }
        Ask::AuthKeys { identity, .. } => {
            assert!(!identity.contains(char::is_control), "{identity:?}");
            Answer::Keys(match choice & 64 {
                0 => ScramLookup::Known(keys()),
                _ => ScramLookup::Unknown(Decoy::default()),
            })
        }
        _ => Answer::Proceed(None),
    }
}

fn check(credentials: &Credentials) {
    for text in [&credentials.identity, &credentials.act_as] {
        assert!(!text.contains(char::is_control), "{text:?}");
    }
    match &credentials.proof {
        Proof::Certificate => assert_eq!(credentials.mechanism, Mechanism::External),
        Proof::Password(password) => assert!(!password.contains('\0')),
        Proof::Response { digest, .. } => assert_eq!(digest.len(), 32),
        Proof::Token(token) => assert!(token.bytes().all(|octet| octet.is_ascii_graphic())),
        Proof::Verified => panic!("somebody has found the password"),
    }
}
