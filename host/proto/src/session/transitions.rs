//! Transitions that more than one state uses.

use crate::fault::Fault;
use crate::reply::{Enhanced, Refusal, Reply};
use crate::session::core::Core;
use crate::session::ending::Ending;
use crate::session::state::{Commands, Phase, State};

impl Core {
    /// Sends a reply and waits for the next command.
    pub(super) fn finish_command(&mut self, reply: &Reply, phase: Phase) -> State {
        self.send(reply);
        Commands::new(phase).into()
    }

    /// Sends the reply to a fault and waits for the next command, unless the client has made too many
    /// errors.
    pub(super) fn refuse_command(&mut self, next: Commands, fault: Fault) -> State {
        self.reply_to_fault(fault);
        self.unless_too_many_errors(next)
    }

    /// Waits for the next command, unless the client has made too many errors.
    pub(super) fn unless_too_many_errors(&mut self, next: Commands) -> State {
        match self.has_too_many_errors() {
            true => self.hang_up(Ending::TooManyErrors),
            false => next.into(),
        }
    }

    /// Ends the session with the reply of policy.
    pub(super) fn disconnect(&mut self, refusal: &Refusal) -> State {
        self.send(refusal.reply());
        State::Closing(Ending::Disconnected)
    }

    /// Ends the session with a reply that says why, if the client has not ended it.
    pub(super) fn hang_up(&mut self, ending: Ending) -> State {
        if let Some(reply) = last_reply(ending) {
            self.send(&reply);
        }
        State::Closing(ending)
    }
}

/// The reply before the connection is closed. Returns `None` if the client has ended the session.
const fn last_reply(ending: Ending) -> Option<Reply> {
    let (enhanced, text) = match ending {
        Ending::Closed | Ending::Quit => return None,
        Ending::Disconnected => (Enhanced::new(4, 3, 0), "Closing connection"),
        Ending::EndlessLine => (
            Enhanced::new(4, 7, 0),
            "Line without end, closing connection",
        ),
        Ending::Shutdown => (Enhanced::new(4, 3, 2), "Service is shutting down"),
        Ending::Timeout => (Enhanced::new(4, 4, 2), "Timeout, closing connection"),
        Ending::TooManyErrors => (Enhanced::new(4, 7, 0), "Too many errors"),
    };
    Some(Reply::fixed(421, enhanced, text))
}
