//! Releases: two plugins with their sidecars, each of which says of which release it is.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::PATIENCE;
use crate::client::Client;
use crate::crowd::Crowd;
use crate::edition::{NO_RESCAN, numbered};
use crate::gateway::{Gateway, Setup};
use crate::peer::pause;

/// The releases of the files: of the `.wasm` file and the sidecar of the first plugin, and of the second.
pub type Release = [u32; 4];

/// The names of the files, in the order of a [`Release`].
pub const FILES: [&str; 4] = ["10-a.wasm", "10-a.toml", "20-b.wasm", "20-b.toml"];

/// Returns the content of a file of a release.
pub fn content(file: &str, release: u32) -> Vec<u8> {
    let recipient = &file[3..4];
    match file.ends_with(".wasm") {
        true => numbered("release", "file of release ", release),
        false => format!("[config]\nrefuses = \"{recipient}\"\nrelease = {release}\n").into_bytes(),
    }
}

/// Writes all files of a release into a new directory.
pub fn write_release(directory: &Path, release: u32) {
    fs::create_dir(directory).expect("a new directory");
    for file in FILES {
        fs::write(directory.join(file), content(file, release)).expect("a file");
    }
}

/// Runs one session, which asks both plugins, sends a message, and asks both again. Returns the releases
/// that answer.
///
/// # Panics
///
/// Panics if a message is not taken, or the second answers differ.
pub fn session(address: SocketAddr) -> String {
    let mut client = Client::greeted(address);
    let mut answers = || {
        client.says("MAIL FROM:<alice@client.example>", "250");
        let answers = ["a", "b"].map(|name| {
            let reply = client.ask(&format!("RCPT TO:<{name}@example.org>"));
            let refusal = reply.strip_prefix("550 5.7.1 ").unwrap_or(ABSENT);
            refusal.trim_end().to_owned()
        });
        client.says("RCPT TO:<bob@example.org>", "250");
        let reply = client.message(b"Subject: all the while\r\n\r\nhello\r\n");
        assert!(reply.starts_with("250"), "{reply}");
        answers.join("; ")
    };
    let first = answers();
    assert_eq!(first, answers(), "two sets in one session");
    client.says("QUIT", "221");
    first
}

/// What is told where a plugin does not refuse its recipient.
const ABSENT: &str = "absent";

fn told([a, of_a, b, of_b]: Release) -> String {
    [one(a, of_a), one(b, of_b)].join("; ")
}

fn one(file: u32, sidecar: u32) -> String {
    format!("file of release {file:06}, sidecar of release {sidecar:06}")
}

/// Changes of the plugin directory while sessions go on.
pub struct Storm {
    /// The gateway whose plugins change.
    pub gateway: Gateway,
    crowd: Crowd,
    /// The releases of the files that are there now.
    now: Release,
    /// Those of all files since all sessions were told of the same.
    latest: Vec<Release>,
    /// What sessions may be told.
    expected: BTreeSet<String>,
}

impl Storm {
    /// Starts a gateway with release [`FIRST`] of both plugins, and as many clients.
    pub fn start(setup: Setup, clients: usize) -> Self {
        let text = |file| String::from_utf8(content(file, FIRST)).expect("a sidecar");
        let setup = setup
            .set(NO_RESCAN)
            .plugin_file("10-a", &content("10-a.wasm", FIRST), &text("10-a.toml"))
            .plugin_file("20-b", &content("20-b.wasm", FIRST), &text("20-b.toml"));
        let gateway = setup.start();
        let crowd = Crowd::running(clients, gateway.address(), session);
        let now = [FIRST; 4];
        Self {
            gateway,
            crowd,
            now,
            latest: vec![now],
            expected: [told(now)].into(),
        }
    }

    /// Returns the path of a file in the plugin directory.
    pub fn file(&self, name: &str) -> PathBuf {
        self.gateway.plugins().join(name)
    }

    /// Makes a change at one stroke that leads to these releases of the files. Sessions may be told of
    /// those before it, and of those after it.
    pub fn switch(&mut self, release: Release, make: impl FnOnce(&Self)) {
        make(self);
        self.now = release;
        self.latest.push(release);
        self.expected.insert(told(release));
    }

    /// Like [`Self::switch`], for a change of several steps. Sessions may be told of what is there after
    /// some of them only if the test was kept waiting meanwhile, so that it was there for long enough.
    pub fn change(&mut self, release: Release, make: impl FnOnce(&Self)) {
        let start = Instant::now();
        self.switch(release, make);
        if start.elapsed() >= SETTLING / 2 {
            self.expect_mixtures(&[]);
        }
    }

    /// Like [`Self::change`], for one in the middle of which files are gone.
    pub fn change_with_gap(&mut self, release: Release, make: impl FnOnce(&Self)) {
        let start = Instant::now();
        self.switch(release, make);
        if start.elapsed() >= SETTLING / 2 {
            self.expect_mixtures(&[ABSENT]);
        }
    }

    /// Expects any of the latest files beside any other, and what else a plugin may be.
    fn expect_mixtures(&mut self, others: &[&str]) {
        let states = |at: usize| -> Vec<String> {
            let files = self.latest.iter().map(|release| release[at]);
            let pairs = files.flat_map(|file| {
                let sidecars = self.latest.iter().map(|release| release[at + 1]);
                sidecars.map(move |sidecar| one(file, sidecar))
            });
            pairs
                .chain(others.iter().map(ToString::to_string))
                .collect()
        };
        let (first, second) = (states(0), states(2));
        let of_both = first.iter().flat_map(|a| {
            let beside = |b: &String| [a.as_str(), b].join("; ");
            second.iter().map(beside)
        });
        self.expected.extend(of_both);
    }

    /// The releases of the files that are there now.
    pub const fn now(&self) -> Release {
        self.now
    }

    /// Waits until so many more sessions have ended.
    pub fn go_on(&self, sessions: usize) {
        self.crowd.wait_for_sessions(sessions);
    }

    /// Waits until new sessions get the files that are there now.
    pub fn settle(&mut self) {
        let (wanted, deadline) = (told(self.now), Instant::now() + PATIENCE);
        loop {
            let heard = session(self.gateway.address());
            if heard == wanted {
                self.latest = vec![self.now];
                return;
            }
            assert!(Instant::now() < deadline, "{heard}, and never {wanted}");
            pause();
        }
    }

    /// Ends the sessions.
    ///
    /// # Panics
    ///
    /// Panics if one failed, or was told of what was never there.
    pub fn end(self) {
        let (sessions, told) = self.crowd.end();
        assert!(sessions > 0);
        let strange: Vec<_> = told.difference(&self.expected).collect();
        assert!(strange.is_empty(), "{strange:#?}");
    }
}

/// The release with which a storm begins. All have as many digits, so that files are equally long.
pub const FIRST: u32 = 100;

/// The time that files are left alone after a change.
const SETTLING: Duration = Duration::from_millis(200);
