//! Clients of other projects, with mail as people send it.

use std::fs;
use std::path::Path;

use postgate_tests::backend::Backend;
use postgate_tests::gateway::{Gateway, Setup, repository};
use postgate_tests::mail::{maildir, split};
use postgate_tests::peer::{program, run, swaks};
use tempfile::TempDir;

fn start() -> (Gateway, Backend) {
    let backend = Backend::working();
    let gateway = Setup::new()
        .backend(&backend.smtp())
        .plugin("10-access", "access", "")
        .plugin("20-header-rules", "header-rules", "")
        .plugin("30-attachment-blocker", "attachment-blocker", "")
        .start();
    (gateway, backend)
}

/// Sends a file with swaks and gives its exit status and transcript.
fn attach(gateway: &Gateway, file: &Path) -> (bool, String) {
    let mut command = swaks(gateway.address());
    command.args(["--header", "Subject: an attachment", "--attach"]);
    command.arg(format!("@{}", file.display()));
    let output = run(&mut command);
    (
        output.status.success(),
        String::from_utf8_lossy(&output.stdout).into_owned(),
    )
}

#[test]
fn swaks_gets_a_text_file_through() {
    let (gateway, backend) = start();
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("notes.txt");
    fs::write(&file, "nothing but words\n").unwrap();
    let (accepted, transcript) = attach(&gateway, &file);
    assert!(accepted, "{transcript}");
    let content = backend.taken().remove(0).content;
    let (_, body) = split(&content);
    assert!(String::from_utf8_lossy(body).contains("notes.txt"));
}

#[test]
fn swaks_gets_no_program_through() {
    let (gateway, backend) = start();
    let directory = TempDir::new().unwrap();
    let windows = b"MZ\x90\0\x03\0\0\0\x04\0\0\0\xff\xff\0\0";
    // By its name, by a name that hides it, and by what it is.
    for (name, content) in [
        ("setup.exe", &windows[..]),
        ("setup.exe", b"not even a program"),
        ("invoice.pdf.exe", windows),
        ("holiday.jpg", windows),
    ] {
        let file = directory.path().join(name);
        fs::write(&file, content).unwrap();
        let (accepted, transcript) = attach(&gateway, &file);
        assert!(!accepted, "{name}: {transcript}");
        assert!(transcript.contains("<** 5"), "{name}: {transcript}");
    }
    assert_eq!(backend.taken(), []);
}

#[test]
fn swaks_with_pipelining_gets_the_same_answers() {
    let (gateway, backend) = start();
    let output = run(swaks(gateway.address()).arg("--pipeline"));
    let transcript = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{transcript}");
    assert_eq!(backend.taken().len(), 1);
}

#[test]
fn python_sends_text_attachments_and_international_mail() {
    let (gateway, backend) = start();
    let script = repository().join("tests/tests/clients/send.py");
    let output = run(program("python3")
        .arg(script)
        .arg(gateway.address().to_string()));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let taken = backend.taken();
    let senders: Vec<_> = taken.iter().map(|mail| mail.mail.as_str()).collect();
    assert_eq!(taken.len(), 3, "{senders:?}");
    assert!(senders[2].contains("pelé@client.example"), "{senders:?}");
    assert!(senders[2].contains("SMTPUTF8"), "{senders:?}");
}

#[test]
fn python_uses_every_extension() {
    // A store that takes binary mail.
    let gateway = Setup::new().start();
    let script = repository().join("tests/tests/clients/extensions.py");
    let output = run(program("python3")
        .arg(script)
        .arg(gateway.address().to_string()));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let stored = maildir(&gateway.maildir());
    assert_eq!(stored.len(), 4);
    for body in [
        &b"caf\xe9\r\n"[..],
        b"hello\r\n",
        b"bonjour\r\n",
        b"bin\0\n.",
    ] {
        let is_stored = stored.iter().any(|message| split(message).1 == body);
        assert!(is_stored, "{}", body.escape_ascii());
    }
}
