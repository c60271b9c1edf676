//! The dispatch from a state to its handler.

use crate::session::ask::Ask;
use crate::session::authentication;
use crate::session::commands;
use crate::session::core::{Core, Service};
use crate::session::ending::Ending;
use crate::session::receiving;
use crate::session::state::{Idle, Question, State, Transition};

/// Carries out one transition.
pub(super) fn advance(state: State, core: &mut Core) -> Transition {
    match state {
        State::Asking(ask, question) => Transition::Ask(ask, question),
        State::Authenticating(exchange) => authentication::read_response(exchange, core),
        State::AuthFailing(failure) => authentication::read_last_response(failure, core),
        State::Closing(ending) => Transition::Idle(State::Closing(ending), Idle::Close(ending)),
        State::Commands(commands) => commands::read(commands, core),
        State::Connected => Transition::Next(match core.service {
            Service::Http | Service::Running => State::Asking(Ask::Connect, Question::Connect),
            Service::Stopping => core.hang_up(Ending::Shutdown),
        }),
        State::DiscardingChunk(chunk) => receiving::discard(chunk, core),
        State::Receiving(receiving) => receiving::receive(receiving, core),
        State::Resetting(refused, next) => Transition::Reset(refused, next),
        State::StartingTls => Transition::Idle(State::StartingTls, Idle::StartTls),
    }
}
