//! A message on its way in: kept, and shown to the plugins as far as it has come.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use postgate_proto::header::HeaderBlock;
use postgate_proto::reply::{Enhanced, Refusal};
use postgate_proto::session::{Answer, Session};
use tokio::time::timeout;
use tracing::warn;

use super::handover::Disposal;
use super::{Desk, answer_of};
use crate::id;
use crate::message::submission;
use postgate_contract::Event;
use postgate_runtime::context::{BodyChunk, Cause, Message, MessageOutcome, Occasion};
use postgate_runtime::pipeline::Decision;
use postgate_spool::Spool;

impl Desk {
    /// Keeps octets of the message: up to the question about the header block they belong to it, and
    /// from there on to the body, of which the plugins see every piece that they want.
    pub(crate) async fn store(&mut self, octets: &[u8]) -> Result<(), Objection> {
        if self.incoming.started_at == 0 {
            self.incoming.started_at = id::now();
        }
        let Some(head) = &mut self.incoming.head else {
            if let Err(error) = self.incoming.spool.write(octets) {
                warn!(session = self.context.session.id, %error, "cannot keep a message");
                return Err(Objection::Refuse(error.refusal()));
            }
            return self.watch_body(octets).await;
        };
        head.extend_from_slice(octets);
        Ok(())
    }

    /// Shows the body to the plugins that want it, a large enough piece at a time: what comes from
    /// the session may be a single line.
    async fn watch_body(&mut self, mut octets: &[u8]) -> Result<(), Objection> {
        if !self.pipeline.wants_body() {
            return Ok(());
        }
        while !octets.is_empty() {
            let room = MAX_CHUNK - self.incoming.unseen.len();
            let (now, later) = octets.split_at(room.min(octets.len()));
            self.incoming.unseen.extend_from_slice(now);
            octets = later;
            if self.incoming.unseen.len() == MAX_CHUNK {
                self.show_chunk().await?;
            }
        }
        Ok(())
    }

    /// Shows what no plugin has seen of the body yet.
    async fn show_chunk(&mut self) -> Result<(), Objection> {
        let octets = mem::take(&mut self.incoming.unseen);
        if octets.is_empty() || !self.pipeline.wants_body() {
            return Ok(());
        }
        let offset = self.incoming.seen;
        // A message has at most as many octets as a u32 counts.
        let length = u32::try_from(octets.len()).unwrap_or(u32::MAX);
        self.incoming.seen = offset.saturating_add(length);
        let chunk = Occasion::BodyChunk(BodyChunk { offset, octets });
        let decision = self.ask_about(Event::BodyChunk, chunk).await;
        if let Some(Occasion::BodyChunk(chunk)) = self.take_occasion() {
            // The same memory serves the next piece.
            self.incoming.unseen = chunk.octets;
            self.incoming.unseen.clear();
        }
        match decision {
            Decision::Disconnect(refusal) => Err(Objection::Disconnect(refusal)),
            Decision::Refuse(refusal) if refusal.closes() => Err(Objection::Disconnect(refusal)),
            Decision::Refuse(refusal) => Err(Objection::Refuse(refusal)),
            _ => Ok(()),
        }
    }

    /// Does what an objection to the message means for the session.
    pub(crate) async fn object(&mut self, objection: Objection, session: &mut Session) {
        match objection {
            Objection::Disconnect(refusal) => {
                session.disconnect(&refusal);
                self.message_refused(refusal).await;
            }
            Objection::Refuse(refusal) => session.refuse_message(refusal),
        }
    }

    /// The transaction is over before its message was complete, perhaps since that was refused.
    pub(crate) async fn forget(&mut self, refused: Option<Refusal>) {
        match refused {
            Some(refusal) => self.message_refused(refusal).await,
            None => self.end_transaction(Cause::Rset).await,
        }
    }

    /// The message of the transaction was refused before it came to the question about it.
    async fn message_refused(&mut self, refusal: Refusal) {
        self.log(&Disposal::refused(refusal));
        self.end_transaction(Cause::Refused).await;
    }

    pub(super) async fn data(&mut self) -> Answer {
        self.incoming.clear();
        answer_of(self.ask(Event::Data).await)
    }

    pub(super) async fn headers(&mut self) -> Answer {
        let head = self.incoming.head.take().unwrap_or_default();
        let mut headers = HeaderBlock::parse(head);
        if headers.named("Received").nth(MAX_HOPS).is_some() {
            return Answer::Refuse(LOOP);
        }
        if self.context.authenticated_as().is_some() {
            let hostname = &self.context.session.hostname;
            let edits: Vec<_> = submission::edits(self.submission, &headers, hostname).collect();
            edits.iter().for_each(|edit| headers.apply(edit));
        }
        Arc::make_mut(&mut self.context).message =
            Message::of_headers(headers, self.incoming.started_at);
        self.pipeline.add_later_headers(&mut self.context);
        let answer = answer_of(self.ask(Event::Headers).await);
        match &answer {
            Answer::Disconnect(refusal) => self.message_refused(refusal.clone()).await,
            Answer::Refuse(refusal) if refusal.closes() => {
                self.message_refused(refusal.clone()).await;
            }
            // Of a message that is refused without an end of the session, that comes back here when
            // the client has sent the rest of it.
            _ => {}
        }
        answer
    }

    pub(super) async fn message(&mut self) -> Answer {
        // A plugin may object to the last piece of the body as it might have to one before.
        match self.show_chunk().await {
            Ok(()) => {}
            Err(Objection::Disconnect(refusal)) => {
                self.message_refused(refusal.clone()).await;
                return Answer::Disconnect(refusal);
            }
            Err(Objection::Refuse(refusal)) => {
                self.message_refused(refusal.clone()).await;
                return Answer::Refuse(refusal);
            }
        }
        let body = match self.incoming.spool.finish() {
            Ok(body) => body,
            Err(error) => {
                warn!(session = self.context.session.id, %error, "cannot keep a message");
                return self.finish(Disposal::refused(error.refusal())).await;
            }
        };
        let given = body.clone();
        let message = &mut Arc::make_mut(&mut self.context).message;
        message.set_body(body);
        message.completed_at = id::now();
        let decision = self.ask(Event::Message).await;
        let disposal = self.dispose(decision, &given).await;
        let answer = self.finish(disposal).await;
        self.incoming.spool.recycle(given);
        answer
    }

    /// Logs what became of the message, and tells the plugins.
    async fn finish(&mut self, disposal: Disposal) -> Answer {
        self.log(&disposal);
        if self.pipeline.handles(Event::Outcome)
            && let Some(outcome) = self.outcome(&disposal)
        {
            self.tell_outcome(outcome).await;
        }
        self.reset();
        disposal.answer
    }

    /// The backend has said its yes by now, and a client that gives up waiting for ours sends the
    /// message once more: all plugins together have only so long.
    async fn tell_outcome(&mut self, outcome: MessageOutcome) {
        let told = self.ask_about(Event::Outcome, Occasion::Outcome(outcome));
        if timeout(OUTCOME_PATIENCE, told).await.is_err() {
            let session = &self.context.session.id;
            warn!(session, limit = ?OUTCOME_PATIENCE, "plugins take too long at outcome");
        }
        self.take_occasion();
    }
}

/// What speaks against going on with a message.
pub(crate) enum Objection {
    /// Say this, and close the connection.
    Disconnect(Refusal),
    /// Refuse the message so, once it has come.
    Refuse(Refusal),
}

/// A message on its way in.
pub(super) struct Incoming {
    /// The header block, until it was parsed.
    head: Option<Vec<u8>>,
    spool: Spool,
    /// How much of the body the plugins have seen, in octets.
    seen: u32,
    /// What comes next, and is too short to be shown.
    unseen: Vec<u8>,
    /// When its first octets came, in seconds since 1970-01-01 UTC; 0 before.
    started_at: u32,
}

impl Incoming {
    pub(super) fn new(spool: Spool) -> Self {
        Self {
            head: Some(Vec::new()),
            spool,
            seen: 0,
            unseen: Vec::new(),
            started_at: 0,
        }
    }

    pub(super) fn clear(&mut self) {
        self.head.get_or_insert_default().clear();
        self.spool.clear();
        self.seen = 0;
        self.unseen.clear();
        self.started_at = 0;
    }
}

/// The most octets of a body that plugins are shown at a time.
const MAX_CHUNK: usize = 65_536;

/// How long plugins may take to hear of an outcome, all of them together.
const OUTCOME_PATIENCE: Duration = Duration::from_secs(10);

/// So many Received lines are the sign of a loop (RFC 5321 §6.3).
const MAX_HOPS: usize = 100;

const LOOP: Refusal = Refusal::fixed(554, Enhanced::new(5, 4, 6), "Routing loop detected");
