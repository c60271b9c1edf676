//! Plugins that differ only in their reply, and functions to replace them while a gateway runs.

use std::fs;
use std::path::Path;
use std::time::Instant;

use serde_json::Value;

use crate::PATIENCE;
use crate::client::Client;
use crate::control::SOCKET;
use crate::crowd::session;
use crate::gateway::{Gateway, Setup, guest_file};
use crate::peer::pause;

/// The number of parallel sessions while plugins change.
pub const CROWD: usize = 20;
/// Turns off periodic scans of the plugin directory.
pub const NO_RESCAN: &str = "plugins.rescan = \"1h\"";
/// Turns off notifications of the operating system about the plugin directory.
pub const NO_HINTS: &str = "plugins.watch = false";
/// Scans the plugin directory often.
pub const QUICK_RESCAN: &str = "plugins.rescan = \"100ms\"";

/// Returns the guest `edition` with this number in its reply.
pub fn edition(number: u32) -> Vec<u8> {
    numbered("edition", "edition ", number)
}

/// Returns a guest with this number in place of the only `000000` that follows a text.
///
/// # Panics
///
/// Panics if the guest has no such place, or several.
pub fn numbered(name: &str, text: &str, number: u32) -> Vec<u8> {
    let mut wasm = guest(name);
    let built = format!("{text}000000");
    let places: Vec<_> = wasm
        .windows(built.len())
        .enumerate()
        .filter_map(|(at, found)| (found == built.as_bytes()).then_some(at))
        .collect();
    let [at] = places[..] else {
        panic!("the text of the guest is there {} times", places.len());
    };
    let text = format!("{text}{number:06}");
    wasm[at..at + text.len()].copy_from_slice(text.as_bytes());
    wasm
}

/// Returns a guest as it was built.
pub fn guest(name: &str) -> Vec<u8> {
    fs::read(guest_file(&format!("guests/{name}"))).expect("the guests are built")
}

/// Returns the reply of an edition to RCPT.
pub fn says(number: u32) -> String {
    format!("550 5.7.1 this is edition {number:06}")
}

/// The beginning of the reply to RCPT if no plugin refuses.
pub const ACCEPTED: &str = "250 ";

/// Starts a gateway with edition 1 as its only plugin.
pub fn start(settings: &[&str]) -> Gateway {
    let setup = settings.iter().fold(Setup::new(), |setup, s| setup.set(s));
    let setup = setup.set(SOCKET);
    setup.plugin_file("10-edition", &edition(1), "").start()
}

/// Puts a file into the plugin directory by renaming it, as the documentation recommends.
pub fn deploy(gateway: &Gateway, name: &str, contents: &[u8]) {
    deploy_into(&gateway.plugins(), name, contents);
}

/// Like [`deploy`], for any directory.
pub fn deploy_into(directory: &Path, name: &str, contents: &[u8]) {
    let hidden = directory.join(format!(".{name}.tmp"));
    fs::write(&hidden, contents).expect("the copy");
    fs::rename(hidden, directory.join(name)).expect("the file can be renamed");
}

/// Waits until new sessions get a reply that begins with `expected`.
pub fn wait_until_told(gateway: &Gateway, expected: &str) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let told = session(gateway.address());
        if told.starts_with(expected) {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "{told:?}, and never {expected:?}"
        );
        pause();
    }
}

/// A client within a session, and the reply that it got.
pub struct Witness {
    /// The client.
    pub client: Client,
    /// The reply to RCPT.
    pub told: String,
}

impl Witness {
    /// Begins a session and sends RCPT.
    pub fn of(gateway: &Gateway) -> Self {
        let mut client = Client::greeted(gateway.address());
        client.says("MAIL FROM:<alice@client.example>", "250");
        let told = client.ask("RCPT TO:<bob@example.org>");
        Self { client, told }
    }

    /// Sends RCPT again.
    ///
    /// # Panics
    ///
    /// Panics if the reply differs from the first one.
    pub fn is_told_the_same(&mut self) {
        self.client.says("RSET", "250");
        self.client.says("MAIL FROM:<alice@client.example>", "250");
        assert_eq!(self.client.ask("RCPT TO:<bob@example.org>"), self.told);
    }
}

/// Returns the log lines about plugins that cannot be used.
pub fn refusals(gateway: &Gateway) -> Vec<Value> {
    gateway.log().find(is_refusal)
}

/// Waits until there are this many such lines, and returns them.
pub fn wait_for_refusals(gateway: &Gateway, count: usize) -> Vec<Value> {
    let log = gateway.log();
    log.wait_for_all("a refused plugin", count, is_refusal)
}

fn is_refusal(line: &Value) -> bool {
    let message = line["message"].as_str().unwrap_or_default();
    line["level"] == "ERROR" && message.starts_with("plugin refused")
}
