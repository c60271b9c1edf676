//! A gateway whose plugin misbehaves at one listener each, and the others who are served meanwhile.

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

/// The gateway with the guest `rogue`. On one thread, so that whatever keeps it busy keeps everybody
/// waiting.
pub struct Rogue {
    /// The gateway.
    pub gateway: Gateway,
    /// Where its mail goes.
    pub backend: Backend,
    _dns: NameServer,
    usual: Duration,
}

/// How long the longest session of others took while something happened.
#[derive(Clone, Copy, Debug)]
struct Meanwhile {
    /// Beside how long it usually takes.
    slowdown: f64,
    /// Beside how long it happened.
    share: f64,
}

impl Meanwhile {
    /// Whether all others were served all the same: on one thread, whoever had to wait for the end would
    /// have taken as long as all of it, and hundreds of usual sessions.
    fn was_nobody_kept_waiting(self) -> bool {
        self.slowdown < 100.0 || self.share < 0.5
    }
}

/// How often to look. A machine that stands still for a moment looks like a session that was kept
/// waiting, but not each time.
const LOOKS: usize = 3;

/// The name of the plugin.
pub const PLUGIN: &str = "10-rogue";

impl Rogue {
    /// Starts it, with a listener for each of these behaviours: `spin@rcpt` loops at `rcpt`.
    pub fn start(behaviours: &[&str], sidecar: &str) -> Self {
        Self::with(NameServer::with(&[]), behaviours, sidecar)
    }

    /// The same, with a name server.
    pub fn with(dns: NameServer, behaviours: &[&str], sidecar: &str) -> Self {
        let backend = Backend::working();
        let sidecar = format!("grants = [\"clock\", \"dns\", \"random\", \"store\"]\n{sidecar}");
        let gateway = Setup::new()
            .backend(&backend.smtp())
            .set(SOCKET)
            // Longer than a plugin may wait.
            .set(&dns.settings_with("1m"))
            .set("runtime.workers = 1")
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

    /// Has a client meet a behaviour, and gives the reply at which it shows.
    pub fn provoke(&self, behaviour: &str) -> Reply {
        provoke(self.gateway.address_of(behaviour), event_of(behaviour))
    }

    /// Has something happen until it is over, and looks whether sessions of others went on meanwhile.
    ///
    /// # Panics
    ///
    /// Where they were kept waiting.
    pub fn assert_nobody_waits(&self, what: &str, happens: impl Fn()) {
        let mut looks = Vec::new();
        while looks.len() < LOOKS {
            let meanwhile = self.meanwhile(&happens);
            if meanwhile.was_nobody_kept_waiting() {
                return;
            }
            looks.push(meanwhile);
        }
        panic!("{what} keeps others waiting: {looks:?}");
    }

    fn meanwhile(&self, happens: impl FnOnce()) -> Meanwhile {
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
            happens();
            let happened_for = start.elapsed();
            drop(over);
            let times = bystander.join().expect("others are served");
            let longest = times.into_iter().max().unwrap_or_default();
            Meanwhile {
                slowdown: longest.div_duration_f64(self.usual),
                share: longest.div_duration_f64(happened_for),
            }
        })
    }

    /// Waits for the warning about a failure at an event, for a cause.
    pub fn wait_for_failure(&self, event: &str, cause: &str) -> Value {
        self.wait_for_failures(event, cause, 1).remove(0)
    }

    /// Waits for so many of them.
    pub fn wait_for_failures(&self, event: &str, cause: &str, count: usize) -> Vec<Value> {
        let what = format!("failure at {event} by {cause}");
        let log = self.gateway.log();
        log.wait_for_all(&what, count, |line| is_failure(line, event, cause))
    }

    /// Those that the log has by now.
    pub fn failures_logged(&self, event: &str, cause: &str) -> Vec<Value> {
        let log = self.gateway.log();
        log.find(|line| is_failure(line, event, cause))
    }

    /// What the gateway counts under this name with these labels; 0 where it does not.
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

    /// How often the plugin has failed at an event, for a cause.
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

/// `rcpt` in `spin@rcpt`.
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

/// A whole session of somebody who is not concerned.
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
        // A user `a` with the password `b`; the first message of a user `a`.
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

const MESSAGE: &[u8] = b"Subject: hello\r\n\r\nIt stands in the park.\r\n";
