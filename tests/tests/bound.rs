//! Authentication that hangs on the encrypted channel: certificates of users, and exchanges that are
//! bound to it.

use std::fs;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use postgate_tests::certificate::Authority;
use postgate_tests::client::Client;
use postgate_tests::gateway::{Gateway, Setup};
use postgate_users::{Cost, Password, Secret, User};
use rustls::ClientConfig;
use sha2::{Digest as _, Sha256};

const NAME: &str = "mx.example.org";
const ALICE: &str = "alice@example.org";
const SIDECAR: &str = "grants = [\"files\"]\n[files]\nusers = \"../users\"\n[limits]\ncpu = \"20s\"\n\
                       wall = \"60s\"\n";

/// A gateway for the user alice, whose password is "pencil".
fn gateway(authority: &Authority) -> Gateway {
    let cost = Cost {
        memory: 64,
        passes: 1,
        iterations: 4_096,
    };
    let alice = User {
        name: ALICE.into(),
        secrets: vec![Secret::scram(
            &Password::new("pencil").expect("is not empty"),
            [2; 16],
            cost,
        )],
        senders: vec![],
        act_as: vec![],
    };
    let setup = Setup::new()
        .certified_by(authority)
        .listener(
            "tls = \"optional\"\nauth = \"optional\"\nclient-certificates = \"optional\"\n\
             client-ca = \"ca.pem\"",
        )
        .plugin("12-auth-file", "auth-file", SIDECAR);
    fs::write(setup.directory().join("users"), alice.to_string()).expect("the users");
    setup.start()
}

fn offered(client: &mut Client) -> String {
    let reply = client.ask("EHLO client.example");
    let auth = reply.lines().find(|line| line.contains("AUTH "));
    auth.unwrap_or_default().to_owned()
}

/// Whose certificate was issued by the operator's authority to a name in the file is that user; others
/// are not even offered the mechanism.
#[test]
fn a_certificate_is_as_good_as_a_password() {
    let authority = Authority::new("tests");
    let strangers = Authority::new("strangers");
    let gateway = gateway(&authority);
    let start = |config: &Arc<ClientConfig>| Client::start_tls(gateway.address(), config, NAME);

    let mut alice = start(&authority.client_with(&authority.issue_to_client(ALICE)));
    assert!(offered(&mut alice).contains(" EXTERNAL"));
    alice.says("AUTH EXTERNAL =", "235 2.7.0 ");
    // She may send to the world, as herself.
    alice.says("MAIL FROM:<alice@example.org>", "250");
    alice.says("RCPT TO:<bob@elsewhere.example>", "250");

    let mut bob = start(&authority.client_with(&authority.issue_to_client("bob@example.org")));
    bob.says("AUTH EXTERNAL =", "535 5.7.8 ");

    let mut mallory = start(&authority.client_with(&strangers.issue_to_client(ALICE)));
    assert!(!offered(&mut mallory).contains("EXTERNAL"));
    mallory.says("AUTH EXTERNAL =", "504 5.5.4 ");
    let mut nobody = start(&authority.client());
    assert!(!offered(&mut nobody).contains("EXTERNAL"));
}

/// A proof for one connection is worth nothing on another, so that whoever sits in between cannot pass
/// it on.
#[test]
fn a_bound_exchange_belongs_to_its_connection() {
    let authority = Authority::new("tests");
    let gateway = gateway(&authority);
    let start = || Client::start_tls(gateway.address(), &authority.client(), NAME);
    let mut client = start();
    assert!(offered(&mut client).contains(" SCRAM-SHA-256-PLUS"));
    let own = exporter(&client);
    assert_eq!(exchange(&mut client, &own), "235");

    let mut relayed = start();
    let other = exporter(&start());
    assert_ne!(exporter(&relayed), other);
    assert_eq!(exchange(&mut relayed, &other), "535");
    let line = gateway.log().wait_for_message("authentication failed");
    assert_eq!(line["mechanism"], "SCRAM-SHA-256-PLUS", "{line}");
    // The connection is as good as before.
    let own = exporter(&relayed);
    assert_eq!(exchange(&mut relayed, &own), "235");
}

/// The channel binding `tls-exporter` (RFC 9266).
fn exporter(client: &Client) -> [u8; 32] {
    let label = b"EXPORTER-Channel-Binding";
    let exported = client
        .tls()
        .export_keying_material([0; 32], label, Some(b""));
    exported.expect("the handshake is complete")
}

/// Goes through SCRAM-SHA-256-PLUS with the right password (RFC 5802 §3), and gives the code at its end.
fn exchange(client: &mut Client, binding: &[u8]) -> String {
    let header = "p=tls-exporter,,";
    let first = format!("n={ALICE},r=rOprNGfwEbeRWgbNEkqO");
    let initial = STANDARD.encode(format!("{header}{first}"));
    let server_first = challenge(&client.ask(&format!("AUTH SCRAM-SHA-256-PLUS {initial}")));
    let value = |name: &str| {
        let mut attributes = server_first.split(',');
        let found = attributes.find_map(|attribute| attribute.strip_prefix(name));
        found.expect("an attribute").to_owned()
    };
    let salt = STANDARD.decode(value("s=")).expect("a salt");
    let iterations: u32 = value("i=").parse().expect("a number");
    let bound = STANDARD.encode([header.as_bytes(), binding].concat());
    let without_proof = format!("c={bound},r={}", value("r="));
    let signed = format!("{first},{server_first},{without_proof}");

    let client_key = hmac(&salted(b"pencil", &salt, iterations), b"Client Key");
    let signature = hmac(&Sha256::digest(client_key), signed.as_bytes());
    let proof: Vec<u8> = client_key
        .iter()
        .zip(signature)
        .map(|(a, b)| a ^ b)
        .collect();
    let last = format!("{without_proof},p={}", STANDARD.encode(proof));
    let reply = client.ask(&STANDARD.encode(last));
    let reply = match reply.starts_with("334 ") {
        // What the server signs is for clients that want to know whom they talk to.
        true => client.ask(""),
        false => reply,
    };
    reply[..3].to_owned()
}

fn challenge(reply: &str) -> String {
    let encoded = reply
        .strip_prefix("334 ")
        .unwrap_or_else(|| panic!("{reply}"));
    let decoded = STANDARD.decode(encoded.trim_end()).expect("base64");
    String::from_utf8(decoded).expect("text")
}

/// Hi() of RFC 5802 §2.2.
fn salted(password: &[u8], salt: &[u8], iterations: u32) -> [u8; 32] {
    let mut last = hmac(password, &[salt, &1_u32.to_be_bytes()].concat());
    let mut sum = last;
    for _ in 1..iterations {
        last = hmac(password, &last);
        sum.iter_mut()
            .zip(last)
            .for_each(|(sum, next)| *sum ^= next);
    }
    sum
}

fn hmac(key: &[u8], text: &[u8]) -> [u8; 32] {
    let mut hmac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length");
    hmac.update(text);
    hmac.finalize().into_bytes().into()
}
