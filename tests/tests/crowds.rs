//! Many clients at once, and many that come and go: nothing is left of them.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use postgate_tests::PATIENCE;
use postgate_tests::backend::Backend;
use postgate_tests::client::Client;
use postgate_tests::control;
use postgate_tests::gateway::{Gateway, Setup};
use postgate_tests::peer::pause;
use postgate_tests::process::{
    demand, limit_files, open_files, raise_own_limit_of_files, resident_memory,
};
use socket2::SockRef;

const VANISHING: usize = 10_000;
const IDLE: usize = 4_000;

fn quiet() -> Setup {
    Setup::new().set("log.level = \"info\"")
}

/// Waits until the gateway has as few open files as before.
fn assert_files_come_down_to(gateway: &Gateway, before: usize) {
    let deadline = Instant::now() + PATIENCE;
    while open_files(gateway) > before {
        let now = open_files(gateway);
        assert!(Instant::now() < deadline, "{now} open files, not {before}");
        pause();
    }
}

/// The open files of a gateway that has nothing to do: after the start, some come late.
fn open_files_at_rest(gateway: &Gateway) -> usize {
    let mut files = open_files(gateway);
    let mut since = Instant::now();
    while since.elapsed() < Duration::from_secs(1) {
        pause();
        let now = open_files(gateway);
        if now != files {
            (files, since) = (now, Instant::now());
        }
    }
    files
}

/// A leak takes more with each crowd; what the allocator keeps for a crowd serves the next one.
const CROWDS: usize = 4;

#[test]
fn clients_that_vanish_leave_nothing_behind() {
    let gateway = quiet().set(control::SOCKET).start();
    Client::greeted(gateway.address()).says("QUIT", "221");
    let usual = open_files_at_rest(&gateway);
    let vanish = |count: usize| {
        for _ in 0..count {
            let stream = TcpStream::connect(gateway.address()).expect("clients are let in");
            let reset = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
            reset.expect("an option can be set");
        }
    };
    // What is made at first need, or kept for the next crowd, is there after the first one.
    vanish(VANISHING);
    assert_files_come_down_to(&gateway, usual);
    let mut grown = Vec::new();
    while !grown.iter().any(|grown| *grown < 8 << 20) {
        assert!(grown.len() < CROWDS, "{grown:?} octets more each time");
        let before = resident_memory(&gateway);
        vanish(VANISHING);
        Client::greeted(gateway.address()).says("QUIT", "221");
        assert_files_come_down_to(&gateway, usual);
        grown.push(resident_memory(&gateway).saturating_sub(before));
    }
    println!("{VANISHING} vanishing clients: {grown:?} octets more memory");
    let metrics = control::ask(&gateway, "metrics");
    let text = metrics["text"].as_str().expect("text");
    for gauge in ["postgate_connections 0", "postgate_sessions 0"] {
        assert!(
            text.lines().any(|line| line == gauge),
            "no {gauge} in {text}"
        );
    }
    let errors = gateway.log().find(|line| line["level"] == "ERROR");
    assert!(errors.is_empty(), "{errors:#?}");
    assert_eq!(gateway.log().others(), [""; 0]);
}

#[test]
fn thousands_of_idle_sessions_cost_little() {
    raise_own_limit_of_files();
    let gateway = quiet()
        .set(&format!("limits.connections = {}", IDLE + 1))
        .under(&["prlimit", "--nofile=20000:"])
        .start();
    Client::greeted(gateway.address()).says("QUIT", "221");
    let before = (open_files_at_rest(&gateway), resident_memory(&gateway));
    let mut clients: Vec<_> = (0..IDLE)
        .map(|_| Client::greeted(gateway.address()))
        .collect();
    let each = (resident_memory(&gateway) - before.1) / IDLE;
    println!("{IDLE} idle sessions: {each} octets each");
    assert!(each < 32 << 10, "{each} octets for an idle session");
    let mut late = Client::greeted(gateway.address());
    late.envelope("alice@client.example", &["bob@example.org"]);
    assert!(
        late.message(b"Subject: in the crowd\r\n\r\n")
            .starts_with("250")
    );
    for client in &mut clients {
        client.says("NOOP", "250");
    }
    drop((clients, late));
    assert_files_come_down_to(&gateway, before.0 + KEPT);
}

/// What may stay open after mail: the connection to a store.
const KEPT: usize = 2;

#[test]
fn clients_beyond_the_slots_wait_for_their_banner() {
    let gateway = Setup::new()
        .set("limits.slots = 2\nlimits.connections = 10")
        .start();
    let mut first = Client::greeted(gateway.address());
    let mut second = Client::greeted(gateway.address());
    let mut waiting = gateway.connect();
    // What it says too early lies there until it has its banner.
    waiting.send("NOOP");
    let is_silent = |client: &Client| client.has_heard_nothing();
    first.says("NOOP", "250");
    second.says("NOOP", "250");
    assert!(is_silent(&waiting));
    first.says("QUIT", "221");
    waiting.expect("220 ");
    waiting.expect("250");
    second.says("NOOP", "250");
}

/// Running out of files is told, and is over when it is over.
#[test]
fn a_lack_of_files_passes() {
    let gateway = quiet().start();
    limit_files(&gateway, 1);
    let mut waiting = gateway.connect();
    gateway.log().wait_for("a warning", |line| {
        line["level"] == "WARN" && line["message"] == "cannot accept a connection"
    });
    limit_files(&gateway, 1_000);
    waiting.expect("220 ");
    Client::greeted(gateway.address()).says("NOOP", "250");
}

/// Clients are turned away before open sessions, the backend and the control socket run out of files.
#[test]
fn open_sessions_keep_the_files_that_they_need() {
    let backend = Backend::working();
    let gateway = quiet()
        .backend(&backend.smtp())
        .set(control::SOCKET)
        .under(&["prlimit", "--nofile=128"])
        .start();
    gateway.log().wait_for("a warning", |line| {
        line["level"] == "WARN" && line["limit"] == 128 && line["connections"] == 1000
    });
    let mut open = Vec::new();
    loop {
        let mut client = gateway.connect();
        let banner = client.reply();
        if banner.starts_with("421 4.3.2") {
            break;
        }
        assert!(banner.starts_with("220 "), "{banner}");
        client.says("EHLO client.example", "250");
        open.push(client);
        assert!(open.len() < 128, "nobody is turned away");
    }
    for client in &mut open {
        client.envelope("alice@client.example", &["bob@example.org"]);
    }
    for client in &mut open {
        let reply = client.message(b"Subject: x\r\n\r\n");
        assert!(reply.starts_with("250"), "{reply}");
    }
    let metrics = control::ask(&gateway, "metrics")["text"].to_string();
    let counted = "turned_away_connections_total{reason=\\\"descriptors\\\"} 1";
    assert!(metrics.contains(counted), "{metrics}");
    let errors = gateway
        .log()
        .find(|line| line["message"] == "cannot accept a connection");
    assert!(errors.is_empty(), "{errors:#?}");
}

/// Plugins of several sessions compute at the same time, on two threads that want a processor all the
/// while, and not one session after the other. What others on the machine do counts as waiting.
#[test]
fn plugins_use_all_workers() {
    let gateway = quiet()
        .set("runtime.workers = 2")
        .plugin("10-spin", "guests/spin", "[limits]\ncpu = \"1s\"")
        .start();
    let mut clients: Vec<_> = (0..4).map(|_| Client::greeted(gateway.address())).collect();
    for client in &mut clients {
        client.says("MAIL FROM:<alice@client.example>", "250");
    }
    let (start, before) = (Instant::now(), demand(&gateway));
    for client in &mut clients {
        client.send("RCPT TO:<spin@example.org>");
    }
    for client in &mut clients {
        client.expect("451 4.3.0");
    }
    let wanted = demand(&gateway) - before;
    let share = wanted.div_duration_f64(start.elapsed());
    println!("processors that were wanted at a time: {share:.2}");
    assert!(share > 1.5, "{share}");
}
