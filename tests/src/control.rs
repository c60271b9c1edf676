//! A client of the control socket.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Instant;

use serde_json::{Value, json};

use crate::PATIENCE;
use crate::gateway::Gateway;
use crate::peer::pause;

/// The setting that makes a gateway open its control socket.
pub const SOCKET: &str = "control.socket = \"run/control.sock\"";

/// Returns the path of the control socket.
pub fn socket(gateway: &Gateway) -> PathBuf {
    gateway.directory().join("run/control.sock")
}

/// Sends a line to the control socket, and returns the answer.
pub fn say(gateway: &Gateway, line: &[u8]) -> Value {
    let mut stream = UnixStream::connect(socket(gateway)).expect("the gateway can be asked");
    stream
        .set_read_timeout(Some(PATIENCE))
        .expect("a timeout can be set");
    stream.write_all(line).expect("the gateway takes a request");
    let mut answer = String::new();
    BufReader::new(stream)
        .read_line(&mut answer)
        .expect("the gateway answers");
    serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{answer:?}: {error}"))
}

/// Sends a request without arguments, and returns the answer.
pub fn ask(gateway: &Gateway, request: &str) -> Value {
    say(
        gateway,
        format!("{}\n", json!({ "request": request })).as_bytes(),
    )
}

/// Returns what the gateway lists about a plugin, or `None` if it does not list the plugin.
pub fn plugin(gateway: &Gateway, name: &str) -> Option<Value> {
    let listing = ask(gateway, "plugin-list");
    let plugins = listing["plugins"].as_array().expect("a list of plugins");
    plugins
        .iter()
        .find(|plugin| plugin["name"] == name)
        .cloned()
}

/// Waits until the list of plugins meets a condition, and returns the list.
///
/// # Panics
///
/// Panics if it does not meet the condition in time.
pub fn wait_for_listing(gateway: &Gateway, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let listing = ask(gateway, "plugin-list");
        if fits(&listing) {
            return listing;
        }
        assert!(Instant::now() < deadline, "never {what}: {listing}");
        pause();
    }
}

/// Waits until a plugin is in a state, and returns what the gateway lists about it.
pub fn wait_for_state(gateway: &Gateway, name: &str, state: &str) -> Value {
    let of = |listing: &Value| {
        let plugins = listing["plugins"].as_array().cloned().unwrap_or_default();
        plugins.into_iter().find(|plugin| plugin["name"] == name)
    };
    let what = format!("{name} {state}");
    let listing = wait_for_listing(gateway, &what, |listing| {
        of(listing).is_some_and(|plugin| plugin["state"] == state)
    });
    of(&listing).unwrap_or_default()
}
