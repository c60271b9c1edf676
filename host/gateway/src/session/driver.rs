//! The driver of one session: moves octets between a socket and the session, keeps the time, and
//! brings questions to the desk.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use postgate_proto::reply::Refusal;
use postgate_proto::session::{Answer, Ending, Offers, Session, Settings, Step, Wait};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};
use tracing::debug;

use crate::session::handler::Desk;
use crate::session::stream::Stream;
use crate::shutdown::{self, Phase, reached};
use crate::tls::ListenerTls;
use postgate_runtime::verdict::TextEdit;

/// A connection and the session that runs over it.
pub(crate) struct Connection {
    stream: Stream,
    /// What encrypts it where the client asks for that; nothing where it is not offered.
    tls: Option<Arc<ListenerTls>>,
    session: Session,
    settings: Arc<Settings>,
    desk: Desk,
    manners: Manners,
    phase: watch::Receiver<Phase>,
    deadline: Option<(Wait, Instant)>,
    /// Errors of the client that were seen so far.
    errors: u32,
}

/// How a client is treated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manners {
    /// How long it may take to read a reply.
    pub(crate) write_timeout: Duration,
    /// How long it waits after the reply to an error.
    pub(crate) tarpit: Duration,
    /// After how many errors that begins; 0 for never.
    pub(crate) tarpit_after: u32,
}

/// Why a conversation does not go on as it was.
enum Turn {
    /// It is over.
    Over(Ending),
    /// It is to be encrypted.
    StartTls,
}

/// What came of waiting for the client.
enum Waited {
    Closed,
    Received,
    Stopping,
    TimedOut,
}

impl Connection {
    pub(crate) fn new(
        stream: Stream,
        tls: Option<Arc<ListenerTls>>,
        settings: Arc<Settings>,
        offers: Offers,
        desk: Desk,
        manners: Manners,
        phase: watch::Receiver<Phase>,
    ) -> Self {
        Self {
            stream,
            tls,
            session: Session::new(Arc::clone(&settings), offers),
            settings,
            desk,
            manners,
            phase,
            deadline: None,
            errors: 0,
        }
    }

    /// Takes octets that came before the session.
    pub(crate) fn receive(&mut self, octets: &[u8]) {
        self.session.receive(octets);
    }

    /// Runs the session to its end.
    pub(crate) async fn run(mut self) -> Ending {
        loop {
            let ending = match self.converse().await {
                Ok(Turn::Over(ending)) => ending,
                Ok(Turn::StartTls) => match self.encrypt().await {
                    Ok(encrypted) => {
                        self = encrypted;
                        continue;
                    }
                    Err(ending) => return ending,
                },
                Err(error) => {
                    debug!(%error, "connection broke");
                    Ending::Closed
                }
            };
            return self.finish(ending).await;
        }
    }

    /// Encrypts the connection, and begins the session anew: nothing of what came in clear and was
    /// not carried out is left. Where it fails, the connection is gone.
    async fn encrypt(mut self) -> Result<Self, Ending> {
        let accepted = match (self.stream, &self.tls) {
            (Stream::Plain(stream), Some(tls)) => tls.accept(stream, &[], &mut self.phase).await,
            // The session asks for it once, and only where it was offered.
            _ => return Err(Ending::Closed),
        };
        match accepted {
            Ok(encrypted) => {
                self.stream = Stream::Tls(encrypted.stream);
                self.session = self.session.encrypted(encrypted.channel);
                self.desk.encrypted(encrypted.facts);
                self.deadline = None;
                Ok(self)
            }
            Err(error) => {
                self.desk.handshake_failed(&error);
                let ending = error.ending();
                self.desk.disconnect(ending, self.session.counters()).await;
                Err(ending)
            }
        }
    }

    /// Ends the session before it has begun.
    pub(crate) async fn refuse(mut self, refusal: &Refusal) -> Ending {
        let mut octets = Vec::new();
        refusal.reply().write(&mut octets);
        // The client may be gone already, which is just as well.
        _ = timeout(self.manners.write_timeout, self.stream.say(&octets)).await;
        self.finish(Ending::Disconnected).await
    }

    async fn finish(mut self, ending: Ending) -> Ending {
        self.desk.disconnect(ending, self.session.counters()).await;
        // The client may be gone already, which is just as well.
        _ = timeout(self.manners.write_timeout, self.stream.shutdown()).await;
        ending
    }

    async fn converse(&mut self) -> io::Result<Turn> {
        loop {
            for fault in self.session.take_faults() {
                self.desk.note(fault);
            }
            let pause = self.tarpit();
            if !pause.is_zero() {
                shutdown::pause(pause, &mut self.phase).await;
            }
            if *self.phase.borrow() >= Phase::Stopping {
                self.session.stop();
            }
            match self.session.step() {
                Step::Ask(ask) => {
                    // One step may take several commands, of which the plugins hear before the next.
                    for fault in self.session.take_faults() {
                        self.desk.note(fault);
                    }
                    let answer = self.desk.answer(ask, self.session.counters()).await;
                    for text in self.desk.take_texts() {
                        apply(text, &mut self.session);
                    }
                    if matches!(answer, Answer::Keys(None)) {
                        self.session.set_decoy(self.desk.decoy());
                    }
                    self.session.decide(answer);
                }
                Step::Close(ending) => return Ok(Turn::Over(ending)),
                Step::Read(wait) => match self.read(wait).await? {
                    Waited::Closed => return Ok(Turn::Over(Ending::Closed)),
                    Waited::Received => {}
                    Waited::Stopping => self.session.hang_up(Ending::Shutdown),
                    Waited::TimedOut => self.session.hang_up(Ending::Timeout),
                },
                Step::Reset => {
                    let refused = self.session.take_refused();
                    self.desk.forget(refused).await;
                }
                Step::StartTls => return Ok(Turn::StartTls),
                Step::Store(octets) => {
                    if let Err(objection) = self.desk.store(octets).await {
                        self.desk.object(objection, &mut self.session).await;
                    }
                }
                Step::Write(octets) => {
                    // Each reply gives the client new time for what it sends next.
                    self.deadline = None;
                    let patience = self.manners.write_timeout;
                    let written = timeout(patience, self.stream.say(octets)).await;
                    let Ok(written) = written else {
                        return Ok(Turn::Over(Ending::Timeout));
                    };
                    written?;
                }
            }
        }
    }

    /// How long the client has to wait after what it was told: errors cost time.
    fn tarpit(&mut self) -> Duration {
        let errors = self.session.counters().errors;
        let is_new = std::mem::replace(&mut self.errors, errors) < errors;
        let after = self.manners.tarpit_after;
        match is_new && after > 0 && errors > after {
            true => self.manners.tarpit,
            false => Duration::ZERO,
        }
    }

    /// Waits for octets. A message that is under way is awaited also when the gateway stops.
    async fn read(&mut self, wait: Wait) -> io::Result<Waited> {
        let deadline = match self.deadline {
            Some((what, deadline)) if what == wait => deadline,
            _ => {
                let deadline = Instant::now() + self.settings.patience(wait);
                self.deadline = Some((wait, deadline));
                deadline
            }
        };
        let buffer = self.session.receive_buffer(match wait {
            Wait::Command => COMMAND_ROOM,
            Wait::Message => MESSAGE_ROOM,
        });
        let reading = timeout_at(deadline, self.stream.read_buf(buffer));
        let over = match wait {
            Wait::Command => Phase::Stopping,
            Wait::Message => Phase::Cutting,
        };
        let read = tokio::select! {
            biased;
            () = reached(&mut self.phase, over) => return Ok(Waited::Stopping),
            read = reading => read,
        };
        match read {
            Err(_) => Ok(Waited::TimedOut),
            Ok(count) => Ok(match count? {
                0 => Waited::Closed,
                _ => Waited::Received,
            }),
        }
    }
}

/// Lets the session say what plugins want it to say.
pub(crate) fn apply(edit: TextEdit, session: &mut Session) {
    match edit {
        TextEdit::AddEhloKeyword(keyword) => session.add_ehlo_keyword(&keyword),
        TextEdit::AddMailParameter(name) => session.register_mail_parameter(&name),
        TextEdit::AddRcptParameter(name) => session.register_rcpt_parameter(&name),
        TextEdit::AddVerb(verb) => session.register_verb(&verb),
        TextEdit::LimitMechanisms(names) => session.limit_mechanisms(&names),
        TextEdit::SetBanner(text) => session.set_banner(&text),
        TextEdit::SetGreeting(text) => session.set_greeting(&text),
    }
}

/// How much is read at once, in octets, while a command is awaited.
const COMMAND_ROOM: usize = 2 << 10;
/// How much is read at once, in octets, while a message comes in.
const MESSAGE_ROOM: usize = 32 << 10;
