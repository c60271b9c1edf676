//! Is this command legal now? Nothing here changes anything.

use crate::address::{Charset, ForwardPath, ReversePath};
use crate::auth::Mechanism;
use crate::command::{Command, parse_recipient};
use crate::fault::Fault;
use crate::parameters::{MailParameters, Parameter};
use crate::session::state::{Envelope, Stage};
use crate::session::{Auth, Helo, Session};

/// A command that is legal in the stage for which it was checked.
#[derive(Debug)]
pub(super) enum Legal<'a> {
    Auth(Mechanism, Option<&'a str>),
    Data,
    Helo(Helo, &'a str),
    Help,
    Mail(ReversePath, MailParameters),
    Noop,
    Quit,
    Rcpt(ForwardPath, Vec<Parameter>),
    Rset,
    Vrfy,
}

impl Session {
    pub(super) fn check<'a>(
        &self,
        stage: &Stage,
        command: Command<'a>,
    ) -> Result<Legal<'a>, Fault> {
        if let (Stage::Refused, false) = (stage, matches!(command, Command::Quit)) {
            return Err(Fault::BadSequence);
        }
        match command {
            Command::Auth { mechanism, initial } => self.check_auth(stage, mechanism, initial),
            Command::Data => check_data(stage),
            Command::Ehlo(name) => Ok(Legal::Helo(Helo::Ehlo, name)),
            Command::Expn(_) | Command::NotImplemented | Command::StartTls => {
                Err(Fault::NotImplemented)
            }
            Command::Helo(name) => Ok(Legal::Helo(Helo::Helo, name)),
            Command::Help(_) => Ok(Legal::Help),
            Command::Mail(sender, parameters) => self.check_mail(stage, sender, parameters),
            Command::Noop => Ok(Legal::Noop),
            Command::Quit => Ok(Legal::Quit),
            Command::Rcpt(argument) => self.check_rcpt(stage, argument),
            Command::Rset => Ok(Legal::Rset),
            Command::Vrfy(_) => Ok(Legal::Vrfy),
        }
    }

    /// RFC 4954 §4: once a session, after EHLO, and not in a transaction.
    fn check_auth<'a>(
        &self,
        stage: &Stage,
        mechanism: &str,
        initial: Option<&'a str>,
    ) -> Result<Legal<'a>, Fault> {
        if self.settings.auth == Auth::Off {
            return Err(Fault::AuthNotOffered);
        }
        match stage {
            Stage::Known(client) if client.kind == Helo::Ehlo && !self.authenticated => {
                let mechanism = Mechanism::parse(mechanism).ok_or(Fault::AuthMechanism)?;
                Ok(Legal::Auth(mechanism, initial))
            }
            _ => Err(Fault::BadSequence),
        }
    }

    fn check_mail<'a>(
        &self,
        stage: &Stage,
        sender: ReversePath,
        parameters: MailParameters,
    ) -> Result<Legal<'a>, Fault> {
        match stage {
            Stage::Known(_) if self.settings.auth == Auth::Required && !self.authenticated => {
                Err(Fault::AuthRequired)
            }
            Stage::Known(_) if parameters.size > Some(self.settings.max_message_size.into()) => {
                Err(Fault::MessageTooLarge)
            }
            Stage::Known(_) => Ok(Legal::Mail(sender, parameters)),
            Stage::Mail(..) => Err(Fault::NestedMail),
            Stage::Refused | Stage::Stranger => Err(Fault::BadSequence),
        }
    }

    fn check_rcpt<'a>(&self, stage: &Stage, argument: &str) -> Result<Legal<'a>, Fault> {
        let Stage::Mail(_, envelope) = stage else {
            return Err(Fault::BadSequence);
        };
        let charset = match envelope.smtputf8 {
            true => Charset::Utf8,
            false => Charset::Ascii,
        };
        let (recipient, parameters) = parse_recipient(argument, charset)?;
        let limit = self.settings.max_recipients;
        if limit > 0 && envelope.recipients >= limit {
            return Err(Fault::TooManyRecipients);
        }
        match self.authenticated || self.settings.relay.permit(&recipient) {
            true => Ok(Legal::Rcpt(recipient, parameters)),
            false => Err(Fault::RelayDenied),
        }
    }
}

fn check_data<'a>(stage: &Stage) -> Result<Legal<'a>, Fault> {
    match stage {
        Stage::Mail(_, Envelope { recipients: 0, .. }) => Err(Fault::NoRecipients),
        Stage::Mail(..) => Ok(Legal::Data),
        Stage::Known(_) | Stage::Refused | Stage::Stranger => Err(Fault::BadSequence),
    }
}
