//! One plugin in one session: its instance, and what it said so far.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Instant;

use postgate_contract::{Event, Isolation};
use postgate_proto::header::HeaderEdit;
use postgate_proto::session::Settings;
use tracing::{debug, error, info, warn};

use super::edits::check_relaying;
use super::failure::verdict_of_failure;
use super::plugin::{Plugin, PluginInstance as _};
use crate::breaker::{Admission, CallInfo, Probe, Transition};
use crate::context::Context;
use crate::error::PluginError;
use crate::question::Question;
use crate::verdict::{Opinion, Refused, Verdict};

/// One plugin in one session.
pub(super) struct PluginSlot<P: Plugin> {
    pub(super) plugin: Arc<P>,
    instance: Option<P::Instance>,
    /// The right to try the plugin while it is taken out.
    probe: Option<Probe>,
    pub(super) notes: String,
    pub(super) later: Vec<HeaderEdit>,
    /// True if the plugin needs to see no more of the body of this message.
    pub(super) is_sated: bool,
    /// True if the plugin has answered MAIL in this transaction.
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

    /// True if the plugin is to be asked about an event now.
    pub(super) fn is_asked(&self, event: Event) -> bool {
        self.plugin.handles(event) && !(event == Event::BodyChunk && self.is_sated)
    }

    /// True if the session has no instance of the plugin for itself.
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
        question: Question<'_>,
        context: &Arc<Context>,
        settings: &Settings,
    ) -> Result<Opinion, PluginError> {
        let event = question.event();
        let began = Instant::now();
        let client = context.session.remote.ip();
        match self.plugin.breaker().admit(self.probe, client, began) {
            Admission::Reject => return Err(PluginError::BreakerOpen),
            Admission::Allow => {}
            Admission::Probe(probe) => self.probe = Some(probe),
        }
        let instance = self.take_instance(context).await;
        let is_made = instance.is_ok();
        let asked = match instance {
            Ok(instance) => {
                self.ask_instance(instance, question, context, settings)
                    .await
            }
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
        question: Question<'_>,
        context: &Arc<Context>,
        settings: &Settings,
    ) -> Result<Opinion, PluginError> {
        let opinion = instance.ask(question, context).await?;
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

    /// Logs and counts a failure, and gives the verdict that the operator chose for it.
    pub(super) fn failed(
        &mut self,
        question: &Question<'_>,
        context: &Context,
        error: &PluginError,
    ) -> Verdict {
        let event = question.event();
        let on_failure = self.plugin.sidecar().on_failure;
        let (session, plugin) = (&context.session.id, self.plugin.name());
        if matches!(error, PluginError::BreakerOpen) {
            // The breaker has logged that it is open; every session would repeat it.
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
        verdict_of_failure(on_failure, event)
    }

    /// Remembers what the plugin said, and logs a refusal with the reason that only the log shows.
    pub(super) fn note(&mut self, question: &Question<'_>, opinion: &Opinion, context: &Context) {
        let event = question.event();
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
            subject = question.logged_subject(context),
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

/// How much of a reply a line of the log shows, in octets.
const MAX_SHOWN: usize = 2_048;
/// So long may the notes about one plugin get, in octets, before more are dropped.
const MAX_NOTES: usize = 200;
