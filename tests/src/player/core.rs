//! Plays dialogs against the protocol core, with a scripted policy and any cuts in the input.

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use postgate_proto::auth::ScramKeys;
use postgate_proto::parameters::Parameter;
use postgate_proto::reply::{Acceptance, Enhanced, Refusal, Reply};
use postgate_proto::session::{Answer, Ask, Channel, Ending, Helo, Session, Step, Tls};

use super::settings::{EXPORTER, settings};
use super::{Heard, Server};
use crate::dialog::{Action, Certificate, Dialog, Line, ScriptedAnswer, ScriptedReply, Verdict};

/// A session of the core at the other end.
pub struct Core<Cuts> {
    /// Always there, but while TLS begins.
    session: Option<Session>,
    awaits_tls: bool,
    cuts: Cuts,
    policy: Policy,
    said: Vec<u8>,
    message: Vec<u8>,
    closed: bool,
}

impl<Cuts: FnMut() -> usize> Core<Cuts> {
    /// A new session with the settings of a dialog. `cuts` gives the size of each next piece in
    /// which the client's octets arrive.
    pub fn new(dialog: &Dialog, cuts: Cuts) -> Self {
        let (settings, mut offers) = settings(dialog, &dialog.settings);
        offers.scram = dialog.lines.iter().any(is_about_keys);
        Self {
            session: Some(Session::new(Arc::new(settings), offers)),
            awaits_tls: matches!(offers.tls, Tls::Active(_)),
            cuts,
            policy: Policy::default(),
            said: Vec::new(),
            message: Vec::new(),
            closed: false,
        }
    }

    const fn session(&mut self) -> &mut Session {
        self.session.as_mut().expect(PRESENT)
    }

    /// Carries out steps until the session waits for the client.
    fn run(&mut self) {
        while !self.closed && !self.awaits_tls {
            let session = self.session.as_mut().expect(PRESENT);
            match session.step() {
                Step::Ask(ask) => {
                    if matches!(ask, Ask::Mail { .. }) {
                        self.message.clear();
                    }
                    let answer = self.policy.answer(&ask);
                    session.decide(answer);
                }
                Step::Close(_) => self.closed = true,
                Step::Read(_) => return,
                Step::StartTls => self.awaits_tls = true,
                Step::Reset => {}
                Step::Store(octets) => self.message.extend_from_slice(octets),
                Step::Write(octets) => self.said.extend_from_slice(octets),
            }
        }
    }
}

impl<Cuts: FnMut() -> usize> Server for Core<Cuts> {
    fn send(&mut self, octets: &[u8]) {
        self.run();
        let mut rest = octets;
        while !rest.is_empty() {
            let (piece, after) = rest.split_at((self.cuts)().clamp(1, rest.len()));
            self.session().receive(piece);
            self.run();
            rest = after;
        }
    }

    fn hang_up(&mut self) {
        self.session().hang_up(Ending::Closed);
    }

    fn begin_tls(&mut self, shows: Certificate) {
        self.run();
        assert!(mem::take(&mut self.awaits_tls), "the server expects no TLS");
        let session = self.session.take().expect(PRESENT);
        self.session = Some(session.encrypted(Channel {
            exporter: Some(EXPORTER),
            client_certificate: shows == Certificate::Client,
        }));
    }

    fn wait(&mut self) {
        self.run();
        self.session().hang_up(Ending::Timeout);
    }

    fn hear(&mut self) -> Heard {
        self.run();
        let Some(end) = self.said.iter().position(|octet| *octet == b'\n') else {
            assert!(
                self.said.is_empty(),
                "half a line was said: {}",
                self.said.escape_ascii()
            );
            return if self.closed {
                Heard::Close
            } else {
                Heard::Nothing
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
        Some(self.said.is_empty() && !self.closed)
    }

    fn asked(&mut self) -> Option<Vec<String>> {
        self.run();
        Some(mem::take(&mut self.policy.asked))
    }

    fn stored(&mut self) -> Option<Vec<u8>> {
        Some(self.message.clone())
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

const PRESENT: &str = "the session is there";

/// Whether a line is about the keys of a user, so that there is somebody who may have some.
fn is_about_keys(line: &Line) -> bool {
    matches!(&line.action, Action::Script(answer) if answer.question.starts_with("auth-keys"))
}

/// Answers from the script, and has no objection to anything else.
#[derive(Default)]
struct Policy {
    answers: VecDeque<ScriptedAnswer>,
    asked: Vec<String>,
}

impl Policy {
    fn answer(&mut self, ask: &Ask) -> Answer {
        let question = question(ask);
        let fits = |answer: &ScriptedAnswer| {
            let rest = question.strip_prefix(&answer.question);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
        };
        let scripted = self.answers.iter().position(fits);
        let scripted = scripted.and_then(|at| self.answers.remove(at));
        self.asked.push(question);
        scripted.map_or(Answer::Proceed(None), |scripted| answer(scripted.verdict))
    }
}

/// The question as a dialog writes it.
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
        Verdict::Disconnect(text) => Answer::Disconnect(refusal(&text)),
        Verdict::Keys(text) => Answer::Keys(Some(keys(&text))),
        Verdict::Proceed => Answer::Proceed(None),
        Verdict::Refuse(text) => Answer::Refuse(refusal(&text)),
    }
}

/// `iterations,salt,StoredKey,ServerKey`.
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

pub(super) fn reply(scripted: &ScriptedReply) -> Reply {
    let (enhanced, text) = match Enhanced::parse(&scripted.text) {
        Some((enhanced, text)) => (Some(enhanced), text),
        None => (None, scripted.text.as_str()),
    };
    let lines = text.split(" / ").filter(|line| !line.is_empty());
    let lines = lines.map(str::to_owned).collect();
    Reply::new(scripted.code, enhanced, lines).expect("a valid reply")
}
