//! What a plugin could see at one event, as data; and the way back.

mod facts;
mod mail;
mod names;
mod question;

use std::sync::Arc;

use postgate_proto::auth::Mechanism;
use postgate_proto::fault::Fault;
use serde::{Deserialize, Serialize};

use self::facts::{Session, Tls, session, tls};
use self::mail::{Envelope, Mail, envelope, mail};
use self::names::{HELOS, find_name};
pub(super) use self::question::RecordedQuestion;
use self::question::introduction;
use crate::context::{Authentication, ClientError, Context};
use postgate_contract::Event;

/// What a plugin could see at one event.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Snapshot {
    session: Session,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls: Option<Tls>,
    /// HELO or EHLO, and the name.
    #[serde(skip_serializing_if = "Option::is_none")]
    helo: Option<(String, String)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    authentication: Option<Authenticated>,
    /// The texts of banner and greeting, if a plugin has set them.
    banner: Option<String>,
    greeting: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    transaction: Option<Envelope>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Mail>,
    errors: u32,
    /// When, and which.
    faults: Vec<(u32, String)>,
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
    /// What there is to be seen at an event.
    pub(super) fn of(context: &Context, event: Event) -> Self {
        let has_message = matches!(event, Event::Headers | Event::BodyChunk | Event::Message);
        Self {
            session: session(&context.session),
            tls: context.tls.as_deref().map(tls),
            helo: context.introduction.as_ref().map(|client| {
                let kind = find_name(&HELOS, &client.kind);
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

    /// The context again.
    ///
    /// # Errors
    ///
    /// What stands in the recording and cannot be, in words.
    pub(super) fn context(&self, event: Event) -> Result<Context, String> {
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
            let fault = Fault::ALL
                .map(Fault::name)
                .into_iter()
                .find(|name| name == fault);
            let fault = fault.ok_or("a fault that this gateway does not know")?;
            context.faults.push(ClientError { at: *at, fault });
        }
        context.tags.clone_from(&self.tags);
        Ok(context)
    }
}

fn mechanism_name(name: &str) -> Result<&'static str, String> {
    match Mechanism::parse(name) {
        Some(mechanism) => Ok(mechanism.name()),
        None if name == XCLIENT => Ok(XCLIENT),
        None => Err("a mechanism that this gateway does not know".to_owned()),
    }
}

const XCLIENT: &str = "XCLIENT";
