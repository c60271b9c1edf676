//! Delivery into a Maildir, without another server.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use postgate_proto::address::ReversePath;
use postgate_proto::envelope::Recipient;
use postgate_proto::header::{HeaderBlock, HeaderEdit, HeaderName};
use postgate_spool::Content;
use tokio::task::spawn_blocking;
use tracing::{info, warn};

use crate::error::DeliveryError;
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
            next_cleaning: AtomicU64::new(0),
        }))
    }

    /// Stores a message under a Return-Path field, which replaces those that it has (RFC 5321
    /// §4.4). Everything else is stored octet for octet. When this returns, the message is on the
    /// disk and visible to readers.
    ///
    /// # Errors
    ///
    /// Fails if the message cannot be written and synced to the disk.
    pub async fn store(
        &self,
        sender: &ReversePath,
        message: &Message<'_>,
    ) -> Result<(), DeliveryError> {
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
    ) -> Result<(), DeliveryError> {
        let mut head = String::new();
        for recipient in recipients {
            // Writing to a String never fails.
            _ = write!(head, "{ENVELOPE_TO}: <{}>\r\n", recipient.path.as_str());
        }
        _ = write!(head, "Return-Path: {sender}\r\n");
        let rest = without(&["Return-Path", ENVELOPE_TO], message.head);
        self.store_below(head, &rest, message.body).await
    }

    async fn store_below(
        &self,
        head: String,
        rest: &[u8],
        body: &Content,
    ) -> Result<(), DeliveryError> {
        let maildir = Arc::clone(&self.0);
        let mut head = head.into_bytes();
        head.extend_from_slice(rest);
        let body = body.clone();
        // Waiting for the disk would block the other sessions of this thread.
        spawn_blocking(move || maildir.store(&head, &body))
            .await
            .unwrap_or_else(|panic| Err(io::Error::other(panic)))
            .map_err(|cause| DeliveryError::Store {
                maildir: self.0.path.clone(),
                cause,
            })
    }
}

#[derive(Debug)]
struct MaildirPath {
    path: PathBuf,
    hostname: String,
    /// When `tmp` is to be cleaned again, in seconds since 1970.
    next_cleaning: AtomicU64,
}

impl MaildirPath {
    fn store(&self, head: &[u8], body: &Content) -> io::Result<()> {
        self.create()?;
        self.clean_now_and_then();
        let draft = Draft::create(&self.path.join("tmp"), || self.unique_name())?;
        draft.write(head, body)?;
        draft.publish(&self.path.join("new"))
    }

    /// Removes what deliveries that were interrupted have left in `tmp`, at most once an hour. No
    /// delivery waits for that to succeed: mail can be stored beside leftovers.
    fn clean_now_and_then(&self) {
        let now = SystemTime::now();
        let seconds = since_1970(now).as_secs();
        let is_due = |due: u64| (due <= seconds).then_some(seconds + CLEANING_INTERVAL.as_secs());
        if self
            .next_cleaning
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, is_due)
            .is_err()
        {
            return;
        }
        let folder = self.path.join("tmp");
        match clean(&folder, now) {
            Ok(0) => {}
            Ok(count) => info!(folder = %folder.display(), count, "leftovers removed"),
            Err(error) => {
                warn!(folder = %folder.display(), %error, "leftovers cannot be removed");
            }
        }
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

    /// A file name that no other delivery uses, on any machine: time, process, counter, 64 random
    /// bits, and host. Gateways in containers often share process number and host name.
    ///
    /// # Errors
    ///
    /// Fails if the system has no random octets to give.
    fn unique_name(&self) -> io::Result<String> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let now = since_1970(SystemTime::now());
        let random = getrandom::u64().map_err(io::Error::other)?;
        Ok(format!(
            "{}.M{}P{}Q{count}R{random:016x}.{}",
            now.as_secs(),
            now.subsec_micros(),
            std::process::id(),
            self.hostname
        ))
    }
}

/// A file in `tmp` that is this delivery's own, and is removed unless it is published.
struct Draft {
    file: File,
    path: PathBuf,
    name: String,
    is_published: bool,
}

impl Draft {
    /// Creates a file that was not there. A file of that name is somebody else's draft, so another
    /// name is taken.
    fn create(folder: &Path, name: impl Fn() -> io::Result<String>) -> io::Result<Self> {
        let mut attempts = 1..=NAME_ATTEMPTS;
        loop {
            attempts.next();
            let name = name()?;
            let path = folder.join(&name);
            let mut options = File::options();
            match options.write(true).create_new(true).mode(0o600).open(&path) {
                Ok(file) => {
                    return Ok(Self {
                        file,
                        path,
                        name,
                        is_published: false,
                    });
                }
                Err(error)
                    if error.kind() == io::ErrorKind::AlreadyExists && !attempts.is_empty() => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Writes the message and syncs it to the disk.
    fn write(&self, head: &[u8], body: &Content) -> io::Result<()> {
        let mut file = BufWriter::new(&self.file);
        file.write_all(head)?;
        let mut chunks = body.chunks();
        while let Some(chunk) = chunks.next()? {
            file.write_all(chunk)?;
        }
        file.flush()?;
        self.file.sync_all()
    }

    /// Makes the message visible to readers, and syncs that to the disk.
    fn publish(mut self, folder: &Path) -> io::Result<()> {
        fs::rename(&self.path, folder.join(&self.name))?;
        self.is_published = true;
        sync(folder)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.is_published {
            // The error that counts is the one that ended the delivery. What stays is cleaned later.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// How many names are tried. One in 2^64 is taken by chance, so a second collision is no chance.
const NAME_ATTEMPTS: u32 = 3;

/// How long a file in `tmp` may stay without a change (maildir(5): 36 hours).
const LEFTOVER_AGE: Duration = Duration::from_secs(36 * 60 * 60);

const CLEANING_INTERVAL: Duration = Duration::from_secs(60 * 60);

/// Removes the files of a folder that were not changed for [`LEFTOVER_AGE`], and tells how many.
///
/// # Errors
///
/// Fails if the folder cannot be read or a file cannot be removed. A file that another program
/// removes at the same time is no error.
fn clean(folder: &Path, now: SystemTime) -> io::Result<usize> {
    let mut count = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let removed = entry.metadata().and_then(|metadata| {
            // A time in the future has no age.
            let age = now.duration_since(metadata.modified()?).unwrap_or_default();
            let is_leftover = metadata.is_file() && age > LEFTOVER_AGE;
            if is_leftover {
                fs::remove_file(entry.path())?;
            }
            Ok(is_leftover)
        });
        match removed {
            Ok(is_removed) => count += usize::from(is_removed),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(count)
}

/// The time since 1970, or zero for a clock that stands before.
fn since_1970(time: SystemTime) -> Duration {
    time.duration_since(UNIX_EPOCH).unwrap_or_default()
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

/// Syncs the entries of a directory to the disk.
fn sync(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests;
