//! The host fails while it asks a plugin: the client is told to try later, and the plugin is not blamed.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use postgate_tests::client::Client;
use postgate_tests::control;
use postgate_tests::gateway::{Gateway, Setup};

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
