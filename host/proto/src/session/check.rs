//! Checks whether a command is legal now. A check has no effect.

use crate::address::{ForwardPath, ReversePath};
use crate::auth::Mechanism;
use crate::command::{
    Command, PathSyntax, Rules, is_served_before_tls, parse_recipient, parse_sender,
};
use crate::fault::Fault;
use crate::parameters::{Body, Extensions, MailParameters, Parameter};
use crate::session::ask::Helo;
use crate::session::core::{Core, Service};
use crate::session::offers::{ClientTrust, OptionalQuestion, Preamble, Tls};
use crate::session::settings::Auth;
use crate::session::state::{Envelope, Phase};
use crate::xclient::Xclient;

/// A command that is legal in the phase for which it was checked, with what it needs of the phase.
#[derive(Debug)]
pub(super) enum LegalCommand<'a> {
    Auth(Mechanism, Option<&'a str>),
    /// A chunk. Its octets arrive even if it is refused.
    Bdat {
        size: u64,
        last: bool,
        /// Why the chunk is refused in any phase.
        fault: Option<Fault>,
    },
    Data(Helo, Envelope),
    Expn(&'a str),
    Helo(Helo, &'a str),
    Help(&'a str),
    Mail(Helo, ReversePath, MailParameters),
    Noop,
    Quit,
    Rcpt(Helo, Envelope, ForwardPath, Vec<Parameter>),
    Rset,
    StartTls,
    Vrfy(&'a str),
    Xclient(Xclient),
}

impl LegalCommand<'_> {
    /// True if a client that only repeats this command never sends a message.
    pub(super) const fn is_idle(&self) -> bool {
        matches!(
            self,
            Self::Expn(_)
                | Self::Helo(..)
                | Self::Help(_)
                | Self::Noop
                | Self::Rset
                | Self::Vrfy(_)
        )
    }
}

impl Core {
    /// Checks a command line in this phase. If only a few commands are legal, that is the fault of all
    /// others, whatever else is wrong with them.
    ///
    /// # Errors
    ///
    /// Fails if the line is malformed, or if its command is not legal now.
    pub(super) fn check_line<'a>(
        &self,
        phase: &Phase,
        line: &'a [u8],
    ) -> Result<LegalCommand<'a>, Fault> {
        let command = Command::parse(line);
        let is_quit = command == Ok(Command::Quit);
        match command {
            // The octets of a chunk arrive whether it is legal or not.
            Ok(Command::Bdat { size, last }) if self.settings.extensions.chunking => {
                Ok(self.check_bdat(phase, size, last))
            }
            _ if self.service == Service::Http && !is_quit => Err(Fault::UnknownVerb),
            _ if matches!(phase, Phase::Refused) && !is_quit => Err(Fault::BadSequence),
            _ if self.needs_tls() && !is_served_before_tls(line) => Err(Fault::TlsRequired),
            command => self.check(phase, command?),
        }
    }

    fn check<'a>(&self, phase: &Phase, command: Command<'a>) -> Result<LegalCommand<'a>, Fault> {
        match command {
            Command::Quit => Ok(LegalCommand::Quit),
            Command::Noop => Ok(LegalCommand::Noop),
            Command::Ehlo(name) => Ok(LegalCommand::Helo(Helo::Ehlo, name)),
            Command::Helo(name) => Ok(LegalCommand::Helo(Helo::Helo, name)),
            Command::Rset => Ok(LegalCommand::Rset),
            Command::StartTls => self.check_starttls(phase),
            Command::Auth { mechanism, initial } => self.check_auth(phase, mechanism, initial),
            Command::Data => check_data(phase),
            Command::Expn(argument) if self.asks(OptionalQuestion::Expn) => {
                self.check_query(LegalCommand::Expn(argument))
            }
            Command::Bdat { .. } | Command::Expn(_) | Command::NotImplemented => {
                Err(Fault::NotImplemented)
            }
            Command::Help(topic) => Ok(LegalCommand::Help(topic)),
            Command::Mail(argument) => self.check_mail(phase, argument),
            Command::Proxy if self.preamble == Preamble::Proxy => Err(Fault::ProxyTwice),
            Command::Proxy => Err(Fault::UnknownVerb),
            Command::Rcpt(argument) => self.check_rcpt(phase, argument),
            Command::Vrfy(argument) if self.settings.extensions.vrfy => {
                self.check_query(LegalCommand::Vrfy(argument))
            }
            Command::Vrfy(_) => Err(Fault::NotImplemented),
            Command::Xclient(attributes) => self.check_xclient(phase, attributes),
        }
    }

    /// Checks a question about addresses. Policy may answer who exists, which strangers are not told
    /// where mail needs authentication.
    fn check_query<'a>(&self, query: LegalCommand<'a>) -> Result<LegalCommand<'a>, Fault> {
        match self.needs_authentication() {
            true => Err(Fault::AuthRequired),
            false => Ok(query),
        }
    }

    fn check_bdat<'a>(&self, phase: &Phase, size: u64, last: bool) -> LegalCommand<'a> {
        let fault = match phase {
            Phase::Refused => Some(Fault::BadSequence),
            _ if self.needs_tls() => Some(Fault::TlsRequired),
            Phase::Transaction(_, Envelope { recipients: 0, .. }) => Some(Fault::NoRecipients),
            Phase::Chunks(..) | Phase::Transaction(..) => None,
            Phase::Identified(_) | Phase::Unidentified => Some(Fault::ChunkWithoutTransaction),
        };
        LegalCommand::Bdat { size, last, fault }
    }

    fn check_mail<'a>(&self, phase: &Phase, argument: &str) -> Result<LegalCommand<'a>, Fault> {
        match phase {
            Phase::Chunks(..) | Phase::Transaction(..) => Err(Fault::NestedMail),
            Phase::Refused | Phase::Unidentified => Err(Fault::BadSequence),
            Phase::Identified(_) if self.needs_authentication() => Err(Fault::AuthRequired),
            Phase::Identified(helo) => {
                let extensions = self.extensions();
                let (sender, parameters) = parse_sender(argument, &self.mail_rules(&extensions))?;
                match parameters.size > Some(self.settings.max_message_size.into()) {
                    true => Err(Fault::MessageTooLarge),
                    false => Ok(LegalCommand::Mail(*helo, sender, parameters)),
                }
            }
        }
    }

    fn check_rcpt<'a>(&self, phase: &Phase, argument: &str) -> Result<LegalCommand<'a>, Fault> {
        let &Phase::Transaction(helo, envelope) = phase else {
            return Err(Fault::BadSequence);
        };
        let extensions = self.extensions();
        let rules = Rules {
            registered: self.profile.rcpt_parameters(),
            path: path_syntax(self.settings.strict_rcpt),
            ..self.mail_rules(&extensions)
        };
        let (recipient, parameters) = parse_recipient(argument, envelope.charset, &rules)?;
        let limit = self.settings.max_recipients;
        if limit > 0 && envelope.recipients >= limit {
            return Err(Fault::TooManyRecipients);
        }
        let is_permitted = self.is_authenticated() || self.settings.relay.permit(&recipient);
        match is_permitted {
            true => Ok(LegalCommand::Rcpt(helo, envelope, recipient, parameters)),
            false => Err(Fault::RelayDenied),
        }
    }

    /// STARTTLS is legal after EHLO and before TLS (RFC 3207 §4).
    fn check_starttls<'a>(&self, phase: &Phase) -> Result<LegalCommand<'a>, Fault> {
        match (self.tls, phase) {
            (Tls::Off, _) => Err(Fault::NotImplemented),
            (
                Tls::Offered,
                Phase::Chunks(Helo::Ehlo, _)
                | Phase::Identified(Helo::Ehlo)
                | Phase::Transaction(Helo::Ehlo, _),
            ) => Ok(LegalCommand::StartTls),
            (Tls::Active(_) | Tls::Offered, _) => Err(Fault::BadSequence),
        }
    }

    /// AUTH is legal once, after EHLO and outside a transaction (RFC 4954 §4).
    fn check_auth<'a>(
        &self,
        phase: &Phase,
        mechanism: &str,
        initial: Option<&'a str>,
    ) -> Result<LegalCommand<'a>, Fault> {
        match phase {
            _ if self.settings.auth == Auth::Off => Err(Fault::AuthNotOffered),
            Phase::Identified(Helo::Ehlo) if !self.is_authenticated() => {
                if !self.is_fit_for_auth() {
                    return Err(Fault::AuthNeedsTls);
                }
                let mechanism = Mechanism::parse(mechanism).ok_or(Fault::AuthMechanism)?;
                match self.can_use(mechanism) {
                    true => Ok(LegalCommand::Auth(mechanism, initial)),
                    false => Err(Fault::AuthMechanism),
                }
            }
            _ => Err(Fault::BadSequence),
        }
    }

    fn needs_authentication(&self) -> bool {
        self.settings.auth == Auth::Required && !self.is_authenticated()
    }

    /// True if TLS must begin before any other command is legal (RFC 3207 §4).
    fn needs_tls(&self) -> bool {
        self.settings.tls_required && self.tls.channel().is_none()
    }

    /// XCLIENT is known to trusted clients only, and legal outside a transaction.
    fn check_xclient<'a>(
        &self,
        phase: &Phase,
        attributes: &str,
    ) -> Result<LegalCommand<'a>, Fault> {
        match phase {
            _ if self.trust == ClientTrust::Ordinary => Err(Fault::UnknownVerb),
            Phase::Chunks(..) | Phase::Transaction(..) => Err(Fault::BadSequence),
            Phase::Identified(_) | Phase::Refused | Phase::Unidentified => {
                Xclient::parse(attributes).map(LegalCommand::Xclient)
            }
        }
    }

    fn mail_rules<'a>(&'a self, extensions: &'a Extensions) -> Rules<'a> {
        Rules {
            extensions,
            registered: self.profile.mail_parameters(),
            path: path_syntax(self.settings.strict_mail),
            default_domain: self.settings.default_domain.as_deref(),
        }
    }
}

const fn path_syntax(is_strict: bool) -> PathSyntax {
    match is_strict {
        true => PathSyntax::Strict,
        false => PathSyntax::Lenient,
    }
}

fn check_data<'a>(phase: &Phase) -> Result<LegalCommand<'a>, Fault> {
    match phase {
        Phase::Transaction(_, Envelope { recipients: 0, .. }) => Err(Fault::NoRecipients),
        Phase::Transaction(
            _,
            Envelope {
                body: Some(Body::BinaryMime),
                ..
            },
        ) => Err(Fault::DataForBinary),
        Phase::Transaction(helo, envelope) => Ok(LegalCommand::Data(*helo, *envelope)),
        Phase::Chunks(..) | Phase::Identified(_) | Phase::Refused | Phase::Unidentified => {
            Err(Fault::BadSequence)
        }
    }
}
