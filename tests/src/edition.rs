//! Plugins that differ in what they tell their clients, and what it takes to change them while a
//! gateway runs.

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

/// How many sessions there are at any time while plugins change.
pub const CROWD: usize = 20;
/// No look at the directory but where the system hints at a change, or somebody asks for it.
pub const NO_RESCAN: &str = "plugins.rescan = \"1h\"";
/// No hints of the system.
pub const NO_HINTS: &str = "plugins.watch = false";
/// Looks that follow each other at once.
pub const QUICK_RESCAN: &str = "plugins.rescan = \"100ms\"";

/// The built guest with another number in it.
pub fn edition(number: u32) -> Vec<u8> {
    let mut wasm = fs::read(guest_file("guests/edition")).expect("the guests are built");
    let built = b"edition 000000";
    let places: Vec<_> = wasm
        .windows(built.len())
        .enumerate()
        .filter_map(|(at, found)| (found == built).then_some(at))
        .collect();
    let [at] = places[..] else {
        panic!("the text of the guest is there {} times", places.len());
    };
    let text = format!("edition {number:06}");
    wasm[at..at + text.len()].copy_from_slice(text.as_bytes());
    wasm
}

/// A guest of the tests as it was built.
pub fn guest(name: &str) -> Vec<u8> {
    fs::read(guest_file(&format!("guests/{name}"))).expect("the guests are built")
}

/// What a client is told by an edition.
pub fn says(number: u32) -> String {
    format!("550 5.7.1 this is edition {number:06}")
}

/// What a client is told where no plugin objects.
pub const ACCEPTED: &str = "250 ";

/// A gateway with the first edition as its only plugin.
pub fn start(settings: &[&str]) -> Gateway {
    let setup = settings.iter().fold(Setup::new(), |setup, s| setup.set(s));
    let setup = setup.set(SOCKET);
    setup.plugin_file("10-edition", &edition(1), "").start()
}

/// Puts a file into the plugin directory as the documentation says.
pub fn deploy(gateway: &Gateway, name: &str, contents: &[u8]) {
    deploy_into(&gateway.plugins(), name, contents);
}

/// The same for any directory.
pub fn deploy_into(directory: &Path, name: &str, contents: &[u8]) {
    let hidden = directory.join(format!(".{name}.tmp"));
    fs::write(&hidden, contents).expect("the copy");
    fs::rename(hidden, directory.join(name)).expect("the file can be renamed");
}

/// Waits until a new client is told this.
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

/// A client in the middle of its session, which was told something already.
pub struct Witness {
    /// The client.
    pub client: Client,
    /// What it was told.
    pub told: String,
}

impl Witness {
    /// Begins a session and names a recipient.
    pub fn of(gateway: &Gateway) -> Self {
        let mut client = Client::greeted(gateway.address());
        client.says("MAIL FROM:<alice@client.example>", "250");
        let told = client.ask("RCPT TO:<bob@example.org>");
        Self { client, told }
    }

    /// Names the recipient once more.
    ///
    /// # Panics
    ///
    /// Where it is told something else.
    pub fn is_told_the_same(&mut self) {
        self.client.says("RSET", "250");
        self.client.says("MAIL FROM:<alice@client.example>", "250");
        assert_eq!(self.client.ask("RCPT TO:<bob@example.org>"), self.told);
    }
}

/// What the log says of plugins that cannot be used.
pub fn refusals(gateway: &Gateway) -> Vec<Value> {
    gateway.log().find(is_refusal)
}

/// The same, once it says it so often.
pub fn wait_for_refusals(gateway: &Gateway, count: usize) -> Vec<Value> {
    let log = gateway.log();
    log.wait_for_all("a refused plugin", count, is_refusal)
}

fn is_refusal(line: &Value) -> bool {
    let message = line["message"].as_str().unwrap_or_default();
    line["level"] == "ERROR" && message.starts_with("plugin refused")
}
