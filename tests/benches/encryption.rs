//! What TLS costs: sessions that do nothing but come and go, in clear, after a full handshake, and after
//! one that goes on with an earlier session; and large messages in clear and encrypted. Each kind has
//! its turns, so that all meet the same machine.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use postgate_tests::backend::Backend;
use postgate_tests::certificate::Authority;
use postgate_tests::client::Client;
use postgate_tests::gateway::{Gateway, Setup};
use postgate_tests::process::processor_time;
use rustls::ClientConfig;
use rustls::client::Resumption;

const NAME: &str = "mx.example.org";

fn main() {
    let authority = Authority::new("bench");
    let backend = Backend::working();
    let gateway = Setup::new()
        .certified_by(&authority)
        .listener("tls = \"optional\"")
        .backend(&backend.smtp())
        .set("log.level = \"warn,postgate::server=info\"")
        .start();
    let resuming = authority.client();
    let mut forgetful = ClientConfig::clone(&resuming);
    forgetful.resumption = Resumption::disabled();
    let forgetful = Arc::new(forgetful);
    sessions(&gateway, &forgetful, &resuming);
    messages(&gateway, &forgetful);
}

/// A way to begin a session.
type Begin<'a> = &'a (dyn Fn() -> Client + Sync);

fn sessions(gateway: &Gateway, forgetful: &Arc<ClientConfig>, resuming: &Arc<ClientConfig>) {
    let address = gateway.address();
    let kinds: [(&str, Begin<'_>); 3] = [
        ("in clear", &|| Client::greeted(address)),
        ("full handshake", &|| {
            Client::start_tls(address, forgetful, NAME)
        }),
        ("resumed", &|| Client::start_tls(address, resuming, NAME)),
    ];
    let mut totals = [(0, Duration::ZERO, 0); 3];
    for _ in 0..TURNS {
        for ((_, begin), (count, time, processor)) in kinds.iter().zip(&mut totals) {
            let used = processor_time(gateway);
            let start = Instant::now();
            *count += come_and_go(*begin);
            *time += start.elapsed();
            *processor += processor_time(gateway) - used;
        }
    }
    let rate = |(count, time, _): (usize, Duration, u64)| count as f64 / time.as_secs_f64();
    for ((name, _), total) in kinds.iter().zip(totals) {
        println!(
            "sessions, {name}: {:.0} a second, ratio to clear {:.2}, {:.0} µs of the gateway's \
             processor time each",
            rate(total),
            rate(total) / rate(totals[0]),
            // Ticks of 10 ms.
            total.2 as f64 * 10_000.0 / total.0 as f64,
        );
    }
}

/// How many sessions several clients have in a turn.
fn come_and_go(begin: Begin<'_>) -> usize {
    let count = AtomicUsize::new(0);
    let end = Instant::now() + TURN;
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                while Instant::now() < end {
                    begin().says("QUIT", "221");
                    count.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    count.into_inner()
}

fn messages(gateway: &Gateway, forgetful: &Arc<ClientConfig>) {
    let address = gateway.address();
    let line = format!("{}\r\n", "x".repeat(76));
    let message = format!(
        "Subject: large\r\n\r\n{}",
        line.repeat(MESSAGE / line.len())
    );
    let mut clear = Client::greeted(address);
    let mut encrypted = Client::start_tls(address, forgetful, NAME);
    let mut times = [Duration::ZERO; 2];
    for _ in 0..MESSAGES {
        for (client, time) in [&mut clear, &mut encrypted].into_iter().zip(&mut times) {
            let start = Instant::now();
            client.envelope("alice@client.example", &["bob@example.org"]);
            let reply = client.message(message.as_bytes());
            assert!(reply.starts_with("250"), "{reply}");
            *time += start.elapsed();
        }
    }
    let rate = |time: Duration| (MESSAGES * message.len()) as f64 / 1e6 / time.as_secs_f64();
    let [clear, encrypted] = times.map(rate);
    println!(
        "messages of {} MiB: {clear:.0} MB/s in clear, {encrypted:.0} MB/s encrypted, ratio {:.2}",
        MESSAGE >> 20,
        encrypted / clear
    );
}

const CLIENTS: usize = 4;
const MESSAGE: usize = 4 << 20;
const MESSAGES: usize = 40;
const TURN: Duration = Duration::from_millis(500);
const TURNS: usize = 6;
