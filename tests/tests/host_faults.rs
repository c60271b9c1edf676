//! The host fails while it asks a plugin: the client is told to try later, and the plugin is not blamed.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use postgate_tests::backend::Backend;
use postgate_tests::client::Client;
use postgate_tests::control;
use postgate_tests::dns::NameServer;
use postgate_tests::gateway::{Gateway, Setup, guest_file};
use postgate_tests::process::{limit_files, limit_more_memory};

/// A file may not grow beyond 100,000 octets: the system sends SIGXFSZ, whose default action ends the
/// process.
const SMALL_FILES: &[&str] = &["prlimit", "--fsize=100000"];
/// The directory of temporary files is nearly full.
const FULL_DISK: &[&str] = &[
    "unshare",
    "--mount",
    "sh",
    "-c",
    "mkdir spool && mount -t tmpfs -o size=100k none spool && TMPDIR=$PWD/spool exec \"$0\" \"$@\"",
];

/// A message with an attachment, whose size in octets is larger than what is kept in memory when it is decoded.
fn large() -> Vec<u8> {
    let encoded = BASE64_STANDARD.encode(vec![b'x'; 500_000]);
    let lines: Vec<_> = encoded.as_bytes().chunks(76).collect();
    let head = b"Subject: x\r\nMIME-Version: 1.0\r\nContent-Transfer-Encoding: base64\r\n\
        Content-Type: application/octet-stream; name=x.bin\r\n\r\n";
    [&head[..], &lines.join(&b"\r\n"[..]), b"\r\n"].concat()
}

fn deliver(gateway: &Gateway, message: &[u8]) -> String {
    let mut client = Client::greeted(gateway.address());
    client.envelope("alice@client.example", &["bob@example.org"]);
    client.message(message)
}

#[test]
fn no_room_for_a_decoded_part_is_no_failure_of_the_plugin() {
    for wrapper in [SMALL_FILES, FULL_DISK] {
        for on_failure in ["accept", "reject", "tempfail"] {
            let sidecar = format!("on-failure = \"{on_failure}\"\nbreaker.failures = 1\n");
            let mut gateway = Setup::new()
                .set(control::SOCKET)
                .plugin("10-parts", "guests/parts", &sidecar)
                .under(wrapper)
                .start();
            for _ in 0..2 {
                let reply = deliver(&gateway, &large());
                assert!(reply.starts_with("452 4.3.1"), "{on_failure}: {reply}");
            }
            let line = gateway.log().wait_for("a fault of the host", |line| {
                line["message"] == "the host failed while it asked a plugin"
            });
            assert_eq!(line["cause"], "space", "{line}");
            // The breaker is closed: the plugin is asked about a small message.
            let reply = deliver(&gateway, b"Subject: x\r\n\r\nhello\r\n");
            assert!(!reply.starts_with('4'), "{on_failure}: {reply}");
            let metrics = control::ask(&gateway, "metrics")["text"].to_string();
            assert!(metrics.contains("plugin_host_faults_total{"), "{metrics}");
            assert!(!metrics.contains("plugin_failures_total{"), "{metrics}");
            assert!(gateway.is_up());
        }
    }
}

/// The same limits, while a message is spooled that no plugin looks at.
#[test]
fn no_room_for_a_message_is_told() {
    for wrapper in [SMALL_FILES, FULL_DISK] {
        let mut gateway = Setup::new()
            .set("limits.spool-memory = \"64KiB\"")
            .under(wrapper)
            .start();
        let reply = deliver(&gateway, &large());
        assert!(reply.starts_with("452 4.3.1"), "{reply}");
        let reply = deliver(&gateway, b"Subject: x\r\n\r\nhello\r\n");
        assert!(reply.starts_with("250"), "{reply}");
        assert!(gateway.is_up());
    }
}

/// Asserts that a plugin was not blamed: no failure is counted, and what the host failed at is.
fn assert_not_blamed(gateway: &Gateway, cause: &str) {
    let line = gateway.log().wait_for("a fault of the host", |line| {
        line["message"] == "the host failed while it asked a plugin"
    });
    assert_eq!(line["cause"], cause, "{line}");
    let metrics = control::ask(gateway, "metrics")["text"].to_string();
    let counted = format!("cause=\\\"{cause}\\\"");
    assert!(metrics.contains("plugin_host_faults_total{"), "{metrics}");
    assert!(metrics.contains(&counted), "{metrics}");
    for absent in [
        "plugin_failures_total{",
        "plugin_skipped_total{",
        "plugin_refused_total{",
    ] {
        assert!(!metrics.contains(absent), "{metrics}");
    }
}

/// The plugin makes a DNS query, for which there is no descriptor; nor is there one for the temporary
/// file of a message. Nothing of that is lost or accepted, and it is over when it is over.
#[test]
fn no_descriptors_are_no_failure_of_the_plugin() {
    for on_failure in ["accept", "reject", "tempfail"] {
        let dns = NameServer::with(&[]);
        let backend = Backend::working();
        let sidecar = format!(
            "grants = [\"dns\"]\nlisteners = [\"asked\"]\non-failure = \"{on_failure}\"\nbreaker.failures = 1\n"
        );
        let mut gateway = Setup::new()
            .backend(&backend.smtp())
            .set(control::SOCKET)
            .set(&dns.settings())
            .set("limits.spool-memory = \"64KiB\"")
            .plugin("10-resolver", "guests/resolver", &sidecar)
            .set(
                "listener = [{ name = \"asked\", address = \"127.0.0.1:0\" }, \
                  { name = \"open\", address = \"127.0.0.1:0\" }]",
            )
            .start();
        let mut asking = Client::greeted(gateway.address());
        asking.says("MAIL FROM:<alice@client.example>", "250");
        let mut sending = Client::greeted(gateway.address_of("open"));
        sending.envelope("alice@client.example", &["bob@example.org"]);
        limit_files(&gateway, 1);
        for _ in 0..3 {
            asking.says("RCPT TO:<mx@example.org>", "451 4.3.0");
        }
        let reply = sending.message(&large());
        assert!(reply.starts_with('4'), "{reply}");
        assert_eq!(backend.taken(), []);
        limit_files(&gateway, 1_000);
        asking.says("RCPT TO:<mx@example.org>", "550 5.7.1");
        sending.envelope("alice@client.example", &["bob@example.org"]);
        assert!(sending.message(&large()).starts_with("250"));
        assert_not_blamed(&gateway, "dns");
        assert!(gateway.is_up());
    }
}

/// The machine has less memory than the sidecar allows.
#[test]
fn no_memory_is_no_failure_of_the_plugin() {
    for on_failure in ["accept", "reject", "tempfail"] {
        let backend = Backend::working();
        let sidecar = format!(
            "on-failure = \"{on_failure}\"\nbreaker.failures = 1\n\
             limits = {{ memory = \"1GiB\", cpu = \"60s\", wall = \"5m\" }}\n"
        );
        let mut gateway = Setup::new()
            .backend(&backend.smtp())
            .set(control::SOCKET)
            .plugin("10-hoard", "guests/hoard", &sidecar)
            .start();
        let mut open = Client::greeted(gateway.address());
        open.envelope("alice@client.example", &["bob@example.org"]);
        limit_more_memory(&gateway, 64 << 20);
        for _ in 0..3 {
            let mut client = Client::greeted(gateway.address());
            client.says("MAIL FROM:<alice@client.example>", "250");
            client.says("RCPT TO:<hoard@example.org>", "451 4.3.0");
        }
        assert!(open.message(b"Subject: x\r\n\r\n").starts_with("250"));
        assert_eq!(backend.taken().len(), 1);
        assert_not_blamed(&gateway, "memory");
        assert!(gateway.is_up());
    }
}

/// A plugin that comes while there are no descriptors is there as soon as there are.
#[test]
fn a_plugin_that_the_host_cannot_load_is_not_refused() {
    let gateway = Setup::new()
        .set(control::SOCKET)
        .set("plugins.rescan = \"100ms\"")
        .plugin("10-trap", "guests/trap", "")
        .start();
    limit_files(&gateway, 1);
    let contents = std::fs::read(guest_file("guests/verdicts")).expect("the guest is built");
    std::fs::write(gateway.plugins().join("20-verdicts.wasm"), contents).expect("the plugin");
    gateway.log().wait_for("a failure", |line| {
        line.to_string().contains("Too many open files")
    });
    limit_files(&gateway, 1_000);
    control::wait_for_state(&gateway, "20-verdicts", "active");
    assert_eq!(
        control::wait_for_state(&gateway, "10-trap", "active")["generation"],
        1
    );
    let metrics = control::ask(&gateway, "metrics")["text"].to_string();
    assert!(!metrics.contains("plugin_refused_total{"), "{metrics}");
}
