//! Conversations of a session with a client, and of a client with a server.

use std::sync::Arc;

use postgate_proto::address::{Charset, ForwardPath, ReversePath};
use postgate_proto::auth::{Mechanism, ScramKeys};
use postgate_proto::client::{
    Authentication, Client, ClientCredentials, ClientMechanism, ClientName, ClientStep, Nonce,
    Protocol, Request,
};
use postgate_proto::data::LineEndings;
use postgate_proto::header::HeaderBlock;
use postgate_proto::parameters::MailParameters;
use postgate_proto::relay::RelayDomains;
use postgate_proto::reply::Refusal;
use postgate_proto::session::{
    Answer, Ask, Auth, Channel, ClientTrust, Offers, OptionalQuestion, Profile, Reading,
    ScramLookup, Session, Settings, StartingTls, Step, Tls,
};

use super::reply_lines::assert_reply_lines;
use crate::dialog::HANDSHAKE;

/// Whatever a server sends, the client sends command lines only.
pub fn client(octets: &[u8]) {
    let (&choice, said) = octets.split_first().unwrap_or((&0, octets));
    let protocol = match choice & 1 {
        0 => Protocol::Smtp,
        _ => Protocol::Lmtp,
    };
    let name = ClientName::new("mx.example.org").expect("a name");
    let mut client = Client::new(protocol, name);
    let start_tls = (choice & 8 != 0).then_some(Request::StartTls);
    let auth = match choice >> 1 & 3 {
        0 => None,
        1 => Some(authentication(ClientMechanism::Login)),
        2 => Some(authentication(ClientMechanism::Plain)),
        _ => Some(authentication(ClientMechanism::ScramSha256)),
    };
    let mut requests = start_tls.into_iter().chain(auth).chain(requests());
    for piece in said.chunks(usize::from(choice >> 4) + 1) {
        client.receive(piece);
        loop {
            match client.step() {
                Ok(ClientStep::Answered(..)) => {}
                Ok(ClientStep::Idle) => {
                    if let Some(writer) = client.message() {
                        if writer.finish().is_err() {
                            return;
                        }
                    } else if let Some(request) = requests.next() {
                        client.request(request);
                    } else {
                        return;
                    }
                }
                Ok(ClientStep::Read) => break,
                Ok(ClientStep::StartTls) => client = client.encrypted(),
                Ok(ClientStep::Write(octets)) => assert!(octets.ends_with(b"\r\n")),
                Err(_) => return,
            }
        }
    }
}

fn authentication(mechanism: ClientMechanism) -> Request {
    let credentials = ClientCredentials::new("gate", "secret").expect("credentials");
    Request::Auth(Authentication {
        mechanism,
        credentials: Arc::new(credentials),
        nonce: Nonce([0; 18]),
    })
}

fn requests() -> [Request; 4] {
    let recipient = ForwardPath::parse("bob@example.org", Charset::Ascii).expect("an address");
    [
        Request::Mail(ReversePath::Null, MailParameters::default()),
        Request::Rcpt(recipient, Vec::new()),
        Request::Data,
        Request::Quit,
    ]
}

/// Questions and replies do not depend on how the input is cut, and all output is well-formed. TLS
/// handshakes are marked in the input as in dialogs.
pub fn session(octets: &[u8]) {
    let (&choice, sent) = octets.split_first().unwrap_or((&0, octets));
    let whole = converse(sent, usize::MAX, choice);
    assert_reply_lines(&whole.said);
    for size in [1, usize::from(choice % 16) + 2] {
        let cut = converse(sent, size, choice);
        if cut.has_early_tls {
            continue;
        }
        assert_eq!(cut.asked, whole.asked, "in pieces of {size}");
        let (said, expected) = (cut.said.escape_ascii(), whole.said.escape_ascii());
        assert_eq!(
            said.to_string(),
            expected.to_string(),
            "in pieces of {size}"
        );
        assert_eq!(cut.is_closed, whole.is_closed, "in pieces of {size}");
    }
}

/// The maximum number of octets that a session keeps while it reads: the longest line of AUTH.
const MOST_KEPT: usize = 12_288;

/// The result of a session.
#[derive(Default)]
struct Outcome {
    said: Vec<u8>,
    /// The questions, with the octets stored before them.
    asked: Vec<(Ask, Vec<u8>)>,
    is_closed: bool,
    /// True if octets have arrived after the reply to STARTTLS and before the handshake. A client that
    /// sends them in one piece with STARTTLS has made an error; these belong to its handshake.
    has_early_tls: bool,
}

/// What a session does after it has used its input.
enum Position {
    Closed,
    Reading(Reading),
    StartingTls(StartingTls),
}

fn converse(sent: &[u8], size: usize, choice: u8) -> Outcome {
    let session = Session::new(Arc::new(settings(choice)), offers(choice));
    let mut outcome = Outcome::default();
    let mut stored = Vec::new();
    let mut position = outcome.run(session, &mut stored, choice);
    for sent in parted(sent) {
        for piece in sent.chunks(size.min(sent.len().max(1))) {
            position = match position {
                Position::Reading(mut reading) => {
                    reading.buffer(piece.len()).extend_from_slice(piece);
                    outcome.run(reading.received(), &mut stored, choice)
                }
                Position::StartingTls(starting) => {
                    outcome.has_early_tls = true;
                    Position::StartingTls(starting)
                }
                Position::Closed => Position::Closed,
            };
        }
        position = match position {
            Position::StartingTls(starting) => {
                let encrypted = outcome.run(starting.encrypted(CHANNEL), &mut stored, choice);
                if let Position::Reading(mut reading) = encrypted {
                    let kept = reading.buffer(0);
                    assert!(kept.is_empty(), "octets from before TLS are there");
                    Position::Reading(reading)
                } else {
                    encrypted
                }
            }
            position => position,
        };
    }
    outcome.is_closed = matches!(position, Position::Closed);
    outcome
}

fn settings(choice: u8) -> Settings {
    Settings {
        hostname: "mx.example.org".to_owned(),
        auth: if choice & 1 == 0 {
            Auth::Off
        } else {
            Auth::Optional
        },
        auth_in_clear: !choice.is_multiple_of(5),
        mechanisms: Mechanism::ALL.to_vec(),
        tls_required: choice.is_multiple_of(5),
        max_errors: if choice & 2 == 0 { 0 } else { 10 },
        max_message_size: 1_000,
        max_recipients: 3,
        relay: RelayDomains::new(["example.org".to_owned()]),
        lenient_commands: choice & 4 == 0,
        line_endings: match choice >> 6 {
            0 => LineEndings::Strict,
            1 => LineEndings::Ensure,
            2 => LineEndings::EnsureLegacy,
            _ => LineEndings::Leave,
        },
        ..Settings::default()
    }
}

fn offers(choice: u8) -> Offers {
    let optional = [
        (OptionalQuestion::AuthKeys, true),
        (OptionalQuestion::Command, choice & 16 == 0),
        (OptionalQuestion::Expn, choice & 8 == 0),
    ];
    let questions = optional.into_iter().filter(|(_, is_asked)| *is_asked);
    Offers {
        questions: questions.map(|(question, _)| question).collect(),
        tls: match choice % 3 {
            0 => Tls::Off,
            1 => Tls::Offered,
            _ => Tls::Active(CHANNEL),
        },
        client: match choice & 32 {
            0 => ClientTrust::NamesClients,
            _ => ClientTrust::Ordinary,
        },
        ..Offers::default()
    }
}

/// Splits the input at TLS handshakes.
fn parted(sent: &[u8]) -> Vec<&[u8]> {
    let mut parts = Vec::new();
    let mut rest = sent;
    let find = |octets: &[u8]| {
        let mut windows = octets.windows(HANDSHAKE.len());
        windows.position(|window| window == HANDSHAKE)
    };
    while let Some(at) = find(rest) {
        parts.push(&rest[..at]);
        rest = &rest[at + HANDSHAKE.len()..];
    }
    parts.push(rest);
    parts
}

pub(super) const CHANNEL: Channel = Channel {
    exporter: Some([0x45; 32]),
    client_certificate: true,
};

/// The keys of a user.
pub(super) fn keys() -> ScramKeys {
    ScramKeys::new(vec![1; 16], 4_096, &[2; 32], &[3; 32]).expect("keys")
}

impl Outcome {
    /// Carries out steps until the session waits or ends.
    fn run(&mut self, mut session: Session, stored: &mut Vec<u8>, choice: u8) -> Position {
        let profile = Arc::new(Profile::default());
        loop {
            session = match session.step() {
                Step::Ask(ask, asking) => {
                    // The stored part of a refused message depends on how the input is cut.
                    match ask {
                        // So does how much of the body is stored with the header block.
                        Ask::Headers => {
                            let (block, _) = HeaderBlock::split(stored.clone());
                            self.asked.push((ask, block.given().to_vec()));
                        }
                        Ask::Message => self.asked.push((ask, stored.clone())),
                        _ => {
                            stored.clear();
                            self.asked.push((ask, Vec::new()));
                        }
                    }
                    // The answers do not depend on how the input is cut.
                    let answer = match (self.asked.len() + usize::from(choice)) % 7 {
                        5 => Answer::Keys(ScramLookup::Known(keys())),
                        6 => Answer::Reject(Refusal::TRY_LATER.into()),
                        _ => Answer::Authenticated,
                    };
                    asking.decide(answer, &profile)
                }
                Step::Close(_) => return Position::Closed,
                Step::Fault(faulted) => faulted.resume(),
                Step::Read(mut reading) => {
                    let kept = reading.buffer(0).len();
                    assert!(kept <= MOST_KEPT, "{kept} octets are kept");
                    return Position::Reading(reading);
                }
                Step::Reset(resetting) => resetting.done(),
                Step::StartTls(starting) => return Position::StartingTls(starting),
                Step::Store(storing) => {
                    stored.extend_from_slice(storing.octets());
                    storing.stored()
                }
                Step::Write(writing) => {
                    self.said.extend_from_slice(writing.octets());
                    writing.written()
                }
            };
        }
    }
}
