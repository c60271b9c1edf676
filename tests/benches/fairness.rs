//! How long a session waits whose plugins have little to do, while those of others keep the processors busy:
//! 99 of 100 of its commands, beside the same session alone, in the same run. It fails if twenty busy sessions
//! make that more than three times as long.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use postgate_tests::client::Client;
use postgate_tests::gateway::{Gateway, Setup};
use postgate_tests::samples::Samples;

fn main() {
    let gateway = Setup::new()
        .listener("proxy = \"required\"\nproxy-from = [\"127.0.0.1\"]")
        .set("limits.refusals = 0")
        .set("limits.plugin-cpu-per-client = \"0s\"")
        .set("log.level = \"error,postgate::server=info\"")
        .plugin(
            "10-busy",
            "guests/busy",
            "limits.cpu = \"1s\"\nlimits.wall = \"1m\"",
        )
        .start();
    let address = gateway.address();
    let millions = steps_of(address, CALL);
    println!("a call of {CALL:?}: {millions} million steps");
    let (alone, _) = waiting(address, 0, |_| OTHERS, millions);
    report("nobody else", alone, alone, 0.0);
    for sessions in [1, 5, 20, 200] {
        let (tail, calls) = waiting(address, sessions, |_| OTHERS, millions);
        report(&format!("{sessions:>3} of one client"), tail, alone, calls);
        let (tail, calls) = waiting(address, sessions, own_address, millions);
        report(&format!("{sessions:>3} clients"), tail, alone, calls);
        let ratio = tail.1.div_duration_f64(alone.1);
        assert!(sessions != 20 || ratio <= 3.0, "{ratio:.1} times as long");
    }
    drop::<Gateway>(gateway);
}

fn report(name: &str, (median, tail): Latency, alone: Latency, calls: f64) {
    let millis = |time: Duration| time.as_secs_f64() * 1e3;
    println!(
        "{name:<18} median {:>8.2} ms, 99 % below {:>8.2} ms, ratio {:>6.1}, {calls:>5.1} long calls a second",
        millis(median),
        millis(tail),
        tail.div_duration_f64(alone.1),
    );
}

/// Median, and the 99th percentile.
type Latency = (Duration, Duration);

/// Measures a session of its own client while others are busy, and counts their calls in a second.
fn waiting(
    address: SocketAddr,
    sessions: u32,
    client: impl Fn(u32) -> Ipv4Addr,
    millions: u64,
) -> (Latency, f64) {
    let (is_over, calls) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        let (is_over, calls) = (&is_over, &calls);
        for number in 0..sessions {
            let client = client(number);
            scope.spawn(move || {
                let mut session = open(address, client);
                while !is_over.load(Ordering::Relaxed) {
                    ask(&mut session, millions);
                    calls.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let mut session = open(address, Ipv4Addr::new(192, 0, 2, 1));
        // All of the others are at work.
        let warm = Instant::now();
        while warm.elapsed() < WARM_UP {
            ask(&mut session, 0);
        }
        let (begin, before) = (Instant::now(), calls.load(Ordering::Relaxed));
        let mut samples = Samples::default();
        while begin.elapsed() < MEASURED {
            samples.time(|| ask(&mut session, 0));
            // As a client whose next command takes a while.
            thread::sleep(PAUSE);
        }
        let done = calls.load(Ordering::Relaxed) - before;
        let per_second = done as f64 / begin.elapsed().as_secs_f64();
        is_over.store(true, Ordering::Relaxed);
        ((samples.median(), samples.quantile(99)), per_second)
    })
}

fn open(address: SocketAddr, client: Ipv4Addr) -> Client {
    let mut session = Client::connect(address);
    session.send(&format!("PROXY TCP4 {client} 127.0.0.1 1025 25"));
    session.expect("220");
    session.says("EHLO client.example", "250");
    session.says("MAIL FROM:<alice@client.example>", "250");
    session
}

fn ask(session: &mut Client, millions: u64) {
    session.says(&format!("RCPT TO:<busy-{millions}@example.org>"), "550");
}

/// Finds how many million steps take so long when nobody else computes.
fn steps_of(address: SocketAddr, time: Duration) -> u64 {
    let mut session = open(address, OTHERS);
    let mut fastest = Duration::MAX;
    for _ in 0..5 {
        let start = Instant::now();
        ask(&mut session, 20);
        fastest = fastest.min(start.elapsed());
    }
    let million = fastest.as_secs_f64() / 20.0;
    (time.as_secs_f64() / million).max(1.0) as u64
}

fn own_address(number: u32) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(Ipv4Addr::new(198, 51, 100, 0)) + number)
}

/// The address of those who share one.
const OTHERS: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);
/// What one command of the others takes, just below the default limit.
const CALL: Duration = Duration::from_millis(40);
const WARM_UP: Duration = Duration::from_secs(1);
const MEASURED: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(2);
