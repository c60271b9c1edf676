//! What an answer has the host do is a part of the call: within its limits, and in turn with others.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::*;

/// The number of lines of the largest header block.
const LINES: usize = 260_000;

/// As many edits as an answer may have, each somewhere else in the header block.
fn many_edits(_: Question<'_>, context: &Context) -> Result<PluginAnswer, PluginError> {
    let lines = context.message.headers.len();
    let field = || {
        let name = HeaderName::new("A").unwrap();
        (name, HeaderValue::new(b"edited").unwrap())
    };
    let edits = (0..256_usize).map(|number| {
        let index = lines / 257 * (number + 1);
        let (name, value) = field();
        Edit::Header(match number % 4 {
            0 => HeaderEdit::Insert { index, name, value },
            1 => HeaderEdit::Replace { name, index, value },
            2 => HeaderEdit::Remove { name, index },
            _ => HeaderEdit::RemoveAll(HeaderName::new(&format!("B{number}")).unwrap()),
        })
    });
    edit(edits.collect())
}

fn new_body(_: Question<'_>, _: &Context) -> Result<PluginAnswer, PluginError> {
    let value = HeaderValue::new(b"edited").unwrap();
    edit(vec![
        Edit::Header(HeaderEdit::Append(HeaderName::new("B").unwrap(), value)),
        Edit::Tag("k".into(), "v".into()),
        Edit::ReplaceBody(vec![b'\n'; 4_000_000]),
    ])
}

fn recipients(_: Question<'_>, _: &Context) -> Result<PluginAnswer, PluginError> {
    let edits = (0..256).map(|number| {
        let path = path(&format!("\"user{number}\"@EXAMPLE.org"));
        Edit::Envelope(match number % 2 {
            0 => EnvelopeEdit::AddRecipient(path),
            _ => EnvelopeEdit::RemoveRecipient(path),
        })
    });
    edit(edits.collect())
}

fn fields_at_data(_: Question<'_>, _: &Context) -> Result<PluginAnswer, PluginError> {
    let value = HeaderValue::new(&b"word ".repeat(3_000)).unwrap();
    let name = HeaderName::new("X-Later").unwrap();
    edit(vec![Edit::PrependHeader(name, value); 256])
}

const ANSWERS: [(Answer, Event); 4] = [
    (many_edits, Event::Message),
    (new_body, Event::Message),
    (recipients, Event::Message),
    (fields_at_data, Event::Data),
];

/// A message with very many fields, for very many recipients.
fn large() -> Arc<Context> {
    let mut context = context();
    let edited = Arc::make_mut(&mut context);
    edited.message = Message::of_headers(HeaderBlock::parse(b"A:\r\n".repeat(LINES)), 0);
    let transaction = edited.transaction.as_mut().unwrap();
    let recipients = (0..10_000).map(|number| path(&format!("user{number}@example.org")).into());
    Arc::make_mut(transaction).envelope.recipients = recipients.collect();
    context
}

fn plugin(answer: Answer, on_failure: OnFailure, cpu: Duration) -> Arc<Fake> {
    Arc::new(Fake {
        remainder: Remainder {
            cpu,
            ..Remainder::UNLIMITED
        },
        ..fake(answer, on_failure)
    })
}

/// What is sent to the backend.
fn mail(context: &Context) -> (Vec<u8>, Option<Vec<u8>>, Vec<ForwardPath>) {
    let mut head = Vec::new();
    context.message.headers.render(&mut head);
    let transaction = context.transaction.as_ref().unwrap();
    (
        head,
        context.message.body.as_slice().map(<[u8]>::to_vec),
        transaction.envelope.paths().cloned().collect(),
    )
}

/// An answer that is too much work is a failure, and has no effect at all.
#[tokio::test]
async fn an_answer_beyond_the_limit_changes_nothing() {
    let later = Verdict::Refuse(Refused::from(Refusal::TRY_LATER));
    for (answer, event) in ANSWERS {
        for (on_failure, expected) in [
            (OnFailure::Tempfail, later.clone()),
            (
                OnFailure::Reject,
                Verdict::Refuse(Refused::from(REFUSED_FOR_FAILURE)),
            ),
            (OnFailure::Accept, Verdict::Next),
        ] {
            let limited = plugin(answer, on_failure, Duration::from_micros(500));
            let mut pipeline = pipeline_of(vec![limited]);
            let mut context = large();
            let before = mail(&context);
            let outcome = ask(&mut pipeline, event, &mut context).await;
            assert_eq!(outcome.verdict, expected, "{event}");
            assert_eq!(pipeline.verdict_log(), format!("fake={event}:failed"));
            pipeline.apply_deferred_headers(&mut context);
            assert!(mail(&context) == before, "{event}");
            assert_eq!(context.tags, []);
        }
    }
}

/// Others have several turns while one answer is worked out.
#[tokio::test]
async fn work_is_done_in_turns() {
    for (answer, event) in ANSWERS {
        let mut pipeline = pipeline_of(vec![plugin(answer, OnFailure::Tempfail, Duration::MAX)]);
        let mut context = large();
        let (is_over, turns) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicUsize::new(0)),
        );
        let witness = tokio::spawn({
            let (is_over, turns) = (Arc::clone(&is_over), Arc::clone(&turns));
            async move {
                while !is_over.load(Ordering::Relaxed) {
                    turns.fetch_add(1, Ordering::Relaxed);
                    tokio::task::yield_now().await;
                }
            }
        });
        let outcome = ask(&mut pipeline, event, &mut context).await;
        let turns = turns.load(Ordering::Relaxed);
        is_over.store(true, Ordering::Relaxed);
        witness.await.unwrap();
        assert_eq!(outcome.verdict, Verdict::Next);
        assert!(turns >= 2, "{event}: {turns}");
    }
}
