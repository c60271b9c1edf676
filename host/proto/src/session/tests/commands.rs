//! Questions about commands: each one, or registered verbs only.

use super::*;

/// Plays the octets of a client. Policy answers questions about commands and credentials with `answer`,
/// refuses clients if `refuses_clients`, and accepts everything else. Returns the reply codes, and the
/// commands that policy was asked about.
fn filtered(input: &str, refuses_clients: bool, answer: &Answer) -> (Vec<String>, Vec<String>) {
    let settings = Settings {
        auth: Auth::Optional,
        auth_in_clear: true,
        max_errors: 0,
        ..Settings::default()
    };
    let offers = Offers {
        questions: [OptionalQuestion::Command].into_iter().collect(),
        ..Offers::default()
    };
    let mut driver = Driver::default();
    Arc::make_mut(&mut driver.profile).register_verb("XFOO");
    let mut asked = Vec::new();
    let session = session_with(settings, offers, input.as_bytes());
    let last = driver.run(session, |ask, _| match ask {
        Ask::Command { verb, .. } => {
            asked.push(verb.to_string());
            answer.clone()
        }
        Ask::Connect if refuses_clients => Answer::Reject(Refusal::TRY_LATER.into()),
        Ask::Auth(_) => answer.clone(),
        _ => Answer::Proceed(None),
    });
    assert!(matches!(last, Step::Close(_) | Step::Read(_)), "{last:?}");
    let said = driver.written();
    let last_lines = said.lines().filter(|line| line.as_bytes()[3] == b' ');
    (last_lines.map(|line| line[..3].to_owned()).collect(), asked)
}

#[test]
fn a_client_that_was_refused_can_only_quit() {
    let accept = Acceptance::new(Reply::fixed(250, Enhanced::new(2, 0, 0), "foo")).unwrap();
    let answer = Answer::Proceed(Some(accept));
    let (said, asked) = filtered("XFOO\r\nNOOP\r\nQUIT\r\n", true, &answer);
    assert_eq!(said, ["451", "503", "503", "221"]);
    assert_eq!(asked, ["QUIT"]);
}

#[test]
fn quit_and_rset_are_carried_out_whatever_policy_says() {
    let input = "EHLO c\r\nNOOP\r\nRSET\r\nrset \r\nRSET x\r\nQUIT\r\n";
    let all = ["EHLO", "NOOP", "RSET", "rset", "QUIT"];
    let (said, asked) = filtered(input, false, &Answer::Reject(Refusal::TRY_LATER.into()));
    assert_eq!(said, ["220", "451", "451", "250", "250", "501", "221"]);
    assert_eq!(asked, all);

    // A rejection that closes the connection applies to all commands.
    for answer in [
        Answer::Reject(Rejection::Disconnect(Refusal::TRY_LATER)),
        Answer::Reject(Rejection::Refuse(Refusal::fixed(
            421,
            Enhanced::new(4, 7, 0),
            "go away",
        ))),
    ] {
        let (said, asked) = filtered("RSET\r\nQUIT\r\n", false, &answer);
        assert_eq!(said.len(), 2, "{said:?}");
        assert_eq!(asked, ["RSET"]);
    }
}

/// A client that ignores the reply to AUTH sends user name and password as command lines.
#[test]
fn policy_sees_no_credentials_behind_an_auth_that_failed() {
    let long = format!("AUTH PLAIN {}", "A".repeat(MAX_AUTH_LINE));
    for auth in [
        "AUTH",
        "AUTH OINK",
        "auth CRAM-MD5",
        "AUTH PLAIN !",
        "AUTH PLAIN AGJvYgBzZWNyZXQ=",
        "AUTH LOGIN\r\n*",
        &long,
    ] {
        let input = format!("EHLO c\r\n{auth}\r\nYm9i\r\nc2VjcmV0\r\nNOOP\r\nOINK\r\n");
        let (said, asked) = filtered(&input, false, &Answer::Proceed(None));
        assert!(
            said.ends_with(&["500", "500", "250", "500"].map(str::to_owned)),
            "{auth} {said:?}"
        );
        assert_eq!(asked, ["EHLO", "NOOP", "OINK"], "{auth}");
    }
    // A registered verb is not taken for credentials.
    let (_, asked) = filtered("AUTH\r\nXFOO\r\nOINK\r\n", false, &Answer::Proceed(None));
    assert_eq!(asked, ["XFOO", "OINK"]);
    let (said, asked) = filtered(
        "EHLO c\r\nAUTH PLAIN AGJvYgBzZWNyZXQ=\r\nOINK\r\n",
        false,
        &Answer::Authenticated,
    );
    assert_eq!(
        (said.last().map(String::as_str), asked.len()),
        (Some("500"), 2)
    );
}
