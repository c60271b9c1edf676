//! SIGTERM: what is under way ends well, and nothing new begins.

use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use postgate_tests::backend::{Act, Backend, Step};
use postgate_tests::client::Client;
use postgate_tests::gateway::{Setup, program, wait};
use postgate_tests::log::Log;
use postgate_tests::peer::{free_address, pause, run};
use tempfile::TempDir;

#[test]
fn an_idle_gateway_ends_at_once() {
    let mut gateway = Setup::new().start();
    gateway.terminate();
    assert_eq!(gateway.wait().code(), Some(0));
    assert!(TcpStream::connect(gateway.address()).is_err());
}

#[test]
fn idle_clients_are_told() {
    let mut gateway = Setup::new().start();
    let mut greeted = Client::greeted(gateway.address());
    let mut in_transaction = Client::greeted(gateway.address());
    in_transaction.says("MAIL FROM:<alice@client.example>", "250");
    gateway.terminate();
    for client in [&mut greeted, &mut in_transaction] {
        client.expect("421 4.3.2");
        client.expect_close();
    }
    assert_eq!(gateway.wait().code(), Some(0));
}

#[test]
fn a_message_under_way_is_finished() {
    let backend = Backend::working();
    let mut gateway = Setup::new().backend(&backend.smtp()).start();
    let mut idle = Client::greeted(gateway.address());
    let mut busy = Client::greeted(gateway.address());
    busy.envelope("alice@client.example", &["bob@example.org"]);
    busy.says("DATA", "354");
    busy.write(b"Subject: in time\r\n\r\nhalf of it");
    gateway.terminate();
    // The idle client hears of it, so the shutdown has begun.
    idle.expect("421 4.3.2");
    assert_nobody_is_let_in(gateway.address());
    // The message is taken, and no further command.
    busy.write(b" and the rest\r\n.\r\nMAIL FROM:<alice@client.example>\r\n");
    busy.expect("250 2.0.0");
    busy.expect("421 4.3.2");
    busy.expect_close();
    assert_eq!(gateway.wait().code(), Some(0));
    assert_eq!(backend.taken().len(), 1);
}

/// A new client is refused by the system, or told to come back later.
fn assert_nobody_is_let_in(gateway: SocketAddr) {
    let Ok(mut stream) = TcpStream::connect(gateway) else {
        return;
    };
    let mut said = String::new();
    // An error says that the gateway closed without a word.
    _ = stream.read_to_string(&mut said);
    assert!(said.is_empty() || said.starts_with("421 4.3.2"), "{said}");
}

#[test]
fn nobody_can_hold_up_the_end() {
    let mut gateway = Setup::new()
        .set("limits.shutdown-grace = \"300ms\"")
        .start();
    let mut stuck = Client::greeted(gateway.address());
    stuck.says("MAIL FROM:<alice@client.example>", "250");
    stuck.says("RCPT TO:<bob@example.org>", "250");
    stuck.says("DATA", "354");
    stuck.write(b"Subject: I will never end\r\n");
    gateway.terminate();
    stuck.expect("421 4.3.2");
    stuck.expect_close();
    assert_eq!(gateway.wait().code(), Some(0));
}

#[test]
fn connections_to_the_backend_end_with_quit() {
    let (ended, ends) = mpsc::channel();
    let backend = Backend::scripted(move |event| {
        if event.step == Step::Other("QUIT") {
            // The test has ended if nobody listens.
            _ = ended.send(event.connection);
        }
        Act::Work
    });
    let mut gateway = Setup::new().backend(&backend.smtp()).start();
    let mut done = Client::greeted(gateway.address());
    let mut busy = Client::greeted(gateway.address());
    for client in [&mut done, &mut busy] {
        client.envelope("alice@client.example", &["bob@example.org"]);
        client.says("DATA", "354");
    }
    done.write(b"Subject: x\r\n\r\n.\r\n");
    done.expect("250");
    gateway.terminate();
    done.expect("421 4.3.2");
    busy.write(b"Subject: x\r\n\r\n.\r\n");
    busy.expect("250");
    assert_eq!(gateway.wait().code(), Some(0));
    let mut ends = [(); 2].map(|()| ends.recv_timeout(PATIENCE).expect("QUIT"));
    ends.sort_unstable();
    assert_eq!(ends, [0, 1]);
}

/// The message may be delivered, and the client will send it again.
#[test]
fn a_message_that_the_backend_has_at_the_end_leaves_a_line() {
    for signals in [1, 2] {
        let (sent, messages) = mpsc::channel();
        let backend = Backend::scripted(move |event| match event.step {
            Step::Message { .. } => {
                // The test has ended if nobody listens.
                _ = sent.send(());
                Act::Hang
            }
            _ => Act::Work,
        });
        let grace = if signals == 1 { "100ms" } else { "1h" };
        let mut gateway = Setup::new()
            .backend(&backend.smtp())
            .set(&format!("limits.shutdown-grace = \"{grace}\""))
            .start();
        let mut client = Client::greeted(gateway.address());
        client.envelope("alice@client.example", &["bob@example.org"]);
        client.says("DATA", "354");
        client.write(b"Subject: x\r\n\r\n.\r\n");
        messages.recv_timeout(PATIENCE).expect("a message");
        let mut idle = Client::greeted(gateway.address());
        gateway.terminate();
        idle.expect("421 4.3.2");
        if signals == 2 {
            gateway.terminate();
        }
        assert_eq!(gateway.wait().code(), Some(0));
        gateway.log().wait_for("a message in doubt", |line| {
            let message = line["message"].as_str().unwrap_or_default();
            message.starts_with("stopped before the backend has replied")
                && line["backend"] == backend.smtp()
                && line["id"].as_str().is_some_and(|id| !id.is_empty())
        });
    }
}

#[test]
fn a_client_that_leaves_in_the_middle_of_a_message_leaves_a_line() {
    let gateway = Setup::new().start();
    for begin in ["DATA", "BDAT 14"] {
        let mut client = Client::greeted(gateway.address());
        let sender = format!("{}@client.example", begin.replace(' ', ""));
        client.envelope(&sender, &["bob@example.org"]);
        client.write(format!("{begin}\r\n").as_bytes());
        if begin == "DATA" {
            client.expect("354");
        }
        client.write(b"Subject: x\r\n\r\n");
        if begin != "DATA" {
            client.expect("250");
        }
        drop(client);
        gateway.log().wait_for("a message that has no end", |line| {
            line["message"] == "session ended in the middle of a message"
                && line["sender"] == sender
                && line["recipients"] == "bob@example.org"
                && line["received"] == 14
                && line["ending"] == "closed"
        });
    }
}

#[test]
fn a_second_signal_ends_at_once() {
    let mut gateway = Setup::new().set("limits.shutdown-grace = \"1h\"").start();
    let mut idle = Client::greeted(gateway.address());
    let mut stuck = Client::greeted(gateway.address());
    stuck.envelope("alice@client.example", &["bob@example.org"]);
    stuck.says("DATA", "354");
    gateway.terminate();
    // The idle client hears of it, so the shutdown has begun.
    idle.expect("421 4.3.2");
    gateway.terminate();
    assert_eq!(gateway.wait().code(), Some(0));
}

/// A plugin that takes long to start holds up neither the signal nor the end.
#[test]
fn a_signal_during_the_start_acts_at_once() {
    let setup = Setup::new()
        .set("control.socket = \"control.sock\"")
        .plugin(
            "10-endless",
            "guests/endless-self-test",
            "limits.message-cpu = \"1h\"\nlimits.message-wall = \"1h\"",
        );
    let mut child = program()
        .args(["serve", "--config"])
        .arg(setup.write())
        .current_dir(setup.directory())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let log = Log::collect(child.stderr.take().expect("stderr is piped"));
    // From here on the plugin is compiled and tried out.
    log.wait_for_message("plugin runtime is ready");
    let process = child.id().to_string();
    let sent = Command::new("kill").args(["-TERM", &process]).status();
    assert!(sent.expect("kill is there").success());
    assert_eq!(wait(&mut child).code(), Some(0));
    log.wait_for_message("stopped during the start");
}

/// The log goes to a pipe that nobody reads.
#[test]
fn a_log_that_nobody_reads_holds_up_nothing() {
    let directory = TempDir::new().unwrap();
    let address = free_address();
    let file = directory.path().join("postgate.toml");
    let config = format!(
        "hostname = \"mx.example.org\"\nlog = {{ level = \"trace\", format = \"json\" }}\n\
         control = {{ socket = \"control.sock\" }}\n\
         [[listener]]\naddress = \"{address}\"\nlimits.errors = 0\n"
    );
    std::fs::write(&file, config).unwrap();
    std::fs::create_dir_all(directory.path().join("run/plugins")).unwrap();
    let mut child = program()
        .args(["serve", "--config"])
        .arg(&file)
        .current_dir(directory.path())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let pipe = child.stderr.take().expect("stderr is piped");
    while TcpStream::connect(address).is_err() {
        pause();
    }
    // Many times what a pipe and the queue hold.
    let mut client = Client::greeted(address);
    for _ in 0..30_000 {
        client.says("NOPE", "500");
    }
    // Meanwhile, a metric counts what is missing.
    let metrics = run(program().args(["metrics", "--config"]).arg(&file));
    let metrics = String::from_utf8_lossy(&metrics.stdout);
    let dropped = metrics
        .lines()
        .find_map(|line| line.strip_prefix("postgate_dropped_log_lines_total "));
    assert!(dropped.is_some_and(|count| count != "0"), "{metrics}");
    let log = Log::collect(pipe);
    log.wait_for("a report", |line| line["dropped"].is_u64());
    let process = child.id().to_string();
    let sent = Command::new("kill").args(["-TERM", &process]).status();
    assert!(sent.expect("kill is there").success());
    assert_eq!(wait(&mut child).code(), Some(0));
}

/// How long to wait for what must happen.
const PATIENCE: Duration = Duration::from_secs(60);
