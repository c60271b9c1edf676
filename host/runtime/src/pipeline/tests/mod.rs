//! The pipeline with plugins that are plain Rust, so that each rule is seen alone.

mod credentials;
mod edits;
mod host_faults;
mod host_work;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use postgate_config::sidecar::Sidecar;
use postgate_contract::{BreakerRules, Event, OnFailure};
use postgate_proto::address::{Charset, ForwardPath, ReversePath};
use postgate_proto::auth::{Credentials, KeyShape, Mechanism, Proof, ScramKeys};
use postgate_proto::envelope::{Envelope, Recipient};
use postgate_proto::header::{HeaderBlock, HeaderEdit, HeaderName, HeaderValue};
use postgate_proto::parameters::MailParameters;
use postgate_proto::relay::RelayDomains;
use postgate_proto::reply::{Refusal, Reply};
use postgate_proto::session::{Counters, Ending, Helo, Settings, TLS_NOT_AVAILABLE};
use prometheus_client::registry::Registry;

use super::failure::{AUTH_LATER, CONNECT_LATER, REFUSED_FOR_FAILURE};
use super::*;
use crate::breaker::{Breaker, CallInfo};
use crate::context::{Authentication, Context, Introduction, Message, SessionFacts, Transaction};
use crate::error::PluginError;
use crate::meter::Remainder;
use crate::metrics::{PluginMetrics, PluginMetricsFamily};
use crate::question::{BodyChunk, Fate, MessageOutcome, Question, ResetCause, SessionSummary};
use crate::verdict::{Edit, EnvelopeEdit, PluginAnswer, ProfileEdit, Refused, Verdict};

type Answer = fn(Question<'_>, &Context) -> Result<PluginAnswer, PluginError>;

struct Fake {
    answer: Answer,
    sidecar: Sidecar,
    breaker: Breaker,
    metrics: PluginMetrics,
    remainder: Remainder,
}

struct FakeInstance(Answer, Remainder);

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
        Ok(FakeInstance(self.answer, self.remainder))
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

    fn remainder(&self) -> Remainder {
        self.1
    }

    fn charge(&self, _: IpAddr, _: Duration) {}
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
        remainder: Remainder::UNLIMITED,
    }
}

fn pipeline(answers: &[(Answer, OnFailure)]) -> Pipeline<Fake> {
    let plugins = answers.iter();
    let plugins = plugins.map(|(answer, on_failure)| Arc::new(fake(*answer, *on_failure)));
    pipeline_of(plugins.collect())
}

fn pipeline_of(plugins: Vec<Arc<Fake>>) -> Pipeline<Fake> {
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
        hostname: "mx.example.org".into(),
        ..SessionFacts::without_listener(nowhere)
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
        Event::Helo => {
            let introduction = Introduction {
                kind: Helo::Ehlo,
                name: "client.example".into(),
            };
            return pipeline.ask(Question::Helo(&introduction), context).await;
        }
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
async fn an_event_that_nobody_handles_asks_nobody() {
    let mut pipeline = pipeline(&[(trap, OnFailure::Tempfail)]);
    assert!(!pipeline.handles(Event::Helo));
    let outcome = ask(&mut pipeline, Event::Helo, &mut context()).await;
    assert_eq!(outcome.verdict, Verdict::Next);
}
