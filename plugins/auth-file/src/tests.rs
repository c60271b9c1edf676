//! Tests of the whole plugin, with the stand-in for the host.

use std::cell::RefCell;

use postgate_plugin::AuthVerdict;
use postgate_plugin::session::{ClientCertificate, TlsFacts};
use postgate_plugin::testing::{self, Level, Session};
use postgate_users::{CannotVerify, Cost};

use super::*;

const EXAMPLE: &str = include_str!("../example.toml");

fn plugin(config: &str) -> AuthFile {
    testing::plugin(config).unwrap()
}

fn users(lines: &str) {
    testing::file("users", lines);
}

fn alice() -> String {
    let cost = Cost {
        memory: 64,
        passes: 1,
        iterations: 4_096,
    };
    let hash = Secret::argon2id("pencil", [1; 16], cost).unwrap();
    let keys = Secret::scram("pencil", [2; 16], cost);
    format!(
        "alice:{hash} {keys}:sender=sales@example.org sender=*@lists.example.org act-as=office*\n"
    )
}

thread_local! {
    static VERIFIED: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Verifies as usual, and records the cost of the secret.
pub(super) fn verify(
    user: Option<&User>,
    decoy: &Secret,
    password: &str,
) -> Result<bool, CannotVerify> {
    let secret = user.and_then(User::password_secret).unwrap_or(decoy);
    let secret = secret.to_string();
    // Keep the parameters only: salt and hash follow them.
    let separator = if secret.contains('$') { '$' } else { ',' };
    let mut ends = secret.match_indices(separator).map(|(at, _)| at);
    let end = if separator == ',' {
        ends.next()
    } else {
        ends.take(4).last()
    };
    VERIFIED.with_borrow_mut(|all| all.push(secret[..end.unwrap()].to_owned()));
    postgate_users::verify(user, decoy, password)
}

fn credentials(identity: &str, act_as: &str, proof: Proof) -> Credentials {
    Credentials {
        mechanism: "PLAIN".into(),
        identity: identity.into(),
        act_as: act_as.into(),
        proof,
    }
}

fn accepted(answer: &AuthAnswer) -> Option<&str> {
    match answer.verdict() {
        AuthVerdict::Accept(identity) => Some(identity),
        AuthVerdict::Next => None,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_example_is_taken() {
    let sidecar: toml::Table = EXAMPLE.parse().unwrap();
    users(&alice());
    let mut plugin = plugin(&serde_json::to_string(&sidecar["config"]).unwrap());
    assert_eq!(plugin.on_self_test(), Ok(()));
}

#[test]
fn passwords() {
    users(&format!("# people\n{}bob:x\n", alice()));
    let mut plugin = plugin("{}");
    let table = [
        ("alice", "", "pencil", Some("alice")),
        ("Alice", "", "pencil", Some("alice")),
        ("alice", "ALICE", "pencil", Some("alice")),
        ("alice", "office-north", "pencil", Some("office-north")),
        ("alice", "bob", "pencil", None),
        ("alice", "", "pencils", None),
        ("alice", "", "", None),
        ("alic", "", "pencil", None),
        ("bob", "", "x", None),
        ("carol", "", "pencil", None),
        ("", "", "pencil", None),
        ("alice:{ARGON2ID}", "", "pencil", None),
        ("# people\nalice", "", "pencil", None),
    ];
    for (identity, act_as, password, expected) in table {
        let credentials = credentials(identity, act_as, Proof::Password(password.into()));
        let answer = plugin.on_auth(&credentials);
        assert_eq!(accepted(&answer), expected, "{identity} {act_as}");
    }
}

/// An unknown user takes as many verifications as a known one, of the same cost.
#[test]
fn passwords_of_unknown_users_cost_the_same() {
    let cost = Cost {
        memory: 64,
        passes: 1,
        iterations: 4_096,
    };
    let secrets = |user: u8| {
        let hash = Secret::argon2id("pencil", [user; 16], cost).unwrap();
        [hash, Secret::scram("pencil", [user; 16], cost)]
    };
    let bcrypt = "$2y$05$rRUTOHWSEcs7RJK0ISopMukiht7IBQ6fkmdA8W5XQdHOG/5sZYAeK";
    let [hash, keys] = secrets(1);
    let [other_hash, other_keys] = secrets(2);
    for (of_alice, of_bob, work) in [
        (
            format!("{hash} {keys}"),
            format!("{other_hash} {other_keys}"),
            "{ARGON2ID}$argon2id$v=19$m=64,t=1,p=1",
        ),
        (
            keys.to_string(),
            other_keys.to_string(),
            "{SCRAM-SHA-256}4096",
        ),
        (bcrypt.into(), bcrypt.into(), "{BLF-CRYPT}$2y$05"),
    ] {
        users(&format!("alice:{of_alice}\nbob:{of_bob}\n"));
        let mut plugin = plugin("{}");
        for name in ["alice", "bob", "carol", "", "no name", "alice:x"] {
            for password in ["pencil", "x"] {
                VERIFIED.take();
                let proof = Proof::Password(password.into());
                let answer = plugin.on_auth(&credentials(name, "", proof));
                assert_eq!(VERIFIED.take(), [work], "{name} {password}");
                let is_right = ["alice", "bob"].contains(&name) && password == "pencil";
                assert_eq!(accepted(&answer).is_some(), is_right, "{name} {password}");
            }
        }
    }
}

#[test]
fn a_garbled_line_is_logged_and_the_others_work() {
    Session::new().install();
    users(&format!("# people\nbob:hunter2\n{}", alice()));
    let mut plugin = plugin("{}");
    assert_eq!(plugin.on_self_test(), Ok(()));
    let of_bob = credentials("bob", "", Proof::Password("hunter2".into()));
    assert_eq!(accepted(&plugin.on_auth(&of_bob)), None);
    let of_alice = credentials("alice", "", Proof::Password("pencil".into()));
    assert_eq!(accepted(&plugin.on_auth(&of_alice)), Some("alice"));
    let logs = testing::logs();
    let warnings = logs.iter().filter(|(level, _)| *level == Level::Warn);
    let warnings: Vec<_> = warnings.map(|(_, text)| text.as_str()).collect();
    assert_eq!(warnings.len(), 2);
    for warning in warnings {
        assert!(warning.starts_with("file \"users\", line 2: "), "{warning}");
        assert!(!warning.contains("hunter2"));
    }
}

#[test]
fn without_the_file_nobody_is_judged() {
    let mut plugin = plugin(r#"{"file": "absent"}"#);
    assert!(plugin.on_self_test().is_err());
    let credentials = credentials("alice", "", Proof::Password("pencil".into()));
    let refusal = plugin.on_auth(&credentials).refusal().unwrap();
    assert_eq!(refusal.code(), 454);
    Session::new().authenticated_as("alice").install();
    let refusal = plugin.on_mail(&Sender::new("bob@example.org")).refusal();
    assert_eq!(refusal.unwrap().code(), 451);
}

#[test]
fn keys_are_those_of_the_file() {
    let hash_only = alice().split_once(' ').unwrap().0.replace("alice", "dave");
    users(&format!("{}{hash_only}\n", alice()));
    let mut plugin = plugin("{}");
    let keys = plugin.on_auth_keys("Alice").unwrap();
    assert_eq!((keys.iterations, keys.salt), (4_096, vec![2; 16]));
    assert_eq!(plugin.on_auth_keys("dave"), None);
    assert_eq!(plugin.on_auth_keys("carol"), None);
    let verified = |identity| credentials(identity, "", Proof::Verified);
    assert_eq!(accepted(&plugin.on_auth(&verified("alice"))), Some("alice"));
    assert_eq!(accepted(&plugin.on_auth(&verified("dave"))), None);
    assert_eq!(accepted(&plugin.on_auth(&verified("carol"))), None);
}

#[test]
fn certificates() {
    let mut plugin = plugin("{}");
    let table = [
        (&["alice"][..], true, "", Some("alice")),
        (&["mx.example.org", "Alice"], true, "office", Some("office")),
        (&["alice"], true, "bob", None),
        (&["alice"], false, "", None),
        (&["carol"], true, "", None),
        (&[], true, "", None),
    ];
    for (names, verified, act_as, expected) in table {
        Session::new().tls(facts(names, verified)).install();
        users(&alice());
        let answer = plugin.on_auth(&credentials("", act_as, Proof::Certificate));
        assert_eq!(accepted(&answer), expected, "{names:?} {act_as}");
    }
    Session::new().install();
    users(&alice());
    let answer = plugin.on_auth(&credentials("", "", Proof::Certificate));
    assert_eq!(accepted(&answer), None);
}

fn facts(names: &[&str], verified: bool) -> TlsFacts {
    TlsFacts {
        since: 0,
        version: "TLSv1.3".into(),
        cipher: "TLS_AES_256_GCM_SHA384".into(),
        server_name: None,
        alpn: None,
        client_certificate: Some(ClientCertificate {
            subject: String::new(),
            issuer: String::new(),
            names: names.iter().map(ToString::to_string).collect(),
            fingerprint: String::new(),
            verified,
        }),
    }
}

#[test]
fn proofs_of_others_are_left_to_others() {
    users(&alice());
    let proof = Proof::Token("pencil".into());
    let answer = plugin("{}").on_auth(&credentials("alice", "", proof));
    assert_eq!(accepted(&answer), None);
}

#[test]
fn senders() {
    let config = r#"{"domain": "example.org"}"#;
    let table = [
        (Some("alice"), "alice@example.org", config, None),
        (Some("alice"), "Alice@Example.org", config, None),
        (Some("alice"), "sales@example.org", config, None),
        (Some("alice"), "x@lists.example.org", config, None),
        (Some("alice"), "bob@example.org", config, Some(553)),
        (Some("alice"), "alice@example.org", "{}", Some(553)),
        (Some("alice"), "", config, None),
        (Some("alice"), "\"alice\"@example.org", config, None),
        (Some("alice"), "\"s\\ales\"@example.org", config, None),
        (Some("alice"), "\"al ice\"@example.org", config, Some(553)),
        (Some("eve@b.example"), "eve@b.example", config, None),
        (
            Some("eve@bücher.example"),
            "Eve@XN--BCHER-KVA.example",
            config,
            None,
        ),
        (
            Some("eve@xn--bcher-kva.example"),
            "\"eve\"@bücher.example",
            config,
            None,
        ),
        (
            Some("eve@bücher.example"),
            "eve@bucher.example",
            config,
            Some(553),
        ),
        (
            Some("eve@b.example"),
            "sales@example.org",
            config,
            Some(553),
        ),
        (None, "bob@example.org", config, None),
        (
            Some("alice"),
            "bob@example.org",
            r#"{"sender-must-match": false}"#,
            None,
        ),
    ];
    for (identity, sender, config, expected) in table {
        let session = Session::new();
        match identity {
            Some(identity) => session.authenticated_as(identity).install(),
            None => session.install(),
        }
        users(&alice());
        let answer = plugin(config).on_mail(&Sender::new(sender));
        let code = answer.refusal().map(|refusal| refusal.code());
        assert_eq!(code, expected, "{identity:?} {sender}");
    }
}

#[test]
fn a_decoy_costs_what_the_users_do() {
    let directory = Directory::new("users");
    users("# nobody\n");
    assert_eq!(directory.decoy(), Ok(None));
    users(&format!("garbled\n{}", alice()));
    let decoy = directory.decoy().unwrap().unwrap();
    assert!(decoy.to_string().contains("m=64,t=1"));
    // An incomplete line is ignored.
    users(&format!("#{}\n{}", "x".repeat(4_050), alice()));
    assert_eq!(directory.decoy(), Ok(None));
}
