//! Tests of the whole plugin, with the stand-in for the host.

use std::cell::RefCell;

use postgate_plugin::AuthVerdict;
use postgate_plugin::session::{ClientCertificate, TlsFacts};
use postgate_plugin::testing::{self, Level, Session};
use postgate_users::{CannotVerify, Cost, Password};

use super::*;

mod strangers;

const EXAMPLE: &str = include_str!("../example.toml");

fn plugin(config: &str) -> AuthFile {
    testing::plugin(config).unwrap()
}

fn users(lines: &str) {
    testing::file("users", lines);
}

fn directory() -> Directory {
    Directory::new("users", Config::default().budget())
}

fn pencil() -> Password {
    Password::new("pencil").unwrap()
}

fn alice() -> String {
    let cost = Cost {
        memory: 64,
        passes: 1,
        iterations: 4_096,
    };
    let hash = Secret::argon2id(&pencil(), [1; 16], cost).unwrap();
    let keys = Secret::scram(&pencil(), [2; 16], cost);
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
fn a_domain_that_is_none_is_refused() {
    for (domain, is_good) in [
        ("example.org", true),
        ("bücher.example", true),
        ("localhost", true),
        ("[192.0.2.1]", true),
        ("[IPv6:2001:db8::1]", true),
        ("a b", false),
        ("", false),
        ("example.org.", false),
        (".example.org", false),
        ("a@b.example", false),
        ("a\tb", false),
        ("[]", false),
    ] {
        let config = serde_json::json!({ "domain": domain }).to_string();
        match testing::plugin::<AuthFile>(&config) {
            Ok(_) => assert!(is_good, "{domain:?}"),
            Err(error) => {
                assert!(!is_good && error.starts_with("domain: "), "{error}");
            }
        }
    }
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
        let hash = Secret::argon2id(&pencil(), [user; 16], cost).unwrap();
        [hash, Secret::scram(&pencil(), [user; 16], cost)]
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
    assert!(warnings[0].starts_with("file \"users\", line 2: "));
    assert!(warnings[1].starts_with("file \"users\", the line of bob: "));
    assert!(warnings.iter().all(|text| !text.contains("hunter2")));
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
    // Whoever has none looks like somebody who has.
    let nobody = Some(ScramKeys::of_nobody(4_096, 16));
    assert_eq!(plugin.on_auth_keys("dave"), nobody);
    assert_eq!(plugin.on_auth_keys("carol"), nobody);
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

/// The secret of a user, without what differs between users.
fn kind_of(secret: &Secret) -> &'static str {
    match secret {
        Secret::Argon2id(_) => "argon2id",
        Secret::Bcrypt(_) => "bcrypt",
        Secret::Scram(_) => "scram",
    }
}

#[test]
fn a_decoy_is_a_secret_of_the_file_wherever_it_is() {
    let directory = directory();
    users("");
    assert_eq!(directory.decoy("carol"), Ok(Secret::decoy()));
    users("# nobody\n");
    assert_eq!(directory.decoy("carol"), Ok(Secret::decoy()));
    let comment = format!("#{}\n", "x".repeat(2_000));
    for (before, after) in [(0, 0), (5, 0), (0, 500), (200, 300)] {
        let content = [
            &comment.repeat(before),
            "garbled\n",
            &alice(),
            &comment.repeat(after),
        ];
        users(&content.concat());
        for number in 0..50 {
            let decoy = directory.decoy(&format!("stranger{number}")).unwrap();
            assert!(decoy.to_string().contains("m=64,t=1"), "{before} {after}");
        }
    }
}

/// In a file of two kinds, the work says nothing about who is there: a stranger keeps one kind, and
/// both kinds are those of strangers.
#[test]
fn strangers_have_all_kinds_of_secrets() {
    let bcrypt = "$2y$05$rRUTOHWSEcs7RJK0ISopMukiht7IBQ6fkmdA8W5XQdHOG/5sZYAeK";
    let of_alice = alice();
    let argon2id = of_alice.split([':', ' ']).nth(1).unwrap();
    let lines = (0..200).map(|number| match number % 4 {
        0 => format!("user{number}:{argon2id}\n"),
        _ => format!("user{number}:{bcrypt}\n"),
    });
    users(&lines.collect::<String>());
    let directory = directory();
    let mut counts = std::collections::BTreeMap::new();
    for number in 0..400 {
        let name = format!("stranger{number}");
        let decoy = directory.decoy(&name).unwrap();
        assert_eq!(directory.decoy(&name.to_uppercase()), Ok(decoy.clone()));
        *counts.entry(kind_of(&decoy)).or_insert(0) += 1;
    }
    assert!(
        counts["argon2id"] > 40 && counts["bcrypt"] > 200,
        "{counts:?}"
    );
}

/// 100,000 users fit into little memory, since the file is never copied as a whole.
#[test]
fn a_large_file_is_checked_in_pieces() {
    Session::new().install();
    let bcrypt = "$2y$05$rRUTOHWSEcs7RJK0ISopMukiht7IBQ6fkmdA8W5XQdHOG/5sZYAeK";
    let lines = (0..100_000).map(|number| format!("user{number}@example.org:{bcrypt}\r\n"));
    let mut content = lines.collect::<String>();
    content += "garbled\r\nuser7@example.org:{BLF-CRYPT}";
    content += bcrypt;
    users(&content);
    assert_eq!(directory().check(), Ok(100_000));
    let logs = testing::logs();
    let warnings = logs.iter().filter(|(level, _)| *level == Level::Warn);
    let warnings: Vec<_> = warnings.map(|(_, text)| text.as_str()).collect();
    assert_eq!(
        warnings,
        [
            "file \"users\", line 100001: a line is NAME:SECRETS or NAME:SECRETS:OPTIONS",
            "file \"users\", line 100002: the user is in line 8 already, which counts"
        ]
    );
}

#[test]
fn files_of_other_editors() {
    let windows = alice().replace('\n', "\r\n");
    let marked = [b"\xef\xbb\xbf", windows.as_bytes()].concat();
    let latin1 = [b"# caf\xe9\n", alice().trim_end().as_bytes()].concat();
    for content in [windows.into_bytes(), marked, latin1] {
        testing::file("users", content);
        let mut plugin = plugin("{}");
        assert_eq!(directory().check(), Ok(1));
        let proof = Proof::Password("pencil".into());
        let answer = plugin.on_auth(&credentials("alice", "", proof));
        assert_eq!(accepted(&answer), Some("alice"));
    }
}

/// Saved by another editor while the plugin serves, a file is one that cannot be read.
#[test]
fn a_file_without_lines_judges_nobody() {
    let wide: Vec<u8> = alice().encode_utf16().flat_map(u16::to_le_bytes).collect();
    let marked = [b"\xff\xfe", &*wide].concat();
    let old_mac = format!("# people\r{}", alice().replace('\n', "\r"));
    let long = format!("# {}\r{old_mac}", "x".repeat(300_000));
    let utf16 = "file \"users\": the file is UTF-16 or UTF-32; save it as UTF-8";
    let cr = "file \"users\": the lines end with CR alone; save the file with LF or CRLF";
    for (content, reason) in [
        (wide, utf16),
        (marked, utf16),
        (old_mac.into_bytes(), cr),
        (long.into_bytes(), cr),
    ] {
        Session::new().authenticated_as("alice").install();
        testing::file("users", content);
        let mut plugin = plugin("{}");
        assert_eq!(plugin.on_self_test(), Err(reason.to_owned()));
        for name in ["alice", "stranger"] {
            let proof = Proof::Password("pencil".into());
            let refusal = plugin.on_auth(&credentials(name, "", proof)).refusal();
            assert_eq!(refusal.unwrap().code(), 454, "{name}");
            assert_eq!(plugin.on_auth_keys(name), None);
        }
        let refusal = plugin.on_mail(&Sender::new("bob@example.org")).refusal();
        assert_eq!(refusal.unwrap().code(), 451);
        let logs = testing::logs();
        assert!(logs.contains(&(Level::Warn, reason.to_owned())), "{logs:?}");
    }
}

/// Whatever the file has, nobody logs in without a password.
#[test]
fn nobody_has_an_empty_password() {
    // Made of the empty password by other programs.
    let hash = "$2b$05$abcdefghijklmnopqrstuu0oImNDIy4flhldV9YqunRgBAePKmw7m";
    let keys = "{SCRAM-SHA-256}4096,x0P5V4xrrdLPqTUMc5/bfw==,\
                6zz5RUHUmU634CbuR6QX5zz95KA2dzxMN4XY12iDpmg=,\
                oB53Py/RIcTvlrudXcGPg/pCxm6uD3/z6SQgEl/1ul8=";
    users(&format!("eve:{hash} {keys}\n"));
    let mut plugin = plugin("{}");
    for password in ["", "\u{ad}", "\u{2060}\u{feff}"] {
        let proof = Proof::Password(password.into());
        let answer = plugin.on_auth(&credentials("eve", "", proof));
        assert_eq!(accepted(&answer), None, "{password:?}");
    }
    let answer = plugin.on_auth(&credentials("eve", "", Proof::Verified));
    assert_eq!(accepted(&answer), None);
}

/// Other spellings of a name are the same user, and no way around what is written for it.
#[test]
fn names_have_many_spellings() {
    users(&alice().replace("alice", "bücher"));
    let mut plugin = plugin("{}");
    for name in ["bücher", "BÜCHER", "bu\u{308}cher", "b\u{ad}ücher"] {
        let proof = Proof::Password("pencil".into());
        let answer = plugin.on_auth(&credentials(name, name, proof));
        assert_eq!(accepted(&answer), Some("bücher"), "{name:?}");
    }
}

/// Of users with keys of two kinds, strangers have both, and each always the same: whatever others do, it
/// follows from the name and the file.
#[test]
fn strangers_have_keys_like_users() {
    let keys = |iterations: u32, length: usize| {
        let cost = Cost {
            iterations: 4_096,
            ..Cost::DEFAULT
        };
        let Secret::Scram(keys) = Secret::scram(&pencil(), [2; 16], cost) else {
            panic!("these are keys");
        };
        let salt = vec![7; length];
        Secret::Scram(UserKeys {
            salt,
            iterations,
            ..keys
        })
    };
    let bcrypt = "$2y$05$rRUTOHWSEcs7RJK0ISopMukiht7IBQ6fkmdA8W5XQdHOG/5sZYAeK";
    let lines = (0..200).map(|number| match number % 4 {
        0 => format!("user{number}:{bcrypt}\n"),
        1 => format!("user{number}:{}\n", keys(10_000, 24)),
        _ => format!("user{number}:{}\n", keys(4_096, 16)),
    });
    users(&lines.collect::<String>());
    let mut plugin = plugin("{}");
    let mut counts = std::collections::BTreeMap::new();
    for number in 0..400 {
        let name = format!("stranger{number}");
        let shown = plugin.on_auth_keys(&name).unwrap();
        assert!(shown.stored_key.is_empty() && shown.server_key.is_empty());
        assert_eq!(plugin.on_auth_keys("user1").unwrap().iterations, 10_000);
        let again = plugin.on_auth_keys(&name.to_uppercase()).unwrap();
        assert_eq!(again, shown, "{name}");
        *counts
            .entry((shown.iterations, shown.salt.len()))
            .or_insert(0) += 1;
    }
    assert_eq!(counts.len(), 2, "{counts:?}");
    assert!(
        counts[&(10_000, 24)] > 80 && counts[&(4_096, 16)] > 150,
        "{counts:?}"
    );
    users(&format!("dave:{bcrypt}\n"));
    assert_eq!(plugin.on_auth_keys("dave"), None);
}

/// A secret that would end the call disables its user, before anything is tried, and is nobody's decoy.
#[test]
fn secrets_that_cost_too_much_are_nobodys() {
    let bcrypt = "$2y$05$rRUTOHWSEcs7RJK0ISopMukiht7IBQ6fkmdA8W5XQdHOG/5sZYAeK";
    let costly = bcrypt.replace("$05$", "$31$");
    let argon2id =
        "{ARGON2ID}$argon2id$v=19$m=4194304,t=1,p=1$AQEBAQEBAQEBAQEBAQEBAQ$AQEBAQEBAQEBAQEBAQEBAQ";
    let scram = alice()
        .split_once(' ')
        .unwrap()
        .1
        .replace("}4096,", "}1000000,");
    let scram = scram.split(':').next().unwrap().to_owned();
    let kinds = [
        (
            &*costly,
            "a secret takes 6291456 times as long as one of `postgate user`, and 16 times is allowed",
        ),
        (
            argon2id,
            "a hash needs 4194304 KiB of memory, and 24576 are allowed",
        ),
        (
            &*scram,
            "a secret takes 20 times as long as one of `postgate user`, and 16 times is allowed",
        ),
    ];
    for (secret, reason) in kinds {
        Session::new().install();
        users(&format!("{}eve:{secret}\n", alice()));
        let mut plugin = plugin("{}");
        assert_eq!(directory().check(), Ok(1));
        let logs = testing::logs();
        let expected = format!("file \"users\", line 2: {reason}");
        assert!(logs.iter().any(|(_, text)| *text == expected), "{logs:?}");
        VERIFIED.take();
        for name in ["eve", "stranger", "alice", "eva", "mallory"] {
            let proof = Proof::Password("pencil".into());
            let answer = plugin.on_auth(&credentials(name, "", proof));
            assert_eq!(accepted(&answer).is_some(), name == "alice", "{name}");
        }
        let answer = plugin.on_auth(&credentials("eve", "", Proof::Verified));
        assert_eq!(accepted(&answer), None);
        let verified = VERIFIED.take();
        assert_eq!(verified.len(), 5);
        assert!(
            verified.iter().all(|cost| cost.contains("m=64,t=1")),
            "{verified:?}"
        );
    }
    // Who allows more gets more.
    users(&format!("eve:{scram}\n"));
    let mut plugin = plugin(r#"{"max-work": 20}"#);
    let proof = Proof::Password("pencil".into());
    assert_eq!(
        accepted(&plugin.on_auth(&credentials("eve", "", proof))),
        None
    );
    assert_eq!(VERIFIED.take(), ["{SCRAM-SHA-256}1000000"]);
}
