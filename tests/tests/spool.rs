//! Many large messages at once wait on disk, not in memory.

use std::thread;

use postgate_tests::client::Client;
use postgate_tests::gateway::Setup;
use postgate_tests::process::peak_memory;

const MESSAGES: usize = 100;
const SIZE: usize = 50 << 20;
const LINE: &[u8] =
    b"a line of a message that is far too large to be kept in memory a hundred times\r\n";

#[test]
fn a_hundred_messages_of_50_mib_stay_within_the_budget() {
    // The plugin refuses each message once it is whole, so that nothing but the spool is measured.
    let gateway = Setup::new()
        .set("limits.message-size = \"60MiB\"\nlimits.spool-memory = \"64KiB\"")
        .plugin("verdicts", "guests/verdicts", "")
        .start();
    let before = peak_memory(&gateway);
    let lines = LINE.repeat(SIZE / LINE.len());
    thread::scope(|scope| {
        for _ in 0..MESSAGES {
            scope.spawn(|| {
                let mut client = Client::greeted(gateway.address());
                client.envelope("alice@client.example", &["bob@example.org"]);
                client.says("DATA", "354");
                client.write(b"X-Verdict: refuse550\r\n\r\n");
                client.write(&lines);
                client.write(b".\r\n");
                let reply = client.reply();
                assert!(reply.starts_with("550"), "{reply}");
            });
        }
    });
    let grown = peak_memory(&gateway) - before;
    assert!(grown < 2 * SIZE, "{grown} octets for {MESSAGES} messages");
}
