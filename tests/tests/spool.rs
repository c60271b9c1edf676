//! Many large messages at once wait on disk, not in memory.

use std::sync::Barrier;
use std::thread;

use postgate_tests::client::Client;
use postgate_tests::gateway::{Gateway, Setup};
use postgate_tests::process::peak_memory;

const MESSAGES: usize = 100;
const SIZE: usize = 50 << 20;
const SPOOL_MEMORY: usize = 64 << 10;
/// The largest piece that is on its way from a client to the temporary file.
const CHUNK: usize = 64 << 10;
const LINE: &[u8] =
    b"a line of a message that is far too large to be kept in memory a hundred times\r\n";

#[test]
fn a_hundred_messages_of_50_mib_stay_within_the_budget() {
    // The plugin refuses each message once it is whole, so that nothing but the spool is measured.
    let gateway = Setup::new()
        .set(&format!(
            "limits.message-size = \"60MiB\"\nlimits.spool-memory = {SPOOL_MEMORY}"
        ))
        .plugin("verdicts", "guests/verdicts", "")
        .start();
    // What sessions and plugin instances need whatever the size, and a full budget for each message.
    receive_at_once(&gateway, SPOOL_MEMORY);
    let before = peak_memory(&gateway);
    receive_at_once(&gateway, SIZE);
    let grown = peak_memory(&gateway) - before;
    let allowed = MESSAGES * CHUNK;
    assert!(
        grown <= allowed,
        "{grown} octets beyond the budget for {MESSAGES} messages, {allowed} are allowed"
    );
}

/// Sends all messages such that every one is half received before the first one ends.
fn receive_at_once(gateway: &Gateway, size: usize) {
    let half = LINE.repeat(size / 2 / LINE.len());
    let all_are_half_received = Barrier::new(MESSAGES);
    thread::scope(|scope| {
        for _ in 0..MESSAGES {
            scope.spawn(|| {
                let mut client = Client::greeted(gateway.address());
                client.envelope("alice@client.example", &["bob@example.org"]);
                client.says("DATA", "354");
                client.write(b"X-Verdict: refuse550\r\n\r\n");
                client.write(&half);
                all_are_half_received.wait();
                client.write(&half);
                client.write(b".\r\n");
                let reply = client.reply();
                assert!(reply.starts_with("550"), "{reply}");
            });
        }
    });
}
