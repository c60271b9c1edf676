//! The interface between a session and its driver.

use std::sync::Arc;

use crate::fault::Fault;
use crate::reply::Refusal;
use crate::session::advance::advance;
use crate::session::answer::{Answer, Rejection};
use crate::session::ask::Ask;
use crate::session::core::{Core, Service};
use crate::session::decide;
use crate::session::ending::{Counters, Ending};
use crate::session::input::Input;
use crate::session::message::Octets;
use crate::session::offers::{Channel, ClientIdentity, Offers, Tls};
use crate::session::profile::Profile;
use crate::session::receiving;
use crate::session::settings::{Settings, Wait};
use crate::session::state::{
    AfterReset, Commands, Idle, Phase, Question, Receiving, State, Transition,
};

/// The server side of one connection.
///
/// [`step`](Self::step) consumes the session and returns what the driver does next. Each [`Step`]
/// returns the session once that is done.
#[derive(Debug)]
pub struct Session {
    core: Box<Core>,
    state: State,
}

impl Session {
    /// A session with a client that has just connected.
    pub fn new(settings: Arc<Settings>, offers: Offers) -> Self {
        Self {
            core: Box::new(Core::new(settings, offers)),
            state: State::Connected,
        }
    }

    /// Appends octets from the client, for example those that arrived before the session.
    pub fn receive(&mut self, octets: &[u8]) {
        let buffer = self.core.input.buffer(octets.len());
        buffer.extend_from_slice(octets);
    }

    /// What the driver does next.
    pub fn step(mut self) -> Step {
        loop {
            if let Some(fault) = self.core.fault.take() {
                return Step::Fault(Faulted {
                    fault,
                    session: self,
                });
            }
            self.state = match advance(self.state, &mut self.core) {
                Transition::Ask(ask, question) => {
                    let core = self.core;
                    return Step::Ask(ask, Asking { core, question });
                }
                Transition::Idle(state, idle) => {
                    self.state = state;
                    return self.idle(idle);
                }
                Transition::Next(state) => state,
                Transition::Reset(refused, next) => {
                    return Step::Reset(Resetting {
                        core: self.core,
                        refused,
                        next,
                    });
                }
                Transition::Store(octets, receiving) => {
                    return Step::Store(Storing {
                        core: self.core,
                        octets,
                        receiving,
                    });
                }
            }
        }
    }

    /// Carries out no further command. The current command or message is completed first.
    pub fn stop(&mut self) {
        self.core.service = Service::Stopping;
    }

    /// Ends the session with a reply that says why, also while a message is received.
    #[must_use]
    pub fn hang_up(mut self, ending: Ending) -> Self {
        self.state = self.core.hang_up(ending);
        self
    }

    /// The totals so far.
    pub fn counters(&self) -> Counters {
        self.core.counters
    }

    /// Writes the replies before the session waits or closes.
    fn idle(self, idle: Idle) -> Step {
        if !self.core.output.is_empty() {
            return Step::Write(Writing { session: self });
        }
        match idle {
            Idle::Close(ending) => Step::Close(Closing {
                ending,
                counters: self.core.counters,
            }),
            Idle::Read(wait) => Step::Read(Reading {
                wait,
                session: self,
            }),
            Idle::StartTls => Step::StartTls(StartingTls { core: self.core }),
        }
    }
}

/// What the driver does next.
#[derive(Debug)]
#[must_use = "the session is lost with the step"]
pub enum Step {
    /// Ask policy, and continue with its answer.
    Ask(Ask, Asking),
    /// Close the connection.
    Close(Closing),
    /// Take note of a fault of the client. Its reply, if it has one, is written later. Faults come in
    /// the order in which they happened, and before the questions that follow them.
    Fault(Faulted),
    /// Read from the client.
    Read(Reading),
    /// The transaction is over and its message will not be delivered: forget it, here and at the
    /// backend.
    Reset(Resetting),
    /// Begin TLS. If the handshake fails, the connection can only be closed.
    StartTls(StartingTls),
    /// Append octets to the message.
    Store(Storing),
    /// Write octets to the client.
    Write(Writing),
}

/// The continuation of [`Step::Ask`].
#[derive(Debug)]
pub struct Asking {
    core: Box<Core>,
    question: Question,
}

impl Asking {
    /// Continues with the answer, and from now on with this profile.
    #[must_use]
    pub fn decide(mut self, answer: Answer, profile: &Arc<Profile>) -> Session {
        if !Arc::ptr_eq(&self.core.profile, profile) {
            self.core.profile = Arc::clone(profile);
        }
        let state = decide::decide(self.question, answer, &mut self.core);
        Session {
            core: self.core,
            state,
        }
    }

    /// The totals so far.
    pub fn counters(&self) -> Counters {
        self.core.counters
    }
}

/// The end of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closing {
    ending: Ending,
    counters: Counters,
}

impl Closing {
    /// Why the session has ended.
    pub const fn ending(&self) -> Ending {
        self.ending
    }

    /// The totals of the session.
    pub const fn counters(&self) -> Counters {
        self.counters
    }
}

/// The continuation of [`Step::Fault`].
#[derive(Debug)]
pub struct Faulted {
    fault: Fault,
    session: Session,
}

impl Faulted {
    /// The fault.
    pub const fn fault(&self) -> Fault {
        self.fault
    }

    /// The totals so far, including this fault.
    pub fn counters(&self) -> Counters {
        self.session.counters()
    }

    /// Continues.
    #[must_use]
    pub fn resume(self) -> Session {
        self.session
    }
}

/// The continuation of [`Step::Read`].
#[derive(Debug)]
pub struct Reading {
    wait: Wait,
    session: Session,
}

impl Reading {
    /// What is awaited. [`Settings::timeout_for`] says how long to wait.
    pub const fn wait(&self) -> Wait {
        self.wait
    }

    /// The buffer to which received octets are appended, with room for at least `room` octets. It may
    /// hold earlier octets. An append beyond that room can leave a copy of credentials in memory.
    pub fn buffer(&mut self, room: usize) -> &mut Vec<u8> {
        self.session.core.input.buffer(room)
    }

    /// Continues after octets were appended to the buffer.
    #[must_use]
    pub fn received(self) -> Session {
        self.session
    }

    /// Ends the session with a reply that says why.
    #[must_use]
    pub fn hang_up(self, ending: Ending) -> Session {
        self.session.hang_up(ending)
    }

    /// The totals so far.
    pub fn counters(&self) -> Counters {
        self.session.counters()
    }
}

/// The continuation of [`Step::Reset`].
#[derive(Debug)]
pub struct Resetting {
    core: Box<Core>,
    refused: Option<Refusal>,
    next: AfterReset,
}

impl Resetting {
    /// The refusal of the message, if it was refused before [`Ask::Message`]. Its reply is written
    /// after this step.
    pub const fn refused(&self) -> Option<&Refusal> {
        self.refused.as_ref()
    }

    /// As [`refused`](Self::refused), without a copy.
    pub const fn take_refused(&mut self) -> Option<Refusal> {
        self.refused.take()
    }

    /// Continues after the transaction was forgotten.
    #[must_use]
    pub fn done(self) -> Session {
        Session {
            core: self.core,
            state: match self.next {
                AfterReset::Close(ending) => State::Closing(ending),
                AfterReset::Commands(helo) => Commands::new(Phase::Identified(helo)).into(),
                AfterReset::StartTls => State::StartingTls,
            },
        }
    }

    /// The totals so far.
    pub fn counters(&self) -> Counters {
        self.core.counters
    }
}

/// The continuation of [`Step::StartTls`].
#[derive(Debug)]
pub struct StartingTls {
    core: Box<Core>,
}

impl StartingTls {
    /// Continues on the encrypted channel without what the client has said before (RFC 3207 §4.2):
    /// its HELO, its authentication, and octets that were received before the handshake. The profile
    /// and the totals are kept.
    #[must_use]
    pub fn encrypted(self, channel: Channel) -> Session {
        let mut core = self.core;
        let has_plaintext = !core.input.unused().is_empty();
        core.input = Input::default();
        core.identity = ClientIdentity::Anonymous;
        core.tls = Tls::Active(channel);
        if has_plaintext {
            core.record(Fault::PlaintextBehindStartTls);
        }
        Session {
            core,
            state: Commands::new(Phase::Unidentified).into(),
        }
    }

    /// The totals so far.
    pub fn counters(&self) -> Counters {
        self.core.counters
    }
}

/// The continuation of [`Step::Store`].
#[derive(Debug)]
pub struct Storing {
    core: Box<Core>,
    octets: Octets,
    receiving: Receiving,
}

impl Storing {
    /// The next octets of the message, without dot-stuffing and end mark.
    pub fn octets(&self) -> &[u8] {
        self.octets.of(&self.core.input)
    }

    /// Continues after the octets were stored.
    #[must_use]
    pub fn stored(self) -> Session {
        Session {
            core: self.core,
            state: State::Receiving(self.receiving),
        }
    }

    /// Refuses the message: after the client has sent all of it, or at once if the rejection ends the
    /// session. If it is rejected several times, the first refusal is sent.
    #[must_use]
    pub fn reject(mut self, rejection: Rejection) -> Session {
        let state = receiving::reject(self.receiving, rejection, &mut self.core);
        Session {
            core: self.core,
            state,
        }
    }

    /// The totals so far.
    pub fn counters(&self) -> Counters {
        self.core.counters
    }
}

/// The continuation of [`Step::Write`].
#[derive(Debug)]
pub struct Writing {
    session: Session,
}

impl Writing {
    /// The octets to write.
    pub fn octets(&self) -> &[u8] {
        &self.session.core.output
    }

    /// True if this is the reply to a chunk that is not the last one: the time for the message goes on.
    pub const fn is_within_message(&self) -> bool {
        matches!(
            self.session.state,
            State::Commands(Commands {
                phase: Phase::Chunks(..),
                ..
            })
        )
    }

    /// Continues after all octets were written.
    #[must_use]
    pub fn written(mut self) -> Session {
        self.session.core.output.clear();
        self.session
    }

    /// The totals so far.
    pub fn counters(&self) -> Counters {
        self.session.counters()
    }
}
