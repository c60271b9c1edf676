//! Files of users that are large, or have lines that cannot be used: these cost nobody else anything.

use std::fmt::Write as _;
use std::fs;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use postgate_tests::backend::Backend;
use postgate_tests::client::Client;
use postgate_tests::gateway::{Gateway, Setup, program};
use postgate_tests::peer::run;
use postgate_users::{Cost, Password, Secret, User};

const BCRYPT: &str = "$2y$05$rRUTOHWSEcs7RJK0ISopMukiht7IBQ6fkmdA8W5XQdHOG/5sZYAeK";
/// Tests guess more often than anybody may.
const UNLIMITED: &str =
    "limits = { auth-failures-per-address = 0, auth-failures-per-account = 0, errors = 0 }";

/// The sidecar that comes with the plugin, and more.
fn sidecar(more: &str) -> String {
    let example = include_str!("../../plugins/auth-file/example.toml");
    let example = example.replace("users = \"users\"", "users = \"../users\"");
    example.replace("[limits]\n", &format!("[limits]\n{more}\n"))
}

fn setup(users: &str, backend: &Backend, limits: &str) -> Setup {
    let setup = Setup::new()
        .backend(&backend.smtp())
        .set(UNLIMITED)
        .listener("auth = \"optional\"\nauth-in-clear = true")
        .plugin("12-auth-file", "auth-file", &sidecar(limits));
    fs::write(setup.directory().join("users"), users).expect("the users");
    setup
}

/// A user whose password is `pencil`.
fn user(name: &str, iterations: u32) -> String {
    let cost = Cost {
        iterations,
        ..Cost::DEFAULT
    };
    let password = Password::new("pencil").expect("is not empty");
    let hash = Secret::argon2id(&password, [1; 16], cost).expect("7 MiB are there");
    let user = User {
        name: name.into(),
        secrets: vec![hash, Secret::scram(&password, [2; 16], cost)],
        senders: vec![],
        act_as: vec![],
    };
    format!("{user}\n")
}

/// The reply to a login.
fn login(gateway: &Gateway, name: &str, password: &str) -> String {
    let mut client = Client::greeted(gateway.address());
    let response = BASE64_STANDARD.encode(format!("\0{name}\0{password}"));
    client.ask(&format!("AUTH PLAIN {response}"))
}

fn assert_logs_in(gateway: &Gateway, name: &str) {
    let reply = login(gateway, name, "pencil");
    assert!(reply.starts_with("235 "), "{name}: {reply}");
}

fn assert_is_refused(gateway: &Gateway, name: &str) {
    let reply = login(gateway, name, "pencil");
    assert!(reply.starts_with("535 5.7.8 "), "{name}: {reply}");
}

fn assert_nothing_failed(gateway: &Gateway) {
    let failed = gateway.log().find(|line| {
        let message = line["message"].as_str().unwrap_or_default();
        message.contains("plugin failed") || message.contains("breaker")
    });
    assert!(failed.is_empty(), "{failed:#?}");
}

/// Nobody is kept out by attempts as a user whose secret would end the call each time: neither by a
/// bcrypt of days, nor by a hash of more memory than there is.
#[test]
fn costly_secrets_disable_their_user_only() {
    let backend = Backend::working();
    let costly = BCRYPT.replace("$05$", "$31$");
    let large = "$argon2id$v=19$m=4194304,t=9,p=1$AQEBAQEBAQEBAQEBAQEBAQ$AQEBAQEBAQEBAQEBAQEBAQ";
    let users = format!(
        "eve:{costly}\n{}mallory:{large}\ngarbled\n",
        user("alice", 4_096)
    );
    let gateway = setup(&users, &backend, "").start();
    for line in [1, 3, 4] {
        let told = format!("line {line}: ");
        gateway.log().wait_for(&told, |log| {
            log["says"]
                .as_str()
                .is_some_and(|says| says.contains(&told))
        });
    }
    // More often than the breaker would bear.
    for _ in 0..12 {
        for name in ["eve", "mallory", "garbled", "stranger"] {
            assert_is_refused(&gateway, name);
        }
    }
    assert_logs_in(&gateway, "alice");
    assert_nothing_failed(&gateway);
}

/// A hundred thousand users need no more than ten, at start as in a running gateway.
#[test]
fn large_files_are_taken_at_start_and_later() {
    let backend = Backend::working();
    let alice = user("alice", 4_096);
    let mut large = String::new();
    for number in 0..100_000 {
        writeln!(large, "user{number}@example.org:{BCRYPT}").expect("memory");
    }
    large = format!("{large}eve:garbled\n{alice}");
    assert!(large.len() > 8_000_000);
    let running = setup(&alice, &backend, "").start();
    assert_logs_in(&running, "alice");
    fs::write(running.directory().join("users"), &large).expect("the users");
    let started = setup(&large, &backend, "").start();
    for gateway in [&running, &started] {
        for _ in 0..12 {
            assert_is_refused(gateway, "eve");
            assert_is_refused(gateway, "stranger");
        }
        // The password of the hash is the same.
        assert_logs_in(gateway, "user99999@example.org");
        assert_logs_in(gateway, "alice");
        assert_nothing_failed(gateway);
    }
}

/// The one limit on a file is told at start; a running gateway serves again once the file is small
/// enough.
#[test]
fn a_file_beyond_its_limit_is_told_at_start_and_later() {
    let backend = Backend::working();
    let alice = user("alice", 4_096);
    let large = format!("{alice}{}", "# more\n".repeat(20_000));
    let limit = "file-size = \"64KB\"";
    let setup_of_large = setup(&large, &backend, limit);
    for command in ["check", "serve"] {
        let mut program = program();
        let output = run(program
            .args([command, "--config"])
            .arg(setup_of_large.write()));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_ne!(output.status.code(), Some(0), "{said}");
        assert!(
            said.contains("12-auth-file") && said.contains("\"users\""),
            "{said}"
        );
    }
    let gateway = setup(&alice, &backend, limit).start();
    assert_logs_in(&gateway, "alice");
    let file = gateway.directory().join("users");
    fs::write(&file, &large).expect("the users");
    for _ in 0..12 {
        let reply = login(&gateway, "alice", "pencil");
        assert!(reply.starts_with("454 4.7.0 "), "{reply}");
    }
    gateway.log().wait_for("the limit", |line| {
        let error = line["error"].as_str();
        error.is_some_and(|error| error.contains("limits.file-size of "))
    });
    // Others send mail as before.
    let mut client = Client::greeted(gateway.address());
    client.envelope("alice@client.example", &["bob@example.org"]);
    assert!(
        client
            .message(b"Subject: x\r\n\r\nx\r\n")
            .starts_with("250")
    );
    fs::write(&file, &alice).expect("the users");
    assert_logs_in(&gateway, "alice");
    assert_nothing_failed(&gateway);
}

/// What the server says first to a client that begins SCRAM, without the nonce: salt and iterations.
fn challenge(gateway: &Gateway, name: &str) -> String {
    let mut client = Client::greeted(gateway.address());
    let first = BASE64_STANDARD.encode(format!("n,,n={name},r=abc"));
    let reply = client.says(&format!("AUTH SCRAM-SHA-256 {first}"), "334 ");
    let encoded = reply.trim().trim_start_matches("334 ").to_owned();
    let challenge = BASE64_STANDARD.decode(encoded).expect("base64");
    let challenge = String::from_utf8(challenge).expect("text");
    challenge
        .split_once(',')
        .expect("more than a nonce")
        .1
        .to_owned()
}

/// A stranger is shown what follows from the name and the file, whoever logs in meanwhile, and whatever
/// the spelling. Both kinds of users have strangers who look like them.
#[test]
fn strangers_of_scram_depend_on_name_and_file_only() {
    let backend = Backend::working();
    let users: String = (0..40)
        .map(|number| user(&format!("user{number}"), 4_096 + 1_000 * (number % 2)))
        .collect();
    let gateway = setup(&users, &backend, "").start();
    let names: Vec<_> = (0..40).map(|number| format!("bücher{number}")).collect();
    let before: Vec<_> = names.iter().map(|name| challenge(&gateway, name)).collect();
    for known in ["user0", "user1", "user0"] {
        let own = challenge(&gateway, known);
        assert_logs_in(&gateway, known);
        for (name, before) in names.iter().zip(&before).take(8) {
            assert_eq!(challenge(&gateway, name), *before, "{name} after {known}");
            let other = name.replace("ü", "u\u{308}").to_uppercase();
            assert_eq!(challenge(&gateway, &other), *before, "{other}");
        }
        assert_eq!(challenge(&gateway, known), own);
    }
    for iterations in ["i=4096", "i=5096"] {
        let count = before
            .iter()
            .filter(|shown| shown.ends_with(iterations))
            .count();
        assert!(count > 4, "{iterations}: {before:?}");
    }
}

/// Saved in another encoding while the gateway runs, the file is one that cannot be read.
#[test]
fn a_file_of_another_encoding_judges_nobody() {
    let backend = Backend::working();
    let alice = user("alice", 4_096);
    let gateway = setup(&alice, &backend, "").start();
    assert_logs_in(&gateway, "alice");
    let wide: Vec<u8> = alice.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let marked = [b"\xff\xfe", &*wide].concat();
    let old = format!("# people\r{}", alice.replace('\n', "\r"));
    for (content, told) in [
        (wide, "save it as UTF-8"),
        (marked, "save it as UTF-8"),
        (old.into_bytes(), "the lines end with CR alone"),
    ] {
        let new = gateway.directory().join("new");
        fs::write(&new, content).expect("the users");
        fs::rename(new, gateway.directory().join("users")).expect("the users");
        for name in ["alice", "stranger"] {
            let reply = login(&gateway, name, "pencil");
            assert!(reply.starts_with("454 4.7.0 "), "{name}: {reply}");
        }
        let line = gateway
            .log()
            .wait_for(told, |line| line["says"].to_string().contains(told));
        assert_eq!(line["level"], "WARN", "{line}");
    }
    fs::write(gateway.directory().join("users"), &alice).expect("the users");
    assert_logs_in(&gateway, "alice");
    assert_nothing_failed(&gateway);
}

/// The plugin knows neither path nor reason; the operator is told both, and what to do.
#[test]
fn a_file_that_is_not_there_is_told_with_its_path() {
    let backend = Backend::working();
    let setup = setup("", &backend, "");
    let users = setup.directory().join("users");
    fs::remove_file(&users).expect("the users");
    let output = run(program().args(["check", "--config"]).arg(setup.write()));
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(64), "{said}");
    for told in [
        "postgate user add --file",
        "files.users: ",
        "/users: No such file or directory",
    ] {
        assert!(said.contains(told), "no {told:?} in {said}");
    }
}

/// The empty password is an attempt like any other, though no plugin is asked.
#[test]
fn empty_passwords_count() {
    let backend = Backend::working();
    let limits =
        "limits = { auth-failures-per-address = 0, auth-failures-per-account = 3, errors = 0 }";
    let gateway = Setup::new()
        .backend(&backend.smtp())
        .set(limits)
        .listener("auth = \"optional\"\nauth-in-clear = true")
        .plugin("12-auth-file", "auth-file", &sidecar(""));
    fs::write(gateway.directory().join("users"), user("alice", 4_096)).expect("the users");
    let gateway = gateway.start();
    for _ in 0..3 {
        let reply = login(&gateway, "alice", "");
        assert!(reply.starts_with("535 5.7.8 "), "{reply}");
    }
    gateway.log().wait_for_all("the attempts", 3, |line| {
        line["message"] == "authentication failed"
            && line["identity"] == "alice"
            && line["reason"] == "empty password"
    });
    for password in ["", "pencil"] {
        let reply = login(&gateway, "alice", password);
        assert!(reply.starts_with("454 4.7.0 "), "{reply}");
    }
}
