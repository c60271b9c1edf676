//! One plugin in one session: its instance, and what it said so far.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Instant;

use postgate_proto::fault::Fault;
use postgate_proto::header::HeaderEdit;
use postgate_proto::reply::{Enhanced, Refusal};
use postgate_proto::session::{Settings, TLS_NOT_AVAILABLE};
use tracing::{debug, error, info, warn};

use super::edits::check_relaying;
use super::{Ask as _, Decision, Plugin};
use crate::breaker::{Admission, CallInfo, Probe, Transition};
use crate::context::{Context, Occasion};
use crate::verdict::{Opinion, PluginError, Refused, Verdict};
use postgate_contract::{Event, Isolation, OnFailure};

/// One plugin in one session.
pub(super) struct PluginSlot<P: Plugin> {
    pub(super) plugin: Arc<P>,
    instance: Option<P::Instance>,
    /// The right to try the plugin while it is taken out.
    probe: Option<Probe>,
    pub(super) notes: String,
    pub(super) later: Vec<HeaderEdit>,
    /// Whether the plugin needs to see no more of the body of this message.
    pub(super) is_sated: bool,
    /// Whether the plugin has heard of this transaction at MAIL, and did not fail.
    pub(super) has_answered_mail: bool,
}

impl<P: Plugin> Drop for PluginSlot<P> {
    fn drop(&mut self) {
        let breaker = self.plugin.breaker();
        let over = self
            .probe
            .map(|probe| breaker.end_probe(probe, Instant::now()));
        if let Some(change) = over.flatten() {
            self.note_change(change, None);
        }
    }
}

impl<P: Plugin> PluginSlot<P> {
    pub(super) const fn new(plugin: Arc<P>) -> Self {
        Self {
            plugin,
            instance: None,
            probe: None,
            notes: String::new(),
            later: Vec::new(),
            is_sated: false,
            has_answered_mail: false,
        }
    }

    /// Whether the plugin is to be asked about an event now.
    pub(super) fn is_asked(&self, event: Event) -> bool {
        self.plugin.handles(event) && !(event == Event::BodyChunk && self.is_sated)
    }

    /// Whether the session has no instance of the plugin for itself.
    pub(super) fn is_shared(&self) -> bool {
        self.isolation() == Isolation::Shared
    }

    fn isolation(&self) -> Isolation {
        self.plugin.sidecar().isolation
    }

    /// Forgets what belongs to a client: another one is served with another instance.
    pub(super) fn begin_session(&mut self) {
        self.begin_transaction();
        self.instance = None;
    }

    /// Forgets what belongs to a transaction.
    pub(super) fn begin_transaction(&mut self) {
        self.notes.clear();
        self.later.clear();
        self.is_sated = false;
        self.has_answered_mail = false;
        if self.isolation() == Isolation::Message {
            self.instance = None;
        }
    }

    /// Asks the plugin, unless it is taken out.
    pub(super) async fn ask(
        &mut self,
        event: Event,
        context: &Arc<Context>,
        settings: &Settings,
    ) -> Result<Opinion, PluginError> {
        let began = Instant::now();
        let client = context.session.remote.ip();
        match self.plugin.breaker().admit(self.probe, client, began) {
            Admission::Reject => return Err(PluginError::Out),
            Admission::Allow => {}
            Admission::Probe(probe) => self.probe = Some(probe),
        }
        let instance = self.take_instance(context).await;
        let is_made = instance.is_ok();
        let asked = match instance {
            Ok(instance) => self.ask_instance(instance, event, context, settings).await,
            Err(error) => Err(error),
        };
        let now = Instant::now();
        if let Some(calls) = self.plugin.metrics().calls(event) {
            calls.observe(now.duration_since(began));
        }
        let call = CallInfo {
            event: is_made.then_some(event),
            client,
            session: &context.session.id,
            probe: self.probe,
        };
        let change = match &asked {
            Ok(_) => self.plugin.breaker().record_success(call, now),
            // It says nothing about the plugin that there are too many sessions for it.
            Err(PluginError::Busy(_)) => None,
            Err(_) => self.plugin.breaker().record_failure(call, now),
        };
        if let Some(change) = change {
            self.note_change(change, Some(event));
        }
        if event == Event::Mail {
            self.has_answered_mail = asked.is_ok();
        }
        asked
    }

    /// The instance of the session, which is made where there is none: at the first event, where the
    /// last call failed, or as the isolation wants it.
    async fn take_instance(&mut self, context: &Arc<Context>) -> Result<P::Instance, PluginError> {
        match self.instance.take() {
            Some(instance) => Ok(instance),
            None => self.plugin.start(context).await,
        }
    }

    async fn ask_instance(
        &mut self,
        mut instance: P::Instance,
        event: Event,
        context: &Arc<Context>,
        settings: &Settings,
    ) -> Result<Opinion, PluginError> {
        let opinion = instance.ask(event, context).await?;
        check_relaying(&opinion, context, settings)?;
        match self.isolation() {
            Isolation::Connection | Isolation::Message => self.instance = Some(instance),
            Isolation::Event => drop(instance),
            Isolation::Shared => self.plugin.give_back(instance),
        }
        Ok(opinion)
    }

    /// Tells the operator that the plugin was taken out, or is back.
    fn note_change(&self, change: Transition, event: Option<Event>) {
        let plugin = self.plugin.name();
        let metrics = self.plugin.metrics();
        let event = event.map(tracing::field::display);
        match change {
            Transition::Opened(back_off) => {
                metrics.opened.inc();
                metrics.note_breaker(true);
                error!(
                    plugin,
                    event,
                    ?back_off,
                    "plugin keeps failing and is taken out"
                );
            }
            Transition::Closed => {
                metrics.note_breaker(false);
                info!(plugin, event, "plugin works again and is back");
            }
        }
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
        let (session, plugin) = (&context.session.id, self.plugin.name());
        if matches!(error, PluginError::Out) {
            // One line told that it is out: this is the same news for every session.
            debug!(session, plugin, %event, ?on_failure, "plugin is taken out");
            self.plugin.metrics().skipped(event);
            self.add_note(event, "out");
        } else {
            let cause = error.cause();
            warn!(session, plugin, %event, cause, %error, ?on_failure, "plugin failed");
            self.plugin.metrics().failed(event, cause);
            self.add_note(event, "failed");
        }
        if event == Event::BodyChunk {
            // A fresh instance would see the rest of a body whose beginning it does not know.
            self.is_sated = true;
        }
        if event.is_notice() {
            // There is nothing to refuse, and the plugins behind it need to know too.
            return None;
        }
        match (on_failure, event) {
            (OnFailure::Accept, _) => None,
            // It says nothing about the client, whose password may be right (RFC 4954 section 6).
            (_, Event::Auth | Event::AuthKeys) => Some(Decision::Refuse(AUTH_LATER)),
            (OnFailure::Reject, _) => Some(Decision::Refuse(REFUSED_FOR_FAILURE)),
            (OnFailure::Tempfail, _) => Some(match event {
                Event::Connect | Event::Helo | Event::Proxy => Decision::Disconnect(CONNECT_LATER),
                Event::StartTls => Decision::Refuse(TLS_NOT_AVAILABLE),
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
            subject = logged_subject(event, context),
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
    let mut reply = refused.refusal.reply().to_string();
    // A reply of many lines is for the client, not for the log.
    reply.truncate(reply.floor_char_boundary(MAX_SHOWN));
    match &refused.reason {
        None => reply,
        Some(reason) => format!("{reply} ({reason})"),
    }
}

/// Whom a decision was about, as the log may tell. What the gateway does not know can be anything that
/// a client sends at a wrong time, its password too.
fn logged_subject(event: Event, context: &Context) -> String {
    match &context.occasion {
        Some(Occasion::Command(line)) if !line.known => Fault::UnknownVerb.name().to_owned(),
        _ => subject(event, context),
    }
}

/// Whom a decision was about.
pub(crate) fn subject(event: Event, context: &Context) -> String {
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
            .map(|recipient| recipient.path.to_string())
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

/// How much of a reply a line of the log shows, in octets.
const MAX_SHOWN: usize = 2_048;
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
