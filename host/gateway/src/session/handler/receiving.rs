//! Receiving of a message: spools it, and asks the plugins about its parts.

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
use crate::clock;
use crate::error_chain::Chain;
use crate::message::submission;

impl Handler {
    /// Stores octets of the message: until the question about the header block, those of the header
    /// block and perhaps the first ones of the body, and after it those of the body.
    ///
    /// # Errors
    ///
    /// Fails if the octets cannot be stored, or a plugin rejects the body.
    pub async fn store(&mut self, octets: &[u8]) -> Result<(), Rejection> {
        if self.incoming.started_at == 0 {
            self.incoming.started_at = clock::unix_time();
        }
        // A message in chunks begins without the question about DATA. Lossless: a usize has at most 64
        // bits.
        *self.incoming.received.get_or_insert(0) += octets.len() as u64;
        if let Some(head) = &mut self.incoming.head {
            head.extend_from_slice(octets);
            return Ok(());
        }
        if let Err(error) = self.incoming.spool.write(octets) {
            return Err(Rejection::from(self.spool_failed(&error)));
        }
        self.buffer_chunk(octets).await
    }

    /// Logs that a message cannot be stored, and returns the refusal for the client.
    fn spool_failed(&self, error: &SpoolError) -> Refusal {
        let session = &self.context.session.id;
        warn!(session, error = %Chain(error), "cannot store a message");
        error.refusal()
    }

    /// Passes the body to the plugins that handle it. The session stores single lines, which are
    /// buffered until they fill a chunk.
    async fn buffer_chunk(&mut self, mut octets: &[u8]) -> Result<(), Rejection> {
        if !self.pipeline.wants_body() {
            return Ok(());
        }
        while !octets.is_empty() {
            let space = MAX_CHUNK - self.incoming.unseen.len();
            let (now, later) = octets.split_at(space.min(octets.len()));
            self.incoming.unseen.extend_from_slice(now);
            octets = later;
            if self.incoming.unseen.len() == MAX_CHUNK {
                self.ask_about_chunk().await?;
            }
        }
        Ok(())
    }

    /// Asks the plugins about the buffered octets of the body.
    async fn ask_about_chunk(&mut self) -> Result<(), Rejection> {
        let octets = mem::take(&mut self.incoming.unseen);
        if octets.is_empty() || !self.pipeline.wants_body() {
            return Ok(());
        }
        let offset = self.incoming.seen;
        // The limit on messages is a u32, so neither the length nor the offset overflows.
        let length = u32::try_from(octets.len()).unwrap_or(u32::MAX);
        self.incoming.seen = offset.saturating_add(length);
        let chunk = BodyChunk { offset, octets };
        let verdict = self.ask(Question::BodyChunk(&chunk)).await;
        // Reuse the allocation for the next chunk.
        self.incoming.unseen = chunk.octets;
        self.incoming.unseen.clear();
        match verdict {
            Verdict::Disconnect(refused) => Err(Rejection::Disconnect(refused.refusal)),
            Verdict::Refuse(refused) => Err(Rejection::from(refused.refusal)),
            _ => Ok(()),
        }
    }

    /// Ends a transaction before its message is complete. `refused` is the refusal of the message, or
    /// `None` after RSET.
    pub async fn abort_transaction(&mut self, refused: Option<Refusal>) {
        match refused {
            Some(refusal) => self.message_refused(refusal).await,
            None => self.end_transaction(ResetCause::Rset).await,
        }
    }

    /// Ends a transaction whose message was refused before it was complete.
    async fn message_refused(&mut self, refusal: Refusal) {
        self.log(&Disposition::refused(refusal));
        self.end_transaction(ResetCause::Refused).await;
    }

    pub(super) async fn data(&mut self) -> Answer {
        self.incoming.clear();
        let answer = answer_of(self.ask(Question::Data).await);
        if let Answer::Proceed(_) = answer {
            self.incoming.received = Some(0);
        }
        answer
    }

    pub(super) async fn headers(&mut self) -> Answer {
        let head = self.incoming.head.take().unwrap_or_default();
        let (mut headers, body) = HeaderBlock::split(head);
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
        let mut answer = answer_of(self.ask(Question::Headers).await);
        if !matches!(answer, Answer::Reject(_))
            && let Err(rejection) = self.store(&body).await
        {
            answer = Answer::Reject(rejection);
        }
        // If the session continues, it calls `abort_transaction` once the client has sent the rest.
        if let Answer::Reject(rejection) = &answer
            && rejection.closes()
        {
            self.message_refused(rejection.refusal().clone()).await;
        }
        answer
    }

    pub(super) async fn message(&mut self) -> Answer {
        // A plugin may reject the last chunk of the body, as any other.
        if let Err(rejection) = self.ask_about_chunk().await {
            self.message_refused(rejection.refusal().clone()).await;
            return Answer::Reject(rejection);
        }
        let body = match self.incoming.spool.finish() {
            Ok(body) => body,
            Err(error) => {
                let refusal = self.spool_failed(&error);
                return self.finish(Disposition::refused(refusal)).await;
            }
        };
        let given = body.clone();
        let message = &mut Arc::make_mut(&mut self.context).message;
        message.set_body(body);
        message.completed_at = clock::unix_time();
        let verdict = self.ask(Question::Message).await;
        let disposition = self.dispose(verdict, &given).await;
        let answer = self.finish(disposition).await;
        self.incoming.spool.recycle(given);
        answer
    }

    /// Logs the disposition of the message, and reports it to the plugins.
    async fn finish(&mut self, disposition: Disposition) -> Answer {
        self.log(&disposition);
        if self.pipeline.handles(Event::Outcome) {
            let outcome = MessageOutcome {
                fate: disposition.fate,
                reply: disposition.reply().clone(),
                id: self.context.message_id().into(),
            };
            self.report_outcome(&outcome).await;
        }
        self.reset();
        disposition.into()
    }

    /// Reports the outcome to the plugins, with a time limit for all of them together. The backend has
    /// accepted the message already, and a client that does not get the reply in time sends the
    /// message again (RFC 5321 §4.5.3.2.6).
    async fn report_outcome(&mut self, outcome: &MessageOutcome) {
        let asked = self.ask(Question::Outcome(outcome));
        if timeout(OUTCOME_TIMEOUT, asked).await.is_err() {
            let session = &self.context.session.id;
            warn!(session, limit = ?OUTCOME_TIMEOUT, "plugins take too long at outcome");
        }
    }
}

/// The size of the chunks in which plugins see the body, in octets.
const MAX_CHUNK: usize = 65_536;

/// The time limit for all plugins at the event `outcome`.
const OUTCOME_TIMEOUT: Duration = Duration::from_secs(10);

/// The number of Received fields that a message may have. More indicate a loop (RFC 5321 §6.3).
const MAX_HOPS: usize = 100;

const LOOP: Refusal = Refusal::fixed(554, Enhanced::new(5, 4, 6), "Routing loop detected");
