//! Gateways whose plugin has the host do much work: the guest `burden`.

use std::fs;
use std::path::Path;

use crate::backend::Backend;
use crate::client::{Client, Reply};
use crate::gateway::{Gateway, Setup};

/// Something that the guest has the host do.
#[derive(Clone, Copy, Debug)]
pub struct Task {
    /// The local part of the sender that the guest does it for.
    pub name: &'static str,
    /// The event at which it does.
    pub event: &'static str,
    /// The message that it needs.
    pub message: fn() -> Vec<u8>,
    /// A limit on CPU time that the work of the host exceeds, or `None` if there is not much of it.
    pub limit: Option<&'static str>,
    /// The reply within the limits.
    pub reply: &'static str,
}

/// All tasks of the guest.
pub const TASKS: &[Task] = &[
    beyond("50ms", task("search", "rcpt", short)),
    beyond("2ms", task("reread", "rcpt", short)),
    beyond("2ms", task("deferred", "data", short)),
    beyond("2ms", task("edits", "headers", many_fields)),
    beyond("50ms", task("listing", "headers", many_fields)),
    beyond("50ms", task("names", "headers", many_fields)),
    beyond("50ms", task("values", "headers", many_fields)),
    beyond("2ms", task("body", "message", short)),
    task("recipients", "message", short),
    Task {
        reply: "550 5.7.1",
        ..task("reply", "message", short)
    },
    beyond("10ms", task("parts", "message", large_parts)),
    beyond("10ms", task("text", "message", large_parts)),
];

const fn task(name: &'static str, event: &'static str, message: fn() -> Vec<u8>) -> Task {
    Task {
        name,
        event,
        message,
        limit: None,
        reply: "250",
    }
}

const fn beyond(limit: &'static str, task: Task) -> Task {
    Task {
        limit: Some(limit),
        ..task
    }
}

/// The name of the plugin.
pub const PLUGIN: &str = "10-burden";

/// A gateway with the guest and a large file for it.
pub fn gateway(backend: &Backend, settings: &str) -> Setup {
    let setup = Setup::new()
        .backend(&backend.smtp())
        .set("log.level = \"warn,postgate::server=info\"")
        .set("limits.idle-commands = 0");
    let sidecar = sidecar(setup.directory(), settings);
    setup.plugin(PLUGIN, "guests/burden", &sidecar)
}

/// The sidecar of the guest, which lists a large file in this directory.
pub fn sidecar(directory: &Path, settings: &str) -> String {
    let file = directory.join("large");
    fs::write(&file, b"a line of the file\n".repeat(FILE / 19)).expect("the file is written");
    let file = file.display();
    format!(
        "grants = [\"files\"]\nlimits.file-size = \"64MiB\"\n{settings}\n[files]\nlarge = \"{file}\"\n"
    )
}

/// Runs a session in which the guest does its task, and returns the reply at that event.
pub fn session(gateway: &Gateway, task: &Task) -> Reply {
    if task.name == "reread" {
        touch(gateway);
    }
    let mut client = Client::greeted(gateway.address());
    client.says(&format!("MAIL FROM:<{}@client.example>", task.name), "250");
    let reply = client.ask("RCPT TO:<bob@example.org>");
    match task.event {
        "rcpt" => reply,
        "data" => client.ask("DATA"),
        _ => client.message(&(task.message)()),
    }
}

/// Changes the file of the guest, so that it is read again.
fn touch(gateway: &Gateway) {
    let file = gateway.directory().join("large");
    let file = fs::File::options().write(true).open(file);
    let file = file.expect("the file is there");
    file.set_modified(std::time::SystemTime::now())
        .expect("the file has a time");
}

fn short() -> Vec<u8> {
    b"Subject: x\r\n\r\nhello\r\n".to_vec()
}

/// As many fields as a header block can have.
fn many_fields() -> Vec<u8> {
    b"A:\r\n".repeat(260_000)
}

/// Parts that have to be decoded, within a message that has to be.
fn large_parts() -> Vec<u8> {
    let head = "Content-Type: text/plain; charset=iso-8859-1\r\n\
        Content-Transfer-Encoding: base64\r\n\r\n";
    let line = "6enp6enp6enp6enp6enp6enp6enp6enp6enp6enp6enp6enp6enp6enp6enp6enp6enp6enp\r\n";
    [head, &line.repeat(PARTS / line.len())]
        .concat()
        .into_bytes()
}

/// The size of the file in octets.
const FILE: usize = 32_000_000;
/// The size of the message with parts, in octets.
const PARTS: usize = 16_000_000;
