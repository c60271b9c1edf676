//! Whole sessions, most of them against a policy that accepts everything.

use std::sync::Arc;

use super::*;
use crate::fault::Fault;
use crate::relay::RelayDomains;
use crate::reply::{Acceptance, Enhanced, Refusal, Reply};

/// A driver without a connection, which records the steps.
#[derive(Default)]
struct Driver {
    profile: Arc<Profile>,
    written: Vec<u8>,
    stored: Vec<u8>,
    /// The names of all steps but [`Step::Read`] and [`Step::Fault`], a question by its own name.
    steps: Vec<&'static str>,
    faults: Vec<Fault>,
}

impl Driver {
    /// Carries out steps until the session reads, closes or begins TLS, and returns that step.
    fn run(
        &mut self,
        mut session: Session,
        mut policy: impl FnMut(&Ask, &mut Profile) -> Answer,
    ) -> Step {
        loop {
            session = match session.step() {
                Step::Ask(ask, asking) => {
                    self.steps.push(name(&ask));
                    let answer = policy(&ask, Arc::make_mut(&mut self.profile));
                    asking.decide(answer, &self.profile)
                }
                Step::Fault(faulted) => {
                    self.faults.push(faulted.fault());
                    faulted.resume()
                }
                Step::Reset(resetting) => {
                    self.steps.push("reset");
                    resetting.done()
                }
                Step::Store(storing) => {
                    self.stored.extend_from_slice(storing.octets());
                    storing.stored()
                }
                Step::Write(writing) => {
                    self.steps.push("write");
                    self.written.extend_from_slice(writing.octets());
                    writing.written()
                }
                last @ (Step::Close(_) | Step::Read(_) | Step::StartTls(_)) => return last,
            }
        }
    }

    fn written(&self) -> &str {
        str::from_utf8(&self.written).unwrap()
    }
}

fn name(ask: &Ask) -> &'static str {
    match ask {
        Ask::Auth(_) => "auth",
        Ask::AuthKeys { .. } => "auth-keys",
        Ask::AuthUnproven { .. } => "auth-unproven",
        Ask::Command { .. } => "command",
        Ask::Connect => "connect",
        Ask::Data => "data",
        Ask::Expn(_) => "expn",
        Ask::Headers => "headers",
        Ask::Helo { .. } => "helo",
        Ask::Help(_) => "help",
        Ask::Mail { .. } => "mail",
        Ask::Message => "message",
        Ask::Rcpt { .. } => "rcpt",
        Ask::StartTls => "starttls",
        Ask::Vrfy(_) => "vrfy",
        Ask::Xclient(_) => "xclient",
    }
}

fn accept_all(_: &Ask, _: &mut Profile) -> Answer {
    Answer::Proceed(None)
}

fn settings() -> Settings {
    Settings {
        relay: RelayDomains::new(["example.org".into()]),
        max_message_size: 100,
        ..Settings::default()
    }
}

/// A session that has received these octets.
fn session_with(settings: Settings, offers: Offers, input: &[u8]) -> Session {
    let mut session = Session::new(Arc::new(settings), offers);
    session.receive(input);
    session
}

/// Plays the octets of a client, cut into chunks, against a policy that accepts everything. Returns
/// the replies, the message, and the questions and resets.
fn play(input: &[u8], chunk: usize) -> (String, Vec<u8>, Vec<&'static str>) {
    let mut driver = Driver::default();
    let mut session = Session::new(Arc::new(settings()), Offers::default());
    let mut chunks = input.chunks(chunk);
    while let Step::Read(mut reading) = driver.run(session, accept_all)
        && let Some(octets) = chunks.next()
    {
        reading.buffer(octets.len()).extend_from_slice(octets);
        session = reading.received();
    }
    driver.steps.retain(|step| *step != "write");
    (driver.written().to_owned(), driver.stored, driver.steps)
}

const ENVELOPE: &str = "EHLO c\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@example.org>\r\nDATA\r\n";

#[test]
fn a_whole_session_in_any_cut() {
    let input = format!("{ENVELOPE}Subject: x\r\n\r\n..body\r\n.\r\nQUIT\r\n");
    let whole = play(input.as_bytes(), input.len());
    assert_eq!(whole.1, b"Subject: x\r\n\r\n.body\r\n");
    assert_eq!(
        whole.2,
        [
            "connect", "helo", "mail", "rcpt", "data", "headers", "message"
        ]
    );
    let codes: Vec<_> = whole.0.lines().map(|line| &line[..4]).collect();
    assert_eq!(codes.first(), Some(&"220 "));
    assert!(codes.ends_with(&["250 ", "250 ", "250 ", "354 ", "250 ", "221 "]));
    for chunk in 1..40 {
        assert_eq!(play(input.as_bytes(), chunk), whole, "in chunks of {chunk}");
    }
}

#[test]
fn headers_are_asked_once_whatever_the_message() {
    for text in [
        "",
        "\r\n",
        "\r\nbody\r\n",
        "A: b\r\n",
        "A: b\r\n\r\n",
        "no header\r\n",
    ] {
        let input = format!("{ENVELOPE}{text}.\r\n");
        for chunk in [1, 2, 7, input.len()] {
            let (replies, message, asked) = play(input.as_bytes(), chunk);
            assert_eq!(message, text.as_bytes());
            assert!(
                asked.ends_with(&["data", "headers", "message"]),
                "{text:?} {asked:?}"
            );
            assert!(replies.ends_with("250 2.0.0 Message accepted\r\n"));
        }
    }
}

#[test]
fn a_message_with_a_fault_is_refused_at_its_end_and_the_session_goes_on() {
    let long = "x".repeat(99) + "\r\n";
    for (text, code) in [("a\nb\r\n", "550 5.6.11"), (long.as_str(), "552 5.3.4")] {
        let input = format!("{ENVELOPE}{text}.\r\nNOOP\r\n");
        for chunk in [1, 2, 7, input.len()] {
            let (replies, _, asked) = play(input.as_bytes(), chunk);
            assert_eq!(asked.last(), Some(&"reset"));
            let mut last = replies.lines().rev();
            assert_eq!(last.next(), Some("250 2.0.0 Ok"));
            assert!(
                last.next().is_some_and(|line| line.starts_with(code)),
                "{replies}"
            );
        }
    }
}

/// A driver that rejects the message while it is stored.
fn rejecting(rejection: &Rejection, input: &str) -> (Vec<String>, String, Option<Ending>) {
    let mut driver = Driver::default();
    let mut session = session_with(settings(), Offers::default(), input.as_bytes());
    let mut events = Vec::new();
    let mut ending = None;
    loop {
        session = match session.step() {
            Step::Ask(ask, asking) => {
                events.push(name(&ask).to_owned());
                asking.decide(Answer::Proceed(None), &driver.profile)
            }
            Step::Fault(faulted) => faulted.resume(),
            Step::Reset(mut resetting) => {
                let refused = resetting.take_refused().unwrap();
                events.push(format!("reset {}", refused.reply().code()));
                resetting.done()
            }
            Step::Store(storing) => storing.reject(rejection.clone()),
            Step::Write(writing) => {
                events.push("write".to_owned());
                driver.written.extend_from_slice(writing.octets());
                writing.written()
            }
            Step::Close(closing) => {
                ending = Some(closing.ending());
                break;
            }
            Step::Read(_) | Step::StartTls(_) => break,
        }
    }
    let written = driver.written().to_owned();
    (events, written, ending)
}

#[test]
fn a_message_that_cannot_be_stored_is_refused_at_its_end() {
    let input = format!("{ENVELOPE}A: b\r\n\r\nbody\r\n.\r\nNOOP\r\n");
    let (events, written, ending) = rejecting(&Refusal::TRY_LATER.into(), &input);
    let expected = [
        "connect",
        "helo",
        "mail",
        "rcpt",
        "data",
        "reset 451",
        "write",
    ];
    assert_eq!(events, expected);
    assert!(
        written.ends_with(" try again later\r\n250 2.0.0 Ok\r\n"),
        "{written}"
    );
    assert_eq!(ending, None);
}

#[test]
fn a_rejection_that_disconnects_does_so_at_once() {
    let input = format!("{ENVELOPE}A: b\r\n\r\nbody\r\n.\r\nNOOP\r\n");
    let closing = Refusal::fixed(421, Enhanced::new(4, 7, 0), "go away");
    for rejection in [
        Rejection::Disconnect(Refusal::TRY_LATER),
        Rejection::Refuse(closing.clone()),
        Rejection::from(closing),
    ] {
        let code = rejection.refusal().reply().code();
        let (events, written, ending) = rejecting(&rejection, &input);
        let reset = format!("reset {code}");
        assert_eq!(events[5..], [reset.as_str(), "write"]);
        let last = written.lines().last().unwrap();
        assert!(last.starts_with(&code.to_string()), "{written}");
        assert_eq!(ending, Some(Ending::Disconnected));
    }
}

/// Questions come after earlier faults and before later ones.
#[test]
fn faults_come_in_order_with_questions() {
    let input = b"OINK\r\nEHLO\r\nEHLO c\r\nRCPT\r\nVRFY x\r\n";
    let mut session = session_with(settings(), Offers::default(), input);
    let profile = Arc::default();
    let mut events = Vec::new();
    loop {
        session = match session.step() {
            Step::Ask(ask, asking) => {
                events.push(name(&ask));
                asking.decide(Answer::Proceed(None), &profile)
            }
            Step::Fault(faulted) => {
                events.push(faulted.fault().name());
                faulted.resume()
            }
            Step::Write(writing) => {
                events.push("write");
                writing.written()
            }
            _ => break,
        }
    }
    let expected = [
        "connect",
        "unknown-verb",
        "bad-argument",
        "helo",
        "bad-argument",
        "vrfy",
        "write",
    ];
    assert_eq!(events, expected);
}

mod auth;
mod commands;
mod tls;

/// What policy has set for one client does not apply to the next one.
#[test]
fn a_client_named_by_xclient_hears_nothing_of_the_one_before() {
    let offers = Offers {
        client: ClientTrust::NamesClients,
        ..Offers::default()
    };
    let input = b"EHLO a.example\r\nXCLIENT ADDR=192.0.2.1\r\nEHLO b.example\r\n";
    let session = session_with(Settings::default(), offers, input);
    let mut driver = Driver::default();
    _ = driver.run(session, |ask, profile| {
        match ask {
            Ask::Helo { name, .. } if &**name == "a.example" => {
                profile.add_ehlo_keyword("XFIRST");
                profile.set_greeting("hello again");
            }
            Ask::Xclient(_) => *profile = Profile::default(),
            _ => {}
        }
        Answer::Proceed(None)
    });
    let (first, second) = driver.written().rsplit_once("220 ").unwrap();
    for text in ["XFIRST", "hello again"] {
        assert!(first.contains(text), "{first}");
        assert!(!second.contains(text), "{second}");
    }
    assert!(second.contains("250-"), "{second}");
}
/// Each step moves the session.
#[test]
fn a_session_is_cheap_to_move() {
    let size = size_of::<Session>();
    assert!(size <= 192, "{size} octets");
}
