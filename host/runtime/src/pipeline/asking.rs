//! Asks the plugins of a session in order, and makes one verdict of what they say.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use postgate_contract::Event;
use postgate_proto::auth::Proof;
use postgate_proto::session::Settings;

use super::edits::Change;
use super::failure::AUTH_LATER;
use super::journal::Journal;
use super::plugin::Plugin;
use super::slot::PluginSlot;
use super::subject::Subject;
use crate::context::Context;
use crate::error::PluginError;
use crate::observer::{ObservedCall, Observer};
use crate::question::Question;
use crate::verdict::{Edit, Opinion, Refused, Verdict};

/// The plugins of one session, in order, with their instances.
pub struct Pipeline<P: Plugin> {
    pub(super) slots: Vec<PluginSlot<P>>,
    settings: Arc<Settings>,
    observer: Option<Arc<dyn Observer>>,
    journal: Journal,
    /// The slot of the plugin that gave the keys by which the client is verified.
    keys_of: Option<usize>,
}

/// What all plugins together decided at one event.
#[derive(Debug, PartialEq)]
pub struct Outcome {
    /// The verdict. [`Verdict::Next`] if nobody objects, or somebody has accepted.
    pub verdict: Verdict,
    /// How long to wait before the reply.
    pub delay: Duration,
}

impl<P: Plugin> Pipeline<P> {
    /// The plugins that the operator has enabled for a listener.
    pub fn new(
        plugins: impl IntoIterator<Item = Arc<P>>,
        listener: &str,
        settings: Arc<Settings>,
    ) -> Self {
        let is_enabled_here = |plugin: &Arc<P>| {
            let listeners = plugin.sidecar().listeners.as_ref();
            listeners.is_none_or(|names| names.iter().any(|name| name == listener))
        };
        let plugins = plugins.into_iter().filter(is_enabled_here);
        Self {
            slots: plugins.map(PluginSlot::new).collect(),
            settings,
            observer: None,
            journal: Journal::default(),
            keys_of: None,
        }
    }

    /// The same pipeline, whose calls are reported to an observer.
    #[must_use]
    pub fn observed_by(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observer = Some(observer);
        self
    }

    /// The most instances that the session has for itself.
    pub fn instances(&self) -> usize {
        self.slots.iter().filter(|slot| !slot.is_shared()).count()
    }

    /// True if a plugin is to be asked about an event.
    pub fn handles(&self, event: Event) -> bool {
        self.slots.iter().any(|slot| slot.plugin.handles(event))
    }

    /// True if a plugin wants to see more of the body of this message.
    pub fn wants_body(&self) -> bool {
        self.slots
            .iter()
            .any(|slot| slot.is_asked(Event::BodyChunk))
    }

    /// Asks the plugins in order. Each sees what the ones before it have changed. The first that does
    /// not say "next" decides; a notice goes to all of them.
    pub async fn ask(
        &mut self,
        subject: impl Into<Subject<'_>>,
        context: &mut Arc<Context>,
    ) -> Outcome {
        self.ask_slots(subject.into(), context, |_| true).await
    }

    /// As [`Self::ask`], but asks only the plugins that have answered MAIL in this transaction, which
    /// another plugin has refused then.
    pub async fn ask_witnesses(
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
        is_meant: impl Fn(&PluginSlot<P>) -> bool,
    ) -> Outcome {
        let event = subject.question().event();
        self.forget_for(event);
        let mut outcome = Outcome {
            verdict: Verdict::Next,
            delay: Duration::ZERO,
        };
        let mut has_failed = false;
        for index in 0..self.slots.len() {
            let slot = &self.slots[index];
            if !slot.is_asked(event) || !is_meant(slot) {
                continue;
            }
            let verdict = match self.ask_slot(index, subject.question(), context).await {
                Ok(opinion) => {
                    self.apply(index, opinion, &mut subject, context, &mut outcome.delay)
                }
                Err(error) => {
                    has_failed = true;
                    let question = subject.question();
                    self.slots[index].failed(&question, context, &error)
                }
            };
            match verdict {
                Verdict::Next => {}
                Verdict::Accept => break,
                verdict => {
                    outcome.verdict = verdict;
                    break;
                }
            }
        }
        let is_about_credentials = matches!(event, Event::Auth | Event::AuthKeys);
        if is_about_credentials && has_failed && outcome.verdict == Verdict::Next {
            // No plugin knows the client, and the one that has failed might have.
            outcome.verdict = Verdict::Refuse(Refused::from(AUTH_LATER));
        }
        outcome
    }

    /// Forgets what an earlier question about the same thing has left.
    fn forget_for(&mut self, event: Event) {
        match event {
            Event::AuthKeys => self.keys_of = None,
            // A client may come to this more than once in a transaction.
            Event::Data => self.slots.iter_mut().for_each(|slot| slot.later.clear()),
            _ => {}
        }
    }

    async fn ask_slot(
        &mut self,
        index: usize,
        question: Question<'_>,
        context: &Arc<Context>,
    ) -> Result<Opinion, PluginError> {
        let slot = &mut self.slots[index];
        let began = self.observer.as_ref().map(|_| Instant::now());
        let answer = slot.ask(question, context, &self.settings).await;
        if let (Some(observer), Some(began)) = (&self.observer, began) {
            observer.observe(&ObservedCall {
                plugin: slot.plugin.name(),
                question,
                context,
                answer: answer.as_ref(),
                elapsed: began.elapsed(),
            });
        }
        answer
    }

    /// Applies the edits of an opinion and gives its verdict. [`Verdict::Accept`] means that no further
    /// plugin is asked.
    fn apply(
        &mut self,
        index: usize,
        mut opinion: Opinion,
        subject: &mut Subject<'_>,
        context: &mut Arc<Context>,
        delay: &mut Duration,
    ) -> Verdict {
        let question = subject.question();
        match &opinion.verdict {
            Verdict::Keys(_) => self.keys_of = Some(index),
            // The gateway has verified that the client knows a password, and that of the user whose
            // keys another plugin gave.
            Verdict::Authenticate(_) if is_verified(&question) && self.keys_of != Some(index) => {
                opinion.verdict = Verdict::Next;
            }
            _ => {}
        }
        let slot = &mut self.slots[index];
        slot.note(&question, &opinion, context);
        let event = question.event();
        let longest = slot.plugin.sidecar().limits.delay;
        let mut wanted = Duration::ZERO;
        for edit in opinion.edits {
            self.journal.add(slot.plugin.name(), &edit);
            match edit {
                Edit::Delay(time) => wanted = (wanted + time).min(longest),
                edit => Change {
                    subject: &mut *subject,
                    context: Arc::make_mut(context),
                    later: &mut slot.later,
                }
                .apply(edit),
            }
        }
        *delay += wanted;
        match opinion.verdict {
            Verdict::Accept if event == Event::BodyChunk => {
                slot.is_sated = true;
                Verdict::Next
            }
            verdict => verdict,
        }
    }

    /// Puts the fields that plugins asked for at `data` into the header block.
    pub fn add_later_headers(&mut self, context: &mut Arc<Context>) {
        for slot in &mut self.slots {
            for edit in slot.later.drain(..) {
                Arc::make_mut(context).message.headers.apply(&edit);
            }
        }
    }

    /// Forgets everything that belongs to the client of before.
    pub fn begin_session(&mut self) {
        for slot in &mut self.slots {
            slot.begin_session();
        }
        self.journal.clear();
        self.keys_of = None;
    }

    /// Forgets what belongs to a transaction.
    pub fn begin_transaction(&mut self) {
        for slot in &mut self.slots {
            slot.begin_transaction();
        }
        self.journal.clear();
    }

    /// Who has changed what in this transaction, in order: `editor prepend X-First, editor set-id a1`.
    pub fn journal(&self) -> &str {
        self.journal.as_str()
    }

    /// What each plugin said in this transaction, for the log line of its message:
    /// `access=next header-rules=headers:next+2`.
    pub fn notes(&self) -> String {
        let mut notes = String::new();
        for slot in &self.slots {
            let separator = if notes.is_empty() { "" } else { " " };
            let said = match slot.notes.as_str() {
                "" => "next",
                said => said,
            };
            // Writing to a String does not fail.
            _ = write!(notes, "{separator}{}={said}", slot.plugin.name());
        }
        notes
    }
}

/// True if the gateway itself has verified the client, by the keys that a plugin gave it.
fn is_verified(question: &Question<'_>) -> bool {
    matches!(question, Question::Auth(credentials) if credentials.proof == Proof::Verified)
}
