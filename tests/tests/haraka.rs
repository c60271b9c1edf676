//! Three ways in which a plugin takes mail or sessions down with it in Haraka 3.1, where plugins run
//! inside of the server, met here: each costs its own session a reply to try again later.

use postgate_tests::client::Client;
use postgate_tests::rogue::Rogue;

/// There, an exception after the data lets the message through: "250 Message Queued".
#[test]
fn an_exception_after_the_data_does_not_let_the_message_through() {
    let rogue = Rogue::start(&["trap@message"], "");
    let before = rogue.backend.taken().len();
    let reply = rogue.provoke("trap@message");
    assert!(reply.starts_with("451 4.3.0"), "{reply}");
    assert_eq!(rogue.backend.taken().len(), before);
    rogue.wait_for_failure("message", "trap");
}

/// There, a busy loop keeps every session of the process waiting, and no timeout can end it.
#[test]
fn a_busy_loop_does_not_keep_others_waiting() {
    let sidecar = "limits.cpu = \"500ms\"\nlimits.wall = \"20s\"";
    let rogue = Rogue::start(&["spin@mail"], sidecar);
    rogue.assert_nobody_waits("spin@mail", || {
        let reply = rogue.provoke("spin@mail");
        assert!(reply.starts_with("451 4.3.0"), "{reply}");
    });
    rogue.wait_for_failure("mail", "cpu");
}

/// There, an exception that is thrown after waiting ends the process, and every session in it.
#[test]
fn an_exception_after_waiting_ends_no_other_session() {
    let mut rogue = Rogue::start(&["trap-after-wait@rcpt"], "");
    let mut bystander = Client::greeted(rogue.gateway.address());
    bystander.envelope("alice@client.example", &["bob@example.org"]);
    let mut victim = Client::greeted(rogue.gateway.address_of("trap-after-wait@rcpt"));
    victim.says("MAIL FROM:<alice@client.example>", "250");
    victim.says("RCPT TO:<bob@example.org>", "451 4.3.0");
    rogue.wait_for_failure("rcpt", "trap");
    let reply = bystander.message(b"Subject: x\r\n\r\n");
    assert!(reply.starts_with("250"), "{reply}");
    // Not even the session itself is over.
    victim.says("RSET", "250");
    victim.says("QUIT", "221");
    assert!(rogue.gateway.is_up());
}
