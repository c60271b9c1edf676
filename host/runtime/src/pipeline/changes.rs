//! What the edits of an answer come to, worked out before any of them has an effect.

use postgate_proto::data::Lines;
use postgate_proto::header::{HeaderBlock, HeaderEdit, Revised};
use postgate_proto::parameters::Body;

use super::envelope::EnvelopeChanges;
use crate::context::{Context, Transaction};
use crate::meter::{Meter, OutOfTime};
use crate::question::Question;
use crate::verdict::{Edit, EnvelopeEdit, PluginAnswer};

/// What the edits of an answer come to. Working it out is a part of the call of the plugin, and if that fails,
/// nothing has changed. What is left is to put it in the place of what is there now.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// The header block.
    pub(super) headers: Option<Revised>,
    /// Fields for the header block, which has not arrived.
    pub(super) deferred_headers: Option<HeaderBlock>,
    /// The transaction.
    pub(super) transaction: Option<Transaction>,
    /// The body, if it is not that of the edit: lines that have been completed.
    pub(super) body: Option<Vec<u8>>,
}

impl Changes {
    /// Works out what the edits of an answer to a question come to.
    ///
    /// # Errors
    ///
    /// Fails if the call has used up its CPU time.
    pub(super) async fn of(
        answer: &PluginAnswer,
        question: Question<'_>,
        context: &Context,
        mut meter: Meter,
    ) -> Result<Self, OutOfTime> {
        let transaction = match question {
            Question::Mail(transaction) => Some(&**transaction),
            _ => context.transaction.as_deref(),
        };
        Ok(Self {
            headers: headers(answer, context, &mut meter).await?,
            deferred_headers: deferred_headers(answer, &mut meter).await?,
            transaction: match transaction {
                None => None,
                Some(transaction) => envelope(answer, transaction, &mut meter).await?,
            },
            body: body(answer, context, &mut meter).await?,
        })
    }
}

async fn headers(
    answer: &PluginAnswer,
    context: &Context,
    meter: &mut Meter,
) -> Result<Option<Revised>, OutOfTime> {
    let edits = answer.edits.iter().filter_map(|edit| match edit {
        Edit::Header(edit) => Some(edit),
        _ => None,
    });
    revised(&context.message.headers, edits.collect(), meter).await
}

/// Fields at `data` are added above the header block once it has arrived. They are written now.
async fn deferred_headers(
    answer: &PluginAnswer,
    meter: &mut Meter,
) -> Result<Option<HeaderBlock>, OutOfTime> {
    let edits = answer.edits.iter().filter_map(|edit| match edit {
        Edit::PrependHeader(name, value) => Some(HeaderEdit::Prepend(name.clone(), value.clone())),
        _ => None,
    });
    let edits: Vec<_> = edits.collect();
    let mut block = HeaderBlock::default();
    let revised = revised(&block, edits.iter().collect(), meter).await?;
    Ok(revised.map(|revised| {
        block.take_over(revised);
        block
    }))
}

async fn revised<'a>(
    headers: &'a HeaderBlock,
    edits: Vec<&'a HeaderEdit>,
    meter: &mut Meter,
) -> Result<Option<Revised>, OutOfTime> {
    if edits.is_empty() {
        return Ok(None);
    }
    let mut revision = headers.revise(edits);
    while !revision.step() {
        meter.count(STEP).await?;
    }
    Ok(Some(revision.finish()))
}

async fn envelope(
    answer: &PluginAnswer,
    transaction: &Transaction,
    meter: &mut Meter,
) -> Result<Option<Transaction>, OutOfTime> {
    let mut changes = None;
    for edit in &answer.edits {
        let edit = match edit {
            // The subject is a recipient, and not the envelope.
            Edit::Envelope(EnvelopeEdit::RewriteRecipient(_)) => continue,
            Edit::Envelope(edit) => edit,
            _ => continue,
        };
        let changes = match &mut changes {
            Some(changes) => changes,
            None => changes.insert(EnvelopeChanges::of(transaction, meter).await?),
        };
        changes.apply(edit);
        meter.count(STEP).await?;
    }
    Ok(changes.map(EnvelopeChanges::finish))
}

/// The lines of the last body of an answer. Unless the message is binary, a new body consists of lines from
/// now on: what the next plugin sees is what the backend gets.
async fn body(
    answer: &PluginAnswer,
    context: &Context,
    meter: &mut Meter,
) -> Result<Option<Vec<u8>>, OutOfTime> {
    let Some(body) = last_body(answer) else {
        return Ok(None);
    };
    let transaction = context.transaction.as_ref();
    let is_binary = transaction
        .is_some_and(|transaction| transaction.envelope.parameters.body == Some(Body::BinaryMime));
    if is_binary {
        return Ok(None);
    }
    let mut lines = Lines::of(body);
    while !lines.step() {
        meter.count(Lines::STEP).await?;
    }
    Ok(lines.finish())
}

fn last_body(answer: &PluginAnswer) -> Option<&[u8]> {
    let mut edits = answer.edits.iter().rev();
    edits.find_map(|edit| match edit {
        Edit::ReplaceBody(body) => Some(body.as_slice()),
        _ => None,
    })
}

/// What a step counts for, in octets.
const STEP: usize = 16_384;
