//! The driver of one session: moves octets between a transport and the protocol, keeps the time, and
//! brings questions to the handler.

use std::sync::Arc;
use std::time::Duration;

use postgate_config::Limits;
use postgate_proto::reply::Refusal;
use postgate_proto::session::{
    Counters, Ending, Reading, Session, Settings, StartingTls, Step, Wait,
};
use tokio::time::{Instant, timeout};
use tracing::debug;

use super::handler::Handler;
use super::transport::{Received, Transport, Upgraded};
use crate::shutdown::{Phase, Shutdown};

/// Drives a session to its end.
pub struct Driver<T> {
    transport: T,
    handler: Handler,
    settings: Arc<Settings>,
    limits: ClientLimits,
    shutdown: Shutdown,
    /// Until when the client may take for what is awaited.
    deadline: Option<(Wait, Instant)>,
    /// Errors of the client for which it has waited already.
    errors: u32,
}

/// The limits on one client that the driver enforces.
#[derive(Clone, Copy, Debug)]
pub struct ClientLimits {
    /// The time to take a reply.
    pub write_timeout: Duration,
    /// How long the client waits after the reply to an error.
    pub tarpit: Duration,
    /// The number of errors after which that begins; 0 if it never does.
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

/// Why a session does not go on, and what has happened in it.
type Ended = (Ending, Counters);

impl<T: Transport> Driver<T> {
    /// A driver for the session that the handler answers.
    pub const fn new(
        transport: T,
        handler: Handler,
        settings: Arc<Settings>,
        limits: ClientLimits,
        shutdown: Shutdown,
    ) -> Self {
        Self {
            transport,
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
            if self.shutdown.has_reached(Phase::Stopping) {
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
                step => self.carry_out(step).await,
            };
            session = match stepped {
                Ok(session) => session,
                Err((ending, counters)) => return self.finish(ending, counters).await,
            };
        }
    }

    /// Ends a session before it has begun, with this reply in the place of the banner.
    pub async fn refuse(mut self, refusal: &Refusal) -> Ending {
        let mut octets = Vec::new();
        refusal.reply().write(&mut octets);
        // The client may be gone already, which is just as well.
        _ = timeout(self.limits.write_timeout, self.transport.write(&octets)).await;
        self.finish(Ending::Disconnected, Counters::default()).await
    }

    async fn finish(mut self, ending: Ending, counters: Counters) -> Ending {
        self.handler.disconnect(ending, counters).await;
        _ = timeout(self.limits.write_timeout, self.transport.close()).await;
        ending
    }

    async fn carry_out(&mut self, step: Step) -> Result<Session, Ended> {
        match step {
            Step::Ask(ask, asking) => {
                let answer = self.handler.answer(ask, asking.counters()).await;
                Ok(asking.decide(answer, self.handler.profile()))
            }
            Step::Close(closing) => Err((closing.ending(), closing.counters())),
            Step::Fault(faulted) => {
                self.handler.note(faulted.fault());
                Ok(faulted.resume())
            }
            Step::Read(reading) => self.read(reading).await,
            Step::Reset(mut resetting) => {
                let refused = resetting.take_refused();
                self.handler.forget(refused).await;
                Ok(resetting.done())
            }
            // `run` has dealt with it, since the transport is used up by the handshake.
            Step::StartTls(starting) => Err((Ending::Closed, starting.counters())),
            Step::Store(storing) => match self.handler.store(storing.octets()).await {
                Ok(()) => Ok(storing.stored()),
                Err(rejection) => Ok(storing.reject(rejection)),
            },
            Step::Write(writing) => {
                // Each reply gives the client new time for what it sends next.
                self.deadline = None;
                let write = self.transport.write(writing.octets());
                match timeout(self.limits.write_timeout, write).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => {
                        debug!(%error, "connection broke");
                        return Err((Ending::Closed, writing.counters()));
                    }
                    Err(_) => return Err((Ending::Timeout, writing.counters())),
                }
                self.slow_down(writing.counters()).await;
                Ok(writing.written())
            }
        }
    }

    /// Lets a client wait after the replies to its errors.
    async fn slow_down(&mut self, counters: Counters) {
        let after = self.limits.tarpit_after;
        let is_new = self.errors < counters.errors;
        self.errors = counters.errors;
        if is_new && after > 0 && counters.errors > after && !self.limits.tarpit.is_zero() {
            self.shutdown.pause(self.limits.tarpit).await;
        }
    }

    /// Waits for octets. A message that is under way is awaited also when the gateway stops.
    async fn read(&mut self, mut reading: Reading) -> Result<Session, Ended> {
        let wait = reading.wait();
        let (room, end) = match wait {
            Wait::Command => (COMMAND_ROOM, Phase::Stopping),
            Wait::Message => (MESSAGE_ROOM, Phase::Cutting),
        };
        let deadline = match self.deadline {
            Some((awaited, deadline)) if awaited == wait => deadline,
            _ => {
                let deadline = Instant::now() + self.settings.timeout_for(wait);
                self.deadline = Some((wait, deadline));
                deadline
            }
        };
        let received = tokio::select! {
            biased;
            () = self.shutdown.reached(end) => return Ok(reading.hang_up(Ending::Shutdown)),
            received = self.transport.read(reading.buffer(room), deadline) => received,
        };
        match received {
            Ok(Received::Octets) => Ok(reading.received()),
            Ok(Received::TimedOut) => Ok(reading.hang_up(Ending::Timeout)),
            Ok(Received::Closed) => Err((Ending::Closed, reading.counters())),
            Err(error) => {
                debug!(%error, "connection broke");
                Err((Ending::Closed, reading.counters()))
            }
        }
    }

    /// Encrypts the transport, and begins the session anew. If the handshake fails, the connection is
    /// gone.
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

/// How much is read at once, in octets, while a command is awaited.
const COMMAND_ROOM: usize = 2 << 10;
/// How much is read at once, in octets, while a message comes in.
const MESSAGE_ROOM: usize = 32 << 10;
