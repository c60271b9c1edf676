//! Asks the plugins of a session in order, and combines their answers into one verdict.

use std::fmt::Write as _;
use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use postgate_config::Limits;
use postgate_contract::Event;
use postgate_proto::auth::Proof;
use postgate_proto::header::HeaderBlock;
use postgate_proto::session::Settings;
use tracing::{Instrument as _, debug_span, warn};

use super::changes::Changes;
use super::edits::EditTarget;
use super::failure::{AUTH_LATER, TOO_MUCH_WORK};
use super::journal::Journal;
use super::patience::Patience;
use super::plugin::Plugin;
use super::slot::PluginSlot;
use super::subject::Subject;
use crate::context::Context;
use crate::error::PluginError;
use crate::observer::{ObservedCall, Observer};
use crate::question::Question;
use crate::resources::ClientCpu;
use crate::verdict::{Edit, PluginAnswer, Refused, Verdict};

/// The plugins of one session, in order, with their instances.
pub struct Pipeline<P: Plugin> {
    pub(super) slots: Vec<PluginSlot<P>>,
    settings: Arc<Settings>,
    /// How long the plugins may take together at one event, with their delays.
    timeout: Duration,
    /// Observes all calls, if there is one.
    observer: Option<Arc<dyn Observer>>,
    /// The processor time of clients, if it is limited.
    clients: Option<Arc<ClientCpu>>,
    journal: Journal,
    /// The index of the slot of the plugin that returned the SCRAM keys of the user.
    key_provider: Option<usize>,
}

/// The combined result of all plugins at one event.
#[derive(Debug, PartialEq)]
pub struct Outcome {
    /// The verdict. It is [`Verdict::Next`] if no plugin objects, or one has accepted.
    pub verdict: Verdict,
    /// How long to wait before the reply: the sum of the delays of all plugins, each bounded by
    /// `limits.delay`, and together with the time that the plugins took, by `limits.plugins-timeout`.
    pub delay: Duration,
}

impl<P: Plugin> Pipeline<P> {
    /// Creates a pipeline of the plugins that are enabled for a listener.
    pub fn new(
        plugins: impl IntoIterator<Item = Arc<P>>,
        listener: &str,
        settings: Arc<Settings>,
    ) -> Self {
        let is_enabled = |plugin: &Arc<P>| {
            let listeners = plugin.sidecar().listeners.as_ref();
            listeners.is_none_or(|names| names.iter().any(|name| name == listener))
        };
        let plugins = plugins.into_iter().filter(is_enabled);
        Self {
            slots: plugins.map(PluginSlot::new).collect(),
            settings,
            timeout: Limits::default().plugins_timeout,
            observer: None,
            clients: None,
            journal: Journal::default(),
            key_provider: None,
        }
    }

    /// Bounds the time that the plugins may take together at one event, with their delays. A plugin that
    /// does not answer within it is no fault of the plugin.
    #[must_use]
    pub const fn bounded_by(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Ends the session of a client once plugins have used more processor time for it than they may.
    #[must_use]
    pub fn charged_to(mut self, clients: Arc<ClientCpu>) -> Self {
        self.clients = Some(clients);
        self
    }

    /// Reports all calls to an observer.
    #[must_use]
    pub fn observed_by(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observer = Some(observer);
        self
    }

    /// The greatest number of instances that the session can have for itself.
    pub fn instances(&self) -> usize {
        self.slots.iter().filter(|slot| !slot.is_shared()).count()
    }

    /// True if a plugin handles an event.
    pub fn handles(&self, event: Event) -> bool {
        self.slots.iter().any(|slot| slot.plugin.handles(event))
    }

    /// True if a plugin is asked about the rest of the body of this message.
    pub fn wants_body(&self) -> bool {
        self.slots
            .iter()
            .any(|slot| slot.is_asked(Event::BodyChunk))
    }

    /// Asks the plugins in order. Each plugin sees the edits of those before it. The first verdict other than
    /// [`Verdict::Next`] and [`Verdict::Decoy`] decides, and later plugins are not asked. All plugins get
    /// a notice.
    pub async fn ask(
        &mut self,
        subject: impl Into<Subject<'_>>,
        context: &mut Arc<Context>,
    ) -> Outcome {
        self.ask_slots(subject.into(), context, |_| true).await
    }

    /// As [`Self::ask`], but asks only the plugins that have answered MAIL in this transaction. It reports
    /// the end of a transaction that a later plugin refused at MAIL.
    pub async fn ask_if_mail_answered(
        &mut self,
        question: Question<'_>,
        context: &mut Arc<Context>,
    ) -> Outcome {
        self.ask_slots(question.into(), context, |slot| slot.has_answered_mail)
            .await
    }

    async fn ask_slots(
        &mut self,
        mut subject: Subject<'_>,
        context: &mut Arc<Context>,
        is_selected: impl Fn(&PluginSlot<P>) -> bool,
    ) -> Outcome {
        let event = subject.question().event();
        self.reset_for(event);
        let mut outcome = Outcome {
            verdict: Verdict::Next,
            delay: Duration::ZERO,
        };
        if self.is_too_much(event, context) {
            outcome.verdict = Verdict::Disconnect(Refused::from(TOO_MUCH_WORK));
            return outcome;
        }
        let mut has_failed = false;
        let mut decoy = None;
        let patience = Patience::of(self.timeout);
        for index in 0..self.slots.len() {
            let slot = &self.slots[index];
            if !slot.is_asked(event) || !is_selected(slot) {
                continue;
            }
            let verdict = match self
                .ask_slot(index, subject.question(), context, patience)
                .await
            {
                Ok(answered) => {
                    self.apply(index, answered, &mut subject, context, &mut outcome.delay)
                }
                Err(error) => {
                    has_failed = true;
                    let question = subject.question();
                    self.slots[index].record_failure(&question, context, &error)
                }
            };
            match verdict {
                Verdict::Next => {}
                // Another plugin may know the user.
                Verdict::Decoy(shape) => decoy = decoy.or(Some(shape)),
                Verdict::Accept => break,
                verdict => {
                    outcome.verdict = verdict;
                    break;
                }
            }
        }
        let is_about_credentials = matches!(event, Event::Auth | Event::AuthKeys);
        if is_about_credentials && has_failed && outcome.verdict == Verdict::Next {
            // The plugin that failed might have known the client.
            outcome.verdict = Verdict::Refuse(Refused::from(AUTH_LATER));
        }
        if let (Verdict::Next, Some(shape)) = (&outcome.verdict, decoy) {
            outcome.verdict = Verdict::Decoy(shape);
        }
        outcome.delay = self.bound_delay(outcome.delay, patience, event, context);
        outcome
    }

    /// True if plugins would be asked, and have used more processor time for the client than they may. They
    /// get their notices all the same.
    fn is_too_much(&self, event: Event, context: &Context) -> bool {
        let (client, session) = (context.session.remote.ip(), &context.session.id);
        let is_exhausted = !event.is_notice()
            && self.handles(event)
            && self
                .clients
                .as_ref()
                .is_some_and(|clients| clients.is_exhausted(client));
        if is_exhausted {
            warn!(session, %client, %event, limit = "plugin-cpu-per-client", "plugins have worked too much for the client");
        }
        is_exhausted
    }

    /// Shortens the delay that plugins ask for, if the client would have to wait for too long.
    fn bound_delay(
        &self,
        delay: Duration,
        patience: Patience,
        event: Event,
        context: &Context,
    ) -> Duration {
        let bounded = patience.bound_delay(delay);
        if bounded < delay {
            let (session, limit) = (&context.session.id, self.timeout);
            warn!(session, %event, ?delay, ?limit, "plugins would delay the client for too long");
        }
        bounded
    }

    /// Discards the state of an earlier question of the same kind.
    fn reset_for(&mut self, event: Event) {
        match event {
            Event::AuthKeys => self.key_provider = None,
            // A client can send DATA again in the same transaction, after it was refused.
            Event::Data => self
                .slots
                .iter_mut()
                .for_each(|slot| slot.deferred_headers = HeaderBlock::default()),
            _ => {}
        }
    }

    /// Asks one plugin, and reports the call to the observer.
    async fn ask_slot(
        &mut self,
        index: usize,
        question: Question<'_>,
        context: &Arc<Context>,
        patience: Patience,
    ) -> Result<(PluginAnswer, Changes), PluginError> {
        let slot = &mut self.slots[index];
        let start = self.observer.as_ref().map(|_| Instant::now());
        let span = debug_span!("plugin", session = context.session.id);
        let answer = slot.ask(question, context, &self.settings, patience);
        let answer = answer.instrument(span).await;
        if let (Some(observer), Some(start)) = (&self.observer, start) {
            observer.observe(&ObservedCall {
                plugin: slot.plugin.name(),
                question,
                context,
                answer: answer.as_ref().map(|(answer, _)| answer),
                elapsed: start.elapsed(),
            });
        }
        answer
    }

    /// Applies the edits of an answer, adds its delays to `delay`, and returns its verdict.
    /// [`Verdict::Accept`] means that no further plugin is asked.
    fn apply(
        &mut self,
        index: usize,
        (mut answer, changes): (PluginAnswer, Changes),
        subject: &mut Subject<'_>,
        context: &mut Arc<Context>,
        delay: &mut Duration,
    ) -> Verdict {
        let question = subject.question();
        match &answer.verdict {
            Verdict::Keys(_) => self.key_provider = Some(index),
            // The gateway has verified the client with the keys of another plugin, so this plugin must not
            // accept the identity.
            Verdict::Authenticate(_)
                if is_verified(&question) && self.key_provider != Some(index) =>
            {
                answer.verdict = Verdict::Next;
            }
            _ => {}
        }
        let slot = &mut self.slots[index];
        slot.record_answer(&question, &answer, context);
        let event = question.event();
        let max_delay = slot.plugin.sidecar().limits.delay;
        let mut requested = Duration::ZERO;
        let mut is_edited = false;
        for edit in &answer.edits {
            self.journal.add(slot.plugin.name(), edit);
            match edit {
                Edit::Delay(time) => requested = (requested + *time).min(max_delay),
                _ => is_edited = true,
            }
        }
        if is_edited {
            EditTarget {
                subject,
                context: Arc::make_mut(context),
                deferred_headers: &mut slot.deferred_headers,
            }
            .apply(answer.edits, changes);
        }
        *delay += requested;
        match answer.verdict {
            Verdict::Accept if event == Event::BodyChunk => {
                slot.skips_body = true;
                Verdict::Next
            }
            verdict => verdict,
        }
    }

    /// Adds the fields that plugins asked for at `data`, once the header block has arrived.
    pub fn apply_deferred_headers(&mut self, context: &mut Arc<Context>) {
        for slot in &mut self.slots {
            let fields = mem::take(&mut slot.deferred_headers);
            if !fields.is_empty() {
                let message = &mut Arc::make_mut(context).message;
                message.headers.put_above(&fields);
            }
        }
    }

    /// Discards everything that belongs to the previous client, when XCLIENT names another one.
    pub fn begin_session(&mut self) {
        for slot in &mut self.slots {
            slot.begin_session();
        }
        self.journal.clear();
        self.key_provider = None;
    }

    /// Discards what belongs to the previous transaction.
    pub fn begin_transaction(&mut self) {
        for slot in &mut self.slots {
            slot.begin_transaction();
        }
        self.journal.clear();
    }

    /// The edits in this transaction, in order, such as `editor prepend X-First, editor set-id a1`.
    pub fn journal(&self) -> &str {
        self.journal.as_str()
    }

    /// The verdicts of each plugin in this transaction, for the log line of its message, such as
    /// `access=next header-rules=headers:next+2`.
    pub fn verdict_log(&self) -> String {
        let mut log = String::new();
        for slot in &self.slots {
            let separator = if log.is_empty() { "" } else { " " };
            let verdicts = match slot.verdict_log.as_str() {
                "" => "next",
                verdicts => verdicts,
            };
            // Writing to a String cannot fail.
            _ = write!(log, "{separator}{}={verdicts}", slot.plugin.name());
        }
        log
    }
}

/// True if the gateway itself has verified the client, with the SCRAM keys of a plugin.
fn is_verified(question: &Question<'_>) -> bool {
    matches!(question, Question::Auth(credentials) if credentials.proof == Proof::Verified)
}
