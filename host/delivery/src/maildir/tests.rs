//! What a Maildir keeps, removes and leaves alone.

use std::os::unix::fs::symlink;

use postgate_proto::address::{Charset, ForwardPath};

use super::*;

fn stored(maildir: &Path) -> Vec<Vec<u8>> {
    let entries = fs::read_dir(maildir.join("new")).unwrap();
    entries
        .map(|entry| fs::read(entry.unwrap().path()).unwrap())
        .collect()
}

#[tokio::test]
async fn a_message_is_stored_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("mail");
    let maildir = Maildir::new(&path, "mx/1:2");
    let body: Vec<u8> = (0..200_000_u32).map(|index| index as u8).collect();
    let content = Content::from(body.clone());
    for (sender, expected) in [
        ("a@b", "Return-Path: <a@b>\r\n"),
        ("", "Return-Path: <>\r\n"),
    ] {
        let sender = ReversePath::parse(sender, Charset::Ascii).unwrap();
        let message = Message::new(b"A: b\r\n\r\n", &content);
        maildir.store(&sender, &message).await.unwrap();
        let expected = [expected.as_bytes(), b"A: b\r\n\r\n", &body].concat();
        assert!(stored(&path).contains(&expected));
    }
    assert_eq!(stored(&path).len(), 2);
    assert_eq!(fs::read_dir(path.join("tmp")).unwrap().count(), 0);
    assert_eq!(fs::read_dir(path.join("cur")).unwrap().count(), 0);
}

#[tokio::test]
async fn a_message_can_be_stored_with_its_recipients() {
    let directory = tempfile::tempdir().unwrap();
    let maildir = Maildir::new(directory.path(), "mx");
    let sender = ReversePath::parse("a@b", Charset::Ascii).unwrap();
    let recipients = ["c@d", "e@f"]
        .map(|text| Recipient::from(ForwardPath::parse(text, Charset::Ascii).unwrap()));
    let recipients = recipients.each_ref();
    let body = Content::default();
    let head = b"x-envelope-to: <x@y>\r\nA: b\r\n\r\n";
    let message = Message::new(head, &body);
    let stored_it = maildir.store_with_envelope(&sender, &recipients, &message);
    stored_it.await.unwrap();
    let expected = "X-Envelope-To: <c@d>\r\nX-Envelope-To: <e@f>\r\nReturn-Path: <a@b>\r\n\
                    A: b\r\n\r\n";
    assert_eq!(stored(directory.path()), [expected.as_bytes()]);
}

#[test]
fn a_return_path_that_came_along_is_left_out() {
    for (head, expected) in [
        ("A: b\r\n\r\n", "A: b\r\n\r\n"),
        (
            "Return-Path: <x@y>\r\nA: b\r\nreturn-path:\r\n <z>\r\nC: d\r\n\r\n",
            "A: b\r\nC: d\r\n\r\n",
        ),
        ("Return-Path: <x@y>\r\n\r\n", "\r\n"),
        ("Return-Path-Of: a\r\n\r\n", "Return-Path-Of: a\r\n\r\n"),
        ("", ""),
    ] {
        let rest = without(&["Return-Path"], head.as_bytes());
        assert_eq!(
            rest.escape_ascii().to_string(),
            expected.escape_default().to_string()
        );
    }
}

#[tokio::test]
async fn a_message_that_can_not_be_stored_leaves_nothing_behind() {
    let directory = tempfile::tempdir().unwrap();
    for folder in ["cur", "tmp"] {
        fs::create_dir(directory.path().join(folder)).unwrap();
    }
    // No file can be moved to another file system.
    symlink("/proc", directory.path().join("new")).unwrap();
    let maildir = Maildir::new(directory.path(), "mx");
    let content = Content::default();
    let message = Message::new(b"A: b\r\n", &content);
    maildir
        .store(&ReversePath::Null, &message)
        .await
        .unwrap_err();
    assert_eq!(
        fs::read_dir(directory.path().join("tmp")).unwrap().count(),
        0
    );
}

#[test]
fn names_differ_between_gateways() {
    // Containers have the same process number and host name, and may start at the same moment.
    let random_part = |name: String| name.split_once('R').unwrap().1.to_owned();
    let names = [(); 2].map(|()| {
        let Maildir(maildir) = Maildir::new("", "mx");
        random_part(maildir.unique_name().unwrap())
    });
    assert_ne!(names[0], names[1]);
    assert_eq!(names[0].len(), "0123456789abcdef.mx".len());
}

#[test]
fn a_draft_of_another_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let other = directory.path().join("taken");
    fs::write(&other, "of another").unwrap();
    let names = std::cell::RefCell::new(vec!["free", "taken"]);
    let next_name = || Ok(names.borrow_mut().pop().unwrap().to_owned());
    let draft = Draft::create(directory.path(), next_name).unwrap();
    assert_eq!(draft.name, "free");
    drop(draft);
    assert!(!directory.path().join("free").exists());

    let taken = Draft::create(directory.path(), || Ok("taken".to_owned()));
    let error = taken.err().unwrap();
    assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    assert_eq!(fs::read_to_string(other).unwrap(), "of another");
}

#[tokio::test]
async fn leftovers_of_interrupted_deliveries_are_removed() {
    let directory = tempfile::tempdir().unwrap();
    let tmp = directory.path().join("tmp");
    fs::create_dir(&tmp).unwrap();
    fs::create_dir(tmp.join("folder")).unwrap();
    for (name, hours) in [("old", 37), ("young", 35), ("folder", 37)] {
        let path = tmp.join(name);
        if !path.exists() {
            fs::write(&path, "half a message").unwrap();
        }
        let time = SystemTime::now() - Duration::from_secs(hours * 60 * 60);
        File::open(path).unwrap().set_modified(time).unwrap();
    }
    let maildir = Maildir::new(directory.path(), "mx");
    let content = Content::default();
    let message = Message::new(b"A: b\r\n", &content);
    let stored_it = maildir.store(&ReversePath::Null, &message);
    stored_it.await.unwrap();
    let mut left: Vec<_> = fs::read_dir(&tmp)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    left.sort();
    assert_eq!(left, ["folder", "young"]);
    assert_eq!(stored(directory.path()).len(), 1);
}
