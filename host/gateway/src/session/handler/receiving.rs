//! A message on its way in: kept, and shown to the plugins as far as it has come.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use postgate_contract::Event;
use postgate_proto::header::HeaderBlock;
use postgate_proto::reply::{Enhanced, Refusal};
use postgate_proto::session::{Answer, Rejection};
use postgate_runtime::context::Message;
use postgate_runtime::question::{BodyChunk, MessageOutcome, Question, ResetCause};
use postgate_runtime::verdict::Verdict;
use postgate_spool::SpoolError;
use tokio::time::timeout;
use tracing::warn;

use super::answer::answer_of;
use super::core::Handler;
use super::disposition::Disposition;
use crate::error_chain::Chain;
use crate::id;
use crate::message::submission;

impl Handler {
    /// Keeps octets of the message. Those before the answer to the question about the header block
    /// belong to it; the others belong to the body, of which the plugins see every piece that they
    /// want.
    ///
    /// # Errors
    ///
    /// Fails if the octets cannot be kept, or a plugin objects to the body.
    pub async fn store(&mut self, octets: &[u8]) -> Result<(), Rejection> {
        if self.incoming.started_at == 0 {
            self.incoming.started_at = id::now();
        }
        if let Some(head) = &mut self.incoming.head {
            head.extend_from_slice(octets);
            return Ok(());
        }
        if let Err(error) = self.incoming.spool.write(octets) {
            return Err(Rejection::from(self.not_kept(&error)));
        }
        self.watch_body(octets).await
    }

    /// Logs that the message cannot be kept, and gives the refusal for the client.
    fn not_kept(&self, error: &SpoolError) -> Refusal {
        let session = &self.context.session.id;
        warn!(session, error = %Chain(error), "cannot keep a message");
        error.refusal()
    }

    /// Shows the body to the plugins that want it. The session gives single lines, which are collected
    /// into pieces of a useful size.
    async fn watch_body(&mut self, mut octets: &[u8]) -> Result<(), Rejection> {
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
    async fn show_chunk(&mut self) -> Result<(), Rejection> {
        let octets = mem::take(&mut self.incoming.unseen);
        if octets.is_empty() || !self.pipeline.wants_body() {
            return Ok(());
        }
        let offset = self.incoming.seen;
        // A message has at most as many octets as a u32 counts.
        let length = u32::try_from(octets.len()).unwrap_or(u32::MAX);
        self.incoming.seen = offset.saturating_add(length);
        let chunk = BodyChunk { offset, octets };
        let verdict = self.ask(Question::BodyChunk(&chunk)).await;
        // The same memory serves the next piece.
        self.incoming.unseen = chunk.octets;
        self.incoming.unseen.clear();
        match verdict {
            Verdict::Disconnect(refused) => Err(Rejection::Disconnect(refused.refusal)),
            Verdict::Refuse(refused) => Err(Rejection::from(refused.refusal)),
            _ => Ok(()),
        }
    }

    /// The transaction has ended before its message was complete, because the message was refused if
    /// there is a refusal.
    pub async fn forget(&mut self, refused: Option<Refusal>) {
        match refused {
            Some(refusal) => self.message_refused(refusal).await,
            None => self.end_transaction(ResetCause::Rset).await,
        }
    }

    /// The message of the transaction was refused before the question about it.
    async fn message_refused(&mut self, refusal: Refusal) {
        self.log(&Disposition::refused(refusal));
        self.end_transaction(ResetCause::Refused).await;
    }

    pub(super) async fn data(&mut self) -> Answer {
        self.incoming.clear();
        answer_of(self.ask(Question::Data).await)
    }

    pub(super) async fn headers(&mut self) -> Answer {
        let head = self.incoming.head.take().unwrap_or_default();
        let mut headers = HeaderBlock::parse(head);
        if headers.named("Received").nth(MAX_HOPS).is_some() {
            return Answer::Reject(Rejection::Refuse(LOOP));
        }
        if self.context.authenticated_as().is_some() {
            let hostname = &self.context.session.hostname;
            let edits: Vec<_> = submission::edits(self.submission, &headers, hostname).collect();
            edits.iter().for_each(|edit| headers.apply(edit));
        }
        Arc::make_mut(&mut self.context).message =
            Message::of_headers(headers, self.incoming.started_at);
        self.pipeline.apply_deferred_headers(&mut self.context);
        let answer = answer_of(self.ask(Question::Headers).await);
        // If the session goes on, the refusal comes back here when the client has sent the rest.
        if let Answer::Reject(rejection) = &answer
            && rejection.closes()
        {
            self.message_refused(rejection.refusal().clone()).await;
        }
        answer
    }

    pub(super) async fn message(&mut self) -> Answer {
        // A plugin may object to the last piece of the body, as it might have to one before.
        if let Err(rejection) = self.show_chunk().await {
            self.message_refused(rejection.refusal().clone()).await;
            return Answer::Reject(rejection);
        }
        let body = match self.incoming.spool.finish() {
            Ok(body) => body,
            Err(error) => {
                let refusal = self.not_kept(&error);
                return self.finish(Disposition::refused(refusal)).await;
            }
        };
        let given = body.clone();
        let message = &mut Arc::make_mut(&mut self.context).message;
        message.set_body(body);
        message.completed_at = id::now();
        let verdict = self.ask(Question::Message).await;
        let disposition = self.dispose(verdict, &given).await;
        let answer = self.finish(disposition).await;
        self.incoming.spool.recycle(given);
        answer
    }

    /// Logs where the message has ended, and tells the plugins.
    async fn finish(&mut self, disposition: Disposition) -> Answer {
        self.log(&disposition);
        if self.pipeline.handles(Event::Outcome) {
            let outcome = MessageOutcome {
                fate: disposition.fate,
                reply: disposition.reply().clone(),
                id: self.context.message_id().into(),
            };
            self.tell_outcome(&outcome).await;
        }
        self.reset();
        disposition.into()
    }

    /// The backend has accepted the message by now, and a client that gives up waiting for the reply
    /// sends it again: all plugins together have only so long.
    async fn tell_outcome(&mut self, outcome: &MessageOutcome) {
        let told = self.ask(Question::Outcome(outcome));
        if timeout(OUTCOME_TIMEOUT, told).await.is_err() {
            let session = &self.context.session.id;
            warn!(session, limit = ?OUTCOME_TIMEOUT, "plugins take too long at outcome");
        }
    }
}

/// The most octets of a body that plugins are shown at a time.
const MAX_CHUNK: usize = 65_536;

/// How long all plugins together may take to be told of an outcome.
const OUTCOME_TIMEOUT: Duration = Duration::from_secs(10);

/// More Received fields than this are the sign of a loop (RFC 5321 §6.3).
const MAX_HOPS: usize = 100;

const LOOP: Refusal = Refusal::fixed(554, Enhanced::new(5, 4, 6), "Routing loop detected");
