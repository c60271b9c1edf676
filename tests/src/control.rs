//! What a running gateway says on its control socket.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Instant;

use serde_json::{Value, json};

use crate::PATIENCE;
use crate::gateway::Gateway;
use crate::peer::pause;

/// The setting that a gateway needs for all of this.
pub const SOCKET: &str = "control.socket = \"run/control.sock\"";

/// Where the control socket is.
pub fn socket(gateway: &Gateway) -> PathBuf {
    gateway.directory().join("run/control.sock")
}

/// Sends a line to the control socket, and gives the answer.
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

/// Asks for something by its name.
pub fn ask(gateway: &Gateway, request: &str) -> Value {
    say(
        gateway,
        format!("{}\n", json!({ "request": request })).as_bytes(),
    )
}

/// The plugin with this name, as the gateway lists it.
pub fn plugin(gateway: &Gateway, name: &str) -> Option<Value> {
    let listing = ask(gateway, "plugin-list");
    let plugins = listing["plugins"].as_array().expect("a list of plugins");
    plugins
        .iter()
        .find(|plugin| plugin["name"] == name)
        .cloned()
}

/// Waits until the gateway lists its plugins in a certain way, and gives the list.
///
/// # Panics
///
/// Where it does not in time.
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

/// Waits until a plugin is in a state, and gives what is listed of it.
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
