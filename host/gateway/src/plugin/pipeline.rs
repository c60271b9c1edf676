//! How the opinions of several plugins become one decision, and what a failing plugin means.

use std::fmt::Write as _;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use postgate_proto::header::HeaderEdit;
use postgate_proto::reply::{Acceptance, Enhanced, Refusal};
use postgate_proto::session::Settings;
use tracing::{info, warn};

use crate::config::sidecar::{Event, OnFailure, Sidecar};
use crate::plugin::component::{Component, Instance};
use crate::plugin::context::{Context, Occasion, Transaction};
use crate::plugin::verdict::{
    ClientEdit, Edit, EnvelopeEdit, Opinion, PluginError, Refused, ScramKeys, TextEdit, Verdict,
};
use crate::spool::Content;

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
    /// Makes an instance for one session.
    fn start(
        &self,
        context: &Arc<Context>,
    ) -> impl Future<Output = Result<Self::Instance, PluginError>> + Send;
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

impl Plugin for Component {
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

    async fn start(&self, context: &Arc<Context>) -> Result<Instance, PluginError> {
        self.start(context).await
    }
}

impl Ask for Instance {
    async fn ask(&mut self, event: Event, context: &Arc<Context>) -> Result<Opinion, PluginError> {
        self.call(event, context).await
    }
}

/// The plugins of one session, in order, with their instances.
pub struct Pipeline<P: Plugin> {
    seats: Vec<Seat<P>>,
    settings: Arc<Settings>,
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
                .map(Seat::new)
                .collect(),
            settings,
        }
    }

    /// The number of plugins.
    pub const fn len(&self) -> usize {
        self.seats.len()
    }

    /// Whether there is no plugin.
    pub const fn is_empty(&self) -> bool {
        self.seats.is_empty()
    }

    /// Whether any plugin is to be asked about an event.
    pub fn handles(&self, event: Event) -> bool {
        self.seats.iter().any(|seat| seat.plugin.handles(event))
    }

    /// Asks the plugins in order. Each sees what the ones before it have changed. The first that
    /// does not say "next" ends it.
    pub async fn ask(&mut self, event: Event, context: &mut Arc<Context>) -> Outcome {
        let mut outcome = Outcome {
            decision: Decision::Pass,
            delay: Duration::ZERO,
            texts: Vec::new(),
        };
        for seat in &mut self.seats {
            if !seat.plugin.handles(event) {
                continue;
            }
            let opinion = match seat.ask(event, context, &self.settings).await {
                Ok(opinion) => opinion,
                Err(error) => match seat.failure(event, context, &error) {
                    None => continue,
                    Some(decision) => {
                        outcome.decision = decision;
                        break;
                    }
                },
            };
            seat.note(event, &opinion, context);
            let cap = seat.plugin.sidecar().limits.delay;
            let mut delay = Duration::ZERO;
            for edit in opinion.edits {
                match edit {
                    Edit::Delay(time) => delay = (delay + time).min(cap),
                    Edit::Text(text) => outcome.texts.push(text),
                    other => apply(other, &mut seat.later, Arc::make_mut(context)),
                }
            }
            outcome.delay += delay;
            outcome.decision = match opinion.verdict {
                Verdict::Next => continue,
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

    /// Forgets what belongs to a transaction.
    pub fn begin_transaction(&mut self) {
        for seat in &mut self.seats {
            seat.notes.clear();
            seat.later.clear();
        }
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

/// One plugin in one session.
struct Seat<P: Plugin> {
    plugin: Arc<P>,
    instance: Option<P::Instance>,
    notes: String,
    later: Vec<HeaderEdit>,
}

impl<P: Plugin> Seat<P> {
    const fn new(plugin: Arc<P>) -> Self {
        Self {
            plugin,
            instance: None,
            notes: String::new(),
            later: Vec::new(),
        }
    }

    /// Asks the instance, and makes it first where this is its first event or its last call failed.
    async fn ask(
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
    fn failure(
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
    fn note(&mut self, event: Event, opinion: &Opinion, context: &Context) {
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

/// A plugin can not make the gateway an open relay.
fn check_relaying(
    opinion: &Opinion,
    context: &Context,
    settings: &Settings,
) -> Result<(), PluginError> {
    if context.authenticated_as.is_some() {
        return Ok(());
    }
    for edit in &opinion.edits {
        let Edit::Envelope(EnvelopeEdit::AddRecipient(path) | EnvelopeEdit::RewriteRecipient(path)) =
            edit
        else {
            continue;
        };
        if !settings.relay.permit(path) {
            let text = format!("recipient {path} is of no domain in relay.domains");
            return Err(PluginError::Answer(text));
        }
    }
    Ok(())
}

fn apply(edit: Edit, later: &mut Vec<HeaderEdit>, context: &mut Context) {
    match edit {
        Edit::Client(edit) => {
            let session = Arc::make_mut(&mut context.session);
            match edit {
                ClientEdit::Host(name) => session.remote_host = Some(name),
                ClientEdit::Ip(address) => session.remote.set_ip(address),
            }
        }
        Edit::Envelope(edit) => {
            if let Some(transaction) = &mut context.transaction {
                apply_to_envelope(edit, transaction);
            }
        }
        Edit::Header(edit) => context.message.headers.apply(&edit),
        Edit::LaterHeader(name, value) => later.push(HeaderEdit::Prepend(name, value)),
        Edit::ReplaceBody(body) => {
            context.message.headers.separate();
            context.message.set_body(Content::from(body));
        }
        Edit::SetId(id) => context.message.id = Some(id),
        Edit::Tag(name, value) if context.tags.len() < MAX_TAGS => context.tags.push((name, value)),
        // The caller keeps what is not about the context.
        Edit::Delay(_) | Edit::Tag(..) | Edit::Text(_) => {}
    }
}

fn apply_to_envelope(edit: EnvelopeEdit, transaction: &mut Transaction) {
    match edit {
        EnvelopeEdit::AddRecipient(path) if !transaction.recipients.contains(&path) => {
            transaction.recipients.push(path);
        }
        EnvelopeEdit::AddRecipient(_) => {}
        EnvelopeEdit::RefuseRecipient(path, _) | EnvelopeEdit::RemoveRecipient(path) => {
            transaction
                .recipients
                .retain(|recipient| *recipient != path);
        }
        EnvelopeEdit::RewriteRecipient(path) => {
            if let Some((recipient, _)) = &mut transaction.candidate {
                *recipient = path;
            }
        }
        EnvelopeEdit::RewriteSender(path) => transaction.sender = path,
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

/// So many tags are kept in a session; more are dropped.
const MAX_TAGS: usize = 256;
/// So long may the notes about one plugin get, in octets, before more are dropped.
const MAX_NOTES: usize = 200;

const AUTH_LATER: Refusal = Refusal::fixed(
    454,
    Enhanced::new(4, 7, 0),
    "Temporary authentication failure",
);
const CONNECT_LATER: Refusal = Refusal::fixed(
    421,
    Enhanced::new(4, 3, 0),
    "Temporary problem, try again later",
);
const REFUSED_FOR_FAILURE: Refusal =
    Refusal::fixed(554, Enhanced::new(5, 3, 0), "Message system error");

#[cfg(test)]
mod tests;
