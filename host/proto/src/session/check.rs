//! Is this command legal now? Nothing here changes anything.

use crate::address::{ForwardPath, ReversePath};
use crate::auth::Mechanism;
use crate::command::{Command, Rules, is_served_before_tls, parse_recipient, parse_sender};
use crate::fault::Fault;
use crate::parameters::{Extensions, MailParameters, Parameter};
use crate::session::state::{Envelope, Stage};
use crate::session::{Auth, Helo, Session, Tls};
use crate::xclient::Xclient;

/// A command that is legal in the stage for which it was checked.
#[derive(Debug)]
pub(super) enum Legal<'a> {
    Auth(Mechanism, Option<&'a str>),
    /// A chunk, and why it is refused where it is: its octets come in any case.
    Bdat {
        size: u64,
        last: bool,
        fault: Option<Fault>,
    },
    Data,
    Expn(&'a str),
    Helo(Helo, &'a str),
    Help(&'a str),
    Mail(ReversePath, MailParameters),
    Noop,
    Quit,
    Rcpt(ForwardPath, Vec<Parameter>),
    Rset,
    StartTls,
    Vrfy(&'a str),
    Xclient(Xclient),
}

impl Session {
    /// What a command line comes to in this stage. What bars all commands but a few bars them whatever
    /// else is wrong with the line.
    pub(super) fn check_line<'a>(&self, stage: &Stage, line: &'a [u8]) -> Result<Legal<'a>, Fault> {
        let command = Command::parse(line);
        let is_quit = command == Ok(Command::Quit);
        match command {
            // Its octets come, whether anybody wants them or not.
            Ok(Command::Bdat { size, last }) if self.settings.extensions.chunking => {
                Ok(self.check_bdat(stage, size, last))
            }
            _ if matches!(stage, Stage::Refused) && !is_quit => Err(Fault::BadSequence),
            _ if self.needs_tls() && !is_served_before_tls(line) => Err(Fault::TlsRequired),
            command => self.check(stage, command?),
        }
    }

    fn check<'a>(&self, stage: &Stage, command: Command<'a>) -> Result<Legal<'a>, Fault> {
        match command {
            Command::Quit => Ok(Legal::Quit),
            Command::Noop => Ok(Legal::Noop),
            Command::Ehlo(name) => Ok(Legal::Helo(Helo::Ehlo, name)),
            Command::Helo(name) => Ok(Legal::Helo(Helo::Helo, name)),
            Command::Rset => Ok(Legal::Rset),
            Command::StartTls => self.check_starttls(stage),
            Command::Auth { mechanism, initial } => self.check_auth(stage, mechanism, initial),
            Command::Data => check_data(stage),
            Command::Expn(argument) if self.offers.expn => Ok(Legal::Expn(argument)),
            Command::Bdat { .. } | Command::Expn(_) | Command::NotImplemented => {
                Err(Fault::NotImplemented)
            }
            Command::Help(topic) => Ok(Legal::Help(topic)),
            Command::Mail(argument) => self.check_mail(stage, argument),
            Command::Proxy if self.offers.proxied => Err(Fault::ProxyTwice),
            Command::Proxy => Err(Fault::UnknownVerb),
            Command::Rcpt(argument) => self.check_rcpt(stage, argument),
            Command::Vrfy(argument) if self.settings.extensions.vrfy => Ok(Legal::Vrfy(argument)),
            Command::Vrfy(_) => Err(Fault::NotImplemented),
            Command::Xclient(attributes) => self.check_xclient(stage, attributes),
        }
    }

    fn check_bdat<'a>(&self, stage: &Stage, size: u64, last: bool) -> Legal<'a> {
        let fault = match stage {
            Stage::Refused => Some(Fault::BadSequence),
            _ if self.needs_tls() => Some(Fault::TlsRequired),
            Stage::Mail(_, Envelope { recipients: 0, .. }) => Some(Fault::NoRecipients),
            Stage::Chunks(..) | Stage::Mail(..) => None,
            Stage::Known(_) | Stage::Stranger => Some(Fault::ChunkWithoutTransaction),
        };
        Legal::Bdat { size, last, fault }
    }

    fn check_mail<'a>(&self, stage: &Stage, argument: &str) -> Result<Legal<'a>, Fault> {
        match stage {
            Stage::Chunks(..) | Stage::Mail(..) => Err(Fault::NestedMail),
            Stage::Refused | Stage::Stranger => Err(Fault::BadSequence),
            Stage::Known(_) if self.settings.auth == Auth::Required && !self.authenticated => {
                Err(Fault::AuthRequired)
            }
            Stage::Known(_) => {
                let extensions = self.extensions();
                let (sender, parameters) = parse_sender(argument, &self.mail_rules(&extensions))?;
                match parameters.size > Some(self.settings.max_message_size.into()) {
                    true => Err(Fault::MessageTooLarge),
                    false => Ok(Legal::Mail(sender, parameters)),
                }
            }
        }
    }

    fn check_rcpt<'a>(&self, stage: &Stage, argument: &str) -> Result<Legal<'a>, Fault> {
        let Stage::Mail(_, envelope) = stage else {
            return Err(Fault::BadSequence);
        };
        let extensions = self.extensions();
        let rules = Rules {
            registered: &self.texts.rcpt_parameters,
            strict: self.settings.strict_rcpt,
            ..self.mail_rules(&extensions)
        };
        let (recipient, parameters) = parse_recipient(argument, envelope.smtputf8, &rules)?;
        let limit = self.settings.max_recipients;
        if limit > 0 && envelope.recipients >= limit {
            return Err(Fault::TooManyRecipients);
        }
        match self.authenticated || self.settings.relay.permit(&recipient) {
            true => Ok(Legal::Rcpt(recipient, parameters)),
            false => Err(Fault::RelayDenied),
        }
    }

    /// RFC 3207 §4: after EHLO, and once.
    fn check_starttls<'a>(&self, stage: &Stage) -> Result<Legal<'a>, Fault> {
        match (self.offers.tls, stage) {
            (Tls::Off, _) => Err(Fault::NotImplemented),
            (
                Tls::Offered,
                Stage::Chunks(client, _) | Stage::Known(client) | Stage::Mail(client, _),
            ) if client.kind == Helo::Ehlo => Ok(Legal::StartTls),
            (Tls::Active(_) | Tls::Offered, _) => Err(Fault::BadSequence),
        }
    }

    /// Whether nothing is done for the client but TLS.
    fn needs_tls(&self) -> bool {
        self.settings.tls_required && self.offers.tls.channel().is_none()
    }

    /// Only from who is trusted to say it, and not within a transaction.
    fn check_xclient<'a>(&self, stage: &Stage, attributes: &str) -> Result<Legal<'a>, Fault> {
        match stage {
            _ if !self.offers.xclient => Err(Fault::UnknownVerb),
            Stage::Chunks(..) | Stage::Mail(..) => Err(Fault::BadSequence),
            Stage::Known(_) | Stage::Refused | Stage::Stranger => {
                Xclient::parse(attributes).map(Legal::Xclient)
            }
        }
    }

    /// What is offered now: REQUIRETLS under TLS only (RFC 8689 §3).
    pub(super) fn extensions(&self) -> Extensions {
        let offered = self.settings.extensions;
        Extensions {
            requiretls: offered.requiretls && self.offers.tls.channel().is_some(),
            ..offered
        }
    }

    fn mail_rules<'a>(&'a self, extensions: &'a Extensions) -> Rules<'a> {
        Rules {
            extensions,
            registered: &self.texts.mail_parameters,
            strict: self.settings.strict_mail,
            default_domain: self.settings.default_domain.as_deref(),
        }
    }
}

fn check_data<'a>(stage: &Stage) -> Result<Legal<'a>, Fault> {
    match stage {
        Stage::Mail(_, Envelope { recipients: 0, .. }) => Err(Fault::NoRecipients),
        Stage::Mail(_, Envelope { binary: true, .. }) => Err(Fault::DataForBinary),
        Stage::Mail(..) => Ok(Legal::Data),
        Stage::Chunks(..) | Stage::Known(_) | Stage::Refused | Stage::Stranger => {
            Err(Fault::BadSequence)
        }
    }
}
