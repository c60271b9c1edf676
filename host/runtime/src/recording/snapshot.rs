//! What a plugin could see at one event, as data; and the way back.

mod facts;
mod mail;
mod matter;
mod names;

use std::sync::Arc;

use postgate_proto::auth::{Credentials, Mechanism, Proof};
use postgate_proto::fault::Fault;
use serde::{Deserialize, Serialize};

use self::facts::{Session, Tls, session, tls};
use self::mail::{Envelope, Mail, envelope, mail};
use self::matter::{Matter, matter};
use self::names::{HELOS, find, find_name};
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
    credentials: Option<Claim>,
    #[serde(skip_serializing_if = "Option::is_none")]
    authentication: Option<Authenticated>,
    banner: String,
    greeting: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    transaction: Option<Envelope>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Mail>,
    errors: u32,
    /// When, and which.
    faults: Vec<(u32, String)>,
    tags: Vec<(String, String)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    occasion: Option<Matter>,
}

/// Who a client says it is, without what proves it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Claim {
    mechanism: String,
    identity: String,
    act_as: String,
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
            helo: context.helo.as_ref().map(|(kind, name)| {
                let kind = find_name(&HELOS, kind);
                (kind.to_owned(), name.to_string())
            }),
            credentials: context.credentials.as_ref().map(|credentials| Claim {
                mechanism: credentials.mechanism.name().to_owned(),
                identity: credentials.identity.clone(),
                act_as: credentials.act_as.clone(),
            }),
            authentication: context.authentication.as_ref().map(|done| Authenticated {
                since: done.since,
                mechanism: done.mechanism.to_owned(),
                identity: done.identity.to_string(),
                acts_as: done.acts_as.to_string(),
            }),
            banner: context.banner.to_string(),
            greeting: context.greeting.to_string(),
            transaction: context.transaction.as_ref().map(envelope),
            message: has_message.then(|| mail(&context.message)),
            errors: context.errors,
            faults: context
                .faults
                .iter()
                .map(|error| (error.at, error.fault.to_owned()))
                .collect(),
            tags: context.tags.clone(),
            occasion: context.occasion.as_ref().map(matter),
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
        context.helo = match &self.helo {
            Some((kind, name)) => Some((*find(&HELOS, kind)?, name.as_str().into())),
            None => None,
        };
        context.credentials = match &self.credentials {
            Some(claim) => Some(claim.credentials()?),
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
        context.banner = self.banner.as_str().into();
        context.greeting = self.greeting.as_str().into();
        context.transaction = match &self.transaction {
            Some(envelope) => Some(envelope.transaction()?),
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
        context.occasion = match &self.occasion {
            Some(matter) => Some(matter.occasion()?),
            None => None,
        };
        Ok(context)
    }
}

impl Claim {
    fn credentials(&self) -> Result<Credentials, String> {
        Ok(Credentials {
            mechanism: Mechanism::parse(&self.mechanism)
                .ok_or("a mechanism that this gateway does not know")?,
            identity: self.identity.clone(),
            act_as: self.act_as.clone(),
            proof: Proof::Verified,
        })
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
