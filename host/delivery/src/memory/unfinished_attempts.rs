//! Messages that some recipients have and that the client was asked to send again.

use std::time::Duration;

use postgate_proto::address::ForwardPath;

use super::fingerprint::Fingerprint;
use super::ttl_cache::TtlCache;

/// Who has a message that the client was asked to send again, and who has not.
///
/// SMTP has one reply to a message for all recipients. If an LMTP server or a plugin accepts it for
/// some of them only, the client is asked to try again, and all recipients are kept here until an
/// attempt ends with 250, for at most [`LIFETIME`]. Their number is limited, and they are lost at a
/// restart: then a recipient may get the message twice, but none loses it.
#[derive(Debug)]
pub(crate) struct UnfinishedAttempts(TtlCache<Standing>);

/// How a recipient stands with a message after an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// The recipient has the message.
    Delivered,
    /// The recipient does not have it.
    Waiting,
}

impl Default for UnfinishedAttempts {
    fn default() -> Self {
        Self(TtlCache::new(LIFETIME))
    }
}

impl UnfinishedAttempts {
    /// True if there are none, so that no message has to be read to be recognised.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// True if an attempt that names these recipients is a retry: one of them was named before and
    /// does not have the message. If all of them have it, it is another message that looks the same,
    /// and nobody must lose that.
    pub(crate) fn is_retry<'a>(
        &self,
        message: &Fingerprint,
        mut named: impl Iterator<Item = &'a ForwardPath>,
    ) -> bool {
        named.any(|path| self.0.get(&message.key(path)) == Some(Standing::Waiting))
    }

    /// True if this recipient has the message.
    pub(crate) fn is_delivered(&self, message: &Fingerprint, recipient: &ForwardPath) -> bool {
        self.0.get(&message.key(recipient)) == Some(Standing::Delivered)
    }

    /// Notes how this recipient stands with the message.
    pub(crate) fn note(&self, message: &Fingerprint, recipient: &ForwardPath, standing: Standing) {
        self.0.add(message.key(recipient), standing);
    }

    /// Forgets a recipient of a message that the client does not send again.
    pub(crate) fn remove(&self, message: &Fingerprint, recipient: &ForwardPath) {
        self.0.take(&message.key(recipient));
    }
}

/// How long attempts are kept: many times longer than clients wait between two of them (RFC 5321
/// §4.5.4.1).
const LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

#[cfg(test)]
mod tests {
    use postgate_proto::address::{Charset, ReversePath};
    use postgate_spool::Content;

    use super::*;
    use crate::message::OriginalMessage;

    fn path(address: &str) -> ForwardPath {
        ForwardPath::parse(address, Charset::Ascii).unwrap()
    }

    #[tokio::test]
    async fn a_retry_names_somebody_who_waits() {
        let body = Content::default();
        let message = Fingerprint::of(OriginalMessage {
            sender: &ReversePath::Null,
            head: b"",
            body: &body,
        });
        let message = message.await.unwrap();
        let attempts = UnfinishedAttempts::default();
        assert!(attempts.is_empty());
        let (has, waits, other) = (path("has@d"), path("waits@d"), path("other@d"));
        attempts.note(&message, &has, Standing::Delivered);
        attempts.note(&message, &waits, Standing::Waiting);
        for (named, expected) in [
            (vec![&has, &waits], true),
            (vec![&waits], true),
            (vec![&has], false),
            (vec![&has, &other], false),
            (vec![], false),
        ] {
            let is_retry = attempts.is_retry(&message, named.iter().copied());
            assert_eq!(is_retry, expected, "{named:?}");
        }
        assert!(attempts.is_delivered(&message, &has));
        assert!(!attempts.is_delivered(&message, &waits));
        attempts.remove(&message, &has);
        attempts.remove(&message, &waits);
        assert!(attempts.is_empty());
    }
}
