//! The log: what each line holds, how much of it there is, and what only the operator is told.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::process::{Child, Stdio};
use std::time::Instant;

use postgate_tests::PATIENCE;
use postgate_tests::backend::{Act, Backend, Step};
use postgate_tests::client::Client;
use postgate_tests::dns::NameServer;
use postgate_tests::gateway::{Gateway, Setup, program};
use postgate_tests::log::Log;
use postgate_tests::peer::{free_address, pause};
use serde_json::Value;
use tempfile::TempDir;

/// A backend that refuses one recipient, and breaks off at one message.
fn backend() -> Backend {
    Backend::scripted(|event| match &event.step {
        Step::Rcpt(line) if line.contains("<gone@") => Act::reply("550 5.1.1 No such user here"),
        Step::Message { rcpt, .. } if rcpt.contains("<broken@") => Act::Close,
        _ => Act::Work,
    })
}

/// Plugins that watch, that refuse, that fail and that ask a name server in vain.
fn setup(backend: &Backend, names: &NameServer) -> Setup {
    Setup::new()
        .backend(&backend.smtp())
        .set("limits.errors = 2")
        .set(&names.settings())
        .plugin("10-recorder", "guests/recorder", "")
        .plugin("20-verdicts", "guests/verdicts", "")
        .plugin("30-trap", "guests/trap", "")
        .plugin("40-sender-domain", "sender-domain", "grants = [\"dns\"]")
}

/// A session of everything that leaves a line. It ends with too many errors.
fn converse(address: SocketAddr) {
    let mut client = Client::connect(address);
    client.expect("220 ");
    client.says("EHLO refuse550", "550");
    client.says("EHLO client.example", "250");
    client.says("MAIL FROM:<alice@broken.example>", "451 4.4.3");
    client.says("MAIL FROM:<>", "250");
    for (recipient, reply) in [
        ("refuse450@example.org", "450"),
        ("trap@example.org", "451 4.3.0"),
        ("gone@example.org", "550 5.1.1"),
        ("broken@example.org", "250"),
    ] {
        client.says(&format!("RCPT TO:<{recipient}>"), reply);
    }
    assert!(client.message(b"Subject: x\r\n\r\n").starts_with("451"));
    client.envelope("", &["bob@example.org"]);
    assert!(client.message(b"Subject: x\r\n\r\n").starts_with("250"));
    client.says("OINK", "500");
    client.says("RCPT TO:<victim@elsewhere.example>", "503");
    client.expect("421");
    client.expect_close();
}

fn names() -> NameServer {
    let failure = postgate_tests::dns::Record::Failure;
    NameServer::with(&[("broken.example", failure)])
}

/// Lines for machines: of everything that happens in a session, at the level with the most lines.
#[test]
fn each_line_for_machines_has_its_time_level_and_session() {
    let (backend, names) = (backend(), names());
    let gateway = setup(&backend, &names).start();
    converse(gateway.address());
    let is_end = |line: &Value| line["message"] == "session closed for errors of the client";
    gateway.log().wait_for("the end", is_end);
    let lines = gateway.log().find(|_| true);
    let session = lines.iter().find(|line| line["message"] == "connected");
    let session = session.expect("a connection")["session"]
        .as_str()
        .expect("an id");
    let begin = lines.iter().position(|line| line["message"] == "listening");
    let of_session = &lines[begin.expect("a listener") + 1..];
    for line in of_session {
        let found = [&line["session"], &line["span"]["session"]];
        assert!(
            found.contains(&&Value::from(session)),
            "no session in {line}"
        );
        assert_is_time(line["timestamp"].as_str().unwrap_or_default(), line);
    }
    let levels: BTreeSet<_> = of_session
        .iter()
        .filter_map(|line| line["level"].as_str())
        .collect();
    assert_eq!(levels, BTreeSet::from(["DEBUG", "ERROR", "INFO", "WARN"]));
    assert_eq!(gateway.log().others(), [""; 0]);
}

fn assert_is_time(text: &str, line: &impl std::fmt::Debug) {
    let is_digit = |place: usize| text.as_bytes().get(place).is_some_and(u8::is_ascii_digit);
    let is_time = [0, 3, 5, 8, 11, 14, 17].into_iter().all(is_digit)
        && text.get(10..11) == Some("T")
        && text.ends_with('Z');
    assert!(is_time, "{text:?} is no time in {line:?}");
}

/// A gateway whose log is text, which a [`Gateway`] would not understand.
struct ForPeople {
    child: Child,
    log: Log,
    address: SocketAddr,
    _setup: Setup,
}

impl ForPeople {
    fn start(setup: Setup, level: &str) -> Self {
        let address = free_address();
        let setup = setup
            .listener(&format!("address = \"{address}\""))
            .set(&format!(
                "log = {{ level = \"{level}\", format = \"text\" }}"
            ));
        let mut command = program();
        command.args(["serve", "--config"]).arg(setup.write());
        let mut child = command
            .current_dir(setup.directory())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the gateway starts");
        let log = Log::collect(child.stderr.take().expect("stderr is piped"));
        let gateway = Self {
            child,
            log,
            address,
            _setup: setup,
        };
        gateway.wait("a listener", || {
            std::net::TcpStream::connect(address).is_ok()
        });
        gateway
    }

    fn wait(&self, what: &str, holds: impl Fn() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !holds() {
            assert!(
                Instant::now() < deadline,
                "no {what}: {:#?}",
                self.log.others()
            );
            pause();
        }
    }
}

impl Drop for ForPeople {
    fn drop(&mut self) {
        // It fails if the process has already ended.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// The levels as people read them, from the most lines to the fewest: each level has its own lines and
/// those above it. What ends the program is an error too.
#[test]
fn each_line_for_people_has_its_time_level_and_session() {
    let (backend, names) = (backend(), names());
    for (level, levels) in [
        ("debug", &["DEBUG", "ERROR", "INFO", "WARN"][..]),
        ("info", &["ERROR", "INFO", "WARN"]),
        ("warn", &["ERROR", "WARN"]),
        ("error", &["ERROR"]),
    ] {
        let gateway = ForPeople::start(setup(&backend, &names), level);
        converse(gateway.address);
        let last = if level == "error" {
            "asked to trap"
        } else {
            "session closed for errors"
        };
        let has_ended = || gateway.log.others().iter().any(|line| line.contains(last));
        gateway.wait("end of the session", has_ended);
        let lines = gateway.log.others();
        let words = |line: &str| {
            line.split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        // What a plugin writes stays in its line, whatever it is.
        for line in &lines {
            let first = words(line).into_iter().next().unwrap_or_default();
            assert_is_time(&first, line);
        }
        let seen: BTreeSet<_> = lines.iter().map(|line| words(line)[1].clone()).collect();
        assert!(
            seen.iter().map(String::as_str).eq(levels.iter().copied()),
            "{level}: {seen:?}"
        );
        // The connection that saw that the gateway listens was another session.
        let begin = lines.iter().rposition(|line| line.contains(" listening "));
        for line in &lines[begin.map_or(0, |at| at + 1)..] {
            assert!(
                line.contains(" session=\""),
                "{level}: no session in {line}"
            );
        }
    }
}

/// As many lines for a large attachment as for none, and none of its content.
#[test]
fn an_attachment_adds_nothing_to_the_log() {
    let backend = Backend::working();
    let gateway = ["header-rules", "attachment-blocker"]
        .into_iter()
        .fold(Setup::new(), |setup, name| setup.plugin(name, name, ""))
        .backend(&backend.smtp())
        .set("log.level = \"info\"")
        .start();
    let mut client = Client::greeted(gateway.address());
    let mut lines_for = |size: usize| {
        let before = gateway.log().find(|_| true).len();
        client.envelope("alice@client.example", &["bob@example.org"]);
        let line = format!("{}\r\n", "QUJD".repeat(19));
        let attachment = line.repeat(size / line.len());
        let message = format!("{HEAD}{attachment}--b--\r\n");
        assert!(client.message(message.as_bytes()).starts_with("250"));
        let is_message =
            |line: &Value| line["message"] == "message" && line["size"] == message.len();
        gateway.log().wait_for("the message", is_message);
        let lines = gateway.log().find(|_| true).split_off(before);
        assert!(
            !lines
                .iter()
                .any(|line| line.to_string().contains("QUJDQUJD")),
            "{lines:#?}"
        );
        lines.len()
    };
    let without = lines_for(0);
    assert_eq!(lines_for(20 << 10), without);
    assert_eq!(lines_for(2 << 20), without);
    assert_eq!(without, 1);
}

const HEAD: &str = "Subject: an attachment\r\nMIME-Version: 1.0\r\n\
    Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nhello\r\n--b\r\n\
    Content-Type: image/png; name=a.png\r\nContent-Transfer-Encoding: base64\r\n\r\n";

/// Why something failed is in the log, down to the error of the system; the client hears what anybody may.
#[test]
fn the_cause_is_for_the_operator() {
    let nowhere = free_address();
    let unreachable = Setup::new().backend(&format!("smtp://{nowhere}")).start();
    let reply = rcpt(&unreachable, "bob");
    assert_eq!(
        reply,
        "451 4.4.1 Mail store cannot be reached, try again later"
    );
    let line = unreachable.log().wait_for_message("backend failed");
    let error = line["error"].to_string();
    assert!(
        error.contains(&nowhere.to_string()) && error.contains("Connection refused"),
        "{line}"
    );

    let trapping = Setup::new().plugin("10-trap", "guests/trap", "").start();
    let reply = rcpt(&trapping, "trap");
    assert_eq!(reply, "451 4.3.0 Temporary problem, try again later");
    let line = trapping.log().wait_for_message("plugin failed");
    assert!(line["error"].to_string().contains("unreachable"), "{line}");
    trapping.log().wait_for("where it failed", |line| {
        let says = line["says"].to_string();
        says.contains("trap.rs:") && says.contains("this plugin was asked to trap")
    });

    let place = TempDir::new().expect("a directory");
    let folder = place.path().join("mail");
    let backend = format!("maildir:{}", folder.display());
    let refusing = Setup::new().backend(&backend).start();
    // What could be used at the start is gone.
    _ = fs::remove_dir_all(&folder);
    fs::write(&folder, "no directory").expect("the place is free");
    let mut client = Client::greeted(refusing.address());
    client.envelope("alice@client.example", &["bob@example.org"]);
    let reply = client.message(b"Subject: x\r\n\r\n");
    assert!(
        reply.starts_with("451 4.3.0 ") && !reply.contains("mail/"),
        "{reply}"
    );
    let line = refusing.log().wait_for_message("backend failed");
    let error = line["error"].to_string();
    assert!(
        error.contains(&folder.display().to_string()) && error.contains("os error 20"),
        "{line}"
    );
}

fn rcpt(gateway: &Gateway, name: &str) -> String {
    let mut client = Client::greeted(gateway.address());
    client.says("MAIL FROM:<alice@client.example>", "250");
    client.ask(&format!("RCPT TO:<{name}@example.org>"))
}
