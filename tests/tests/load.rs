//! Many messages at once: none is lost, none is refused, none comes twice.

use postgate_tests::gateway::Setup;
use postgate_tests::peer::{SmtpSink, smtp_source};

const MESSAGES: usize = 2_000;
const SESSIONS: usize = 20;
/// A machine that stands still for a moment may count that moment as work.
const UNHURRIED: &str = "limits.cpu = \"5s\"\nlimits.message-cpu = \"5s\"";

#[test]
fn every_message_of_a_load_arrives_once() {
    let sink = SmtpSink::start();
    let gateway = Setup::new()
        .backend(&sink.smtp())
        .set("log.level = \"info\"")
        .plugin("10-access", "access", UNHURRIED)
        .plugin("20-header-rules", "header-rules", UNHURRIED)
        .plugin("30-attachment-blocker", "attachment-blocker", UNHURRIED)
        .start();
    let output = smtp_source(gateway.address(), SESSIONS, MESSAGES, 4_096);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert_eq!(sink.messages().len(), MESSAGES);
    let lines = gateway
        .log()
        .wait_for_all("message", MESSAGES, |line| line["message"] == "message");
    assert_eq!(lines.len(), MESSAGES);
    assert!(
        lines
            .iter()
            .all(|line| line["reply"].to_string().contains("250"))
    );
}
