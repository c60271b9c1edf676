//! The driver of one session: moves octets between a socket and the session, keeps the time, and
//! brings questions to the desk.

use std::io;
use std::time::Duration;

use postgate_proto::session::{Ending, Session, Settings, Step, Wait};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};
use tracing::debug;

use crate::desk::Desk;
use crate::plugin::verdict::TextEdit;
use crate::server::{Phase, reached};

/// A connection and the session that runs over it.
pub(crate) struct Connection {
    stream: TcpStream,
    session: Session,
    settings: Arc<Settings>,
    desk: Desk,
    write_timeout: Duration,
    phase: watch::Receiver<Phase>,
    deadline: Option<(Wait, Instant)>,
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
        stream: TcpStream,
        settings: Arc<Settings>,
        desk: Desk,
        write_timeout: Duration,
        phase: watch::Receiver<Phase>,
    ) -> Self {
        Self {
            stream,
            session: Session::new(Arc::clone(&settings), desk.offers()),
            settings,
            desk,
            write_timeout,
            phase,
            deadline: None,
        }
    }

    /// Runs the session to its end.
    pub(crate) async fn run(mut self) -> Ending {
        let ending = match self.converse().await {
            Ok(ending) => ending,
            Err(error) => {
                debug!(%error, "connection broke");
                Ending::Closed
            }
        };
        self.desk.disconnect(ending, self.session.counters()).await;
        // The client may be gone already, which is just as well.
        _ = timeout(self.write_timeout, self.stream.shutdown()).await;
        ending
    }

    async fn converse(&mut self) -> io::Result<Ending> {
        loop {
            match self.session.step() {
                Step::Ask(ask) => {
                    let answer = self.desk.answer(ask, self.session.counters()).await;
                    for text in self.desk.take_texts() {
                        match text {
                            TextEdit::AddEhloKeyword(keyword) => {
                                self.session.add_ehlo_keyword(&keyword);
                            }
                            TextEdit::AddMailParameter(name) => {
                                self.session.register_mail_parameter(&name);
                            }
                            TextEdit::AddRcptParameter(name) => {
                                self.session.register_rcpt_parameter(&name);
                            }
                            TextEdit::AddVerb(verb) => self.session.register_verb(&verb),
                            TextEdit::SetBanner(text) => self.session.set_banner(&text),
                            TextEdit::SetGreeting(text) => self.session.set_greeting(&text),
                        }
                    }
                    self.session.decide(answer);
                }
                Step::Close(ending) => return Ok(ending),
                Step::Read(wait) => match self.read(wait).await? {
                    Waited::Closed => return Ok(Ending::Closed),
                    Waited::Received => {}
                    Waited::Stopping => self.session.hang_up(Ending::Shutdown),
                    Waited::TimedOut => self.session.hang_up(Ending::Timeout),
                },
                Step::Reset => self.desk.reset(),
                Step::Store(octets) => {
                    if let Err(refusal) = self.desk.store(octets) {
                        self.session.refuse_message(refusal);
                    }
                }
                Step::Write(octets) => {
                    // Each reply gives the client new time for what it sends next.
                    self.deadline = None;
                    let written = timeout(self.write_timeout, self.stream.write_all(octets)).await;
                    let Ok(written) = written else {
                        return Ok(Ending::Timeout);
                    };
                    written?;
                }
            }
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
        let buffer = self.session.receive_buffer();
        let room = match wait {
            Wait::Command => COMMAND_ROOM,
            Wait::Message => MESSAGE_ROOM,
        };
        // An idle session keeps a small buffer only.
        if buffer.is_empty() && buffer.capacity() > room {
            *buffer = Vec::new();
        }
        buffer.reserve(room - buffer.len().min(room) + MIN_ROOM);
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

/// How much is read at once, in octets, while a command is awaited.
const COMMAND_ROOM: usize = 2 << 10;
/// How much is read at once, in octets, while a message comes in.
const MESSAGE_ROOM: usize = 32 << 10;
/// How much room there is at least, in octets, behind what was received and not used.
const MIN_ROOM: usize = 512;
