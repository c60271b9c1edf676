//! Delivery into a Maildir, without another server.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use postgate_proto::address::ReversePath;
use postgate_proto::envelope::Recipient;
use postgate_proto::header::{HeaderBlock, HeaderEdit, HeaderName};
use postgate_spool::Content;
use tokio::task::spawn_blocking;

use crate::message::Message;

/// A directory in which each message is one file, however many recipients it has.
#[derive(Clone, Debug)]
pub struct Maildir(Arc<MaildirPath>);

impl Maildir {
    /// The Maildir at this path, which is created with the first message. The host name becomes a
    /// part of file names.
    pub fn new(path: impl Into<PathBuf>, hostname: &str) -> Self {
        Self(Arc::new(MaildirPath {
            path: path.into(),
            // The escapes of the Maildir format for characters that file names cannot have.
            hostname: hostname.replace('/', "\\057").replace(':', "\\072"),
        }))
    }

    /// Stores a message under a Return-Path field, which replaces those that it has (RFC 5321
    /// §4.4). Everything else is stored octet for octet. When this returns, the message is on the
    /// disk and visible to readers.
    ///
    /// # Errors
    ///
    /// Fails if the message cannot be written and synced to the disk.
    pub async fn store(&self, sender: &ReversePath, message: &Message<'_>) -> io::Result<()> {
        let head = format!("Return-Path: {sender}\r\n");
        self.store_below(head, &without(&["Return-Path"], message.head), message.body)
            .await
    }

    /// Stores a message as [`store`](Self::store) does, under one `X-Envelope-To` field for each
    /// recipient, which replace those that it has. The message can be sent on from that later.
    ///
    /// # Errors
    ///
    /// Fails if the message cannot be written and synced to the disk.
    pub async fn store_with_envelope(
        &self,
        sender: &ReversePath,
        recipients: &[&Recipient],
        message: &Message<'_>,
    ) -> io::Result<()> {
        let mut head = String::new();
        for recipient in recipients {
            // Writing to a String never fails.
            _ = write!(head, "{ENVELOPE_TO}: <{}>\r\n", recipient.path.as_str());
        }
        _ = write!(head, "Return-Path: {sender}\r\n");
        let rest = without(&["Return-Path", ENVELOPE_TO], message.head);
        self.store_below(head, &rest, message.body).await
    }

    async fn store_below(&self, head: String, rest: &[u8], body: &Content) -> io::Result<()> {
        let maildir = Arc::clone(&self.0);
        let mut head = head.into_bytes();
        head.extend_from_slice(rest);
        let body = body.clone();
        // Waiting for the disk would block the other sessions of this thread.
        spawn_blocking(move || maildir.store(&head, &body))
            .await
            .unwrap_or_else(|panic| Err(io::Error::other(panic)))
    }
}

#[derive(Debug)]
struct MaildirPath {
    path: PathBuf,
    hostname: String,
}

impl MaildirPath {
    fn store(&self, head: &[u8], body: &Content) -> io::Result<()> {
        self.create()?;
        let name = self.unique_name();
        let draft = self.path.join("tmp").join(&name);
        let written = write(&draft, head, body)
            .and_then(|()| fs::rename(&draft, self.path.join("new").join(&name)));
        if let Err(error) = written {
            // The error that counts is the first one; readers remove old files from tmp.
            let _ = fs::remove_file(&draft);
            return Err(error);
        }
        sync(&self.path.join("new"))
    }

    /// Creates missing directories, and syncs them to the disk.
    fn create(&self) -> io::Result<()> {
        let folders = ["cur", "new", "tmp"].map(|name| self.path.join(name));
        if folders.iter().all(|folder| folder.is_dir()) {
            return Ok(());
        }
        for folder in folders {
            fs::create_dir_all(folder)?;
        }
        sync(&self.path)?;
        match self.path.parent() {
            Some(parent) if parent != Path::new("") => sync(parent),
            _ => sync(Path::new(".")),
        }
    }

    /// A file name that no other delivery uses: time, process, counter and host.
    fn unique_name(&self) -> String {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        format!(
            "{}.M{}P{}Q{count}.{}",
            now.as_secs(),
            now.subsec_micros(),
            std::process::id(),
            self.hostname
        )
    }
}

/// The field that amavisd-new and others use for envelope recipients.
const ENVELOPE_TO: &str = "X-Envelope-To";

/// Removes the fields with these names from a header block.
fn without<'a>(names: &[&str], head: &'a [u8]) -> Cow<'a, [u8]> {
    let mut block = HeaderBlock::parse(head.to_vec());
    let is_there = |name: &&&str| block.named(name).next().is_some();
    let found: Vec<_> = names.iter().filter(is_there).collect();
    if found.is_empty() {
        return Cow::Borrowed(head);
    }
    for name in found.into_iter().flat_map(|name| HeaderName::new(name)) {
        block.apply(&HeaderEdit::RemoveAll(name));
    }
    let mut rest = Vec::with_capacity(head.len());
    block.render(&mut rest);
    Cow::Owned(rest)
}

fn write(path: &Path, head: &[u8], body: &Content) -> io::Result<()> {
    let file = File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    let mut file = BufWriter::new(file);
    file.write_all(head)?;
    let mut chunks = body.chunks();
    while let Some(chunk) = chunks.next()? {
        file.write_all(chunk)?;
    }
    file.into_inner()?.sync_all()
}

/// Syncs the entries of a directory to the disk.
fn sync(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
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
            let message = Message::new(&ReversePath::Null, b"A: b\r\n\r\n", &content);
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
        let message = Message::new(&sender, head, &body);
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
        let message = Message::new(&ReversePath::Null, b"A: b\r\n", &content);
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
    fn names_differ() {
        let maildir = MaildirPath {
            path: PathBuf::new(),
            hostname: "mx".into(),
        };
        assert_ne!(maildir.unique_name(), maildir.unique_name());
    }
}
