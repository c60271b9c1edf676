//! The pipeline with plugins that are plain Rust, so that each rule is seen alone.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use postgate_config::sidecar::Sidecar;
use postgate_contract::{BreakerRules, Event, OnFailure};
use postgate_proto::address::{Charset, ForwardPath, ReversePath};
use postgate_proto::auth::{Credentials, Mechanism, Proof, ScramKeys};
use postgate_proto::data::LineEndings;
use postgate_proto::envelope::{Envelope, Recipient};
use postgate_proto::header::{HeaderBlock, HeaderEdit, HeaderName, HeaderValue};
use postgate_proto::parameters::MailParameters;
use postgate_proto::relay::RelayDomains;
use postgate_proto::reply::{Refusal, Reply};
use postgate_proto::session::{Counters, Ending, Settings, TLS_NOT_AVAILABLE};
use prometheus_client::registry::Registry;

use super::failure::{AUTH_LATER, CONNECT_LATER, REFUSED_FOR_FAILURE};
use super::*;
use crate::breaker::{Breaker, CallInfo};
use crate::context::{Authentication, Context, Message, RemoteHost, SessionFacts, Transaction};
use crate::error::PluginError;
use crate::metrics::{PluginMetrics, PluginMetricsFamily};
use crate::question::{BodyChunk, Fate, MessageOutcome, Question, ResetCause, SessionSummary};
use crate::verdict::{Edit, EnvelopeEdit, PluginAnswer, ProfileEdit, Refused, Verdict};

type Answer = fn(Question<'_>, &Context) -> Result<PluginAnswer, PluginError>;

struct Fake {
    answer: Answer,
    sidecar: Sidecar,
    breaker: Breaker,
    metrics: PluginMetrics,
}

struct FakeInstance(Answer);

impl Plugin for Fake {
    type Instance = FakeInstance;

    fn name(&self) -> &str {
        "fake"
    }

    fn handles(&self, event: Event) -> bool {
        event != Event::Helo
    }

    fn sidecar(&self) -> &Sidecar {
        &self.sidecar
    }

    fn breaker(&self) -> &Breaker {
        &self.breaker
    }

    fn metrics(&self) -> &PluginMetrics {
        &self.metrics
    }

    async fn start(&self, _: &Arc<Context>) -> Result<FakeInstance, PluginError> {
        Ok(FakeInstance(self.answer))
    }

    fn give_back(&self, _: FakeInstance) {}
}

impl PluginInstance for FakeInstance {
    async fn ask(
        &mut self,
        question: Question<'_>,
        context: &Arc<Context>,
    ) -> Result<PluginAnswer, PluginError> {
        (self.0)(question, context)
    }
}

fn fake(answer: Answer, on_failure: OnFailure) -> Fake {
    Fake {
        answer,
        sidecar: Sidecar {
            on_failure,
            ..Sidecar::default()
        },
        breaker: Breaker::new(BreakerRules::default()),
        metrics: PluginMetricsFamily::register(&mut Registry::default()).of("fake", []),
    }
}

fn pipeline(answers: &[(Answer, OnFailure)]) -> Pipeline<Fake> {
    let plugins = answers.iter();
    let plugins = plugins.map(|(answer, on_failure)| Arc::new(fake(*answer, *on_failure)));
    let plugins: Vec<_> = plugins.collect();
    let settings = Settings {
        relay: RelayDomains::new(["example.org".into()]),
        ..Settings::default()
    };
    Pipeline::new(plugins, "mx", Arc::new(settings))
}

fn path(text: &str) -> ForwardPath {
    ForwardPath::parse(text, Charset::Ascii).unwrap()
}

fn context() -> Arc<Context> {
    let nowhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let mut context = Context::new(Arc::new(SessionFacts {
        id: "s".into(),
        connected_at: 0,
        listener: "mx".into(),
        hostname: "mx.example.org".into(),
        banner: String::new(),
        local: nowhere,
        remote: nowhere,
        remote_host: RemoteHost::Unknown,
        proxy: None,
        line_endings: LineEndings::Strict,
    }));
    context.transaction = Some(transaction());
    context.message = Message::of_headers(HeaderBlock::parse(b"A: 1\r\n\r\n".to_vec()), 0);
    Arc::new(context)
}

fn transaction() -> Arc<Transaction> {
    let mut envelope = Envelope::new(ReversePath::Null, MailParameters::default());
    envelope.recipients = vec![path("a@example.org").into()];
    Arc::new(Transaction::new("t".into(), envelope))
}

/// Asks about an event, with facts that do not matter.
async fn ask(pipeline: &mut Pipeline<Fake>, event: Event, context: &mut Arc<Context>) -> Outcome {
    let body = BodyChunk {
        offset: 0,
        octets: b"body".to_vec(),
    };
    let outcome = MessageOutcome {
        fate: Fate::Discarded,
        reply: refusal().reply().clone(),
        id: "t".into(),
    };
    let summary = SessionSummary {
        ending: Ending::Closed,
        counters: Counters::default(),
    };
    let question = match event {
        Event::Connect => Question::Connect,
        Event::StartTls => Question::StartTls,
        Event::Auth => {
            let credentials = credentials(Proof::Password("p".to_owned().into()));
            return pipeline.ask(Question::Auth(&credentials), context).await;
        }
        Event::AuthKeys => Question::AuthKeys("bob"),
        Event::Mail => {
            let subject = Subject::Transaction(&mut transaction());
            return pipeline.ask(subject, context).await;
        }
        Event::Rcpt => {
            let mut recipient = Recipient::from(path("b@example.org"));
            return pipeline
                .ask(Subject::Recipient(&mut recipient), context)
                .await;
        }
        Event::Data => Question::Data,
        Event::BodyChunk => Question::BodyChunk(&body),
        Event::Message => Question::Message,
        Event::Outcome => Question::Outcome(&outcome),
        Event::Reset => Question::Reset(ResetCause::Rset),
        Event::Disconnect => Question::Disconnect(summary),
        _ => unreachable!("no test is about {event}"),
    };
    pipeline.ask(question, context).await
}

fn credentials(proof: Proof) -> Credentials {
    Credentials {
        mechanism: Mechanism::ScramSha256,
        identity: "bob".into(),
        act_as: String::new(),
        proof,
    }
}

fn refused() -> Refused {
    Refused {
        refusal: refusal(),
        reason: Some("secret".into()),
    }
}

fn next(_: Question<'_>, _: &Context) -> Result<PluginAnswer, PluginError> {
    Ok(PluginAnswer::NEXT)
}

fn accept(_: Question<'_>, _: &Context) -> Result<PluginAnswer, PluginError> {
    Ok(PluginAnswer {
        verdict: Verdict::Accept,
        edits: vec![],
    })
}

fn authenticate(_: Question<'_>, _: &Context) -> Result<PluginAnswer, PluginError> {
    Ok(PluginAnswer {
        verdict: Verdict::Authenticate("bob".into()),
        edits: vec![],
    })
}

fn refuse_at_auth(question: Question<'_>, context: &Context) -> Result<PluginAnswer, PluginError> {
    match question {
        Question::Auth(_) => refuse(question, context),
        _ => Ok(PluginAnswer::NEXT),
    }
}

fn refuse(_: Question<'_>, _: &Context) -> Result<PluginAnswer, PluginError> {
    Ok(PluginAnswer {
        verdict: Verdict::Refuse(refused()),
        edits: vec![],
    })
}

fn refusal() -> Refusal {
    Refusal::new(Reply::new(550, None, vec!["no".into()]).unwrap()).unwrap()
}

fn trap(_: Question<'_>, _: &Context) -> Result<PluginAnswer, PluginError> {
    Err(PluginError::Trap(
        wasmtime::Trap::UnreachableCodeReached.into(),
    ))
}

fn tag(_: Question<'_>, _: &Context) -> Result<PluginAnswer, PluginError> {
    edit(vec![Edit::Tag("told".into(), String::new())])
}

fn edit(edits: Vec<Edit>) -> Result<PluginAnswer, PluginError> {
    Ok(PluginAnswer {
        verdict: Verdict::Next,
        edits,
    })
}

#[tokio::test]
async fn the_first_that_decides_ends_it() {
    use OnFailure::Tempfail;
    let table: [(&[(Answer, OnFailure)], Verdict); 4] = [
        (&[], Verdict::Next),
        (&[(next, Tempfail), (next, Tempfail)], Verdict::Next),
        (
            &[(next, Tempfail), (refuse, Tempfail)],
            Verdict::Refuse(refused()),
        ),
        (&[(accept, Tempfail), (refuse, Tempfail)], Verdict::Next),
    ];
    for (answers, expected) in table {
        let outcome = ask(&mut pipeline(answers), Event::Rcpt, &mut context()).await;
        assert_eq!(outcome.verdict, expected);
    }
}

#[tokio::test]
async fn a_failure_is_what_the_operator_says() {
    use OnFailure::{Accept, Reject, Tempfail};
    let table = [
        (
            Tempfail,
            Event::Rcpt,
            Verdict::Refuse(Refused::from(Refusal::TRY_LATER)),
        ),
        (
            Tempfail,
            Event::Auth,
            Verdict::Refuse(Refused::from(AUTH_LATER)),
        ),
        (
            Reject,
            Event::Auth,
            Verdict::Refuse(Refused::from(AUTH_LATER)),
        ),
        (
            Reject,
            Event::AuthKeys,
            Verdict::Refuse(Refused::from(AUTH_LATER)),
        ),
        (
            Tempfail,
            Event::StartTls,
            Verdict::Refuse(Refused::from(TLS_NOT_AVAILABLE)),
        ),
        (
            Tempfail,
            Event::Connect,
            Verdict::Disconnect(Refused::from(CONNECT_LATER)),
        ),
        (
            Reject,
            Event::Message,
            Verdict::Refuse(Refused::from(REFUSED_FOR_FAILURE)),
        ),
        // As if it had not been there: the next one is asked.
        (Accept, Event::Rcpt, Verdict::Refuse(refused())),
    ];
    for (on_failure, event, expected) in table {
        let mut pipeline = pipeline(&[(trap, on_failure), (refuse, Tempfail)]);
        assert_eq!(
            ask(&mut pipeline, event, &mut context()).await.verdict,
            expected
        );
        assert!(
            pipeline
                .verdict_log()
                .starts_with(&format!("fake={event}:failed"))
        );
    }
}

#[tokio::test]
async fn who_gave_the_keys_vouches_for_who_has_them() {
    fn keys(question: Question<'_>, context: &Context) -> Result<PluginAnswer, PluginError> {
        if let Question::Auth(_) = question {
            return authenticate(question, context);
        }
        let keys = ScramKeys::new(vec![0; 8], 4_096, &[0; 32], &[0; 32]);
        Ok(PluginAnswer {
            verdict: Verdict::Keys(keys.unwrap()),
            edits: vec![],
        })
    }
    fn other(question: Question<'_>, context: &Context) -> Result<PluginAnswer, PluginError> {
        match question {
            Question::Auth(_) => authenticate(question, context),
            _ => Ok(PluginAnswer::NEXT),
        }
    }
    use OnFailure::Tempfail;
    let bob = Verdict::Authenticate("bob".into());
    let table: [(&[(Answer, OnFailure)], Proof, Verdict); 5] = [
        (&[(keys, Tempfail)], Proof::Verified, bob.clone()),
        (&[(other, Tempfail)], Proof::Verified, Verdict::Next),
        (
            &[(other, Tempfail), (keys, Tempfail)],
            Proof::Verified,
            bob.clone(),
        ),
        (
            &[(refuse_at_auth, Tempfail), (keys, Tempfail)],
            Proof::Verified,
            Verdict::Refuse(refused()),
        ),
        (
            &[(other, Tempfail)],
            Proof::Password("p".to_owned().into()),
            bob,
        ),
    ];
    for (answers, proof, expected) in table {
        let mut pipeline = pipeline(answers);
        let mut context = context();
        ask(&mut pipeline, Event::AuthKeys, &mut context).await;
        let credentials = credentials(proof);
        let question = Question::Auth(&credentials);
        let outcome = pipeline.ask(question, &mut context).await;
        assert_eq!(outcome.verdict, expected, "{}", pipeline.verdict_log());
    }
}

#[tokio::test]
async fn credentials_are_not_wrong_where_nobody_could_judge_them() {
    use OnFailure::{Accept, Tempfail};
    let later = Verdict::Refuse(Refused::from(AUTH_LATER));
    let table: [(&[(Answer, OnFailure)], Verdict); 5] = [
        (&[(next, Tempfail)], Verdict::Next),
        (&[(trap, Accept)], later.clone()),
        (&[(trap, Accept), (next, Accept)], later.clone()),
        (&[(next, Accept), (trap, Accept)], later),
        (
            &[(trap, Accept), (authenticate, Accept)],
            Verdict::Authenticate("bob".into()),
        ),
    ];
    for (answers, expected) in table {
        let outcome = ask(&mut pipeline(answers), Event::Auth, &mut context()).await;
        assert_eq!(outcome.verdict, expected);
    }
    // What another one refuses is refused.
    let mut pipeline = pipeline(&[(trap, Accept), (refuse, Accept)]);
    let outcome = ask(&mut pipeline, Event::Auth, &mut context()).await;
    assert_eq!(outcome.verdict, Verdict::Refuse(refused()));
}

/// A fresh instance is shown the next message, and not the rest of this one.
#[tokio::test]
async fn who_fails_in_a_body_sees_no_more_of_it() {
    let mut pipeline = pipeline(&[(trap, OnFailure::Accept), (next, OnFailure::Tempfail)]);
    let mut context = context();
    for _ in 0..2 {
        pipeline.begin_transaction();
        for _ in 0..2 {
            let outcome = ask(&mut pipeline, Event::BodyChunk, &mut context).await;
            assert_eq!(outcome.verdict, Verdict::Next);
        }
        assert_eq!(pipeline.verdict_log(), "fake=body-chunk:failed fake=next");
    }
}

#[tokio::test]
async fn a_notice_reaches_those_behind_a_plugin_that_fails() {
    for event in [Event::Outcome, Event::Reset, Event::Disconnect] {
        for on_failure in [OnFailure::Accept, OnFailure::Reject, OnFailure::Tempfail] {
            let mut pipeline = pipeline(&[(trap, on_failure), (tag, OnFailure::Tempfail)]);
            let mut context = context();
            let outcome = ask(&mut pipeline, event, &mut context).await;
            assert_eq!(outcome.verdict, Verdict::Next, "{event}");
            assert_eq!(context.tags.len(), 1, "{event} {on_failure:?}");
            // Nor does it stop at one that is out.
            let breaker = pipeline.slots[0].plugin.breaker();
            let call = CallInfo {
                event: None,
                client: Ipv4Addr::LOCALHOST.into(),
                session: "s",
                probe: None,
            };
            while !breaker.is_open() {
                breaker.record_failure(call, Instant::now());
            }
            ask(&mut pipeline, event, &mut context).await;
            assert_eq!(context.tags.len(), 2, "{event} {on_failure:?}");
        }
    }
}

/// A transaction that is refused at MAIL has an end for those who have heard of it, and for nobody
/// else.
#[tokio::test]
async fn who_was_told_of_a_refused_transaction_is_told_of_its_end() {
    use OnFailure::Tempfail;
    let table: [(&[(Answer, OnFailure)], usize); 4] = [
        (&[(tag, Tempfail), (refuse, Tempfail), (tag, Tempfail)], 1),
        (&[(tag, Tempfail), (trap, Tempfail), (tag, Tempfail)], 1),
        (&[(trap, OnFailure::Accept), (tag, Tempfail)], 1),
        (&[(refuse, Tempfail), (tag, Tempfail)], 0),
    ];
    for (answers, told) in table {
        let mut pipeline = pipeline(answers);
        let mut context = context();
        pipeline.begin_transaction();
        ask(&mut pipeline, Event::Mail, &mut context).await;
        Arc::make_mut(&mut context).tags.clear();
        let reset = Question::Reset(ResetCause::Rset);
        pipeline.ask_if_mail_answered(reset, &mut context).await;
        assert_eq!(context.tags.len(), told, "{}", pipeline.verdict_log());
    }
}

#[tokio::test]
async fn the_next_plugin_sees_what_the_one_before_changed() {
    fn rewrite(_: Question<'_>, _: &Context) -> Result<PluginAnswer, PluginError> {
        edit(vec![
            Edit::Envelope(EnvelopeEdit::RewriteRecipient(path("c@example.org"))),
            Edit::Tag("k".into(), "v".into()),
            Edit::Header(HeaderEdit::Append(
                HeaderName::new("B").unwrap(),
                HeaderValue::new(b"2").unwrap(),
            )),
            Edit::ReplaceBody(b"new\r\n".to_vec()),
        ])
    }
    fn look(question: Question<'_>, context: &Context) -> Result<PluginAnswer, PluginError> {
        assert!(matches!(question, Question::Rcpt(rcpt) if rcpt.path == path("c@example.org")));
        assert_eq!(context.tags, [("k".into(), "v".into())]);
        assert_eq!(context.message.headers.text("b").as_deref(), Some("2"));
        assert_eq!(context.message.body.as_slice(), Some(&b"new\r\n"[..]));
        Ok(PluginAnswer::NEXT)
    }
    let mut pipeline = pipeline(&[(rewrite, OnFailure::Reject), (look, OnFailure::Reject)]);
    let outcome = ask(&mut pipeline, Event::Rcpt, &mut context()).await;
    assert_eq!(outcome.verdict, Verdict::Next);
    assert_eq!(pipeline.verdict_log(), "fake=rcpt:next+4 fake=next");
}

#[tokio::test]
async fn a_recipient_that_was_named_twice_is_refused_once() {
    fn refuse_one(_: Question<'_>, _: &Context) -> Result<PluginAnswer, PluginError> {
        let refused = Refused {
            refusal: refusal(),
            reason: None,
        };
        let bob = path("bob@example.org");
        edit(vec![Edit::Envelope(EnvelopeEdit::RefuseRecipient(
            bob, refused,
        ))])
    }
    let mut context = context();
    let transaction = Arc::make_mut(&mut context).transaction.as_mut().unwrap();
    let paths = ["bob@example.org", "carol@example.org", "bob@example.org"];
    let envelope = &mut Arc::make_mut(transaction).envelope;
    envelope.recipients = paths.map(|text| path(text).into()).into();
    let mut pipeline = pipeline(&[(refuse_one, OnFailure::Tempfail)]);
    ask(&mut pipeline, Event::Message, &mut context).await;
    let transaction = context.transaction.as_ref().unwrap();
    let left: Vec<_> = transaction.envelope.paths().collect();
    assert_eq!(left, [&path("carol@example.org")]);
    assert_eq!(transaction.refused, [(path("bob@example.org"), refusal())]);
}

#[tokio::test]
async fn a_plugin_can_not_open_the_relay() {
    fn elsewhere(_: Question<'_>, _: &Context) -> Result<PluginAnswer, PluginError> {
        edit(vec![Edit::Envelope(EnvelopeEdit::AddRecipient(path(
            "x@example.com",
        )))])
    }
    let mut context = context();
    let mut pipeline = pipeline(&[(elsewhere, OnFailure::Tempfail)]);
    let outcome = ask(&mut pipeline, Event::Message, &mut context).await;
    assert_eq!(
        outcome.verdict,
        Verdict::Refuse(Refused::from(Refusal::TRY_LATER))
    );
    assert_eq!(
        context
            .transaction
            .as_ref()
            .unwrap()
            .envelope
            .recipients
            .len(),
        1
    );
    Arc::make_mut(&mut context).authentication = Some(Authentication {
        since: 0,
        mechanism: "PLAIN",
        identity: "user".into(),
        acts_as: "user".into(),
    });
    let outcome = ask(&mut pipeline, Event::Message, &mut context).await;
    assert_eq!(outcome.verdict, Verdict::Next);
    assert_eq!(
        context
            .transaction
            .as_ref()
            .unwrap()
            .envelope
            .recipients
            .len(),
        2
    );
}

#[tokio::test]
async fn a_delay_is_capped_and_the_profile_takes_texts() {
    fn slow(_: Question<'_>, _: &Context) -> Result<PluginAnswer, PluginError> {
        edit(vec![
            Edit::Delay(Duration::from_secs(10)),
            Edit::Delay(Duration::from_secs(10)),
            Edit::Profile(ProfileEdit::SetBanner("hello".into())),
        ])
    }
    let mut pipeline = pipeline(&[(slow, OnFailure::Tempfail)]);
    let mut context = context();
    let outcome = ask(&mut pipeline, Event::Connect, &mut context).await;
    assert_eq!(outcome.delay, Duration::from_secs(15));
    assert_eq!(context.profile.banner(), Some("hello"));
}

#[tokio::test]
async fn fields_of_data_wait_for_the_header_block() {
    fn later(_: Question<'_>, _: &Context) -> Result<PluginAnswer, PluginError> {
        let name = HeaderName::new("X-Later").unwrap();
        edit(vec![Edit::PrependHeader(
            name,
            HeaderValue::new(b"1").unwrap(),
        )])
    }
    let mut context = context();
    let mut pipeline = pipeline(&[(later, OnFailure::Tempfail)]);
    ask(&mut pipeline, Event::Data, &mut context).await;
    assert_eq!(context.message.headers.len(), 1);
    pipeline.apply_deferred_headers(&mut context);
    pipeline.apply_deferred_headers(&mut context);
    assert_eq!(context.message.headers.field(0).unwrap().name(), "X-Later");
    assert_eq!(context.message.headers.len(), 2);
}

#[tokio::test]
async fn an_event_that_nobody_handles_asks_nobody() {
    let mut pipeline = pipeline(&[(trap, OnFailure::Tempfail)]);
    assert!(!pipeline.handles(Event::Helo));
    let outcome = ask(&mut pipeline, Event::Helo, &mut context()).await;
    assert_eq!(outcome.verdict, Verdict::Next);
}
