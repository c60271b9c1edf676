//! A gateway whose plugin misbehaves in another way at each listener, and measurements of the sessions
//! of other clients.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::Over;
use crate::backend::Backend;
use crate::client::{Client, Reply};
use crate::control::{self, SOCKET};
use crate::dns::NameServer;
use crate::gateway::{Gateway, Setup};

/// A gateway with the guest `rogue`. It has one worker thread, so that a blocked thread delays all
/// sessions.
pub struct Rogue {
    /// The gateway.
    pub gateway: Gateway,
    /// The backend of the gateway.
    pub backend: Backend,
    _dns: NameServer,
    usual: Duration,
}

/// The duration of the longest session of other clients during an action.
#[derive(Clone, Copy, Debug)]
struct Slowest {
    /// Relative to the usual duration of a session.
    slowdown: f64,
    /// Relative to the duration of the action.
    share: f64,
}

impl Slowest {
    /// True if the action blocked the session. On one thread, a blocked session lasts about as long as
    /// the action, and hundreds of times as long as usual.
    fn is_blocked(self) -> bool {
        self.slowdown >= 100.0 && self.share >= 0.5
    }
}

/// The number of attempts. A machine under load can delay a session as well, but not in each attempt.
const ATTEMPTS: usize = 3;

/// The name of the plugin.
pub const PLUGIN: &str = "10-rogue";

impl Rogue {
    /// Starts a gateway with a listener for each behaviour. For example, `spin@rcpt` loops at `rcpt`.
    pub fn start(behaviours: &[&str], sidecar: &str) -> Self {
        Self::with(NameServer::with(&[]), behaviours, sidecar)
    }

    /// Like [`Self::start`], with a name server.
    pub fn with(dns: NameServer, behaviours: &[&str], sidecar: &str) -> Self {
        let backend = Backend::working();
        let sidecar = format!("grants = [\"clock\", \"dns\", \"random\", \"store\"]\n{sidecar}");
        let gateway = Setup::new()
            .backend(&backend.smtp())
            .set(SOCKET)
            // Longer than the time limit of a plugin.
            .set(&dns.settings_with("1m"))
            .set("runtime.workers = 1")
            // Other clients send without a pause, and their lines would hide those of the plugin.
            .set("log.level = \"info,postgate::session=warn\"")
            .set(&listeners(behaviours))
            .plugin(PLUGIN, "guests/rogue", &sidecar)
            .start();
        let mut usual: Vec<_> = (0..9).map(|_| session(gateway.address())).collect();
        Self {
            gateway,
            backend,
            _dns: dns,
            usual: median(&mut usual),
        }
    }

    /// Runs a session that triggers a behaviour, and returns the last reply.
    pub fn provoke(&self, behaviour: &str) -> Reply {
        provoke(self.gateway.address_of(behaviour), event_of(behaviour))
    }

    /// Performs an action, and checks that it does not block the sessions of other clients.
    ///
    /// # Panics
    ///
    /// Panics if it blocks them.
    pub fn assert_nobody_waits(&self, what: &str, action: impl Fn()) {
        let mut attempts = Vec::new();
        while attempts.len() < ATTEMPTS {
            let slowest = self.measure(&action);
            if !slowest.is_blocked() {
                return;
            }
            attempts.push(slowest);
        }
        panic!("{what} blocks other sessions: {attempts:?}");
    }

    fn measure(&self, action: impl FnOnce()) -> Slowest {
        let is_over = AtomicBool::new(false);
        let address = self.gateway.address();
        std::thread::scope(|scope| {
            let bystander = scope.spawn(|| {
                let mut times = vec![session(address)];
                while !is_over.load(Ordering::Relaxed) {
                    times.push(session(address));
                }
                times
            });
            let over = Over(&is_over);
            let start = Instant::now();
            action();
            let duration = start.elapsed();
            drop(over);
            let times = bystander.join().expect("sessions of other clients succeed");
            let longest = times.into_iter().max().unwrap_or_default();
            Slowest {
                slowdown: longest.div_duration_f64(self.usual),
                share: longest.div_duration_f64(duration),
            }
        })
    }

    /// Waits for the warning about a failure with this event and cause.
    pub fn wait_for_failure(&self, event: &str, cause: &str) -> Value {
        self.wait_for_failures(event, cause, 1).remove(0)
    }

    /// Waits for this many such warnings.
    pub fn wait_for_failures(&self, event: &str, cause: &str, count: usize) -> Vec<Value> {
        let what = format!("failure at {event} by {cause}");
        let log = self.gateway.log();
        log.wait_for_all(&what, count, |line| is_failure(line, event, cause))
    }

    /// Returns the warnings about failures with this event and cause that the log has so far.
    pub fn failures_logged(&self, event: &str, cause: &str) -> Vec<Value> {
        let log = self.gateway.log();
        log.find(|line| is_failure(line, event, cause))
    }

    /// Returns the value of a metric with its labels, or 0 if there is none.
    pub fn metric(&self, series: &str) -> u64 {
        let answer = control::ask(&self.gateway, "metrics");
        let text = answer["text"].as_str().expect("metrics are text");
        let mut values = text
            .lines()
            .filter_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        values
            .next()
            .map_or(0, |value| value.parse().expect("a number"))
    }

    /// Returns the metric of failures with this event and cause.
    pub fn failures(&self, event: &str, cause: &str) -> u64 {
        self.metric(&format!(
            "postgate_plugin_failures_total{{plugin=\"{PLUGIN}\",event=\"{event}\",cause=\"{cause}\"}}"
        ))
    }
}

fn is_failure(line: &Value, event: &str, cause: &str) -> bool {
    line["message"] == "plugin failed"
        && line["level"] == "WARN"
        && line["plugin"] == PLUGIN
        && line["event"] == event
        && line["cause"] == cause
}

/// Returns the event of a behaviour: `rcpt` in `spin@rcpt`.
pub fn event_of(behaviour: &str) -> &str {
    behaviour.split_once('@').map_or("", |(_, event)| event)
}

fn listeners(behaviours: &[&str]) -> String {
    let listener = |name: &&str| {
        let proxy = match event_of(name) {
            "proxy" => "proxy = \"optional\", proxy-from = [\"127.0.0.1\"], ",
            "starttls" => "tls = \"optional\", ",
            _ => "",
        };
        format!(
            "{{ name = \"{name}\", address = \"127.0.0.1:0\", {proxy}auth = \"optional\", \
             auth-in-clear = true }}"
        )
    };
    let all: Vec<_> = ["main"].iter().chain(behaviours).map(listener).collect();
    format!("listener = [{}]", all.join(", "))
}

/// Runs a session that the behaviours do not concern, and returns its duration.
fn session(address: SocketAddr) -> Duration {
    let start = Instant::now();
    let mut client = Client::greeted(address);
    client.envelope("alice@client.example", &["bob@example.org"]);
    let reply = client.message(MESSAGE);
    assert!(reply.starts_with("250"), "{reply}");
    client.says("QUIT", "221");
    start.elapsed()
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn provoke(address: SocketAddr, event: &str) -> Reply {
    let mut client = Client::connect(address);
    match event {
        "init" | "connect" => return client.reply(),
        "proxy" => {
            client.write(b"PROXY TCP4 192.0.2.1 192.0.2.2 1000 25\r\n");
            return client.reply();
        }
        _ => client.expect("220"),
    };
    match event {
        "helo" => return client.ask("EHLO client.example"),
        "command" => return client.ask("NOOP"),
        _ => client.says("EHLO client.example", "250"),
    };
    match event {
        // The user `a` with the password `b`, and the first SCRAM message of the user `a`.
        "auth" => return client.ask("AUTH PLAIN AGEAYg=="),
        "auth-keys" => return client.ask("AUTH SCRAM-SHA-256 biwsbj1hLHI9YWJj"),
        "starttls" => return client.ask("STARTTLS"),
        "vrfy" => return client.ask("VRFY bob"),
        "expn" => return client.ask("EXPN staff"),
        "help" => return client.ask("HELP"),
        "disconnect" => return client.ask("QUIT"),
        "mail" => return client.ask("MAIL FROM:<alice@client.example>"),
        _ => client.says("MAIL FROM:<alice@client.example>", "250"),
    };
    match event {
        "rcpt" => return client.ask("RCPT TO:<bob@example.org>"),
        _ => client.says("RCPT TO:<bob@example.org>", "250"),
    };
    match event {
        "reset" => client.ask("RSET"),
        "data" => client.ask("DATA"),
        _ => client.message(MESSAGE),
    }
}

const MESSAGE: &[u8] = b"Subject: hello\r\n\r\nMeet me in the park.\r\n";
