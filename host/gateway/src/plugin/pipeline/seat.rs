//! One plugin in one session: its instance, and what it said so far.

use std::fmt::Write as _;
use std::sync::Arc;

use postgate_proto::header::HeaderEdit;
use postgate_proto::reply::{Enhanced, Refusal};
use postgate_proto::session::Settings;
use tracing::{info, warn};

use super::edits::check_relaying;
use super::{Ask as _, Decision, Plugin};
use crate::config::sidecar::{Event, OnFailure};
use crate::plugin::context::{Context, Occasion};
use crate::plugin::verdict::{Opinion, PluginError, Refused, Verdict};

/// One plugin in one session.
pub(super) struct Seat<P: Plugin> {
    pub(super) plugin: Arc<P>,
    instance: Option<P::Instance>,
    pub(super) notes: String,
    pub(super) later: Vec<HeaderEdit>,
}

impl<P: Plugin> Seat<P> {
    pub(super) const fn new(plugin: Arc<P>) -> Self {
        Self {
            plugin,
            instance: None,
            notes: String::new(),
            later: Vec::new(),
        }
    }

    /// Asks the instance, and makes it first where this is its first event or its last call failed.
    pub(super) async fn ask(
        &mut self,
        event: Event,
        context: &Arc<Context>,
        settings: &Settings,
    ) -> Result<Opinion, PluginError> {
        let mut instance = match self.instance.take() {
            Some(instance) => instance,
            None => self.plugin.start(context).await?,
        };
        let opinion = instance.ask(event, context).await?;
        check_relaying(&opinion, context, settings)?;
        self.instance = Some(instance);
        Ok(opinion)
    }

    /// What a failure means is the operator's choice, and nothing else's. Nothing: go on as if the
    /// plugin had no objection.
    pub(super) fn failure(
        &mut self,
        event: Event,
        context: &Context,
        error: &PluginError,
    ) -> Option<Decision> {
        let on_failure = self.plugin.sidecar().on_failure;
        warn!(
            session = context.session.id,
            plugin = self.plugin.name(),
            %event,
            %error,
            ?on_failure,
            "plugin failed"
        );
        self.add_note(event, "failed");
        match on_failure {
            OnFailure::Accept => None,
            OnFailure::Reject => Some(Decision::Refuse(REFUSED_FOR_FAILURE)),
            OnFailure::Tempfail => Some(match event {
                Event::Auth | Event::AuthKeys => Decision::Refuse(AUTH_LATER),
                Event::Connect | Event::Helo | Event::Proxy => Decision::Disconnect(CONNECT_LATER),
                _ => Decision::Refuse(Refusal::TRY_LATER),
            }),
        }
    }

    /// Remembers what the plugin said, and logs a refusal with the reason that only the log shows.
    pub(super) fn note(&mut self, event: Event, opinion: &Opinion, context: &Context) {
        if opinion.verdict != Verdict::Next || !opinion.edits.is_empty() {
            let edits = match opinion.edits.len() {
                0 => String::new(),
                count => format!("+{count}"),
            };
            self.add_note(event, &format!("{}{edits}", opinion.verdict));
        }
        let reason = match &opinion.verdict {
            Verdict::Defer(refused) | Verdict::Disconnect(refused) | Verdict::Refuse(refused) => {
                shown(refused)
            }
            Verdict::Discard(reason) | Verdict::Quarantine(reason) => reason.clone(),
            Verdict::Accept
            | Verdict::Answer(_)
            | Verdict::Authenticate(_)
            | Verdict::Keys(_)
            | Verdict::Next => return,
        };
        info!(
            session = context.session.id,
            plugin = self.plugin.name(),
            %event,
            verdict = %opinion.verdict,
            subject = subject(event, context),
            reason,
            "plugin decided"
        );
    }

    fn add_note(&mut self, event: Event, what: &str) {
        if self.notes.len() > MAX_NOTES {
            return;
        }
        let separator = if self.notes.is_empty() { "" } else { "," };
        // Writing to a String does not fail.
        _ = write!(self.notes, "{separator}{event}:{what}");
    }
}

fn shown(refused: &Refused) -> String {
    let reply = refused.refusal.reply();
    match &refused.reason {
        None => reply.to_string(),
        Some(reason) => format!("{reply} ({reason})"),
    }
}

/// Whom a decision was about.
fn subject(event: Event, context: &Context) -> String {
    let transaction = context.transaction.as_ref();
    match event {
        Event::Connect | Event::Disconnect | Event::Proxy | Event::StartTls => {
            context.session.remote.ip().to_string()
        }
        Event::AuthKeys | Event::Command | Event::Expn | Event::Help | Event::Vrfy => {
            match &context.occasion {
                Some(Occasion::About(subject)) => subject.to_string(),
                Some(Occasion::Command(line)) => line.verb.to_string(),
                _ => String::new(),
            }
        }
        Event::Helo => context
            .helo
            .as_ref()
            .map(|(_, name)| name.to_string())
            .unwrap_or_default(),
        Event::Auth => {
            let credentials = context.credentials.as_ref();
            credentials
                .map(|credentials| credentials.identity.clone())
                .unwrap_or_default()
        }
        Event::Rcpt => transaction
            .and_then(|transaction| transaction.candidate.as_ref())
            .map(|(recipient, _)| recipient.to_string())
            .unwrap_or_default(),
        Event::Mail
        | Event::Data
        | Event::Headers
        | Event::BodyChunk
        | Event::Message
        | Event::Outcome
        | Event::Reset => transaction
            .map(|transaction| transaction.sender.to_string())
            .unwrap_or_default(),
    }
}

/// So long may the notes about one plugin get, in octets, before more are dropped.
const MAX_NOTES: usize = 200;

pub(super) const AUTH_LATER: Refusal = Refusal::fixed(
    454,
    Enhanced::new(4, 7, 0),
    "Temporary authentication failure",
);
pub(super) const CONNECT_LATER: Refusal = Refusal::fixed(
    421,
    Enhanced::new(4, 3, 0),
    "Temporary problem, try again later",
);
pub(super) const REFUSED_FOR_FAILURE: Refusal =
    Refusal::fixed(554, Enhanced::new(5, 3, 0), "Message system error");
