//! What follows the answer to a question.

use crate::command::Command;
use crate::fault::Fault;
use crate::reply::{Enhanced, Refusal, Reply};
use crate::session::answer::Answer;
use crate::session::ask::Ask;
use crate::session::authentication;
use crate::session::commands::carry_out_line;
use crate::session::core::Core;
use crate::session::message::MessageReceiver;
use crate::session::offers::ClientIdentity;
use crate::session::state::{
    AfterReset, AuthFailure, Commands, FilteredLine, Phase, Question, Receiving, State,
};

/// Continues with the answer to a question.
pub(super) fn decide(question: Question, answer: Answer, core: &mut Core) -> State {
    match answer {
        Answer::Reject(rejection) if rejection.closes() => core.disconnect(rejection.refusal()),
        Answer::Reject(rejection) => refuse(question, rejection.into(), core),
        answer => proceed(question, answer, core),
    }
}

fn proceed(question: Question, answer: Answer, core: &mut Core) -> State {
    match question {
        Question::Auth(mechanism) => match answer {
            Answer::Authenticated => authentication::succeed(core),
            _ => {
                let failure = AuthFailure::Fault(Fault::AuthRejected);
                authentication::fail(mechanism, failure, core)
            }
        },
        Question::AuthKeys(waiting) => match answer {
            Answer::Keys(lookup) => authentication::with_keys(*waiting, lookup, core),
            _ => authentication::refuse_without_lookup(core),
        },
        Question::Command(phase, FilteredLine::Legal(line)) => carry_out_line(phase, &line, core),
        Question::Command(phase, FilteredLine::Unknown) => {
            accept_or_fault(answer, Fault::UnknownVerb, phase, core)
        }
        Question::Connect => {
            core.send_banner();
            Commands::new(Phase::Unidentified).into()
        }
        Question::Data(helo, _) => {
            core.send(&START_MAIL_INPUT);
            let receiver = Box::new(MessageReceiver::of_data(core.settings.line_endings));
            State::Receiving(Receiving { helo, receiver })
        }
        Question::Expn(phase) => accept_or_fault(answer, Fault::NotImplemented, phase, core),
        Question::Headers(receiving) => State::Receiving(receiving),
        Question::Helo(helo) => {
            core.send_greeting(helo);
            Commands::new(Phase::Identified(helo)).into()
        }
        Question::Help(phase) => accept(answer, &HELP, phase, core),
        Question::Mail(helo, envelope) => {
            accept(answer, &SENDER_OK, Phase::Transaction(helo, envelope), core)
        }
        Question::Message(helo) => {
            core.count_message();
            accept(answer, &MESSAGE_OK, Phase::Identified(helo), core)
        }
        Question::Rcpt(helo, mut envelope) => {
            envelope.recipients = envelope.recipients.saturating_add(1);
            accept(
                answer,
                &RECIPIENT_OK,
                Phase::Transaction(helo, envelope),
                core,
            )
        }
        Question::StartTls(phase) => start_tls(&phase, core),
        Question::Vrfy(phase) => accept(answer, &CANNOT_VERIFY, phase, core),
        Question::Xclient => {
            core.identity = match answer {
                Answer::Authenticated => ClientIdentity::Authenticated,
                _ => ClientIdentity::Anonymous,
            };
            State::Asking(Ask::Connect, Question::Connect)
        }
    }
}

/// Ends an open transaction before TLS begins (RFC 3207 §4.2).
fn start_tls(phase: &Phase, core: &mut Core) -> State {
    core.send(&READY_FOR_TLS);
    match phase {
        Phase::Chunks(..) | Phase::Transaction(..) => State::Resetting(None, AfterReset::StartTls),
        Phase::Identified(_) | Phase::Refused | Phase::Unidentified => State::StartingTls,
    }
}

/// Sends the reply of the answer, or the default one.
fn accept(answer: Answer, default: &Reply, phase: Phase, core: &mut Core) -> State {
    match answer.into_acceptance() {
        Some(acceptance) => core.finish_command(acceptance.reply(), phase),
        None => core.finish_command(default, phase),
    }
}

/// Sends the reply of the answer. Without one, the command is a fault of the client.
fn accept_or_fault(answer: Answer, fault: Fault, phase: Phase, core: &mut Core) -> State {
    match answer.into_acceptance() {
        Some(acceptance) => core.finish_command(acceptance.reply(), phase),
        None => core.refuse_command(Commands::new(phase), fault),
    }
}

fn refuse(question: Question, refusal: Refusal, core: &mut Core) -> State {
    let phase = match question {
        Question::Auth(mechanism) => {
            return authentication::fail(mechanism, AuthFailure::Refusal(refusal), core);
        }
        // Without keys, no response can be verified.
        Question::AuthKeys(_) => return authentication::refuse(&refusal, core),
        Question::Command(phase, FilteredLine::Legal(line)) if is_always_carried_out(&line) => {
            return carry_out_line(phase, &line, core);
        }
        Question::Command(phase, _)
        | Question::Expn(phase)
        | Question::Help(phase)
        | Question::StartTls(phase)
        | Question::Vrfy(phase) => phase,
        Question::Connect | Question::Xclient => Phase::Refused,
        Question::Data(helo, envelope) | Question::Rcpt(helo, envelope) => {
            Phase::Transaction(helo, envelope)
        }
        // The refusal is sent after the client has sent all of the message.
        Question::Headers(mut receiving) => {
            receiving.receiver.refuse(refusal);
            return State::Receiving(receiving);
        }
        Question::Helo(_) => Phase::Unidentified,
        Question::Mail(helo, _) | Question::Message(helo) => Phase::Identified(helo),
    };
    core.count_refusal();
    core.send(refusal.reply());
    core.unless_too_many_errors(Commands::new(phase))
}

/// True for QUIT and RSET: a client may always end the session or the transaction (RFC 5321 §4.1.1.5,
/// §4.1.1.10).
fn is_always_carried_out(line: &[u8]) -> bool {
    matches!(Command::parse(line), Ok(Command::Quit | Command::Rset))
}

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
const MESSAGE_OK: Reply = Reply::fixed(250, Enhanced::new(2, 0, 0), "Message accepted");
const READY_FOR_TLS: Reply = Reply::fixed(220, Enhanced::new(2, 0, 0), "Ready to start TLS");
const START_MAIL_INPUT: Reply = Reply::go_ahead("End data with <CRLF>.<CRLF>");
