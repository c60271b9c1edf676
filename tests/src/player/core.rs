//! Plays dialogs against the protocol core, with a scripted policy and input cut into pieces.

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use postgate_proto::auth::{Decoy, ScramKeys};
use postgate_proto::header::HeaderBlock;
use postgate_proto::parameters::Parameter;
use postgate_proto::reply::{Acceptance, Refusal};
use postgate_proto::session::{
    Answer, Ask, Channel, Ending, Helo, Offers, OptionalQuestion, Profile, Reading, Rejection,
    ScramLookup, Session, Settings, StartingTls, Step, Tls,
};

use super::reply::reply;
use super::settings::{EXPORTER, settings};
use crate::dialog::play::{Heard, Server};
use crate::dialog::{Certificate, Dialog, ScriptedAnswer, ScriptedReply, Verdict};

/// A session of the protocol core as the server of a dialog.
pub struct Core<Cuts> {
    position: Position,
    cuts: Cuts,
    policy: Policy,
    said: Vec<u8>,
    message: Vec<u8>,
}

/// What the session does when it is the client's turn.
enum Position {
    Closed,
    /// The session has not been stepped since it was created or changed.
    Ready(Session),
    Reading(Reading),
    StartingTls(StartingTls),
    /// The session begins with the handshake.
    ImplicitTls(Arc<Settings>, Offers),
}

impl<Cuts: FnMut() -> usize> Core<Cuts> {
    /// A new session with the settings of a dialog. `cuts` returns the size of the next piece in which
    /// the client's octets arrive.
    pub fn new(dialog: &Dialog, cuts: Cuts) -> Self {
        let (settings, mut offers) = settings(dialog, &dialog.settings);
        for answer in dialog.script() {
            match answer.event() {
                "auth-keys" => offers.questions.insert(OptionalQuestion::AuthKeys),
                "command" => offers.questions.insert(OptionalQuestion::Command),
                _ => {}
            }
        }
        let settings = Arc::new(settings);
        Self {
            position: match offers.tls {
                Tls::Active(_) => Position::ImplicitTls(settings, offers),
                Tls::Off | Tls::Offered => Position::Ready(Session::new(settings, offers)),
            },
            cuts,
            policy: Policy::default(),
            said: Vec::new(),
            message: Vec::new(),
        }
    }

    /// Carries out steps until the session waits for the client.
    fn run(&mut self) {
        self.position = match self.take_position() {
            Position::Ready(session) => self.run_session(session),
            position => position,
        };
    }

    fn run_session(&mut self, mut session: Session) -> Position {
        loop {
            session = match session.step() {
                Step::Ask(ask, asking) => {
                    if let Ask::Mail { .. } = ask {
                        self.message.clear();
                    }
                    let answer = self.policy.answer(&ask);
                    asking.decide(answer, &self.policy.profile)
                }
                Step::Close(_) => return Position::Closed,
                Step::Fault(faulted) => faulted.resume(),
                Step::Read(reading) => return Position::Reading(reading),
                Step::Reset(resetting) => resetting.done(),
                Step::StartTls(starting) => return Position::StartingTls(starting),
                Step::Store(storing) => {
                    self.message.extend_from_slice(storing.octets());
                    storing.stored()
                }
                Step::Write(writing) => {
                    self.said.extend_from_slice(writing.octets());
                    writing.written()
                }
            };
        }
    }

    /// Ends the session while it waits for the client.
    fn end(&mut self, ending: Ending) {
        self.run();
        self.position = match self.take_position() {
            Position::Reading(reading) => Position::Ready(reading.hang_up(ending)),
            Position::Ready(session) => Position::Ready(session.hang_up(ending)),
            Position::Closed | Position::ImplicitTls(..) | Position::StartingTls(_) => {
                Position::Closed
            }
        };
    }

    const fn take_position(&mut self) -> Position {
        mem::replace(&mut self.position, Position::Closed)
    }
}

impl<Cuts: FnMut() -> usize> Server for Core<Cuts> {
    fn send(&mut self, octets: &[u8]) {
        let mut rest = octets;
        while !rest.is_empty() {
            self.run();
            let (piece, after) = rest.split_at((self.cuts)().clamp(1, rest.len()));
            self.position = match self.take_position() {
                Position::Reading(mut reading) => {
                    reading.buffer(piece.len()).extend_from_slice(piece);
                    Position::Ready(reading.received())
                }
                // A closed session reads nothing, and neither does one that waits for a handshake.
                position => position,
            };
            rest = after;
        }
        self.run();
    }

    fn hang_up(&mut self) {
        self.end(Ending::Closed);
    }

    fn begin_tls(&mut self, shows: Certificate) {
        self.run();
        let channel = Channel {
            exporter: Some(EXPORTER),
            client_certificate: shows == Certificate::Client,
        };
        self.position = Position::Ready(match self.take_position() {
            Position::ImplicitTls(settings, offers) => {
                let tls = Tls::Active(channel);
                Session::new(settings, Offers { tls, ..offers })
            }
            Position::StartingTls(starting) => starting.encrypted(channel),
            Position::Closed | Position::Reading(_) | Position::Ready(_) => {
                panic!("the server does not expect TLS")
            }
        });
    }

    fn wait(&mut self) {
        self.end(Ending::Timeout);
    }

    fn hear(&mut self) -> Heard {
        self.run();
        let Some(end) = self.said.iter().position(|octet| *octet == b'\n') else {
            assert!(
                self.said.is_empty(),
                "half a line was said: {}",
                self.said.escape_ascii()
            );
            return match self.position {
                Position::Closed => Heard::Close,
                _ => Heard::Nothing,
            };
        };
        let line: Vec<_> = self.said.drain(..=end).collect();
        let text = line.strip_suffix(b"\r\n").expect("replies end in CRLF");
        Heard::Line(String::from_utf8_lossy(text).into_owned())
    }

    fn script(&mut self, answer: &ScriptedAnswer) {
        self.policy.answers.push_back(answer.clone());
    }

    fn is_quiet(&mut self) -> Option<bool> {
        self.run();
        Some(self.said.is_empty() && !matches!(self.position, Position::Closed))
    }

    fn asked(&mut self) -> Option<Vec<String>> {
        self.run();
        Some(mem::take(&mut self.policy.asked))
    }

    fn stored(&mut self) -> Option<Vec<u8>> {
        let (block, body) = HeaderBlock::split(self.message.clone());
        let mut message = Vec::new();
        block.render(&mut message);
        message.extend_from_slice(&body);
        Some(message)
    }

    fn leftovers(&mut self) -> Option<String> {
        self.run();
        if !self.said.is_empty() {
            return Some(self.said.escape_ascii().to_string());
        }
        let unused = self.policy.answers.front()?;
        Some(format!("nobody asked \"{}\"", unused.question))
    }
}

/// Answers from the script, and accepts everything else.
#[derive(Default)]
struct Policy {
    profile: Arc<Profile>,
    answers: VecDeque<ScriptedAnswer>,
    asked: Vec<String>,
}

impl Policy {
    fn answer(&mut self, ask: &Ask) -> Answer {
        match ask {
            Ask::Helo { .. } => Arc::make_mut(&mut self.profile).lift_mechanism_limit(),
            Ask::Xclient(_) => self.profile = Arc::default(),
            _ => {}
        }
        let question = question(ask);
        let fits = |answer: &ScriptedAnswer| {
            let rest = question.strip_prefix(&answer.question);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
        };
        let scripted = self.answers.iter().position(fits);
        let scripted = scripted.and_then(|at| self.answers.remove(at));
        self.asked.push(question);
        match (scripted, ask) {
            (Some(scripted), _) => answer(scripted.verdict),
            (None, Ask::AuthKeys { .. }) => Answer::Keys(ScramLookup::Unknown(Decoy::default())),
            (None, _) => Answer::Proceed(None),
        }
    }
}

/// Formats a question as in a dialog.
fn question(ask: &Ask) -> String {
    match ask {
        Ask::Auth(credentials) => {
            let identity = &credentials.identity;
            let acts = match credentials.act_as.as_str() {
                "" => String::new(),
                role => format!(" as {role}"),
            };
            format!("auth {} {identity}{acts}", credentials.mechanism)
                .trim_end()
                .to_owned()
        }
        Ask::AuthKeys { identity, .. } => format!("auth-keys {identity}"),
        Ask::AuthUnproven { identity, .. } => format!("auth-unproven {identity}"),
        Ask::Command { verb, argument, .. } => format!("command {verb} {argument}"),
        Ask::Connect => "connect".to_owned(),
        Ask::Expn(list) => format!("expn {list}"),
        Ask::Data => "data".to_owned(),
        Ask::Headers => "headers".to_owned(),
        Ask::Helo { kind, name } => match kind {
            Helo::Ehlo => format!("helo EHLO {name}"),
            Helo::Helo => format!("helo HELO {name}"),
        },
        Ask::Help(topic) => format!("help {topic}").trim_end().to_owned(),
        Ask::Mail { sender, parameters } => format!("mail {sender}{}", shown(&parameters.all)),
        Ask::Message => "message".to_owned(),
        Ask::Rcpt {
            recipient,
            parameters,
        } => format!("rcpt {recipient}{}", shown(parameters)),
        Ask::StartTls => "starttls".to_owned(),
        Ask::Vrfy(user) => format!("vrfy {user}"),
        Ask::Xclient(_) => "xclient".to_owned(),
    }
}

fn shown(parameters: &[Parameter]) -> String {
    let shown = parameters.iter().map(|parameter| match &*parameter.value {
        "" => format!(" {}", parameter.name),
        value => format!(" {}={value}", parameter.name),
    });
    shown.collect()
}

fn answer(verdict: Verdict) -> Answer {
    match verdict {
        Verdict::Accept(text) => {
            let accepted = Acceptance::new(reply(&text)).expect("an accepting code");
            Answer::Proceed(Some(accepted))
        }
        Verdict::Authenticated => Answer::Authenticated,
        Verdict::Defer(_) | Verdict::Discard(_) | Verdict::Edit(..) | Verdict::Quarantine(_) => {
            panic!("{verdict:?} is for a plugin to say")
        }
        Verdict::Disconnect(text) => Answer::Reject(Rejection::Disconnect(refusal(&text))),
        Verdict::Keys(text) => Answer::Keys(ScramLookup::Known(keys(&text))),
        Verdict::Proceed => Answer::Proceed(None),
        Verdict::Refuse(text) => Answer::Reject(refusal(&text).into()),
    }
}

/// Parses `iterations,salt,StoredKey,ServerKey`.
fn keys(text: &str) -> ScramKeys {
    let parts: Vec<_> = text.split(',').collect();
    let [iterations, salt, stored, server] = parts.as_slice() else {
        panic!("{text:?} are no keys");
    };
    let octets = |text| STANDARD.decode(text).expect("base64");
    let iterations = iterations.parse().expect("a number");
    ScramKeys::new(octets(salt), iterations, &octets(stored), &octets(server)).expect("keys")
}

fn refusal(text: &ScriptedReply) -> Refusal {
    Refusal::new(reply(text)).expect("a refusing code")
}
