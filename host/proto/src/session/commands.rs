//! The handler of command lines: each is checked, then carried out or put to policy.

use std::mem;

use zeroize::Zeroizing;

use crate::address::Charset;
use crate::command::{is_auth, split_verb};
use crate::fault::Fault;
use crate::reply::{Enhanced, Reply};
use crate::session::ask::Ask;
use crate::session::authentication;
use crate::session::check::LegalCommand;
use crate::session::core::{Core, Service};
use crate::session::ending::Ending;
use crate::session::input::Line;
use crate::session::message::MessageReceiver;
use crate::session::offers::{OptionalQuestion, Preamble};
use crate::session::settings::Wait;
use crate::session::state::{
    AfterReset, Commands, DiscardedChunk, Envelope, FilteredLine, Idle, Phase, PreviousCommand,
    Question, Receiving, State, Transition,
};

/// Reads the next command line.
pub(super) fn read(commands: Commands, core: &mut Core) -> Transition {
    if core.service == Service::Stopping {
        return Transition::Next(core.hang_up(Ending::Shutdown));
    }
    if is_premature(core) {
        core.input.discard();
        return Transition::Next(core.refuse_command(commands, Fault::Pipelining));
    }
    let Some(line) = core.command_line() else {
        let wait = match commands.phase {
            Phase::Chunks(..) => Wait::Chunk,
            _ => Wait::Command,
        };
        return Transition::Idle(commands.into(), Idle::Read(wait));
    };
    core.counters.commands = core.counters.commands.saturating_add(1);
    core.charset = charset_of(&commands.phase, core.charset);
    Transition::Next(match line {
        Line::Complete(line) => complete_line(commands, line, core),
        Line::Endless => core.hang_up(Ending::EndlessLine),
        Line::NoCr => core.refuse_command(commands, Fault::CommandEncoding),
        Line::TooLong if core.input.is_auth() => {
            let next = Commands {
                previous: PreviousCommand::FailedAuth,
                ..commands
            };
            core.refuse_command(next, Fault::AuthLineTooLong)
        }
        Line::TooLong => core.refuse_command(commands, Fault::LineTooLong),
    })
}

/// Carries out a line that policy has permitted.
pub(super) fn carry_out_line(phase: Phase, line: &[u8], core: &mut Core) -> State {
    match core.check_line(&phase, line) {
        Ok(command) => carry_out(phase, command, core),
        Err(fault) => core.refuse_command(Commands::new(phase), fault),
    }
}

/// The charset of the replies in a phase. A message in chunks has that of its transaction, which is the
/// current one.
const fn charset_of(phase: &Phase, current: Charset) -> Charset {
    match phase {
        Phase::Chunks(..) => current,
        Phase::Transaction(_, envelope) => envelope.charset,
        Phase::Identified(_) | Phase::Refused | Phase::Unidentified => Charset::Ascii,
    }
}

/// True if the client sends commands before the last one was answered, without PIPELINING. The first
/// command may arrive together with a PROXY header.
fn is_premature(core: &Core) -> bool {
    let follows_header = core.preamble == Preamble::Proxy && core.counters.commands == 0;
    !core.settings.extensions.pipelining
        && !follows_header
        && !core.output.is_empty()
        && !core.input.unused().is_empty()
}

fn complete_line(commands: Commands, mut line: Zeroizing<Vec<u8>>, core: &mut Core) -> State {
    let Commands { phase, previous } = commands;
    if core.service == Service::Running && is_http(&line) {
        core.service = Service::Http;
    }
    let checked = core.check_line(&phase, &line);
    let is_registered = core.profile.has_registered_verb(&line);
    let previous = match checked {
        Err(Fault::UnknownVerb) if !is_registered => previous,
        // An AUTH that succeeds sets this to `Other`.
        _ if is_auth(&line) => PreviousCommand::FailedAuth,
        _ => PreviousCommand::Other,
    };
    if checked.as_ref().is_ok_and(LegalCommand::is_idle) {
        core.count_idle_command();
        if core.has_too_many_errors() {
            return core.hang_up(Ending::TooManyErrors);
        }
    }
    let is_filtered = core.asks(OptionalQuestion::Command);
    match checked {
        // Only `Ask::Auth` shows credentials to policy.
        Ok(command) if is_filtered && !matches!(command, LegalCommand::Auth(..)) => {
            ask_about(phase, mem::take(&mut *line), FilteredLine::Legal)
        }
        Ok(command) => carry_out(phase, command, core),
        // If there are two headers, neither can be trusted.
        Err(Fault::ProxyTwice) if core.counters.commands == 1 => core.hang_up(Ending::Disconnected),
        Err(Fault::UnknownVerb)
            if is_registered || is_filtered && previous == PreviousCommand::Other =>
        {
            ask_about(phase, mem::take(&mut *line), |_| FilteredLine::Unknown)
        }
        Err(fault) => core.refuse_command(Commands { phase, previous }, fault),
    }
}

/// True for the first line of an HTTP request (RFC 9112 §3): a method, a target, and the version.
fn is_http(line: &[u8]) -> bool {
    let mut words = line.trim_ascii_end().rsplit(|octet| *octet == b' ');
    let has_version = words.next().is_some_and(|word| word.starts_with(b"HTTP/"));
    has_version && words.count() >= 2
}

fn ask_about(phase: Phase, line: Vec<u8>, filtered: impl FnOnce(Vec<u8>) -> FilteredLine) -> State {
    let shown = |octets: &[u8]| {
        let text = String::from_utf8_lossy(octets);
        text.replace(char::is_control, "?").into()
    };
    let (verb, rest) = split_verb(&line);
    let (verb, argument) = (shown(verb), shown(rest.get(1..).unwrap_or_default()));
    let octets = line.as_slice().into();
    let line = filtered(line);
    let ask = Ask::Command {
        verb,
        argument,
        line: octets,
        known: matches!(line, FilteredLine::Legal(_)),
    };
    State::Asking(ask, Question::Command(phase, line))
}

/// Carries out a command that is legal in this phase.
fn carry_out(phase: Phase, command: LegalCommand<'_>, core: &mut Core) -> State {
    let (ask, question) = match command {
        LegalCommand::Auth(mechanism, initial) => {
            return authentication::begin(mechanism, initial, core);
        }
        LegalCommand::Bdat { size, last, fault } => {
            return begin_chunk(phase, size, last, fault, core);
        }
        LegalCommand::Data(helo, envelope) => (Ask::Data, Question::Data(helo, envelope)),
        LegalCommand::Expn(list) => (Ask::Expn(list.into()), Question::Expn(phase)),
        LegalCommand::Helo(kind, name) => {
            let name = name.into();
            (Ask::Helo { kind, name }, Question::Helo(kind))
        }
        LegalCommand::Help(topic) => (Ask::Help(topic.into()), Question::Help(phase)),
        LegalCommand::Mail(helo, sender, parameters) => {
            let envelope = Envelope {
                charset: parameters.charset(),
                body: parameters.body,
                recipients: 0,
            };
            core.charset = envelope.charset;
            let ask = Ask::Mail { sender, parameters };
            (ask, Question::Mail(helo, envelope))
        }
        LegalCommand::Noop => return core.finish_command(&OK, phase),
        LegalCommand::Quit => {
            core.send(&BYE);
            return State::Closing(Ending::Quit);
        }
        LegalCommand::Rcpt(helo, envelope, recipient, parameters) => {
            let ask = Ask::Rcpt {
                recipient,
                parameters,
            };
            (ask, Question::Rcpt(helo, envelope))
        }
        LegalCommand::Rset => {
            core.send(&OK);
            return match phase {
                Phase::Chunks(helo, _) | Phase::Transaction(helo, _) => {
                    State::Resetting(None, AfterReset::Commands(helo))
                }
                phase => Commands::new(phase).into(),
            };
        }
        LegalCommand::StartTls => (Ask::StartTls, Question::StartTls(phase)),
        LegalCommand::Vrfy(user) => (Ask::Vrfy(user.into()), Question::Vrfy(phase)),
        LegalCommand::Xclient(xclient) => (Ask::Xclient(xclient), Question::Xclient),
    };
    State::Asking(ask, question)
}

/// Receives the octets of a chunk, or discards them if it is refused.
fn begin_chunk(phase: Phase, size: u64, last: bool, fault: Option<Fault>, core: &Core) -> State {
    let (helo, mut receiver) = match (fault, phase) {
        (None, Phase::Chunks(helo, receiver)) => (helo, receiver),
        (None, Phase::Transaction(helo, envelope)) => {
            let receiver = MessageReceiver::of_chunks(envelope.body, core.settings.line_endings);
            (helo, Box::new(receiver))
        }
        (fault, phase) => {
            return State::DiscardingChunk(DiscardedChunk {
                phase,
                left: size,
                fault: fault.unwrap_or(Fault::ChunkWithoutTransaction),
            });
        }
    };
    receiver.begin_chunk(size, last);
    State::Receiving(Receiving { helo, receiver })
}

const OK: Reply = Reply::fixed(250, Enhanced::new(2, 0, 0), "Ok");
const BYE: Reply = Reply::fixed(221, Enhanced::new(2, 0, 0), "Bye");
