//! What plugins say about credentials, and which of them has the right to.

use super::*;

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

/// What an unknown user looks like is said by the first plugin that says it, and only counts if none knows
/// the user.
#[tokio::test]
async fn a_decoy_leaves_the_user_to_others() {
    fn like(iterations: u32) -> Result<PluginAnswer, PluginError> {
        Ok(PluginAnswer {
            verdict: Verdict::Decoy(KeyShape::new(24, iterations).unwrap()),
            edits: vec![],
        })
    }
    fn first(_: Question<'_>, _: &Context) -> Result<PluginAnswer, PluginError> {
        like(5_000)
    }
    fn second(_: Question<'_>, _: &Context) -> Result<PluginAnswer, PluginError> {
        like(6_000)
    }
    fn knows(_: Question<'_>, _: &Context) -> Result<PluginAnswer, PluginError> {
        let keys = ScramKeys::new(vec![0; 8], 4_096, &[0; 32], &[0; 32]);
        Ok(PluginAnswer {
            verdict: Verdict::Keys(keys.unwrap()),
            edits: vec![],
        })
    }
    use OnFailure::Accept;
    let shape = |iterations| Verdict::Decoy(KeyShape::new(24, iterations).unwrap());
    let keys = ScramKeys::new(vec![0; 8], 4_096, &[0; 32], &[0; 32]).unwrap();
    let table: [(&[(Answer, OnFailure)], Verdict); 5] = [
        (&[(first, Accept)], shape(5_000)),
        (
            &[(next, Accept), (second, Accept), (first, Accept)],
            shape(6_000),
        ),
        (
            &[(first, Accept), (knows, Accept)],
            Verdict::Keys(keys.clone()),
        ),
        (&[(knows, Accept), (first, Accept)], Verdict::Keys(keys)),
        (
            &[(first, Accept), (trap, Accept)],
            Verdict::Refuse(Refused::from(AUTH_LATER)),
        ),
    ];
    for (answers, expected) in table {
        let outcome = ask(&mut pipeline(answers), Event::AuthKeys, &mut context()).await;
        assert_eq!(outcome.verdict, expected);
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
