//! The stock plugin `attachment-blocker` in its default configuration, on whole messages: those of
//! `tests/attachments`, and others in which each syntax for a name and each encoding occurs.

use std::fs;
use std::path::PathBuf;

use postgate_tests::backend::Backend;
use postgate_tests::client::Client;
use postgate_tests::gateway::{Gateway, Setup, repository};

fn start(sidecar: &str) -> (Gateway, Backend) {
    let backend = Backend::working();
    let setup = Setup::new().backend(&backend.smtp());
    let setup = setup.plugin("30-attachment-blocker", "attachment-blocker", sidecar);
    (setup.start(), backend)
}

fn deliver(gateway: &Gateway, message: &[u8]) -> String {
    let mut client = Client::greeted(gateway.address());
    client.envelope("alice@client.example", &["bob@example.org"]);
    client.message(message)
}

/// The messages in a folder of `tests/attachments`, with CRLF.
fn messages(folder: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let directory = repository().join("tests/attachments").join(folder);
    let entries = fs::read_dir(directory).expect("the folder can be read");
    let paths = entries.map(|entry| entry.expect("the folder can be read").path());
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).expect("a message is text");
        let lines: String = text.lines().map(|line| format!("{line}\r\n")).collect();
        (path, lines.into_bytes())
    };
    paths.map(read).collect()
}

#[test]
fn messages_with_a_dangerous_reading_are_refused() {
    let (gateway, backend) = start("");
    let messages = messages("refused");
    assert!(!messages.is_empty());
    for (path, message) in messages {
        let reply = deliver(&gateway, &message);
        assert!(
            reply.starts_with("550 5.7.1"),
            "{}: {reply}",
            path.display()
        );
    }
    assert_eq!(backend.taken(), []);
}

#[test]
fn clean_messages_are_taken_whatever_type_they_claim() {
    let (gateway, _backend) = start("");
    for (path, message) in messages("taken") {
        let reply = deliver(&gateway, &message);
        assert!(reply.starts_with("250"), "{}: {reply}", path.display());
    }
}

/// A message with one attachment.
fn attached(fields: &str, content: &str) -> String {
    format!(
        "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\
        --b\r\nContent-Type: text/plain\r\n\r\nhello\r\n\
        --b\r\n{fields}\r\n\r\n{content}\r\n--b--\r\n"
    )
}

#[test]
fn a_name_counts_in_each_syntax() {
    let (gateway, _backend) = start("");
    let names = SYNTAXES.iter().flat_map(|syntax| {
        let extensions = ["js", "EXE", "lnk", "search-ms"].map(|extension| (extension, true));
        let all = extensions.into_iter().chain([("pdf", false)]);
        all.map(move |(extension, is_refused)| (syntax.replace("{x}", extension), is_refused))
    });
    for (fields, is_refused) in names {
        let reply = deliver(&gateway, attached(&fields, "content").as_bytes());
        let expected = if is_refused { "550 5.7.1" } else { "250" };
        assert!(reply.starts_with(expected), "{fields}: {reply}");
    }
}

#[test]
fn what_cannot_be_decided_passes_if_the_operator_wants_it() {
    let (gateway, _backend) = start("");
    let (lenient, _backend) = start("[config]\nundecided = \"accept\"");
    for (fields, content) in UNDECIDED {
        let message = attached(fields, content);
        let reply = deliver(&gateway, message.as_bytes());
        assert!(reply.starts_with("550 5.7.1"), "{fields}: {reply}");
        let reply = deliver(&lenient, message.as_bytes());
        assert!(reply.starts_with("250"), "{fields}: {reply}");
    }
}

/// The fields of an attachment whose extension is `{x}` in at least one reading.
const SYNTAXES: [&str; 14] = [
    "Content-Type: application/octet-stream; name=\"a.{x}\"",
    "Content-Disposition: attachment; filename=a.{x}",
    "Content-Disposition: filename=a.{x}",
    "Content-Disposition: ; filename=\"a.{x}\"",
    "Content-Disposition: attachment; filename=a.txt; filename*=utf-8''a.{x}",
    "Content-Disposition: attachment; filename=a.txt; filename=a.{x}",
    "Content-Disposition: attachment; filename=a.txt; filename*0=a.; filename*1={x}",
    "Content-Disposition: attachment; filename*0*=utf-8''a%2E; filename*1={x}",
    "Content-Type: x/y; name=a.{x}\r\nContent-Disposition: attachment; filename=a.txt",
    "Content-Disposition: attachment; filename=a.{x}\r\nContent-Disposition: inline; filename=a.txt",
    "Content-Disposition: attachment; filename=\"=?utf-8?q?a?=\r\n =?utf-8?q?.{x}?=\"",
    "Content-Disposition: attachment; filename==?iso-8859-1?Q?a=2E{x}?=",
    "Content-Disposition: attachment; filename=\"a.{x}. \"",
    "Content-Disposition: attachment; filename=\"a.{x}::$DATA\"",
];

/// Fields and content that programs read in different ways.
const UNDECIDED: [(&str, &str); 9] = [
    (
        "Content-Type: x/y\r\nContent-Transfer-Encoding: base64 (x)",
        "aGVsbG8=",
    ),
    (
        "Content-Type: x/y\r\nContent-Transfer-Encoding: x-uue",
        "hello",
    ),
    (
        "Content-Type: x/y\r\nContent-Transfer-Encoding: base64",
        "aGVsb=G8=",
    ),
    (
        "Content-Type: x/y\r\nContent-Transfer-Encoding: base64\r\nContent-Transfer-Encoding: 8bit",
        "aGVsbG8=",
    ),
    (
        "Content-Type: multipart/mixed; boundary=\"\"",
        "--\r\n\r\nx",
    ),
    ("Content-Type: multipart/mixed; boundary=c", "no part"),
    ("Content-Type: multipart/mixed boundary=c", "--c\r\n\r\nx"),
    ("Content-Type: message/partial; id=x; number=1", "x"),
    ("Content-Type: x/y; name*0=a; name*2=b", "x"),
];
