//! The edits of plugins, as the plugins behind them and the session see them.

use super::*;

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

/// What is remembered for the next attempt has the spelling of the client, not that of the plugin.
#[tokio::test]
async fn a_refused_recipient_is_known_as_the_client_has_spelled_it() {
    fn refuse_one(_: Question<'_>, _: &Context) -> Result<PluginAnswer, PluginError> {
        let refused = Refused {
            refusal: refusal(),
            reason: None,
        };
        let bob = path("bob@EXAMPLE.org");
        edit(vec![Edit::Envelope(EnvelopeEdit::RefuseRecipient(
            bob, refused,
        ))])
    }
    let mut context = context();
    let transaction = Arc::make_mut(&mut context).transaction.as_mut().unwrap();
    let paths = [
        "\"bob\"@example.org",
        "carol@example.org",
        "bob@example.org",
    ];
    let envelope = &mut Arc::make_mut(transaction).envelope;
    envelope.recipients = paths.map(|text| path(text).into()).into();
    let mut pipeline = pipeline(&[(refuse_one, OnFailure::Tempfail)]);
    ask(&mut pipeline, Event::Message, &mut context).await;
    let transaction = context.transaction.as_ref().unwrap();
    let refused: Vec<_> = transaction.refused.iter().map(|(path, _)| path).collect();
    let [quoted, carol, bare] = paths.map(path);
    assert_eq!(refused, [&quoted, &bare]);
    assert_eq!(transaction.envelope.paths().collect::<Vec<_>>(), [&carol]);
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
