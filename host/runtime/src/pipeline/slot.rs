//! One plugin in one session: its instance, and its answers so far.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Instant;

use postgate_contract::{Event, Isolation};
use postgate_proto::header::HeaderBlock;
use postgate_proto::session::Settings;
use tracing::{debug, error, info, warn};

use super::changes::Changes;
use super::edits::check_relaying;
use super::failure::{verdict_of_failure, verdict_of_host_fault};
use super::patience::Patience;
use super::plugin::{Plugin, PluginInstance as _};
use crate::breaker::{Admission, CallInfo, Probe, Transition};
use crate::context::Context;
use crate::error::PluginError;
use crate::question::Question;
use crate::verdict::{PluginAnswer, Refused, Verdict};

/// One plugin in one session.
pub(super) struct PluginSlot<P: Plugin> {
    pub(super) plugin: Arc<P>,
    /// The instance of the session, kept between calls as the isolation requires.
    instance: Option<P::Instance>,
    /// The permission to call the plugin although its breaker is not closed.
    probe: Option<Probe>,
    /// The verdicts in this transaction, such as `rcpt:refuse 550,headers:next+2`.
    pub(super) verdict_log: String,
    /// The fields that were added at `data`, for the header block once it has arrived.
    pub(super) deferred_headers: HeaderBlock,
    /// True if the plugin is not asked about the rest of the body of this message.
    pub(super) skips_body: bool,
    /// True if the plugin has answered MAIL in this transaction.
    pub(super) has_answered_mail: bool,
}

impl<P: Plugin> Drop for PluginSlot<P> {
    fn drop(&mut self) {
        let breaker = self.plugin.breaker();
        let ended = self
            .probe
            .map(|probe| breaker.end_probe(probe, Instant::now()));
        if let Some(transition) = ended.flatten() {
            self.report_transition(transition, None);
        }
    }
}

impl<P: Plugin> PluginSlot<P> {
    /// Creates the slot of a plugin that was not called yet.
    pub(super) fn new(plugin: Arc<P>) -> Self {
        Self {
            plugin,
            instance: None,
            probe: None,
            verdict_log: String::new(),
            deferred_headers: HeaderBlock::default(),
            skips_body: false,
            has_answered_mail: false,
        }
    }

    /// True if the plugin is asked about an event now.
    pub(super) fn is_asked(&self, event: Event) -> bool {
        self.plugin.handles(event) && !(event == Event::BodyChunk && self.skips_body)
    }

    /// True if sessions share the instances of the plugin.
    pub(super) fn is_shared(&self) -> bool {
        self.isolation() == Isolation::Shared
    }

    fn isolation(&self) -> Isolation {
        self.plugin.sidecar().isolation
    }

    /// Discards what belongs to a client. Another client gets another instance.
    pub(super) fn begin_session(&mut self) {
        self.begin_transaction();
        self.instance = None;
    }

    /// Discards what belongs to a transaction.
    pub(super) fn begin_transaction(&mut self) {
        self.verdict_log.clear();
        self.deferred_headers = HeaderBlock::default();
        self.skips_body = false;
        self.has_answered_mail = false;
        if self.isolation() == Isolation::Message {
            self.instance = None;
        }
    }

    /// Asks the plugin, unless its breaker rejects the call, and reports the result to the breaker. Returns
    /// the answer and what its edits come to.
    ///
    /// # Errors
    ///
    /// Fails if the plugin gives no valid answer within its limits.
    pub(super) async fn ask(
        &mut self,
        question: Question<'_>,
        context: &Arc<Context>,
        settings: &Settings,
        patience: Patience,
    ) -> Result<(PluginAnswer, Changes), PluginError> {
        let event = question.event();
        let start = Instant::now();
        let client = context.session.remote.ip();
        match self.plugin.breaker().admit(self.probe, client, start) {
            Admission::Reject => return Err(PluginError::BreakerOpen),
            Admission::Allow => {}
            Admission::Probe(probe) => self.probe = Some(probe),
        }
        let instance = patience.bound(self.take_instance(context)).await;
        let is_started = instance.is_ok();
        let result = match instance {
            Ok(instance) => {
                let answer = self.ask_instance(instance, question, context, settings);
                patience.bound(answer).await
            }
            Err(error) => Err(error),
        };
        let now = Instant::now();
        if let Some(calls) = self.plugin.metrics().calls(event) {
            calls.observe(now.duration_since(start));
        }
        let call = CallInfo {
            event: is_started.then_some(event),
            client,
            session: &context.session.id,
            probe: self.probe,
        };
        let transition = match &result {
            Ok(_) => self.plugin.breaker().record_success(call, now),
            Err(PluginError::Host(_)) => None,
            Err(_) => self.plugin.breaker().record_failure(call, now),
        };
        if let Some(transition) = transition {
            self.report_transition(transition, Some(event));
        }
        if event == Event::Mail {
            self.has_answered_mail = result.is_ok();
        }
        result
    }

    /// Takes the instance of the session. A new one is started at the first event, after a failure, and as
    /// the isolation requires.
    async fn take_instance(&mut self, context: &Arc<Context>) -> Result<P::Instance, PluginError> {
        match self.instance.take() {
            Some(instance) => Ok(instance),
            None => self.plugin.start(context).await,
        }
    }

    /// Asks an instance, checks its answer, works out its edits, and keeps the instance as the isolation
    /// requires. An instance that fails is dropped.
    async fn ask_instance(
        &mut self,
        mut instance: P::Instance,
        question: Question<'_>,
        context: &Arc<Context>,
        settings: &Settings,
    ) -> Result<(PluginAnswer, Changes), PluginError> {
        let answer = instance.ask(question, context).await?;
        check_relaying(&answer, context, settings)?;
        let changes = match answer.edits.is_empty() {
            true => Changes::default(),
            false => {
                let work = |meter| Changes::of(&answer, question, context, meter);
                let charge = |time| instance.charge(context.session.remote.ip(), time);
                instance.remainder().spend(charge, work).await?
            }
        };
        match self.isolation() {
            Isolation::Connection | Isolation::Message => self.instance = Some(instance),
            Isolation::Event => drop(instance),
            Isolation::Shared => self.plugin.give_back(instance),
        }
        Ok((answer, changes))
    }

    /// Logs and counts that the breaker has opened or closed.
    fn report_transition(&self, transition: Transition, event: Option<Event>) {
        let plugin = self.plugin.name();
        let metrics = self.plugin.metrics();
        let event = event.map(tracing::field::display);
        match transition {
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

    /// Logs and counts a failure, and returns the verdict that the operator chose for it.
    pub(super) fn record_failure(
        &mut self,
        question: &Question<'_>,
        context: &Context,
        error: &PluginError,
    ) -> Verdict {
        let event = question.event();
        let on_failure = self.plugin.sidecar().on_failure;
        let (session, plugin) = (&context.session.id, self.plugin.name());
        let verdict = match error {
            PluginError::BreakerOpen => {
                // The opening of the breaker was logged once, so the level is debug.
                debug!(session, plugin, %event, ?on_failure, "plugin is taken out");
                self.plugin.metrics().skipped(event);
                self.log_verdict(event, "out");
                verdict_of_failure(on_failure, event)
            }
            PluginError::Host(fault) => {
                let cause = fault.cause();
                warn!(session, plugin, %event, cause, %error, "the host failed while it asked a plugin");
                self.plugin.metrics().host_failed(event, cause);
                self.log_verdict(event, "host-failed");
                verdict_of_host_fault(fault, event)
            }
            _ => {
                let cause = error.cause();
                warn!(session, plugin, %event, cause, %error, ?on_failure, "plugin failed");
                self.plugin.metrics().failed(event, cause);
                self.log_verdict(event, "failed");
                verdict_of_failure(on_failure, event)
            }
        };
        if event == Event::BodyChunk {
            // A new instance would see the rest of the body without its beginning.
            self.skips_body = true;
        }
        verdict
    }

    /// Adds an answer to the verdict log, and logs a refusal, a discard or a quarantine with its reason.
    pub(super) fn record_answer(
        &mut self,
        question: &Question<'_>,
        answer: &PluginAnswer,
        context: &Context,
    ) {
        let event = question.event();
        if answer.verdict != Verdict::Next || !answer.edits.is_empty() {
            let edits = match answer.edits.len() {
                0 => String::new(),
                count => format!("+{count}"),
            };
            self.log_verdict(event, &format!("{}{edits}", answer.verdict));
        }
        let reason = match &answer.verdict {
            Verdict::Defer(refused) | Verdict::Disconnect(refused) | Verdict::Refuse(refused) => {
                with_reason(refused)
            }
            Verdict::Discard(reason) | Verdict::Quarantine(reason) => reason.clone(),
            Verdict::Accept
            | Verdict::Answer(_)
            | Verdict::Authenticate(_)
            | Verdict::Decoy(_)
            | Verdict::Keys(_)
            | Verdict::Next => return,
        };
        info!(
            session = context.session.id,
            plugin = self.plugin.name(),
            %event,
            verdict = %answer.verdict,
            subject = question.logged_subject(context),
            reason,
            "plugin decided"
        );
    }

    /// Adds a verdict to the verdict log, if there is room.
    fn log_verdict(&mut self, event: Event, verdict: &str) {
        if self.verdict_log.len() > MAX_VERDICT_LOG {
            return;
        }
        let separator = if self.verdict_log.is_empty() { "" } else { "," };
        // Writing to a String cannot fail.
        _ = write!(self.verdict_log, "{separator}{event}:{verdict}");
    }
}

/// The reply of a refusal, and its reason if it has one.
fn with_reason(refused: &Refused) -> String {
    let mut reply = refused.refusal.reply().to_string();
    // A reply can have many long lines.
    reply.truncate(reply.floor_char_boundary(MAX_REPLY));
    match &refused.reason {
        None => reply,
        Some(reason) => format!("{reply} ({reason})"),
    }
}

/// The greatest length in octets of a reply in a line of the log.
const MAX_REPLY: usize = 2_048;
/// The length in octets of a verdict log from which on verdicts are left out.
const MAX_VERDICT_LOG: usize = 200;
