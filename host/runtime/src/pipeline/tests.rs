//! The pipeline with plugins that are plain Rust, so that each rule is seen alone.

use std::net::{Ipv4Addr, SocketAddr};

use postgate_proto::address::{Charset, ForwardPath, ReversePath};
use postgate_proto::auth::{Credentials, Mechanism};
use postgate_proto::data::LineEndings;
use postgate_proto::header::{HeaderBlock, HeaderEdit, HeaderName, HeaderValue};
use postgate_proto::parameters::MailParameters;
use postgate_proto::relay::RelayDomains;
use postgate_proto::reply::Reply;
use postgate_proto::session::TLS_NOT_AVAILABLE;

use super::seat::{CONNECT_LATER, REFUSED_FOR_FAILURE};
use super::*;
use crate::breaker::CallInfo;
use crate::context::{Authentication, Message, RemoteHost, SessionFacts, Transaction};
use crate::metrics::Metrics;
use crate::verdict::{EnvelopeEdit, Refused};
use postgate_contract::{BreakerRules, OnFailure};

type Answer = fn(Event, &Context) -> Result<Opinion, PluginError>;

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

impl Ask for FakeInstance {
    async fn ask(&mut self, event: Event, context: &Arc<Context>) -> Result<Opinion, PluginError> {
        (self.0)(event, context)
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
        metrics: Metrics::new().plugins().of("fake", []),
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
        local: nowhere,
        remote: nowhere,
        remote_host: RemoteHost::Unknown,
        proxy: None,
        line_endings: LineEndings::Strict,
    }));
    context.transaction = Some(Transaction {
        id: "t".into(),
        sender: ReversePath::Null,
        given_sender: ReversePath::Null,
        parameters: MailParameters::default(),
        recipients: vec![path("a@example.org").into()],
        refused: Vec::new(),
        candidate: Some(path("b@example.org").into()),
    });
    context.message = Message::of_headers(HeaderBlock::parse(b"A: 1\r\n\r\n".to_vec()), 0);
    Arc::new(context)
}

fn next(_: Event, _: &Context) -> Result<Opinion, PluginError> {
    Ok(Opinion::NEXT)
}

fn accept(_: Event, _: &Context) -> Result<Opinion, PluginError> {
    Ok(Opinion {
        verdict: Verdict::Accept,
        edits: vec![],
    })
}

fn authenticate(_: Event, _: &Context) -> Result<Opinion, PluginError> {
    Ok(Opinion {
        verdict: Verdict::Authenticate("bob".into()),
        edits: vec![],
    })
}

fn refuse_at_auth(event: Event, context: &Context) -> Result<Opinion, PluginError> {
    match event {
        Event::Auth => refuse(event, context),
        _ => Ok(Opinion::NEXT),
    }
}

fn refuse(_: Event, _: &Context) -> Result<Opinion, PluginError> {
    Ok(Opinion {
        verdict: Verdict::Refuse(Refused {
            refusal: refusal(),
            reason: Some("secret".into()),
        }),
        edits: vec![],
    })
}

fn refusal() -> Refusal {
    Refusal::new(Reply::new(550, None, vec!["no".into()]).unwrap()).unwrap()
}

fn trap(_: Event, _: &Context) -> Result<Opinion, PluginError> {
    Err(PluginError::Trap("unreachable".into()))
}

fn tag(_: Event, _: &Context) -> Result<Opinion, PluginError> {
    edit(vec![Edit::Tag("told".into(), String::new())])
}

fn edit(edits: Vec<Edit>) -> Result<Opinion, PluginError> {
    Ok(Opinion {
        verdict: Verdict::Next,
        edits,
    })
}

#[tokio::test]
async fn the_first_that_decides_ends_it() {
    use OnFailure::Tempfail;
    let table: [(&[(Answer, OnFailure)], Decision); 4] = [
        (&[], Decision::Pass),
        (&[(next, Tempfail), (next, Tempfail)], Decision::Pass),
        (
            &[(next, Tempfail), (refuse, Tempfail)],
            Decision::Refuse(refusal()),
        ),
        (&[(accept, Tempfail), (refuse, Tempfail)], Decision::Pass),
    ];
    for (answers, expected) in table {
        let outcome = pipeline(answers).ask(Event::Rcpt, &mut context()).await;
        assert_eq!(outcome.decision, expected);
    }
}

#[tokio::test]
async fn a_failure_is_what_the_operator_says() {
    use OnFailure::{Accept, Reject, Tempfail};
    let table = [
        (Tempfail, Event::Rcpt, Decision::Refuse(Refusal::TRY_LATER)),
        (Tempfail, Event::Auth, Decision::Refuse(AUTH_LATER)),
        (Reject, Event::Auth, Decision::Refuse(AUTH_LATER)),
        (Reject, Event::AuthKeys, Decision::Refuse(AUTH_LATER)),
        (
            Tempfail,
            Event::StartTls,
            Decision::Refuse(TLS_NOT_AVAILABLE),
        ),
        (
            Tempfail,
            Event::Connect,
            Decision::Disconnect(CONNECT_LATER),
        ),
        (
            Reject,
            Event::Message,
            Decision::Refuse(REFUSED_FOR_FAILURE),
        ),
        // As if it had not been there: the next one is asked.
        (Accept, Event::Rcpt, Decision::Refuse(refusal())),
    ];
    for (on_failure, event, expected) in table {
        let mut pipeline = pipeline(&[(trap, on_failure), (refuse, Tempfail)]);
        assert_eq!(pipeline.ask(event, &mut context()).await.decision, expected);
        assert!(
            pipeline
                .notes()
                .starts_with(&format!("fake={event}:failed"))
        );
    }
}

#[tokio::test]
async fn who_gave_the_keys_vouches_for_who_has_them() {
    fn keys(event: Event, context: &Context) -> Result<Opinion, PluginError> {
        if event == Event::Auth {
            return authenticate(event, context);
        }
        let keys = ScramKeys::new(vec![0; 8], 4_096, &[0; 32], &[0; 32]);
        Ok(Opinion {
            verdict: Verdict::Keys(keys.unwrap()),
            edits: vec![],
        })
    }
    fn other(event: Event, context: &Context) -> Result<Opinion, PluginError> {
        match event {
            Event::Auth => authenticate(event, context),
            _ => Ok(Opinion::NEXT),
        }
    }
    use OnFailure::Tempfail;
    let bob = Decision::Authenticate("bob".into());
    let table: [(&[(Answer, OnFailure)], Proof, Decision); 5] = [
        (&[(keys, Tempfail)], Proof::Verified, bob.clone()),
        (&[(other, Tempfail)], Proof::Verified, Decision::Pass),
        (
            &[(other, Tempfail), (keys, Tempfail)],
            Proof::Verified,
            bob.clone(),
        ),
        (
            &[(refuse_at_auth, Tempfail), (keys, Tempfail)],
            Proof::Verified,
            Decision::Refuse(refusal()),
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
        pipeline.ask(Event::AuthKeys, &mut context).await;
        Arc::make_mut(&mut context).credentials = Some(Credentials {
            mechanism: Mechanism::ScramSha256,
            identity: "bob".into(),
            act_as: String::new(),
            proof,
        });
        let outcome = pipeline.ask(Event::Auth, &mut context).await;
        assert_eq!(outcome.decision, expected, "{}", pipeline.notes());
    }
}

#[tokio::test]
async fn credentials_are_not_wrong_where_nobody_could_judge_them() {
    use OnFailure::{Accept, Tempfail};
    let later = Decision::Refuse(AUTH_LATER);
    let table: [(&[(Answer, OnFailure)], Decision); 5] = [
        (&[(next, Tempfail)], Decision::Pass),
        (&[(trap, Accept)], later.clone()),
        (&[(trap, Accept), (next, Accept)], later.clone()),
        (&[(next, Accept), (trap, Accept)], later),
        (
            &[(trap, Accept), (authenticate, Accept)],
            Decision::Authenticate("bob".into()),
        ),
    ];
    for (answers, expected) in table {
        let outcome = pipeline(answers).ask(Event::Auth, &mut context()).await;
        assert_eq!(outcome.decision, expected);
    }
    // What another one refuses is refused.
    let mut pipeline = pipeline(&[(trap, Accept), (refuse, Accept)]);
    let outcome = pipeline.ask(Event::Auth, &mut context()).await;
    assert_eq!(outcome.decision, Decision::Refuse(refusal()));
}

/// A fresh instance is shown the next message, and not the rest of this one.
#[tokio::test]
async fn who_fails_in_a_body_sees_no_more_of_it() {
    let mut pipeline = pipeline(&[(trap, OnFailure::Accept), (next, OnFailure::Tempfail)]);
    let mut context = context();
    for _ in 0..2 {
        pipeline.begin_transaction();
        for _ in 0..2 {
            let outcome = pipeline.ask(Event::BodyChunk, &mut context).await;
            assert_eq!(outcome.decision, Decision::Pass);
        }
        assert_eq!(pipeline.notes(), "fake=body-chunk:failed fake=next");
    }
}

#[tokio::test]
async fn a_notice_reaches_those_behind_a_plugin_that_fails() {
    for event in [Event::Outcome, Event::Reset, Event::Disconnect] {
        for on_failure in [OnFailure::Accept, OnFailure::Reject, OnFailure::Tempfail] {
            let mut pipeline = pipeline(&[(trap, on_failure), (tag, OnFailure::Tempfail)]);
            let mut context = context();
            let outcome = pipeline.ask(event, &mut context).await;
            assert_eq!(outcome.decision, Decision::Pass, "{event}");
            assert_eq!(context.tags.len(), 1, "{event} {on_failure:?}");
            // Nor does it stop at one that is out.
            let breaker = pipeline.seats[0].plugin.breaker();
            let call = CallInfo {
                event: None,
                client: Ipv4Addr::LOCALHOST.into(),
                session: "s",
                probe: None,
            };
            while !breaker.is_open() {
                breaker.record_failure(call, Instant::now());
            }
            pipeline.ask(event, &mut context).await;
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
        pipeline.ask(Event::Mail, &mut context).await;
        Arc::make_mut(&mut context).tags.clear();
        pipeline.ask_witnesses(Event::Reset, &mut context).await;
        assert_eq!(context.tags.len(), told, "{}", pipeline.notes());
    }
}

#[tokio::test]
async fn the_next_plugin_sees_what_the_one_before_changed() {
    fn rewrite(_: Event, _: &Context) -> Result<Opinion, PluginError> {
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
    fn look(_: Event, context: &Context) -> Result<Opinion, PluginError> {
        let transaction = context.transaction.as_ref().unwrap();
        assert_eq!(
            transaction.candidate.as_ref().unwrap().path,
            path("c@example.org")
        );
        assert_eq!(context.tags, [("k".into(), "v".into())]);
        assert_eq!(context.message.headers.text("b").as_deref(), Some("2"));
        assert_eq!(context.message.body.as_slice(), Some(&b"new\r\n"[..]));
        Ok(Opinion::NEXT)
    }
    let mut pipeline = pipeline(&[(rewrite, OnFailure::Reject), (look, OnFailure::Reject)]);
    let outcome = pipeline.ask(Event::Rcpt, &mut context()).await;
    assert_eq!(outcome.decision, Decision::Pass);
    assert_eq!(pipeline.notes(), "fake=rcpt:next+4 fake=next");
}

#[tokio::test]
async fn a_recipient_that_was_named_twice_is_refused_once() {
    fn refuse_one(_: Event, _: &Context) -> Result<Opinion, PluginError> {
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
    transaction.recipients = paths.map(|text| path(text).into()).into();
    let mut pipeline = pipeline(&[(refuse_one, OnFailure::Tempfail)]);
    pipeline.ask(Event::Message, &mut context).await;
    let transaction = context.transaction.as_ref().unwrap();
    let left: Vec<_> = transaction.paths().collect();
    assert_eq!(left, [&path("carol@example.org")]);
    assert_eq!(transaction.refused, [(path("bob@example.org"), refusal())]);
}

#[tokio::test]
async fn a_plugin_can_not_open_the_relay() {
    fn elsewhere(_: Event, _: &Context) -> Result<Opinion, PluginError> {
        edit(vec![Edit::Envelope(EnvelopeEdit::AddRecipient(path(
            "x@example.com",
        )))])
    }
    let mut context = context();
    let mut pipeline = pipeline(&[(elsewhere, OnFailure::Tempfail)]);
    let outcome = pipeline.ask(Event::Message, &mut context).await;
    assert_eq!(outcome.decision, Decision::Refuse(Refusal::TRY_LATER));
    assert_eq!(context.transaction.as_ref().unwrap().recipients.len(), 1);
    Arc::make_mut(&mut context).authentication = Some(Authentication {
        since: 0,
        mechanism: "PLAIN",
        identity: "user".into(),
        acts_as: "user".into(),
    });
    let outcome = pipeline.ask(Event::Message, &mut context).await;
    assert_eq!(outcome.decision, Decision::Pass);
    assert_eq!(context.transaction.as_ref().unwrap().recipients.len(), 2);
}

#[tokio::test]
async fn a_delay_is_capped_and_texts_are_handed_on() {
    fn slow(_: Event, _: &Context) -> Result<Opinion, PluginError> {
        edit(vec![
            Edit::Delay(Duration::from_secs(10)),
            Edit::Delay(Duration::from_secs(10)),
            Edit::Text(TextEdit::SetBanner("hello".into())),
        ])
    }
    let mut pipeline = pipeline(&[(slow, OnFailure::Tempfail)]);
    let outcome = pipeline.ask(Event::Connect, &mut context()).await;
    assert_eq!(outcome.delay, Duration::from_secs(15));
    assert_eq!(outcome.texts, [TextEdit::SetBanner("hello".into())]);
}

#[tokio::test]
async fn fields_of_data_wait_for_the_header_block() {
    fn later(_: Event, _: &Context) -> Result<Opinion, PluginError> {
        let name = HeaderName::new("X-Later").unwrap();
        edit(vec![Edit::LaterHeader(
            name,
            HeaderValue::new(b"1").unwrap(),
        )])
    }
    let mut context = context();
    let mut pipeline = pipeline(&[(later, OnFailure::Tempfail)]);
    pipeline.ask(Event::Data, &mut context).await;
    assert_eq!(context.message.headers.len(), 1);
    pipeline.add_later_headers(&mut context);
    pipeline.add_later_headers(&mut context);
    assert_eq!(context.message.headers.field(0).unwrap().name(), "X-Later");
    assert_eq!(context.message.headers.len(), 2);
}

#[tokio::test]
async fn an_event_that_nobody_handles_asks_nobody() {
    let mut pipeline = pipeline(&[(trap, OnFailure::Tempfail)]);
    assert!(!pipeline.handles(Event::Helo));
    let outcome = pipeline.ask(Event::Helo, &mut context()).await;
    assert_eq!(outcome.decision, Decision::Pass);
}
