//! The AUTH exchange in a session (RFC 4954).

use crate::auth::{
    AuthProgress, AwaitsKeys, Exchange, ExchangeTerms, Mechanism, ScramLookup, write_challenge,
};
use crate::fault::Fault;
use crate::reply::{Enhanced, Refusal, Reply};
use crate::session::ask::{Ask, Helo};
use crate::session::core::Core;
use crate::session::ending::Ending;
use crate::session::input::{Line, MAX_AUTH_LINE};
use crate::session::offers::ClientIdentity;
use crate::session::settings::Wait;
use crate::session::state::{AuthFailure, Commands, Idle, Phase, Question, State, Transition};

/// Begins an exchange, for which the mechanism was checked.
pub(super) fn begin(mechanism: Mechanism, initial: Option<&str>, core: &mut Core) -> State {
    let nonce = core.nonces.next_nonce();
    let terms = ExchangeTerms {
        hostname: &core.settings.hostname,
        nonce,
        exporter: core.tls.channel().and_then(|channel| channel.exporter),
        offers_binding: core.can_use(Mechanism::ScramSha256Plus),
    };
    let progress = Exchange::begin(mechanism, initial, &terms);
    proceed(progress, core)
}

/// Reads the next response of the client.
pub(super) fn read_response(exchange: Exchange, core: &mut Core) -> Transition {
    let progress = match core.line(MAX_AUTH_LINE) {
        None => {
            let state = State::Authenticating(exchange);
            return Transition::Idle(state, Idle::Read(Wait::Command));
        }
        Some(Line::Complete(line)) => exchange.respond(&line),
        Some(Line::Endless) => return Transition::Next(core.hang_up(Ending::EndlessLine)),
        Some(Line::NoCr) => Err(Fault::AuthEncoding),
        Some(Line::TooLong) => Err(Fault::AuthLineTooLong),
    };
    Transition::Next(proceed(progress, core))
}

/// Reads the response to the last challenge of a failed exchange, and ignores its content.
pub(super) fn read_last_response(failure: AuthFailure, core: &mut Core) -> Transition {
    match core.line(MAX_AUTH_LINE) {
        None => {
            let state = State::AuthFailing(failure);
            Transition::Idle(state, Idle::Read(Wait::Command))
        }
        Some(Line::Endless) => Transition::Next(core.hang_up(Ending::EndlessLine)),
        Some(Line::Complete(_) | Line::NoCr | Line::TooLong) => {
            Transition::Next(report(failure, core))
        }
    }
}

/// Continues an exchange with the keys of a user.
pub(super) fn with_keys(waiting: AwaitsKeys, lookup: ScramLookup, core: &mut Core) -> State {
    proceed(Ok(Exchange::with_keys(waiting, lookup)), core)
}

/// Continues after policy has accepted the credentials.
pub(super) fn succeed(core: &mut Core) -> State {
    core.identity = ClientIdentity::Authenticated;
    core.finish_command(&AUTHENTICATED, Phase::Identified(Helo::Ehlo))
}

/// Continues after the credentials were found invalid. Some mechanisms send a last challenge before
/// the reply, unless the failure is temporary.
pub(super) fn fail(mechanism: Mechanism, failure: AuthFailure, core: &mut Core) -> State {
    let is_permanent = match &failure {
        AuthFailure::Fault(_) => true,
        AuthFailure::Refusal(refusal) => !refusal.is_temporary(),
    };
    match mechanism.last_challenge() {
        Some(challenge) if is_permanent => {
            write_challenge(challenge.as_bytes(), &mut core.output);
            State::AuthFailing(failure)
        }
        _ => report(failure, core),
    }
}

/// Sends a refusal, which counts as an error of the client.
pub(super) fn refuse(refusal: &Refusal, core: &mut Core) -> State {
    core.record(Fault::AuthRejected);
    core.send(refusal.reply());
    core.unless_too_many_errors(Commands::after_failed_auth())
}

/// Refuses because policy has not looked up the keys. A reply that says so would reveal which users
/// exist.
pub(super) fn refuse_without_lookup(core: &mut Core) -> State {
    refuse(&TEMPORARY_FAILURE, core)
}

fn proceed(progress: Result<AuthProgress, Fault>, core: &mut Core) -> State {
    match progress {
        Ok(AuthProgress::Challenge(challenge, exchange)) => {
            write_challenge(&challenge, &mut core.output);
            State::Authenticating(exchange)
        }
        Ok(AuthProgress::Complete(credentials)) => {
            let question = Question::Auth(credentials.mechanism);
            State::Asking(Ask::Auth(credentials), question)
        }
        Ok(AuthProgress::Keys(waiting)) => {
            let ask = Ask::AuthKeys {
                identity: waiting.account().into(),
                mechanism: waiting.mechanism(),
            };
            State::Asking(ask, Question::AuthKeys(waiting))
        }
        Ok(AuthProgress::Rejected(mechanism)) => {
            fail(mechanism, AuthFailure::Fault(Fault::AuthRejected), core)
        }
        Ok(AuthProgress::Unproven {
            mechanism,
            identity,
        }) => {
            let identity = identity.into();
            let ask = Ask::AuthUnproven {
                identity,
                mechanism,
            };
            State::Asking(ask, Question::Auth(mechanism))
        }
        Err(fault) => report(AuthFailure::Fault(fault), core),
    }
}

fn report(failure: AuthFailure, core: &mut Core) -> State {
    match failure {
        AuthFailure::Fault(fault) => core.refuse_command(Commands::after_failed_auth(), fault),
        AuthFailure::Refusal(refusal) => refuse(&refusal, core),
    }
}

const AUTHENTICATED: Reply = Reply::fixed(235, Enhanced::new(2, 7, 0), "Authentication successful");
const TEMPORARY_FAILURE: Refusal = Refusal::fixed(
    454,
    Enhanced::new(4, 7, 0),
    "Temporary authentication failure",
);
