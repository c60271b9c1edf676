//! Recipients who have a message that the client was asked to send again.

use std::io;
use std::time::Duration;

use postgate_proto::address::ForwardPath;
use postgate_spool::Content;
use sha2::{Digest, Sha256};
use tokio::task::spawn_blocking;

use super::ttl_cache::{CacheKey, TtlCache};
use crate::message::OriginalMessage;

/// The recipients who have a message that the client was asked to send again.
///
/// SMTP has one reply to a message for all recipients. If an LMTP server or a plugin accepts it for
/// some of them only, the client is asked to try again, and those who have the message are kept
/// here until it is delivered to all, for at most [`LIFETIME`]. Their number is limited, and they
/// are lost at a restart: then a recipient may get the message twice, but none loses it.
#[derive(Debug)]
pub(crate) struct DeliveredRecipients(TtlCache<()>);

impl Default for DeliveredRecipients {
    fn default() -> Self {
        Self(TtlCache::new(LIFETIME))
    }
}

impl DeliveredRecipients {
    /// True if there are none, so that no message has to be read to be recognised.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// True if this recipient has the message.
    pub(crate) fn contains(&self, message: &Fingerprint, recipient: &ForwardPath) -> bool {
        self.0.get(&message.key(recipient)).is_some()
    }

    /// Notes that this recipient has the message.
    pub(crate) fn add(&self, message: &Fingerprint, recipient: &ForwardPath) {
        self.0.add(message.key(recipient), ());
    }

    /// Forgets a recipient of a message that the client does not send again.
    pub(crate) fn remove(&self, message: &Fingerprint, recipient: &ForwardPath) {
        self.0.take(&message.key(recipient));
    }
}

/// A hash of a message as the client sent it, by which it is recognised at the next attempt.
#[derive(Clone, Debug)]
pub(crate) struct Fingerprint(Sha256);

impl Fingerprint {
    pub(crate) async fn of(original: OriginalMessage<'_>) -> io::Result<Self> {
        let mut hash = Sha256::new();
        update(&mut hash, original.sender.as_str().as_bytes());
        update(&mut hash, original.head);
        if original.body.len() <= MAX_INLINE {
            return Self::finish(hash, original.body);
        }
        // Reading a large body would block the other sessions of this thread.
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

    fn key(&self, recipient: &ForwardPath) -> CacheKey {
        let mut hash = self.0.clone();
        update(&mut hash, recipient.as_str().as_bytes());
        hash.finalize().into()
    }
}

/// How long recipients are kept: as long as a client keeps trying (RFC 5321 §4.5.4.1).
const LIFETIME: Duration = Duration::from_secs(5 * 24 * 60 * 60);

/// The largest body, in octets, that is hashed without another thread: it takes a fraction of a
/// millisecond.
const MAX_INLINE: u64 = 64 << 10;

/// Hashes the length of a part and then the part, so that different lists of parts never hash
/// alike.
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
        let delivered = DeliveredRecipients::default();
        let message = fingerprint("a@b", "A: b\r\n\r\n", "body").await;
        assert!(delivered.is_empty());
        delivered.add(&message, &path("c@d"));
        assert!(!delivered.is_empty());
        let same = fingerprint("a@b", "A: b\r\n\r\n", "body").await;
        assert!(delivered.contains(&same, &path("c@d")));
        assert!(!delivered.contains(&same, &path("c@e")));
        for other in [
            fingerprint("a@c", "A: b\r\n\r\n", "body"),
            fingerprint("", "A: b\r\n\r\n", "body"),
            fingerprint("a@b", "A: b\r\n", "\r\nbody"),
            fingerprint("a@b", "A: b\r\n\r\n", "Body"),
        ] {
            assert!(!delivered.contains(&other.await, &path("c@d")));
        }
        delivered.remove(&same, &path("c@d"));
        assert!(delivered.is_empty());
    }

    #[tokio::test]
    async fn a_large_message_is_recognised_too() {
        let delivered = DeliveredRecipients::default();
        let body = "x".repeat(200_000);
        let message = fingerprint("a@b", "", &body).await;
        delivered.add(&message, &path("c@d"));
        let same = fingerprint("a@b", "", &body).await;
        assert!(delivered.contains(&same, &path("c@d")));
        let other = fingerprint("a@b", "", &body[1..]).await;
        assert!(!delivered.contains(&other, &path("c@d")));
    }
}
