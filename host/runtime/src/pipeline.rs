//! How the opinions of several plugins become one decision, and what a failing plugin means.

mod edits;
mod journal;
mod slot;

use std::fmt::Write as _;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use postgate_proto::auth::{Proof, ScramKeys};
use postgate_proto::reply::{Acceptance, Refusal};
use postgate_proto::session::Settings;

use self::edits::apply;
use self::journal::Journal;
pub(crate) use self::slot::subject;
use self::slot::{AUTH_LATER, PluginSlot};
use crate::breaker::Breaker;
use crate::context::Context;
use crate::instance::Instance;
use crate::loaded::LoadedPlugin;
use crate::metrics::PluginMetrics;
use crate::observer::{Asked, Observer};
use crate::verdict::{Edit, Opinion, PluginError, TextEdit, Verdict};
use postgate_config::sidecar::Sidecar;
use postgate_contract::Event;

/// A plugin as the pipeline sees it.
pub trait Plugin: Send + Sync {
    /// What is asked.
    type Instance: Ask;

    /// The name in logs.
    fn name(&self) -> &str;
    /// Whether the plugin is to be asked about an event.
    fn handles(&self, event: Event) -> bool;
    /// What the operator decided about it.
    fn sidecar(&self) -> &Sidecar;
    /// What takes it out where it keeps failing.
    fn breaker(&self) -> &Breaker;
    /// What is counted about it.
    fn metrics(&self) -> &PluginMetrics;
    /// Finds or makes an instance for a session.
    fn start(
        &self,
        context: &Arc<Context>,
    ) -> impl Future<Output = Result<Self::Instance, PluginError>> + Send;
    /// Takes back an instance that works, where sessions share them.
    fn give_back(&self, instance: Self::Instance);
}

/// An instance of a plugin. After an error it is not asked again.
pub trait Ask: Send {
    /// Asks for an opinion.
    fn ask(
        &mut self,
        event: Event,
        context: &Arc<Context>,
    ) -> impl Future<Output = Result<Opinion, PluginError>> + Send;
}

impl Plugin for LoadedPlugin {
    type Instance = Instance;

    fn name(&self) -> &str {
        self.name()
    }

    fn handles(&self, event: Event) -> bool {
        self.handles(event)
    }

    fn sidecar(&self) -> &Sidecar {
        self.sidecar()
    }

    fn breaker(&self) -> &Breaker {
        self.breaker()
    }

    fn metrics(&self) -> &PluginMetrics {
        self.metrics()
    }

    async fn start(&self, context: &Arc<Context>) -> Result<Instance, PluginError> {
        self.take(context).await
    }

    fn give_back(&self, instance: Instance) {
        self.give_back(instance);
    }
}

impl Ask for Instance {
    async fn ask(&mut self, event: Event, context: &Arc<Context>) -> Result<Opinion, PluginError> {
        self.call(event, context).await
    }
}

/// The plugins of one session, in order, with their instances.
pub struct Pipeline<P: Plugin> {
    seats: Vec<PluginSlot<P>>,
    settings: Arc<Settings>,
    observer: Option<Arc<dyn Observer>>,
    journal: Journal,
    /// Which seat gave the keys by which the client is verified.
    keys_of: Option<usize>,
}

/// What all plugins together decided at one event.
#[derive(Debug, PartialEq)]
pub struct Outcome {
    /// The decision.
    pub decision: Decision,
    /// How long to wait before the reply.
    pub delay: Duration,
    /// What the session is to say from now on.
    pub texts: Vec<TextEdit>,
}

/// What all plugins together decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Answer the question with this reply.
    Answer(Acceptance),
    /// The credentials are right; act as this identity.
    Authenticate(String),
    /// Refuse this recipient, once the message has come.
    Defer(Refusal),
    /// Tell the client that the message was taken, and drop it.
    Discard,
    /// Refuse, and close the connection.
    Disconnect(Refusal),
    /// These are the keys of the user.
    Keys(ScramKeys),
    /// Nobody objects.
    Pass,
    /// Tell the client that the message was taken, and put it into quarantine.
    Quarantine,
    /// Refuse.
    Refuse(Refusal),
}

impl<P: Plugin> Pipeline<P> {
    /// The plugins that work for a listener.
    pub fn new(
        plugins: impl IntoIterator<Item = Arc<P>>,
        listener: &str,
        settings: Arc<Settings>,
    ) -> Self {
        let works_here = |plugin: &Arc<P>| {
            let listeners = plugin.sidecar().listeners.as_ref();
            listeners.is_none_or(|names| names.iter().any(|name| name == listener))
        };
        Self {
            seats: plugins
                .into_iter()
                .filter(works_here)
                .map(PluginSlot::new)
                .collect(),
            settings,
            observer: None,
            journal: Journal::default(),
            keys_of: None,
        }
    }

    /// The same, watched.
    #[must_use]
    pub fn observed_by(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observer = Some(observer);
        self
    }

    /// What holds for the session.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The most instances that the session has for itself.
    pub fn instances(&self) -> usize {
        let seats = self.seats.iter();
        seats.filter(|seat| !seat.is_shared()).count()
    }

    /// Whether any plugin is to be asked about an event.
    pub fn handles(&self, event: Event) -> bool {
        self.seats.iter().any(|seat| seat.plugin.handles(event))
    }

    /// Whether any plugin wants to see more of the body of this message.
    pub fn wants_body(&self) -> bool {
        self.seats
            .iter()
            .any(|seat| seat.is_asked(Event::BodyChunk))
    }

    /// Asks the plugins in order. Each sees what the ones before it have changed. The first that
    /// does not say "next" ends it; a notice goes to all of them.
    pub async fn ask(&mut self, event: Event, context: &mut Arc<Context>) -> Outcome {
        self.ask_those(event, context, |_| true).await
    }

    /// Asks only the plugins that have heard of a transaction which another one has refused at MAIL.
    pub async fn ask_witnesses(&mut self, event: Event, context: &mut Arc<Context>) -> Outcome {
        self.ask_those(event, context, |seat| seat.has_answered_mail)
            .await
    }

    async fn ask_those(
        &mut self,
        event: Event,
        context: &mut Arc<Context>,
        is_meant: impl Fn(&PluginSlot<P>) -> bool,
    ) -> Outcome {
        let mut outcome = Outcome {
            decision: Decision::Pass,
            delay: Duration::ZERO,
            texts: Vec::new(),
        };
        let mut has_failed = false;
        if event == Event::AuthKeys {
            self.keys_of = None;
        }
        for (index, seat) in self.seats.iter_mut().enumerate() {
            if event == Event::Data {
                // A client may come to this more than once in a transaction.
                seat.later.clear();
            }
            if !seat.is_asked(event) || !is_meant(seat) {
                continue;
            }
            let began = self.observer.as_ref().map(|_| Instant::now());
            let answer = seat.ask(event, context, &self.settings).await;
            if let (Some(observer), Some(began)) = (&self.observer, began) {
                observer.observe(&Asked {
                    plugin: seat.plugin.name(),
                    event,
                    context,
                    answer: answer.as_ref(),
                    elapsed: began.elapsed(),
                });
            }
            let mut opinion = match answer {
                Ok(opinion) => opinion,
                Err(error) => {
                    has_failed = true;
                    match seat.failure(event, context, &error) {
                        None => continue,
                        Some(decision) => {
                            outcome.decision = decision;
                            break;
                        }
                    }
                }
            };
            match &opinion.verdict {
                Verdict::Keys(_) => self.keys_of = Some(index),
                // The client has shown that it knows the password of somebody else's user.
                Verdict::Authenticate(_) if is_verified(context) && self.keys_of != Some(index) => {
                    opinion.verdict = Verdict::Next;
                }
                _ => {}
            }
            seat.note(event, &opinion, context);
            let cap = seat.plugin.sidecar().limits.delay;
            let mut delay = Duration::ZERO;
            for edit in opinion.edits {
                self.journal.add(seat.plugin.name(), &edit);
                match edit {
                    Edit::Delay(time) => delay = (delay + time).min(cap),
                    Edit::Text(text) => {
                        Arc::make_mut(context).say(&text);
                        outcome.texts.push(text);
                    }
                    other => apply(other, &mut seat.later, Arc::make_mut(context)),
                }
            }
            outcome.delay += delay;
            outcome.decision = match opinion.verdict {
                Verdict::Next => continue,
                Verdict::Accept if event == Event::BodyChunk => {
                    seat.is_sated = true;
                    continue;
                }
                Verdict::Accept => Decision::Pass,
                Verdict::Answer(acceptance) => Decision::Answer(acceptance),
                Verdict::Authenticate(identity) => Decision::Authenticate(identity),
                Verdict::Defer(refused) => Decision::Defer(refused.refusal),
                Verdict::Discard(_) => Decision::Discard,
                Verdict::Disconnect(refused) => Decision::Disconnect(refused.refusal),
                Verdict::Keys(keys) => Decision::Keys(keys),
                Verdict::Quarantine(_) => Decision::Quarantine,
                Verdict::Refuse(refused) => Decision::Refuse(refused.refusal),
            };
            break;
        }
        let is_about_credentials = matches!(event, Event::Auth | Event::AuthKeys);
        if is_about_credentials && has_failed && outcome.decision == Decision::Pass {
            // Nobody knows the client, and the one that has failed might have.
            outcome.decision = Decision::Refuse(AUTH_LATER);
        }
        outcome
    }

    /// Puts the fields that plugins asked for at `data` into the header block.
    pub fn add_later_headers(&mut self, context: &mut Arc<Context>) {
        for seat in &mut self.seats {
            for edit in seat.later.drain(..) {
                Arc::make_mut(context).message.headers.apply(&edit);
            }
        }
    }

    /// Forgets everything that belongs to the client of before.
    pub fn begin_session(&mut self) {
        for seat in &mut self.seats {
            seat.begin_session();
        }
        self.journal.clear();
        self.keys_of = None;
    }

    /// Forgets what belongs to a transaction.
    pub fn begin_transaction(&mut self) {
        for seat in &mut self.seats {
            seat.begin_transaction();
        }
        self.journal.clear();
    }

    /// Who has changed what in this transaction, in order: `editor prepend X-First, editor set-id a1`.
    pub fn journal(&self) -> &str {
        self.journal.as_str()
    }

    /// What each plugin said in this transaction, for the line that a message leaves in the log:
    /// `access=next header-rules=headers:next+2`.
    pub fn notes(&self) -> String {
        let mut notes = String::new();
        for seat in &self.seats {
            let separator = if notes.is_empty() { "" } else { " " };
            let said = match seat.notes.as_str() {
                "" => "next",
                said => said,
            };
            // Writing to a String does not fail.
            _ = write!(notes, "{separator}{}={said}", seat.plugin.name());
        }
        notes
    }
}

/// Whether the gateway itself has verified the client, by the keys that a plugin gave it.
fn is_verified(context: &Context) -> bool {
    let credentials = context.credentials.as_ref();
    credentials.is_some_and(|credentials| credentials.proof == Proof::Verified)
}

#[cfg(test)]
mod tests;
