//! Plays dialogs against the protocol core, with a scripted policy and any cuts in the input.

use std::collections::VecDeque;
use std::sync::Arc;

use postgate_proto::parameters::Parameter;
use postgate_proto::reply::{Acceptance, Enhanced, Refusal, Reply};
use postgate_proto::session::{Answer, Ask, Ending, Helo, Session, Step};

use super::settings::settings;
use super::{Heard, Server};
use crate::dialog::{Dialog, ScriptedAnswer, ScriptedReply, Verdict};

/// A session of the core at the other end.
pub struct Core<Cuts> {
    session: Session,
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
        let (settings, offers) = settings(dialog, &dialog.settings);
        Self {
            session: Session::new(Arc::new(settings), offers),
            cuts,
            policy: Policy::default(),
            said: Vec::new(),
            message: Vec::new(),
            closed: false,
        }
    }

    /// Carries out steps until the session waits for the client.
    fn run(&mut self) {
        while !self.closed {
            match self.session.step() {
                Step::Ask(ask) => {
                    if matches!(ask, Ask::Mail { .. }) {
                        self.message.clear();
                    }
                    let answer = self.policy.answer(&ask);
                    self.session.decide(answer);
                }
                Step::Close(_) => self.closed = true,
                Step::Read(_) | Step::StartTls => return,
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
            self.session.receive(piece);
            self.run();
            rest = after;
        }
    }

    fn hang_up(&mut self) {
        self.session.hang_up(Ending::Closed);
    }

    fn wait(&mut self) {
        self.run();
        self.session.hang_up(Ending::Timeout);
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
        Some(std::mem::take(&mut self.policy.asked))
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
            format!(
                "auth {} {}",
                credentials.mechanism.name(),
                credentials.identity
            )
        }
        Ask::AuthKeys(identity) => format!("auth-keys {identity}"),
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
        Verdict::Proceed => Answer::Proceed(None),
        Verdict::Refuse(text) => Answer::Refuse(refusal(&text)),
    }
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
