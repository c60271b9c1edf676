//! Every dialog, against the protocol core in several cuts and over TCP against the program.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::slice;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use postgate_tests::backend::Backend;
use postgate_tests::certificate::Authority;
use postgate_tests::dialog::{Dialog, Scope};
use postgate_tests::gateway::{Gateway, SCRIPTED, Setup, repository};
use postgate_tests::player::core::Core;
use postgate_tests::player::play;
use postgate_tests::player::script::sidecar;
use postgate_tests::player::wire::{Clients, Wire};
use proptest::prelude::*;

fn dialogs() -> Vec<Dialog> {
    let directory: PathBuf = repository().join("tests/dialogs");
    let dialogs = Dialog::load_all(&directory).unwrap_or_else(|error| panic!("{error}"));
    assert!(
        !dialogs.is_empty(),
        "{} holds no dialogs",
        directory.display()
    );
    dialogs
}

fn core_dialogs() -> impl Iterator<Item = Dialog> {
    dialogs()
        .into_iter()
        .filter(|dialog| dialog.scope != Scope::Wire)
}

/// Every mismatch at once, so that one run says all.
fn report(mismatches: &[String]) {
    assert!(
        mismatches.is_empty(),
        "{} mismatches\n\n{}",
        mismatches.len(),
        mismatches.join("\n\n")
    );
}

fn play_in_pieces_of(size: usize) {
    let played = core_dialogs().map(|dialog| play(&dialog, &mut Core::new(&dialog, || size)));
    let mismatches: Vec<_> = played
        .filter_map(Result::err)
        .map(|m| m.to_string())
        .collect();
    report(&mismatches);
}

#[test]
fn the_core_in_single_octets() {
    play_in_pieces_of(1);
}

#[test]
fn the_core_in_two_octets() {
    play_in_pieces_of(2);
}

#[test]
fn the_core_in_seven_octets() {
    play_in_pieces_of(7);
}

#[test]
fn the_core_in_one_piece() {
    play_in_pieces_of(usize::MAX);
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 64,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_core_in_random_pieces(sizes in prop::collection::vec(1_usize..60, 1..40)) {
        for dialog in core_dialogs() {
            let mut next = sizes.iter().copied().cycle();
            let cuts = || next.next().unwrap_or(1);
            let played = play(&dialog, &mut Core::new(&dialog, cuts));
            prop_assert!(played.is_ok(), "{}", played.unwrap_err());
        }
    }
}

/// Each octet is a segment of its own, since the client does not wait to fill one.
#[test]
fn a_session_over_tcp_in_single_octets_and_in_one_segment() {
    let converse = |size: usize| {
        // What EHLO lists depends on what the backend has offered before.
        let backend = Backend::with_all_extensions();
        let gateway = Setup::new().backend(&backend.smtp()).start();
        let mut client = TcpStream::connect(gateway.address()).expect("a connection");
        client.set_nodelay(true).expect("no delay");
        let patience = Some(Duration::from_secs(60));
        client.set_read_timeout(patience).expect("a time limit");
        for segment in SESSION.chunks(size) {
            client.write_all(segment).expect("the gateway reads");
        }
        let mut replies = String::new();
        client.read_to_string(&mut replies).expect("replies");
        assert_eq!(backend.taken().len(), 2);
        replies
    };
    let whole = converse(SESSION.len());
    assert_eq!(converse(1), whole);
    let codes: Vec<_> = whole.lines().map(|line| &line[..4]).collect();
    let last: Vec<_> = codes.iter().filter(|code| code.ends_with(' ')).collect();
    let expected = [
        "220 ", "250 ", "500 ", "250 ", "250 ", "501 ", "354 ", "250 ", "250 ", "250 ", "250 ",
        "250 ", "221 ",
    ];
    assert!(last.iter().copied().eq(&expected), "{whole}");
}

const SESSION: &[u8] = b"EHLO client.example\r\n\
    OINK\r\n\
    MAIL FROM:<alice@client.example>\r\n\
    RCPT TO:<bob@example.org>\r\n\
    RCPT TO:<>\r\n\
    DATA\r\n\
    Subject: first\r\n\r\n..one\r\nQUIT\r\n\r\n.\r\n\
    MAIL FROM:<alice@client.example>\r\n\
    RCPT TO:<bob@example.org>\r\n\
    BDAT 18\r\nSubject: second\r\n\r\
    BDAT 8 LAST\r\n\n..two\r\n\
    QUIT\r\n";

/// One gateway for all dialogs that need the same settings and no answers of a plugin, and a new
/// connection for each.
#[test]
fn the_program_over_tcp() {
    let mut groups: BTreeMap<String, Vec<Dialog>> = BTreeMap::new();
    for dialog in wire_dialogs().filter(|dialog| !is_scripted(dialog)) {
        groups
            .entry(dialog.settings.to_string())
            .or_default()
            .push(dialog);
    }
    let played = groups.values().flat_map(|dialogs| {
        play_over_tcp(dialogs, Setup::new().dialog_settings(&dialogs[0].settings))
    });
    report(&played.collect::<Vec<_>>());
}

/// The same policy as in the core, given by a compiled plugin.
#[test]
fn the_program_over_tcp_with_a_plugin_that_answers() {
    let dialogs: Vec<_> = wire_dialogs().filter(is_scripted).collect();
    assert!(dialogs.len() >= 40, "{} dialogs", dialogs.len());
    let next = Mutex::new(dialogs.iter());
    let mismatches = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(dialog) = { next.lock().expect("no panic").next() } {
                    let played = play_with_answers(dialog);
                    mismatches.lock().expect("no panic").extend(played);
                }
            });
        }
    });
    report(&mismatches.into_inner().expect("no panic"));
}

fn wire_dialogs() -> impl Iterator<Item = Dialog> {
    let dialogs = dialogs().into_iter();
    dialogs.filter(|dialog| dialog.scope != Scope::Core)
}

fn is_scripted(dialog: &Dialog) -> bool {
    dialog.script().next().is_some()
}

fn play_with_answers(dialog: &Dialog) -> Vec<String> {
    let setup = Setup::new().dialog_settings(&dialog.settings);
    let setup = setup.plugin(SCRIPTED, "guests/scripted", &sidecar(dialog.script()));
    let played = Played::with(slice::from_ref(dialog), setup);
    if !played.mismatches.is_empty() {
        return played.mismatches;
    }
    let end = played
        .gateway
        .log()
        .wait_for("the end of the script", |line| {
            line["plugin"] == SCRIPTED
                && line["says"]
                    .as_str()
                    .is_some_and(|says| says.contains("unused: "))
        });
    match end["says"]
        .as_str()
        .and_then(|says| says.trim_matches('"').strip_prefix("unused: "))
    {
        Some("") => Vec::new(),
        // The instance that knew what it had answered is gone with an answer that is not valid.
        Some(_) if has_failed(&played.gateway) => Vec::new(),
        unused => vec![format!("{dialog}: nobody asked {unused:?}")],
    }
}

fn has_failed(gateway: &Gateway) -> bool {
    let failures = gateway
        .log()
        .find(|line| line["plugin"] == SCRIPTED && line["message"] == "plugin failed");
    !failures.is_empty()
}

#[test]
fn the_first_plugin_of_the_examples() {
    let file = repository().join("examples/01-no-plus/dialog.smtp");
    let dialogs = Dialog::load(&file).unwrap_or_else(|error| panic!("{error}"));
    let setup = Setup::new().plugin("10-no-plus", "examples/no-plus", "");
    report(&play_over_tcp(&dialogs, setup));
}

fn play_over_tcp(dialogs: &[Dialog], setup: Setup) -> Vec<String> {
    Played::with(dialogs, setup).mismatches
}

/// Dialogs after they were played, and their gateway.
struct Played {
    gateway: Gateway,
    mismatches: Vec<String>,
}

impl Played {
    fn with(dialogs: &[Dialog], setup: Setup) -> Self {
        let authority = Authority::new("dialogs");
        let backend = Backend::secured_with_all_extensions(&authority);
        let clients = Clients::of(&authority);
        let listener = dialogs[0].settings.get("listener");
        let tls = listener.and_then(|listener| listener.get("tls")?.as_str());
        let setup = match tls {
            None | Some("off") => setup,
            Some(_) => setup
                .certified_by(&authority)
                .listener("client-certificates = \"optional\"\nclient-ca = \"ca.pem\""),
        };
        let ca = setup.directory().join("store.pem");
        std::fs::write(ca, authority.pem()).expect("the authority");
        let settings = "tls = \"implicit\"\ntls-name = \"store.example\"\ntls-ca = \"store.pem\"";
        let address = format!("name = \"store\"\naddress = \"{}\"", backend.smtp());
        let setup = setup.set(&format!("[[backend]]\n{address}\n{settings}"));
        let gateway = setup.start();
        let played = dialogs
            .iter()
            .map(|dialog| play(dialog, &mut Wire::connect_as(gateway.address(), &clients)));
        let mismatches = played
            .filter_map(Result::err)
            .map(|mismatch| mismatch.to_string())
            .collect();
        Self {
            gateway,
            mismatches,
        }
    }
}
