//! What a plugin could see at one event.

use std::sync::Arc;

use postgate_contract::Event;
use postgate_proto::auth::Mechanism;
use postgate_proto::fault::Fault;
use serde::{Deserialize, Serialize};

use super::error::SnapshotError;
use super::facts::{Session, Tls, session, tls};
use super::mail::{Envelope, Mail, envelope, mail};
use super::names::HELOS;
use super::question::introduction;
use crate::context::{Authentication, ClientError, Context};

/// What a plugin could see at one event.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(in crate::recording) struct Snapshot {
    session: Session,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls: Option<Tls>,
    /// The command, `HELO` or `EHLO`, and the name.
    #[serde(skip_serializing_if = "Option::is_none")]
    helo: Option<(String, String)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    authentication: Option<Authenticated>,
    /// The text in the banner, if a plugin has set it.
    banner: Option<String>,
    /// The text in the reply to HELO and EHLO, if a plugin has set it.
    greeting: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    transaction: Option<Envelope>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Mail>,
    /// The number of all errors of the client.
    errors: u32,
    /// The time (in seconds since 1970-01-01 UTC) and the name of each of the latest errors.
    faults: Vec<(u32, String)>,
    /// Name and value of each tag.
    tags: Vec<(String, String)>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Authenticated {
    since: u32,
    mechanism: String,
    identity: String,
    acts_as: String,
}

impl Snapshot {
    /// Records what a plugin can see at an event.
    pub(in crate::recording) fn of(context: &Context, event: Event) -> Self {
        let has_message = matches!(event, Event::Headers | Event::BodyChunk | Event::Message);
        Self {
            session: session(&context.session),
            tls: context.tls.as_deref().map(tls),
            helo: context.introduction.as_ref().map(|client| {
                let kind = HELOS.name(client.kind);
                (kind.to_owned(), client.name.to_string())
            }),
            authentication: context.authentication.as_ref().map(|done| Authenticated {
                since: done.since,
                mechanism: done.mechanism.to_owned(),
                identity: done.identity.to_string(),
                acts_as: done.acts_as.to_string(),
            }),
            banner: context.profile.banner().map(str::to_owned),
            greeting: context.profile.greeting().map(str::to_owned),
            transaction: context.transaction.as_deref().map(envelope),
            message: has_message.then(|| mail(&context.message)),
            errors: context.errors,
            faults: context
                .faults
                .iter()
                .map(|error| (error.at, error.fault.to_owned()))
                .collect(),
            tags: context.tags.clone(),
        }
    }

    /// Restores the context for an event.
    ///
    /// # Errors
    ///
    /// Fails if the recorded facts are incomplete or not valid.
    pub(in crate::recording) fn context(&self, event: Event) -> Result<Context, SnapshotError> {
        let mut context = Context::new(Arc::new(self.session.facts()?));
        context.tls = match &self.tls {
            Some(tls) => Some(Arc::new(tls.facts()?)),
            None => None,
        };
        context.introduction = match &self.helo {
            Some((kind, name)) => Some(introduction(kind, name)?),
            None => None,
        };
        context.authentication = match &self.authentication {
            Some(done) => Some(Authentication {
                since: done.since,
                mechanism: mechanism_name(&done.mechanism)?,
                identity: done.identity.as_str().into(),
                acts_as: done.acts_as.as_str().into(),
            }),
            None => None,
        };
        let profile = Arc::make_mut(&mut context.profile);
        if let Some(text) = &self.banner {
            profile.set_banner(text);
        }
        if let Some(text) = &self.greeting {
            profile.set_greeting(text);
        }
        context.transaction = match &self.transaction {
            Some(envelope) => Some(Arc::new(envelope.transaction()?)),
            None => None,
        };
        if let Some(mail) = &self.message {
            context.message = mail.message(event)?;
        }
        context.errors = self.errors;
        for (at, fault) in &self.faults {
            let fault = fault_name(fault)?;
            context.faults.push(ClientError { at: *at, fault });
        }
        context.tags.clone_from(&self.tags);
        Ok(context)
    }
}

fn fault_name(name: &str) -> Result<&'static str, SnapshotError> {
    Fault::ALL
        .map(Fault::name)
        .into_iter()
        .find(|known| *known == name)
        .ok_or_else(|| SnapshotError::UnknownName {
            kind: "error of the client",
            name: name.to_owned(),
        })
}

fn mechanism_name(name: &str) -> Result<&'static str, SnapshotError> {
    match Mechanism::parse(name) {
        Some(mechanism) => Ok(mechanism.name()),
        None if name == XCLIENT => Ok(XCLIENT),
        None => Err(SnapshotError::UnknownName {
            kind: "SASL mechanism",
            name: name.to_owned(),
        }),
    }
}

/// What stands for the mechanism if a trusted client has named the identity.
const XCLIENT: &str = "XCLIENT";
