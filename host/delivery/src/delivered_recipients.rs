//! Deliveries that succeeded for some recipients of a message and not for others.

use std::io;
use std::time::Duration;

use postgate_proto::address::ForwardPath;
use sha2::{Digest, Sha256};
use tokio::task::spawn_blocking;

use super::ttl_cache::{Key, TtlCache};
use crate::message::OriginalMessage;
use postgate_spool::Content;

/// Which recipients already have a message that the client was asked to send again.
///
/// The client has one reply for a message: where a server over LMTP, or policy, takes it for some
/// recipients only, the client is told to try again, and those that have the message are remembered
/// until it has come with success, at most [`LIFETIME`], and not more than a few thousand. A restart
/// forgets them: then some may get the message twice, and none loses it.
#[derive(Debug)]
pub(crate) struct DeliveredRecipients(TtlCache<()>);

impl Default for DeliveredRecipients {
    fn default() -> Self {
        Self(TtlCache::new(LIFETIME))
    }
}

impl DeliveredRecipients {
    /// Whether nothing is remembered: then a message need not be read to be recognised.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this recipient has the message.
    pub(crate) fn contains(&self, message: &Fingerprint, recipient: &ForwardPath) -> bool {
        self.0.get(&message.key(recipient)).is_some()
    }

    /// Remembers that this recipient has the message.
    pub(crate) fn add(&self, message: &Fingerprint, recipient: &ForwardPath) {
        self.0.add(message.key(recipient), ());
    }

    /// Forgets that: the client does not come again.
    pub(crate) fn remove(&self, message: &Fingerprint, recipient: &ForwardPath) {
        self.0.take(&message.key(recipient));
    }
}

/// What a message is recognised by: its sender and its octets as the client gave them.
#[derive(Clone, Debug)]
pub(crate) struct Fingerprint(Sha256);

impl Fingerprint {
    pub(crate) async fn of(original: OriginalMessage<'_>) -> io::Result<Self> {
        let mut hash = Sha256::new();
        update(&mut hash, original.sender.as_str().as_bytes());
        update(&mut hash, original.head);
        if original.body.len() <= MAX_AT_ONCE {
            return Self::finish(hash, original.body);
        }
        // Other sessions would wait for as long as this takes.
        let body = original.body.clone();
        spawn_blocking(move || Self::finish(hash, &body))
            .await
            .unwrap_or_else(|panic| Err(io::Error::other(panic)))
    }

    fn finish(mut hash: Sha256, body: &Content) -> io::Result<Self> {
        hash.update(body.len().to_be_bytes());
        let mut chunks = body.chunks();
        while let Some(chunk) = chunks.next()? {
            hash.update(chunk);
        }
        Ok(Self(hash))
    }

    fn key(&self, recipient: &ForwardPath) -> Key {
        let mut hash = self.0.clone();
        update(&mut hash, recipient.as_str().as_bytes());
        hash.finalize().into()
    }
}

/// As long as a client keeps trying (RFC 5321 §4.5.4.1).
const LIFETIME: Duration = Duration::from_secs(5 * 24 * 60 * 60);

/// A body of so many octets takes a fraction of a millisecond.
const MAX_AT_ONCE: u64 = 64 << 10;

/// Adds a part with its length before it, so that no two lists of parts look the same.
fn update(hash: &mut Sha256, part: &[u8]) {
    hash.update((part.len() as u64).to_be_bytes());
    hash.update(part);
}

#[cfg(test)]
mod tests {
    use postgate_proto::address::{Charset, ReversePath};

    use super::*;

    async fn fingerprint(sender: &str, head: &str, body: &str) -> Fingerprint {
        let sender = ReversePath::parse(sender, Charset::Ascii).unwrap();
        let body = Content::from(body.as_bytes().to_vec());
        let original = OriginalMessage {
            sender: &sender,
            head: head.as_bytes(),
            body: &body,
        };
        Fingerprint::of(original).await.unwrap()
    }

    fn path(address: &str) -> ForwardPath {
        ForwardPath::parse(address, Charset::Ascii).unwrap()
    }

    #[tokio::test]
    async fn a_message_is_recognised_by_all_of_its_parts() {
        let remembered = DeliveredRecipients::default();
        let message = fingerprint("a@b", "A: b\r\n\r\n", "body").await;
        assert!(remembered.is_empty());
        remembered.add(&message, &path("c@d"));
        assert!(!remembered.is_empty());
        let same = fingerprint("a@b", "A: b\r\n\r\n", "body").await;
        assert!(remembered.contains(&same, &path("c@d")));
        assert!(!remembered.contains(&same, &path("c@e")));
        for other in [
            fingerprint("a@c", "A: b\r\n\r\n", "body"),
            fingerprint("", "A: b\r\n\r\n", "body"),
            fingerprint("a@b", "A: b\r\n", "\r\nbody"),
            fingerprint("a@b", "A: b\r\n\r\n", "Body"),
        ] {
            assert!(!remembered.contains(&other.await, &path("c@d")));
        }
        remembered.remove(&same, &path("c@d"));
        assert!(remembered.is_empty());
    }

    #[tokio::test]
    async fn a_large_message_is_recognised_too() {
        let remembered = DeliveredRecipients::default();
        let body = "x".repeat(200_000);
        let message = fingerprint("a@b", "", &body).await;
        remembered.add(&message, &path("c@d"));
        let same = fingerprint("a@b", "", &body).await;
        assert!(remembered.contains(&same, &path("c@d")));
        let other = fingerprint("a@b", "", &body[1..]).await;
        assert!(!remembered.contains(&other, &path("c@d")));
    }
}
