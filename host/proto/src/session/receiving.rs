//! Messages on their way in, and chunks that are refused.

use crate::reply::{Enhanced, Reply};
use crate::session::answer::Rejection;
use crate::session::ask::Ask;
use crate::session::core::Core;
use crate::session::ending::Ending;
use crate::session::message::Received;
use crate::session::settings::Wait;
use crate::session::state::{
    AfterReset, Commands, DiscardedChunk, Idle, Phase, Question, Receiving, State, Transition,
};

/// Receives the next octets of a message.
pub(super) fn receive(mut receiving: Receiving, core: &mut Core) -> Transition {
    let received = receiving.receiver.advance(&mut core.input, &core.settings);
    let helo = receiving.helo;
    Transition::Next(match received {
        Received::Chunk(size) => {
            reply_to_chunk(size, core);
            Commands::new(Phase::Chunks(helo, receiving.receiver)).into()
        }
        Received::Headers => State::Asking(Ask::Headers, Question::Headers(receiving)),
        Received::Message => State::Asking(Ask::Message, Question::Message(helo)),
        Received::NeedMore => {
            let state = State::Receiving(receiving);
            return Transition::Idle(state, Idle::Read(Wait::Message));
        }
        Received::Refused(refusal) => {
            core.count_refusal();
            core.send(refusal.reply());
            let next = match core.has_too_many_errors() {
                true => {
                    core.hang_up(Ending::TooManyErrors);
                    AfterReset::Close(Ending::TooManyErrors)
                }
                false => AfterReset::Commands(helo),
            };
            State::Resetting(Some(refusal), next)
        }
        Received::Store(octets) => return Transition::Store(octets, receiving),
    })
}

/// Refuses a message that is being received. Unless the session ends, nothing is sent before the
/// client has sent all of it.
pub(super) fn reject(mut receiving: Receiving, rejection: Rejection, core: &mut Core) -> State {
    if rejection.closes() {
        core.send(rejection.refusal().reply());
        let next = AfterReset::Close(Ending::Disconnected);
        return State::Resetting(Some(rejection.into()), next);
    }
    receiving.receiver.refuse(rejection.into());
    State::Receiving(receiving)
}

/// Discards the next octets of a refused chunk, and sends the refusal after the last one.
pub(super) fn discard(mut chunk: DiscardedChunk, core: &mut Core) -> Transition {
    chunk.left -= core.input.discard_up_to(chunk.left);
    if chunk.left > 0 {
        let state = State::DiscardingChunk(chunk);
        return Transition::Idle(state, Idle::Read(Wait::Message));
    }
    Transition::Next(core.refuse_command(Commands::new(chunk.phase), chunk.fault))
}

/// Sends the reply to a chunk (RFC 3030 §4.2).
fn reply_to_chunk(size: u64, core: &mut Core) {
    let lines = vec![format!("{size} octets received")];
    // Never fails: code and enhanced status code have the same class.
    if let Ok(reply) = Reply::new(250, Some(Enhanced::new(2, 0, 0)), lines) {
        core.send(&reply);
    }
}
