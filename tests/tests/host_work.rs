//! What the host does for a plugin is the work of the plugin: its limits hold for it, a call that goes beyond
//! them changes nothing, and other sessions go on meanwhile.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use postgate_tests::Over;
use postgate_tests::backend::Backend;
use postgate_tests::burden::{self, PLUGIN, TASKS, Task};
use postgate_tests::client::Client;
use postgate_tests::gateway::Gateway;
use serde_json::Value;

/// The sessions at the same time.
const SESSIONS: usize = 20;
/// The answers that another client gets meanwhile.
const ANSWERS: usize = 10;

/// A gateway whose plugin has the time that its own work needs, and not what the host does for it.
fn limited(backend: &Backend, task: &Task, on_failure: &str) -> Gateway {
    let limit = task.limit.unwrap_or("10s");
    let key = key(task);
    let settings = format!(
        "breaker.failures = 0\non-failure = \"{on_failure}\"\nlimits.{key} = \"{limit}\"\n"
    );
    burden::gateway(backend, &settings).start()
}

/// The limit that holds at the event of a task.
fn key(task: &Task) -> &'static str {
    match task.event {
        "message" => "message-cpu",
        _ => "cpu",
    }
}

fn failures(gateway: &Gateway) -> Vec<Value> {
    gateway.log().find(is_failure)
}

fn is_failure(line: &Value) -> bool {
    line["message"] == "plugin failed" && line["plugin"] == PLUGIN
}

/// The failure names the limit, and the client hears what the operator chose.
#[test]
fn what_the_host_does_counts_against_the_limits() {
    let backend = Backend::working();
    for task in TASKS.iter().filter(|task| task.limit.is_some()) {
        let gateway = limited(&backend, task, "tempfail");
        let reply = burden::session(&gateway, task);
        assert!(reply.starts_with("451 4.3.0"), "{}: {reply}", task.name);
        let key = key(task);
        let log = gateway.log();
        let line = log.wait_for("the failure", is_failure);
        assert_eq!(line["cause"], key, "{}: {line}", task.name);
        assert_eq!(line["event"], task.event, "{}: {line}", task.name);
        let error = line["error"].as_str().unwrap_or_default();
        let expected = format!("exceeded limits.{key} of ");
        assert!(error.starts_with(&expected), "{}: {error}", task.name);
    }
    assert_eq!(backend.taken(), []);
}

/// The message goes on as it came, with nothing of the failed answer.
#[test]
fn an_answer_that_is_too_much_work_changes_nothing() {
    let backend = Backend::working();
    let tasks = ["deferred", "edits", "body"];
    for task in TASKS.iter().filter(|task| tasks.contains(&task.name)) {
        let gateway = limited(&backend, task, "accept");
        let mut client = Client::greeted(gateway.address());
        let sender = format!("{}@client.example", task.name);
        client.envelope(&sender, &["bob@example.org"]);
        let given = (task.message)();
        let reply = client.message(&given);
        assert!(reply.starts_with("250"), "{}: {reply}", task.name);
        gateway.log().wait_for("the failure", is_failure);
        assert_eq!(failures(&gateway).len(), 1, "{}", task.name);
        let mail = backend.taken().pop().expect("a message");
        // The gateway adds its own field above.
        assert!(mail.content.ends_with(&given), "{}", task.name);
        let added = &mail.content[..mail.content.len() - given.len()];
        assert!(added.starts_with(b"Received: "), "{}", task.name);
        assert!(!added.windows(8).any(|octets| octets == b"X-Burden"));
    }
}

/// While twenty clients have the host work for a plugin, one session after another, another session has its
/// answers.
#[test]
fn others_are_served_meanwhile() {
    let backend = Backend::working();
    for task in TASKS {
        let gateway = limited(&backend, task, "tempfail");
        let is_over = AtomicBool::new(false);
        let begun = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            let _over = Over(&is_over);
            for _ in 0..SESSIONS {
                scope.spawn(|| {
                    while !is_over.load(Ordering::Relaxed) {
                        begun.fetch_add(1, Ordering::Relaxed);
                        let reply = burden::session(&gateway, task);
                        let expected = if task.limit.is_some() {
                            "451 4.3.0"
                        } else {
                            task.reply
                        };
                        assert!(reply.starts_with(expected), "{}: {reply}", task.name);
                    }
                });
            }
            let mut witness = Client::greeted(gateway.address());
            while begun.load(Ordering::Relaxed) < SESSIONS {
                witness.says("NOOP", "250");
            }
            for _ in 0..ANSWERS {
                witness.says("NOOP", "250");
            }
            deliver(&mut witness);
        });
        // No session is missing from the log, and none has failed that should not.
        match task.limit {
            Some(_) => {
                let log = gateway.log();
                log.wait_for_all("all failures", begun.into_inner(), is_failure);
            }
            None => assert_eq!(failures(&gateway).len(), 0, "{}", task.name),
        }
    }
}

/// A message with which the guest has nothing to do.
fn deliver(client: &mut Client) {
    client.envelope("alice@client.example", &["bob@example.org"]);
    let reply = client.message(b"Subject: x\r\n\r\nhello\r\n");
    assert!(reply.starts_with("250"), "{reply}");
}
