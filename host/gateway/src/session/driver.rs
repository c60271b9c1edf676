//! The driver of a session: moves octets between a transport and the protocol, enforces time limits, and
//! passes questions to the handler.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use postgate_config::Limits;
use postgate_proto::address::Charset;
use postgate_proto::reply::Refusal;
use postgate_proto::session::{
    Answer, Ask, Counters, Ending, Reading, Session, Settings, StartingTls, Step, Wait, Writing,
};
use tokio::time::{Instant, timeout};

use super::handler::Handler;
use super::presence::Presence;
use super::transport::{ReadOutcome, Transport, Upgraded};
use crate::shutdown::{Shutdown, ShutdownPhase};

/// Drives a session to its end.
pub struct Driver<T> {
    transport: T,
    handler: Handler,
    presence: Presence,
    settings: Arc<Settings>,
    limits: ClientLimits,
    shutdown: Shutdown,
    /// The deadline for what the session waits for.
    deadline: Option<(Wait, Instant)>,
    /// The number of client errors at the last reply.
    errors: u32,
}

/// The limits on one client that the driver enforces.
#[derive(Clone, Copy, Debug)]
pub struct ClientLimits {
    /// The time limit for writing a reply.
    pub write_timeout: Duration,
    /// The delay after the reply to an error.
    pub tarpit: Duration,
    /// The number of errors without a delay; 0 for no delays at all.
    pub tarpit_after: u32,
}

impl From<&Limits> for ClientLimits {
    fn from(limits: &Limits) -> Self {
        Self {
            write_timeout: limits.write_timeout,
            tarpit: limits.tarpit,
            tarpit_after: limits.tarpit_after,
        }
    }
}

/// How a session has ended, and its counters.
type Ended = (Ending, Counters);

impl<T: Transport> Driver<T> {
    /// Combines a transport with the handler of a session.
    pub fn new(
        transport: T,
        handler: Handler,
        settings: Arc<Settings>,
        limits: ClientLimits,
        shutdown: Shutdown,
    ) -> Self {
        Self {
            transport,
            presence: handler.presence(),
            handler,
            settings,
            limits,
            shutdown,
            deadline: None,
            errors: 0,
        }
    }

    /// Runs a session to its end.
    pub async fn run(mut self, mut session: Session) -> Ending {
        loop {
            if self.shutdown.has_reached(ShutdownPhase::Stopping) {
                session.stop();
            }
            let stepped = match session.step() {
                Step::StartTls(starting) => {
                    (self, session) = match self.encrypt(starting).await {
                        Ok(encrypted) => encrypted,
                        Err(ending) => return ending,
                    };
                    continue;
                }
                step => self.execute(step).await,
            };
            session = match stepped {
                Ok(session) => session,
                Err((ending, counters)) => return self.finish(ending, counters).await,
            };
        }
    }

    /// Sends a refusal in place of the banner, and closes the connection.
    pub async fn refuse(mut self, refusal: &Refusal) -> Ending {
        let mut octets = Vec::new();
        refusal.reply().write(Charset::Ascii, &mut octets);
        // The client may have closed the connection already.
        _ = timeout(self.limits.write_timeout, self.transport.write(&octets)).await;
        self.finish(Ending::Disconnected, Counters::default()).await
    }

    async fn finish(mut self, ending: Ending, counters: Counters) -> Ending {
        self.handler.disconnect(ending, counters).await;
        // The connection is closed in any case when the transport is dropped.
        _ = timeout(self.limits.write_timeout, self.transport.close()).await;
        ending
    }

    async fn execute(&mut self, step: Step) -> Result<Session, Ended> {
        match step {
            Step::Ask(ask, asking) => {
                let counters = asking.counters();
                let answer = self.answer(ask, counters).await;
                if self.presence.is_given_up() {
                    return Err((Ending::Closed, counters));
                }
                Ok(asking.decide(answer, self.handler.profile()))
            }
            Step::Close(closing) => Err((closing.ending(), closing.counters())),
            Step::Fault(faulted) => {
                self.handler.record_fault(faulted.fault());
                Ok(faulted.resume())
            }
            Step::Read(reading) => self.read(reading).await,
            Step::Reset(mut resetting) => {
                let refused = resetting.take_refused();
                self.handler.abort_transaction(refused).await;
                Ok(resetting.done())
            }
            // Unreachable: `run` handles this step, since the handshake consumes the transport.
            Step::StartTls(starting) => Err((Ending::Closed, starting.counters())),
            Step::Store(storing) => match self.handler.store(storing.octets()).await {
                Ok(()) => Ok(storing.stored()),
                Err(rejection) => Ok(storing.reject(rejection)),
            },
            Step::Write(writing) => self.write(writing).await,
        }
    }

    /// Answers a question of the session, and meanwhile sees whether the client leaves.
    async fn answer(&mut self, ask: Ask, counters: Counters) -> Answer {
        let mut answering = pin!(self.handler.answer(ask, counters));
        tokio::select! {
            biased;
            answer = &mut answering => return answer,
            () = self.transport.left() => self.presence.leave(),
        }
        answering.await
    }

    async fn write(&mut self, writing: Writing) -> Result<Session, Ended> {
        // After each reply, the time limit for the next command starts again.
        if !writing.is_within_message() {
            self.deadline = None;
        }
        let write = self.transport.write(writing.octets());
        match timeout(self.limits.write_timeout, write).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                self.handler.connection_broke(&error);
                return Err((Ending::Closed, writing.counters()));
            }
            Err(_) => return Err((Ending::Timeout, writing.counters())),
        }
        match self.delay_after_error(writing.counters()).await {
            true => Ok(writing.written()),
            false => Err((Ending::Closed, writing.counters())),
        }
    }

    /// Waits after the reply to an error, see [`ClientLimits::tarpit`]. Returns false if the client leaves
    /// meanwhile.
    async fn delay_after_error(&mut self, counters: Counters) -> bool {
        let after = self.limits.tarpit_after;
        let is_new = self.errors < counters.errors;
        self.errors = counters.errors;
        if is_new && after > 0 && counters.errors > after && !self.limits.tarpit.is_zero() {
            return tokio::select! {
                () = self.shutdown.pause(self.limits.tarpit) => true,
                () = self.transport.left() => false,
            };
        }
        true
    }

    /// Waits for octets. A gateway that stops still waits for the rest of a message.
    async fn read(&mut self, mut reading: Reading) -> Result<Session, Ended> {
        let wait = reading.wait();
        let (size, end) = match wait {
            Wait::Chunk | Wait::Command => (COMMAND_READ_SIZE, ShutdownPhase::Stopping),
            Wait::Message => (MESSAGE_READ_SIZE, ShutdownPhase::Aborting),
        };
        let deadline = match self.deadline {
            Some((awaited, deadline)) if awaited == wait.clock() => deadline,
            _ => {
                let deadline = Instant::now() + self.settings.timeout_for(wait);
                self.deadline = Some((wait.clock(), deadline));
                deadline
            }
        };
        let received = tokio::select! {
            biased;
            () = self.shutdown.reached(end) => return Ok(reading.hang_up(Ending::Shutdown)),
            received = self.transport.read(reading.buffer(size), deadline) => received,
        };
        match received {
            Ok(ReadOutcome::Octets) => Ok(reading.received()),
            Ok(ReadOutcome::TimedOut) => Ok(reading.hang_up(Ending::Timeout)),
            Ok(ReadOutcome::Closed) => Err((Ending::Closed, reading.counters())),
            Err(error) => {
                self.handler.connection_broke(&error);
                Err((Ending::Closed, reading.counters()))
            }
        }
    }

    /// Performs the TLS handshake, after which the session starts again (RFC 3207 §4.2). A failed
    /// handshake ends the session.
    async fn encrypt(self, starting: StartingTls) -> Result<(Self, Session), Ending> {
        let Self {
            transport,
            mut handler,
            settings,
            limits,
            mut shutdown,
            errors,
            ..
        } = self;
        let counters = starting.counters();
        match transport.start_tls(&mut shutdown).await {
            Ok(Upgraded {
                transport,
                facts,
                channel,
            }) => {
                handler.encrypted(facts);
                let driver = Self {
                    errors,
                    ..Self::new(transport, handler, settings, limits, shutdown)
                };
                Ok((driver, starting.encrypted(channel)))
            }
            Err(error) => {
                let ending = error.ending();
                handler.handshake_failed(&error);
                handler.disconnect(ending, counters).await;
                Err(ending)
            }
        }
    }
}

/// The size of reads for commands, in octets.
const COMMAND_READ_SIZE: usize = 2 << 10;
/// The size of reads for messages, in octets.
const MESSAGE_READ_SIZE: usize = 32 << 10;
