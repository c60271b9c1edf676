//! What all sessions share is shared out: processors, memory, and turns.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Barrier;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use postgate_tests::client::Client;
use postgate_tests::gateway::{Gateway, Setup};
use postgate_tests::peer::pause;
use serde_json::Value;

/// A listener to which each test says who its clients are.
const PROXIED: &str = "proxy = \"required\"\nproxy-from = [\"127.0.0.1\"]";

fn connect(address: SocketAddr, client: Ipv4Addr) -> Client {
    let mut session = Client::connect(address);
    session.send(&format!("PROXY TCP4 {client} 127.0.0.1 1025 25"));
    session
}

fn open(address: SocketAddr, client: Ipv4Addr) -> Client {
    let mut session = connect(address, client);
    session.expect("220");
    session.says("EHLO client.example", "250");
    session.says("MAIL FROM:<alice@client.example>", "250");
    session
}

const ONE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const OTHER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);

#[test]
fn a_client_has_so_much_processor_time_in_a_minute() {
    let gateway = Setup::new()
        .listener(PROXIED)
        .set("limits.plugin-cpu-per-client = \"300ms\"")
        .plugin(
            "10-busy",
            "guests/busy",
            "limits.cpu = \"10s\"\nlimits.wall = \"1m\"",
        )
        .start();
    let address = gateway.address();
    let mut other = open(address, OTHER);
    let mut second = open(address, ONE);
    let mut one = open(address, ONE);
    let replies = std::iter::from_fn(|| Some(one.ask("RCPT TO:<busy-100@example.org>")));
    // Each takes tens of milliseconds, on any machine.
    // The call that goes beyond it ends, and then the session.
    let last = replies
        .take(1_000)
        .find(|reply| !["550", "451"].iter().any(|code| reply.starts_with(code)));
    let last = last.unwrap_or_else(|| panic!("no end"));
    assert!(last.starts_with("421 4.7.0 Too much work"), "{last}");
    one.expect_close();
    // It is the client, and not the session. What is refused costs nothing, so that its time comes back.
    second.says("RCPT TO:<busy-0@example.org>", "421 4.7.0 Too much work");
    connect(address, ONE).expect("421 4.7.0 Too much work");
    other.says("RCPT TO:<busy-0@example.org>", "550");
    let told = |line: &Value| line["limit"] == "plugin-cpu-per-client";
    gateway.log().wait_for_all("both sessions", 2, told);
    let denied = gateway.log().wait_for_message("turned away");
    assert_eq!(denied["limit"], "plugin-cpu", "{denied:?}");
}

fn hoarding(settings: &str) -> Gateway {
    Setup::new()
        .listener(PROXIED)
        .set(settings)
        .plugin(
            "10-hoard",
            "guests/hoard",
            "limits.memory = \"256MiB\"\nlimits.cpu = \"10s\"",
        )
        .start()
}

#[test]
fn all_instances_share_one_budget_of_memory() {
    let gateway = hoarding("plugins.memory = \"64MiB\"");
    let address = gateway.address();
    let mut one = open(address, ONE);
    // It is not the plugin that has failed: its own limit is larger.
    one.says("RCPT TO:<hoard@example.org>", "451 4.3.0");
    let told = |line: &Value| line["cause"] == "plugins-memory";
    gateway.log().wait_for("the budget", told);
    // What the instance had is there for others.
    one.says("RCPT TO:<keep-40@example.org>", "250");
    let mut other = open(address, OTHER);
    other.says("RCPT TO:<keep-14@example.org>", "250");
    connect(address, OTHER).expect("421 4.3.2 Too busy");
    let denied = gateway.log().wait_for_message("turned away");
    assert_eq!(denied["limit"], "plugin-memory", "{denied:?}");
    // Sessions that exist have room.
    other.says("RCPT TO:<keep-3@example.org>", "250");
    one.says("QUIT", "221");
    one.expect_close();
    // The end of a session is not awaited by its client.
    while !connect(address, OTHER).reply().starts_with("220") {
        pause();
    }
}

/// A client that comes last, with one session, does not wait for ten of another client.
#[test]
fn the_sessions_of_a_client_share_one_turn() {
    let gateway = Setup::new()
        .listener(PROXIED)
        .plugin(
            "10-spin",
            "guests/spin",
            "limits.cpu = \"300ms\"\nlimits.wall = \"1m\"",
        )
        .start();
    let (ended, all_there) = (AtomicU32::new(0), Barrier::new(11));
    let spin = |mut session: Client| session.says("RCPT TO:<spin@example.org>", "451 4.3.0");
    thread::scope(|scope| {
        for _ in 0..10 {
            scope.spawn(|| {
                let session = open(gateway.address(), ONE);
                all_there.wait();
                spin(session);
                ended.fetch_add(1, Ordering::Relaxed);
            });
        }
        let session = open(gateway.address(), OTHER);
        all_there.wait();
        spin(session);
        // With one turn for each session, all of them would end at about the same time.
        let ended = ended.load(Ordering::Relaxed);
        assert!(ended <= 5, "it has waited for {ended} of them");
    });
}

/// A shared instance never shrinks. One that nobody uses makes room for a session.
#[test]
fn an_idle_shared_instance_keeps_nobody_out() {
    let sidecar = "isolation = \"shared\"\nlimits.memory = \"256MiB\"\nlimits.cpu = \"10s\"";
    let gateway = Setup::new()
        .listener(PROXIED)
        .set("plugins.memory = \"64MiB\"")
        .plugin("10-hoard", "guests/hoard", sidecar)
        .plugin("20-busy", "guests/busy", "")
        .start();
    let mut one = open(gateway.address(), ONE);
    one.says("RCPT TO:<keep-55@example.org>", "550");
    one.says("QUIT", "221");
    one.expect_close();
    open(gateway.address(), OTHER).says("QUIT", "221");
}

/// A call goes on for as long as its client is there, or its limits allow.
#[test]
fn a_call_ends_when_its_client_has_left() {
    let gateway = Setup::new()
        .listener(PROXIED)
        .set("limits.connections-per-address = 1\nlimits.plugin-cpu-per-client = \"0s\"")
        .plugin(
            "10-spin",
            "guests/spin",
            "limits.cpu = \"50s\"\nlimits.wall = \"1m\"",
        )
        .start();
    let mut one = open(gateway.address(), ONE);
    one.send("RCPT TO:<spin@example.org>");
    drop(one);
    while !connect(gateway.address(), ONE).reply().starts_with("220") {
        pause();
    }
    let failed = gateway
        .log()
        .find(|line| line["message"] == "plugin failed");
    assert!(failed.is_empty(), "{failed:?}");
}

/// Twenty clients keep the plugins at work, each to the limit of a call.
#[test]
fn short_work_goes_first() {
    let gateway = Setup::new()
        .listener(PROXIED)
        .plugin(
            "10-spin",
            "guests/spin",
            "limits.cpu = \"300ms\"\nlimits.wall = \"1m\"",
        )
        .start();
    let address = gateway.address();
    let (ended, all_there) = (AtomicU32::new(0), Barrier::new(21));
    thread::scope(|scope| {
        for number in 0..20 {
            let (ended, all_there) = (&ended, &all_there);
            scope.spawn(move || {
                let mut session = open(address, Ipv4Addr::new(198, 51, 100, number));
                all_there.wait();
                session.says("RCPT TO:<spin@example.org>", "451 4.3.0");
                ended.fetch_add(1, Ordering::Relaxed);
            });
        }
        let mut session = open(address, ONE);
        all_there.wait();
        for _ in 0..100 {
            session.says("RCPT TO:<bob@example.org>", "250");
            session.says("RSET", "250");
            session.says("MAIL FROM:<alice@client.example>", "250");
        }
        let ended = ended.load(Ordering::Relaxed);
        assert!(ended < 20, "it has waited for all of them");
    });
    assert_eq!(ended.into_inner(), 20);
}
