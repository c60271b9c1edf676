//! What a legal command does, and what an answer of policy does: the only place that moves a session
//! from one state to the next.

use crate::command::Command;
use crate::fault::Fault;
use crate::parameters::Body;
use crate::reply::{Acceptance, Enhanced, Refusal, Reply};
use crate::session::auth::Failure;
use crate::session::check::Legal;
use crate::session::reception::Reception;
use crate::session::state::{Client, Envelope, Question, Stage, State};
use crate::session::texts::Texts;
use crate::session::{Answer, Ask, Auth, Ending, Helo, Session, Settings, Tls, is_own_keyword};
use crate::xclient::Xclient;

impl Session {
    /// Carries out a command that is legal in `stage`.
    pub(super) fn carry_out(&mut self, stage: Stage, legal: Legal<'_>) {
        match (legal, stage) {
            (Legal::Auth(mechanism, initial), Stage::Known(client)) => {
                self.begin_auth(client, mechanism, initial);
            }
            (Legal::Bdat { size, fault, .. }, stage) if fault.is_some() => {
                let fault = fault.unwrap_or(Fault::BadSequence);
                self.state = State::Swallowing(stage, size, fault);
            }
            (Legal::Bdat { size, last, .. }, Stage::Mail(client, _)) => {
                let mut reception = Reception::of_chunks();
                reception.begin_chunk(size, last);
                self.state = State::Receiving(client, reception);
            }
            (Legal::Bdat { size, last, .. }, Stage::Chunks(client, mut reception)) => {
                reception.begin_chunk(size, last);
                self.state = State::Receiving(client, reception);
            }
            (Legal::Data, Stage::Mail(client, envelope)) => {
                self.ask(Ask::Data, Question::Data(client, envelope));
            }
            (Legal::Expn(list), stage) => self.ask(Ask::Expn(list.into()), Question::Expn(stage)),
            (Legal::Helo(kind, name), _) => {
                self.limit = None;
                let name = name.into();
                self.ask(Ask::Helo { kind, name }, Question::Helo(Client { kind }));
            }
            (Legal::Help(topic), stage) => {
                self.ask(Ask::Help(topic.into()), Question::Help(stage));
            }
            (Legal::Mail(sender, parameters), Stage::Known(client)) => {
                let envelope = Envelope {
                    smtputf8: parameters.smtputf8,
                    binary: parameters.body == Some(Body::BinaryMime),
                    recipients: 0,
                };
                self.ask(
                    Ask::Mail { sender, parameters },
                    Question::Mail(client, envelope),
                );
            }
            (Legal::Noop, stage) => self.answer(&OK, stage),
            (Legal::Quit, _) => {
                self.say(&BYE);
                self.state = State::Closing(Ending::Quit);
            }
            (Legal::Rcpt(recipient, parameters), Stage::Mail(client, envelope)) => {
                let ask = Ask::Rcpt {
                    recipient,
                    parameters,
                };
                self.ask(ask, Question::Rcpt(client, envelope));
            }
            (Legal::Rset, Stage::Chunks(client, _) | Stage::Mail(client, _)) => {
                self.say(&OK);
                self.state = State::Resetting(Stage::Known(client));
            }
            (Legal::Rset, stage) => self.answer(&OK, stage),
            (Legal::StartTls, stage) => self.ask(Ask::StartTls, Question::StartTls(stage)),
            (Legal::Vrfy(user), stage) => self.ask(Ask::Vrfy(user.into()), Question::Vrfy(stage)),
            (Legal::Xclient(xclient), _) => self.ask(Ask::Xclient(xclient), Question::Xclient),
            // What is checked as legal in one stage is carried out in that stage.
            (
                Legal::Auth(..)
                | Legal::Bdat { .. }
                | Legal::Data
                | Legal::Mail(..)
                | Legal::Rcpt(..),
                stage,
            ) => self.object(State::Commands(stage), Fault::BadSequence),
        }
    }

    /// Goes on with the answer to a question.
    pub(super) fn proceed(&mut self, question: Question, answer: Answer) {
        let is_authenticated = answer == Answer::Authenticated;
        let (keys, reply) = match answer {
            Answer::Authenticated => (None, None),
            Answer::Disconnect(refusal) => return self.disconnect(&refusal),
            Answer::Keys(keys) => (keys, None),
            Answer::Proceed(reply) => (None, reply),
            Answer::Refuse(refusal) if refusal.closes() => return self.disconnect(&refusal),
            Answer::Refuse(refusal) => return self.refused(question, refusal),
        };
        match question {
            Question::Auth(client, _) if is_authenticated => self.authenticated(client),
            Question::Auth(client, mechanism) => {
                self.auth_failed(client, mechanism, Failure::Fault(Fault::AuthRejected));
            }
            Question::AuthKeys(client, waiting) => self.keys(client, waiting, keys),
            Question::Command(stage, line) => self.after_filter(stage, line, reply),
            Question::Connect => {
                self.banner();
                self.state = State::Commands(Stage::Stranger);
            }
            Question::Data(client, _) => {
                self.say(&GO_AHEAD);
                let reception = Reception::of_data(self.settings.line_endings);
                self.state = State::Receiving(client, reception);
            }
            Question::Expn(stage) => match reply {
                Some(acceptance) => self.answer(acceptance.reply(), stage),
                None => self.object(State::Commands(stage), Fault::NotImplemented),
            },
            Question::Help(stage) => {
                self.accept(reply, &HELP);
                self.state = State::Commands(stage);
            }
            Question::Headers(client, reception) => {
                self.state = State::Receiving(client, reception);
            }
            Question::Helo(client) => {
                self.greeting(client.kind);
                self.state = State::Commands(Stage::Known(client));
            }
            Question::Mail(client, envelope) => {
                self.accept(reply, &SENDER_OK);
                self.state = State::Commands(Stage::Mail(client, envelope));
            }
            Question::Message(client) => {
                self.counters.messages = self.counters.messages.saturating_add(1);
                self.accept(reply, &TAKEN);
                self.state = State::Commands(Stage::Known(client));
            }
            Question::Rcpt(client, mut envelope) => {
                envelope.recipients = envelope.recipients.saturating_add(1);
                self.accept(reply, &RECIPIENT_OK);
                self.state = State::Commands(Stage::Mail(client, envelope));
            }
            Question::StartTls(stage) => {
                self.say(&READY_FOR_TLS);
                let forgets = matches!(stage, Stage::Chunks(..) | Stage::Mail(..));
                self.state = State::StartingTls { forgets };
            }
            Question::Vrfy(stage) => {
                self.accept(reply, &CANNOT_VERIFY);
                self.state = State::Commands(stage);
            }
            // The session begins anew, on behalf of another client.
            Question::Xclient => {
                self.authenticated = is_authenticated;
                self.texts = Texts::default();
                self.limit = None;
                self.ask(Ask::Connect, Question::Connect);
            }
        }
    }

    /// The filter of commands has no objection to a line, or has answered one that nobody knows.
    fn after_filter(
        &mut self,
        stage: Stage,
        line: Result<Vec<u8>, Fault>,
        reply: Option<Acceptance>,
    ) {
        match (line, reply) {
            (Ok(line), _) => self.carry_out_line(stage, &line),
            (Err(_), Some(acceptance)) => self.answer(acceptance.reply(), stage),
            (Err(fault), None) => self.object(State::Commands(stage), fault),
        }
    }

    fn refused(&mut self, question: Question, refusal: Refusal) {
        let stage = match question {
            Question::Auth(client, mechanism) => {
                return self.auth_failed(client, mechanism, Failure::Refusal(refusal));
            }
            // Nobody can say which answer would be right.
            Question::AuthKeys(client, _) => return self.auth_refused(client, &refusal),
            // A client may always leave, and forget what it has begun (RFC 5321 §4.1.1.5, §4.1.1.10).
            Question::Command(stage, Ok(line)) if is_always_carried_out(&line) => {
                return self.carry_out_line(stage, &line);
            }
            Question::Command(stage, _)
            | Question::Expn(stage)
            | Question::Help(stage)
            | Question::StartTls(stage)
            | Question::Vrfy(stage) => stage,
            Question::Connect | Question::Xclient => Stage::Refused,
            Question::Data(client, envelope) | Question::Rcpt(client, envelope) => {
                Stage::Mail(client, envelope)
            }
            // Not a word before the client has sent all of its message.
            Question::Headers(client, mut reception) => {
                reception.refuse(refusal);
                return self.state = State::Receiving(client, reception);
            }
            Question::Helo(_) => Stage::Stranger,
            Question::Mail(client, _) | Question::Message(client) => Stage::Known(client),
        };
        self.answer(refusal.reply(), stage);
        self.end_at_too_many_errors();
    }

    /// Ends the session with this reply; at once, also while a message is received.
    pub fn disconnect(&mut self, refusal: &Refusal) {
        self.say(refusal.reply());
        self.state = State::Closing(Ending::Disconnected);
    }

    pub(super) fn answer(&mut self, reply: &Reply, stage: Stage) {
        self.say(reply);
        self.state = State::Commands(stage);
    }

    fn accept(&mut self, reply: Option<Acceptance>, usual: &Reply) {
        match reply {
            Some(acceptance) => self.say(acceptance.reply()),
            None => self.say(usual),
        }
    }

    /// RFC 5321 §4.2: host name first, then the text.
    fn banner(&mut self) {
        let text = self
            .texts
            .banner
            .as_deref()
            .unwrap_or(&self.settings.banner);
        let line = format!("{} {text}", self.settings.hostname);
        self.say_plain(220, vec![line]);
    }

    /// RFC 5321 §4.1.1.1, with the keywords of the extensions.
    fn greeting(&mut self, kind: Helo) {
        let text = self.texts.greeting.as_deref().unwrap_or(Settings::GREETING);
        let mut lines = vec![format!("{} {text}", self.settings.hostname)];
        if kind == Helo::Ehlo {
            lines.extend(self.keywords());
        }
        self.say_plain(250, lines);
    }

    fn keywords(&self) -> Vec<String> {
        if let Some(only) = &self.settings.only_keywords {
            return only.clone();
        }
        let settings = &self.settings;
        let mechanisms = self.mechanisms();
        let extensions = self.extensions();
        let size = match settings.max_message_size {
            // RFC 1870 §3: no fixed limit.
            u32::MAX => 0,
            size => size,
        };
        let offered = [
            (extensions.pipelining, "PIPELINING".into()),
            (true, format!("SIZE {size}")),
            (extensions.eight_bit_mime, "8BITMIME".into()),
            (extensions.smtputf8, "SMTPUTF8".into()),
            (true, "ENHANCEDSTATUSCODES".into()),
            (extensions.chunking, "CHUNKING".into()),
            (
                extensions.chunking && extensions.binarymime,
                "BINARYMIME".into(),
            ),
            (extensions.dsn, "DSN".into()),
            (self.offers.tls == Tls::Offered, "STARTTLS".into()),
            (extensions.requiretls, "REQUIRETLS".into()),
            // RFC 9422 §4.
            (
                settings.max_recipients > 0,
                format!("LIMITS RCPTMAX={}", settings.max_recipients),
            ),
            (
                settings.auth != Auth::Off && !self.authenticated && !mechanisms.is_empty(),
                format!("AUTH {mechanisms}"),
            ),
            (self.offers.xclient, Xclient::KEYWORD.into()),
            (extensions.vrfy, "VRFY".into()),
            (self.offers.expn, "EXPN".into()),
            (true, "HELP".into()),
        ];
        let mut keywords: Vec<_> = offered
            .into_iter()
            .filter_map(|(is_offered, keyword)| is_offered.then_some(keyword))
            .collect();
        let of_policy = self.texts.keywords.iter().map(|keyword| &**keyword);
        let of_settings = settings.more_keywords.iter().map(String::as_str);
        let added = of_settings.chain(of_policy);
        for added in added.filter(|keyword| !is_own_keyword(keyword)) {
            let name = |keyword: &str| keyword.split(' ').next().map(str::to_ascii_uppercase);
            if !keywords.iter().any(|keyword| name(keyword) == name(added)) {
                keywords.push(added.into());
            }
        }
        keywords
    }

    fn say_plain(&mut self, code: u16, lines: Vec<String>) {
        // The codes are this module's own, and both are reply codes.
        if let Ok(reply) = Reply::plain(code, lines) {
            self.say(&reply);
        }
    }
}

fn is_always_carried_out(line: &[u8]) -> bool {
    matches!(Command::parse(line), Ok(Command::Quit | Command::Rset))
}

const OK: Reply = Reply::fixed(250, Enhanced::new(2, 0, 0), "Ok");
const BYE: Reply = Reply::fixed(221, Enhanced::new(2, 0, 0), "Bye");
const HELP: Reply = Reply::fixed(
    214,
    Enhanced::new(2, 0, 0),
    "EHLO HELO MAIL RCPT DATA BDAT RSET NOOP QUIT VRFY HELP, see RFC 5321",
);
const CANNOT_VERIFY: Reply = Reply::fixed(
    252,
    Enhanced::new(2, 5, 0),
    "Cannot verify, but will try to deliver",
);
const SENDER_OK: Reply = Reply::fixed(250, Enhanced::new(2, 1, 0), "Ok");
const RECIPIENT_OK: Reply = Reply::fixed(250, Enhanced::new(2, 1, 5), "Ok");
const TAKEN: Reply = Reply::fixed(250, Enhanced::new(2, 0, 0), "Message accepted");
const READY_FOR_TLS: Reply = Reply::fixed(220, Enhanced::new(2, 0, 0), "Ready to start TLS");
const GO_AHEAD: Reply = Reply::go_ahead("End data with <CRLF>.<CRLF>");
