//! Users of a file and of plugins, authenticated by clients of other projects.

use std::fs;
use std::path::{Path, PathBuf};

use postgate_tests::backend::Backend;
use postgate_tests::certificate::Authority;
use postgate_tests::client::Client;
use postgate_tests::gateway::{Gateway, Setup, repository};
use postgate_tests::mail::fields;
use postgate_tests::peer::{program, run, swaks};
use postgate_users::{Cost, Password, Secret, User};
use tempfile::TempDir;

const ALL_MECHANISMS: &str = r#"auth-mechanisms = ["SCRAM-SHA-256", "PLAIN", "LOGIN", "CRAM-MD5", "XOAUTH2", "OAUTHBEARER"]"#;
const CLEAR_AUTH: &str = "auth = \"optional\"\nauth-in-clear = true";
const SIDECAR: &str = "grants = [\"files\"]\nisolation = \"event\"\n[files]\nusers = \"../users\"\n[limits]\ncpu = \"20s\"\nwall = \"60s\"\n";

/// Secrets that are quick to check, since no test guesses passwords.
fn user(name: &str, password: &str) -> User {
    let cost = Cost {
        memory: 64,
        passes: 1,
        iterations: 4_096,
    };
    let password = Password::new(password).expect("is not empty");
    User {
        name: name.into(),
        secrets: vec![
            Secret::argon2id(&password, [1; 16], cost).expect("64 KiB are there"),
            Secret::scram(&password, [2; 16], cost),
        ],
        senders: vec![],
        act_as: vec![],
    }
}

fn setup(users: &str, backend: &Backend) -> Setup {
    let setup = Setup::new()
        .backend(&backend.smtp())
        .listener(CLEAR_AUTH)
        .plugin("12-auth-file", "auth-file", SIDECAR);
    fs::write(setup.directory().join("users"), users).expect("the users");
    setup
}

fn users_of(gateway: &Gateway) -> PathBuf {
    gateway.directory().join("users")
}

/// Logs in with Python, and says whether that went as it should: 0 for 235, 1 for 535.
fn login(gateway: &Gateway, mechanism: &str, user: &str, secret: &str) -> (Option<i32>, String) {
    login_over(gateway, &[], [mechanism, user, secret])
}

/// The same, over TLS where it says so.
fn login_over(
    gateway: &Gateway,
    tls: &[&str],
    [mechanism, user, secret]: [&str; 3],
) -> (Option<i32>, String) {
    let script = repository().join("tests/tests/clients/login.py");
    let address = gateway.address().to_string();
    let mut python = program("python3");
    python.arg(script).args([&address, mechanism, user, secret]);
    let output = run(python.args(tls));
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    (output.status.code(), said.into_owned())
}

fn plain(act_as: &str, user: &str, password: &str) -> String {
    format!(
        "AUTH PLAIN {}",
        base64(&format!("{act_as}\0{user}\0{password}"))
    )
}

fn base64(text: &str) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut encoded = String::new();
    for part in text.as_bytes().chunks(3) {
        let octets = [0, 1, 2].map(|at| u32::from(*part.get(at).unwrap_or(&0)));
        let number = octets[0] << 16 | octets[1] << 8 | octets[2];
        for at in 0..4 {
            let letter = LETTERS[(number >> (18 - 6 * at) & 63) as usize];
            encoded.push(if at <= part.len() { letter.into() } else { '=' });
        }
    }
    encoded
}

/// Who restricts where users may come from is asked before who knows their passwords, since nobody is
/// asked once the credentials are accepted.
#[test]
fn users_may_be_let_in_from_some_networks_only() {
    let backend = Backend::working();
    for (network, reply) in [("192.0.2.0/24", "535 5.7.8"), ("127.0.0.0/8", "235 2.7.0")] {
        let users = user("alice", "pencil").to_string();
        let access = format!("[config.auth]\nnetworks = [\"{network}\"]");
        let gateway = setup(&users, &backend)
            .plugin("10-access", "access", &access)
            .start();
        let mut client = Client::greeted(gateway.address());
        client.says(&plain("", "alice", "pencil"), reply);
    }
}

/// What `postgate user` writes, every client of the mechanisms that need the password or its keys
/// can use, and one with another password cannot.
#[test]
fn users_of_the_program_can_log_in() {
    let backend = Backend::working();
    let gateway = setup("", &backend).start();
    let file = users_of(&gateway);
    add_user(&file, "alice@example.org", "pencil");
    for mechanism in ["PLAIN", "LOGIN", "SCRAM-SHA-256"] {
        let right = login(&gateway, mechanism, "alice@example.org", "pencil");
        assert_eq!(right.0, Some(0), "{mechanism}: {}", right.1);
        let wrong = login(&gateway, mechanism, "alice@example.org", "pen");
        assert_eq!(wrong.0, Some(1), "{mechanism}: {}", wrong.1);
        let unknown = login(&gateway, mechanism, "mallory@example.org", "pencil");
        assert_eq!(unknown, wrong, "{mechanism}");
    }
    for mechanism in ["PLAIN", "LOGIN"] {
        let mut command = swaks(gateway.address());
        command.args(["--auth", mechanism, "--auth-user", "alice@example.org"]);
        command.args(["--auth-password", "pencil", "--from", "alice@example.org"]);
        let output = run(&mut command);
        let transcript = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{transcript}");
    }
    assert_eq!(backend.taken().len(), 2);
}

/// Both ways into TLS, and each mechanism that swaks knows.
#[test]
fn clients_of_others_log_in_over_tls() {
    let authority = Authority::new("tests");
    for (mode, of_swaks, of_python) in [
        ("required", "--tls", "starttls"),
        ("implicit", "--tls-on-connect", "implicit"),
    ] {
        let backend = Backend::working();
        let gateway = Setup::new()
            .backend(&backend.smtp())
            .certified_by(&authority)
            .listener(&format!("auth = \"required\"\ntls = \"{mode}\""))
            .listener(ALL_MECHANISMS)
            .plugin("10-logins", "guests/logins", "")
            .start();
        let ca = gateway.directory().join("ca.pem").display().to_string();
        let mechanisms = ["PLAIN", "LOGIN", "CRAM-MD5"];
        for mechanism in mechanisms {
            let mut command = swaks(gateway.address());
            command.args([of_swaks, "--tls-verify", "--tls-ca-path", &ca]);
            command.args(["--auth", mechanism, "--auth-user", "bob"]);
            let output = run(command.args(["--auth-password", "pencil"]));
            let transcript = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success(), "{mode} {mechanism}: {transcript}");

            let tls = [of_python, &ca];
            let right = login_over(&gateway, &tls, [mechanism, "bob", "pencil"]);
            assert_eq!(right.0, Some(0), "{mode} {mechanism}: {}", right.1);
            let wrong = login_over(&gateway, &tls, [mechanism, "bob", "pen"]);
            assert_eq!(wrong.0, Some(1), "{mode} {mechanism}: {}", wrong.1);
        }
        assert_eq!(backend.taken().len(), mechanisms.len());
    }
}

fn add_user(file: &Path, name: &str, password: &str) {
    let mut command = postgate_tests::gateway::program();
    command.args(["user", "add", name, "--password-stdin", "--file"]);
    command.arg(file);
    let directory = file.parent().expect("a file has a directory");
    let typed = directory.join("typed");
    fs::write(&typed, password).expect("a file");
    command.stdin(fs::File::open(typed).expect("a file"));
    let status = command.status().expect("the program starts");
    assert!(status.success());
}

/// Tokens and the passwords behind digests are checked by other plugins.
#[test]
fn tokens_and_digests_are_for_plugins_that_know_them() {
    let backend = Backend::working();
    let gateway = setup(&user("alice", "pencil").to_string(), &backend)
        .listener(ALL_MECHANISMS)
        .plugin("10-logins", "guests/logins", "")
        .start();
    let table = [
        ("CRAM-MD5", "pencil"),
        ("XOAUTH2", "good-token"),
        ("OAUTHBEARER", "good-token"),
        ("PLAIN", "pencil"),
    ];
    for (mechanism, secret) in table {
        let right = login(&gateway, mechanism, "bob", secret);
        assert_eq!(right.0, Some(0), "{mechanism}: {}", right.1);
        let wrong = login(&gateway, mechanism, "bob", "other");
        assert_eq!(wrong.0, Some(1), "{mechanism}: {}", wrong.1);
    }
    let mut command = swaks(gateway.address());
    command.args([
        "--auth",
        "CRAM-MD5",
        "--auth-user",
        "bob",
        "--auth-password",
        "pencil",
    ]);
    command.args(["--quit-after", "AUTH"]);
    let output = run(&mut command);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
}

/// Where the gateways of a name share a secret, or one starts anew.
#[test]
fn unknown_users_have_the_same_salt_at_each_gateway_with_the_secret() {
    let backend = Backend::working();
    let alice = user("alice", "pencil").to_string();
    let directory = TempDir::new().unwrap();
    let secret = directory.path().join("secret");
    let setting = format!("auth-secret-file = {:?}", secret.display().to_string());
    let salt = |setting: &str, name: &str| {
        let gateway = setup(&alice, &backend).set(setting).start();
        let mut client = Client::greeted(gateway.address());
        let first = format!(
            "AUTH SCRAM-SHA-256 {}",
            base64(&format!("n,,n={name},r=abc"))
        );
        let challenge = client.says(&first, "334 ").to_string();
        let script =
            "import base64, sys; print(base64.b64decode(sys.argv[1]).decode().split(',', 1)[1])";
        let encoded = challenge.trim().trim_start_matches("334 ");
        let output = run(program("python3").args(["-c", script, encoded]));
        String::from_utf8(output.stdout).unwrap()
    };
    let shared = salt(&setting, "eve");
    assert_eq!(salt(&setting, "eve"), shared);
    assert_ne!(salt(&setting, "mallory"), shared);
    assert_ne!(salt("", "eve"), shared);
    assert_eq!(salt("", "alice"), salt(&setting, "alice"));

    fs::write(&secret, "too short").unwrap();
    for command in ["check", "serve"] {
        let mut program = postgate_tests::gateway::program();
        let setup = setup(&alice, &backend).set(&setting);
        let output = run(program.args([command, "--config"]).arg(setup.write()));
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(64), "{said}");
        assert!(
            said.contains("secret: it has 9 octets, and needs at least 32"),
            "{said}"
        );
    }
}

/// Whoever has listened to an exchange cannot repeat it.
#[test]
fn an_answer_to_a_challenge_is_good_once() {
    let backend = Backend::working();
    let gateway = setup("", &backend)
        .listener(ALL_MECHANISMS)
        .plugin("10-logins", "guests/logins", "")
        .start();
    let mut challenges = Vec::new();
    for _ in 0..2 {
        let mut client = Client::greeted(gateway.address());
        challenges.push(client.ask("AUTH CRAM-MD5").to_string());
        challenges.push(client.says("*", "501").to_string());
        challenges.push(client.ask("AUTH CRAM-MD5").to_string());
        challenges.remove(challenges.len() - 2);
    }
    let all = challenges.len();
    challenges.sort();
    challenges.dedup();
    assert_eq!(challenges.len(), all);

    // Python answers one challenge; the answer is heard, and given to another.
    let answer = cram_md5(&challenges[0], "pencil");
    let mut client = Client::greeted(gateway.address());
    client.says("AUTH CRAM-MD5", "334");
    client.says(&answer, "535 5.7.8");
    let challenge = client.ask("AUTH CRAM-MD5").to_string();
    // Anybody can give the one that an empty password would.
    client.says(&cram_md5(&challenge, ""), "535 5.7.8");
    let challenge = client.ask("AUTH CRAM-MD5").to_string();
    client.says(&cram_md5(&challenge, "pencil"), "235 2.7.0");
}

fn cram_md5(challenge: &str, password: &str) -> String {
    let script = "import base64, hmac, sys\n\
        challenge = base64.b64decode(sys.argv[1])\n\
        digest = hmac.new(sys.argv[2].encode(), challenge, 'md5').hexdigest()\n\
        print(base64.b64encode(b'bob ' + digest.encode()).decode())";
    let encoded = challenge.strip_prefix("334 ").expect("a challenge");
    let output = run(program("python3").args(["-c", script, encoded, password]));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// The file may change at any time; what is garbled in it costs one user.
#[test]
fn the_file_holds_as_it_is_now() {
    let backend = Backend::working();
    let gateway = setup(&format!("{}\n", user("alice", "pencil")), &backend).start();
    let mut client = Client::greeted(gateway.address());
    client.says(&plain("", "bob", "pen"), "535 5.7.8");
    let users = format!(
        "bob:hunter2\n{}\n{}\n",
        user("alice", "new"),
        user("carol", "pen")
    );
    fs::write(users_of(&gateway), users).unwrap();
    client.says(&plain("", "alice", "pencil"), "535 5.7.8");
    client.says(&plain("", "bob", "hunter2"), "535 5.7.8");
    client.says(&plain("", "carol", "pen"), "235 2.7.0");
    let warning = gateway.log().wait_for("a garbled line", |line| {
        line["says"]
            .to_string()
            .contains("the line of bob: the scheme")
    });
    assert_eq!(warning["level"], "WARN", "{warning}");
    fs::remove_file(users_of(&gateway)).unwrap();
    let mut client = Client::greeted(gateway.address());
    client.says(&plain("", "carol", "pen"), "454 4.7.0");
}

#[test]
fn roles_last_and_senders_belong_to_users() {
    let mut alice = user("alice@example.org", "pencil");
    alice.act_as.push("office@example.org".into());
    let office = User {
        senders: vec!["*@lists.example.org".into()],
        ..user("office@example.org", "x")
    };
    let backend = Backend::working();
    let gateway = setup(&format!("{alice}\n{office}\n"), &backend).start();
    let mut client = Client::greeted(gateway.address());
    client.says(
        &plain("bob@example.org", "alice@example.org", "pencil"),
        "535 5.7.8",
    );
    client.says(
        &plain("office@example.org", "alice@example.org", "pencil"),
        "235 2.7.0",
    );
    for _ in 0..2 {
        client.says(
            "MAIL FROM:<alice@example.org>",
            "553 5.7.1 this sender address is not yours",
        );
        client.says("MAIL FROM:<news@lists.example.org>", "250");
        client.says("RCPT TO:<anybody@elsewhere.example>", "250");
        client.says("RSET", "250");
        client.envelope("office@example.org", &["anybody@elsewhere.example"]);
        assert!(client.message(b"Subject: x\r\n\r\n").starts_with("250"));
    }
    client.says("MAIL FROM:<>", "250");
    let line = gateway.log().wait_for_message("authenticated");
    assert_eq!(line["identity"], "alice@example.org", "{line}");
    assert_eq!(line["acts_as"], "office@example.org", "{line}");
    assert_eq!(line["mechanism"], "PLAIN", "{line}");
    assert_eq!(line["remote"], "127.0.0.1", "{line}");
}

#[test]
fn a_plugin_can_ask_for_another_way_and_its_failure_is_nobodys_fault() {
    let backend = Backend::working();
    for on_failure in ["tempfail", "accept", "reject"] {
        let gateway = Setup::new()
            .backend(&backend.smtp())
            .listener(CLEAR_AUTH)
            .set("limits.auth-failures-per-account = 1")
            .plugin(
                "10-logins",
                "guests/logins",
                &format!("on-failure = \"{on_failure}\""),
            )
            .start();
        let mut client = Client::greeted(gateway.address());
        client.says(&plain("", "bob", "432"), "432 4.7.12");
        client.says(&plain("", "bob", "534"), "534 5.7.9");
        client.says(&plain("", "bob", "538"), "538 5.7.11");
        client.says(&plain("", "bob", "trap"), "454 4.7.0");
        // None of them was a wrong password.
        client.says(&plain("", "bob", "pencil"), "235 2.7.0");
    }
}

/// Where another plugin knows the client, it need not come again.
#[test]
fn a_failure_that_is_accepted_leaves_the_decision_to_the_others() {
    let backend = Backend::working();
    let gateway = setup(&user("bob", "trap").to_string(), &backend)
        .plugin("01-logins", "guests/logins", "on-failure = \"accept\"")
        .start();
    let mut client = Client::greeted(gateway.address());
    client.says(&plain("", "alice", "trap"), "454 4.7.0");
    client.says(&plain("", "bob", "trap"), "235 2.7.0");
}

/// An operator hears of a missing file before anything is served.
#[test]
fn without_its_file_the_plugin_does_not_start() {
    let backend = Backend::working();
    let setup = setup("", &backend);
    fs::remove_file(setup.directory().join("users")).unwrap();
    let config = setup.write();
    let output = run(postgate_tests::gateway::program()
        .arg("check")
        .arg("--config")
        .arg(config));
    assert_eq!(output.status.code(), Some(64));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(
        error.contains("12-auth-file") && error.contains("\"users\""),
        "{error}"
    );
}

#[test]
fn guessing_ends_soon() {
    let backend = Backend::working();
    let users = format!("{}\n{}\n", user("alice", "pencil"), user("bob", "pen"));
    let gateway = setup(&users, &backend)
        .set("limits.auth-failures-per-account = 2\nlimits.auth-failures-per-address = 5")
        .start();
    let mut client = Client::greeted(gateway.address());
    // Right passwords do not count, and make the client known.
    client.says(&plain("", "bob", "pen"), "235");
    let mut client = Client::greeted(gateway.address());
    for name in ["alice", "nobody"] {
        client.says(&plain("", name, "x"), "535");
        client.says(&plain("", name, "x"), "535");
        client.says(&plain("", name, "x"), "454 4.7.0 Too many failed attempts");
        client.says(&plain("", name, "pencil"), "454 4.7.0");
    }
    client.says(&plain("", "carol", "x"), "535");
    client.says(
        &plain("", "bob", "pen"),
        "421 4.7.0 Too many failed attempts",
    );
    client.expect_close();
    for limit in [
        "limits.auth-failures-per-account",
        "limits.auth-failures-per-address",
    ] {
        let line = gateway.log().wait_for(limit, |line| line["limit"] == limit);
        assert_eq!(line["remote"], "127.0.0.1", "{line}");
        assert_eq!(line["mechanism"], "PLAIN", "{line}");
    }
}

/// With SCRAM the gateway itself finds out that a password is wrong.
#[test]
fn guesses_by_keys_count_too() {
    let backend = Backend::working();
    let gateway = setup(&user("alice", "pencil").to_string(), &backend)
        .set("limits.auth-failures-per-account = 2")
        .start();
    for _ in 0..2 {
        assert_eq!(login(&gateway, "SCRAM-SHA-256", "alice", "x").0, Some(1));
    }
    let beyond = login(&gateway, "SCRAM-SHA-256", "alice", "pencil");
    assert!(beyond.1.contains("454"), "{beyond:?}");
    let line = gateway.log().wait_for_message("authentication failed");
    assert_eq!(line["identity"], "alice", "{line}");
    assert_eq!(line["mechanism"], "SCRAM-SHA-256", "{line}");
}

/// What a client sends that does not look at the reply to AUTH is no verb of its own.
#[test]
fn a_password_in_the_wrong_place_is_nobodys_subject() {
    let backend = Backend::working();
    let gateway = Setup::new()
        .backend(&backend.smtp())
        .listener(CLEAR_AUTH)
        .plugin("10-verbs", "guests/verbs", "")
        .start();
    let mut client = Client::greeted(gateway.address());
    client.says("AUTH PLAIN !", "501");
    // The plugin counts unknown verbs, and would end the session at the third.
    for _ in 0..3 {
        client.says("c2VjcmV0", "500 5.5.1");
    }
    client.says("NOOP", "250");
    client.says("b3RoZXI", "500 5.5.1");
    client.says("b3RoZXI", "500 5.5.1");
    client.says("b3RoZXI", "421 4.7.0");
    let line = gateway.log().wait_for_message("plugin decided");
    assert_eq!(line["subject"], "unknown-verb", "{line}");
    let log = gateway.log().text();
    assert!(
        !log.contains("c2VjcmV0") && !log.contains("b3RoZXI"),
        "{log}"
    );
}

/// Not even who reads everything learns a secret.
#[test]
fn no_secret_is_in_the_log() {
    let backend = Backend::working();
    let gateway = setup(&user("alice", "pencil-in-clear").to_string(), &backend)
        .listener(ALL_MECHANISMS)
        .set("log.level = \"trace\"")
        .plugin("10-logins", "guests/logins", "")
        .start();
    let mut client = Client::greeted(gateway.address());
    let token = "user=bob\x01auth=Bearer token-in-clear\x01\x01";
    let mut heard = String::new();
    for (line, reply) in [
        (plain("", "alice", "wrong-in-clear"), "535"),
        ("AUTH LOGIN".to_owned(), "334"),
        (base64("alice"), "334"),
        (base64("other-in-clear"), "535"),
        (format!("AUTH PLAIN {}", base64("half-in-clear")), "501"),
        (format!("AUTH XOAUTH2 {}", base64(token)), "334"),
        ("AQ==".to_owned(), "535"),
        (plain("", "alice", "pencil-in-clear"), "235"),
        ("QUIT".to_owned(), "221"),
    ] {
        heard += &client.says(&line, reply);
    }
    assert_eq!(
        login(&gateway, "SCRAM-SHA-256", "alice", "pencil-in-clear").0,
        Some(0)
    );
    gateway.log().wait_for("the end of a session", |line| {
        line["message"] == "authenticated" && line["mechanism"] == "SCRAM-SHA-256"
    });
    let log = gateway.log().text();
    let parts = [
        "in-clear",
        "AUTH PLAIN",
        "AUTH XOAUTH2",
        "Bearer",
        "$argon2id$",
        "{SCRAM",
    ];
    for secret in parts {
        assert!(!log.contains(secret), "the log shows {secret}");
        assert!(!heard.contains(secret), "a reply shows {secret}");
    }
    let encoded = [
        "alice\0pencil-in-clear",
        "pencil-in-clear",
        "other-in-clear",
        "half-in-clear",
        token,
    ];
    for secret in encoded {
        for octets in ["", "\0", "\0\0"] {
            let encoded = base64(&format!("{octets}{secret}"));
            // Without the first and last letters, which depend on what stands around.
            assert!(
                !log.contains(&encoded[4..encoded.len() - 4]),
                "the log shows {secret}"
            );
            assert!(!heard.contains(&encoded), "a reply shows {secret}");
        }
    }
}

#[test]
fn messages_of_users_are_completed_and_those_of_strangers_are_not() {
    let backend = Backend::working();
    let gateway = setup(&user("alice@example.org", "pencil").to_string(), &backend)
        .listener("submission = true\nstrip-bcc = true")
        .start();
    let message = b"Subject: x\r\nBcc: carol@example.org\r\n\r\nbody\r\n";
    let mut client = Client::greeted(gateway.address());
    client.envelope("alice@example.org", &["bob@example.org"]);
    assert!(client.message(message).starts_with("250"));
    client.says(&plain("", "alice@example.org", "pencil"), "235");
    client.envelope(
        "alice@example.org",
        &["bob@example.org", "carol@example.org"],
    );
    assert!(client.message(message).starts_with("250"));
    let taken = backend.taken();
    assert_eq!(taken.len(), 2);
    let [stranger, own] = [&taken[0], &taken[1]].map(|mail| fields(&mail.content));
    assert!(stranger.ends_with(&["Subject: x".into(), "Bcc: carol@example.org".into()]));
    let names: Vec<_> = own
        .iter()
        .filter_map(|field| field.split(':').next())
        .collect();
    assert!(
        names.ends_with(&["Subject", "Date", "Message-ID"]),
        "{own:#?}"
    );
    assert!(
        own.last().unwrap().ends_with("@mx.example.org>"),
        "{own:#?}"
    );
    assert!(
        own.iter().any(|field| field.contains(" with ESMTPA ")),
        "{own:#?}"
    );

    // Where mail arrives, nothing is completed, for nobody.
    let arriving = setup(&user("alice@example.org", "pencil").to_string(), &backend).start();
    let mut client = Client::greeted(arriving.address());
    client.says(&plain("", "alice@example.org", "pencil"), "235");
    client.envelope("alice@example.org", &["bob@example.org"]);
    assert!(client.message(message).starts_with("250"));
    let fields = fields(&backend.taken().pop().expect("it was taken").content);
    assert!(
        fields.ends_with(&["Subject: x".into(), "Bcc: carol@example.org".into()]),
        "{fields:#?}"
    );
}
