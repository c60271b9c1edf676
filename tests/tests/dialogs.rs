//! Every dialog, against the protocol core in several cuts and over TCP against the program.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::Duration;

use postgate_tests::backend::Backend;
use postgate_tests::certificate::Authority;
use postgate_tests::dialog::{Dialog, Scope};
use postgate_tests::gateway::{Setup, repository};
use postgate_tests::player::core::Core;
use postgate_tests::player::play;
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
    let backend = Backend::working();
    let gateway = Setup::new().backend(&backend.smtp()).start();
    let converse = |size| {
        let mut client = TcpStream::connect(gateway.address()).expect("a connection");
        client.set_nodelay(true).expect("no delay");
        let patience = Some(Duration::from_secs(60));
        client.set_read_timeout(patience).expect("a time limit");
        for segment in SESSION.chunks(size) {
            client.write_all(segment).expect("the gateway reads");
        }
        let mut replies = String::new();
        client.read_to_string(&mut replies).expect("replies");
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
    assert_eq!(backend.taken().len(), 4);
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

/// One gateway for all dialogs that need the same settings, and a new connection for each.
#[test]
fn the_program_over_tcp() {
    let mut groups: BTreeMap<String, Vec<Dialog>> = BTreeMap::new();
    for dialog in dialogs()
        .into_iter()
        .filter(|dialog| dialog.scope != Scope::Core)
    {
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

#[test]
fn the_first_plugin_of_the_examples() {
    let file = repository().join("examples/01-no-plus/dialog.smtp");
    let dialogs = Dialog::load(&file).unwrap_or_else(|error| panic!("{error}"));
    let setup = Setup::new().plugin("10-no-plus", "examples/no-plus", "");
    report(&play_over_tcp(&dialogs, setup));
}

fn play_over_tcp(dialogs: &[Dialog], setup: Setup) -> Vec<String> {
    let backend = Backend::working();
    let authority = Authority::new("dialogs");
    let clients = Clients::of(&authority);
    let listener = dialogs[0].settings.get("listener");
    let tls = listener.and_then(|listener| listener.get("tls")?.as_str());
    let setup = match tls {
        None | Some("off") => setup,
        Some(_) => setup
            .certified_by(&authority)
            .listener("client-certificates = \"optional\"\nclient-ca = \"ca.pem\""),
    };
    let gateway = setup.backend(&backend.smtp()).start();
    let played = dialogs
        .iter()
        .map(|dialog| play(dialog, &mut Wire::connect_as(gateway.address(), &clients)));
    played
        .filter_map(Result::err)
        .map(|mismatch| mismatch.to_string())
        .collect()
}
