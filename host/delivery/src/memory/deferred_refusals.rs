//! Refusals of plugins and of LMTP servers that the client gets at its next attempt.

use std::net::IpAddr;
use std::time::Duration;

use postgate_address::canonical;
use postgate_proto::address::ForwardPath;
use postgate_proto::reply::{Refusal, Reply};
use sha2::{Digest, Sha256};

use super::ttl_cache::{CacheKey, TtlCache};
use crate::rest::Announced;

/// The refusals of recipients that were made after the message had arrived, for other recipients of
/// which it was delivered.
///
/// SMTP has one reply to a message for all recipients. If some of them are refused only then, the
/// client is asked to try again, and at its next attempt each refusal is the reply to RCPT: once,
/// because the next message to the same recipient may be another one. One that the client has declared
/// to be of another size is, and is not refused. If the client is disconnected
/// before it has sent the message again, the message may be refused for these recipients once more,
/// which costs another attempt; recipients who have the message do not get it twice. Refusals are
/// limited in number and lifetime, and lost at a restart, which also costs an attempt only.
#[derive(Debug)]
pub(crate) struct DeferredRefusals(TtlCache<Refusal>);

impl Default for DeferredRefusals {
    fn default() -> Self {
        Self(TtlCache::new(LIFETIME))
    }
}

impl DeferredRefusals {
    /// Removes and returns the refusal of this recipient for this attempt of a client.
    pub(crate) fn take(
        &self,
        announced: Announced<'_>,
        recipient: &ForwardPath,
    ) -> Option<Refusal> {
        match self.0.is_empty() {
            true => None,
            false => self.0.take(&key(announced, recipient)),
        }
    }

    /// Adds a refusal for the client's next attempt.
    pub(crate) fn add(&self, announced: Announced<'_>, recipient: &ForwardPath, refusal: &Refusal) {
        self.0.add(key(announced, recipient), short(refusal));
    }
}

/// How long a refusal is kept, longer than clients wait between attempts.
const LIFETIME: Duration = Duration::from_secs(4 * 60 * 60);
/// The most lines of a refusal that are kept.
const LINES: usize = 4;

/// The key has only the network of the client, which may use another address at the next attempt.
fn key(announced: Announced<'_>, recipient: &ForwardPath) -> CacheKey {
    let mut hash = Sha256::new();
    match announced.client.to_canonical() {
        IpAddr::V4(address) => hash.update(&address.octets()[..3]),
        IpAddr::V6(address) => hash.update(&address.octets()[..8]),
    }
    hash.update([0]);
    hash.update(canonical(announced.sender.as_str()).as_bytes());
    hash.update([0]);
    if let Some(size) = announced.size {
        hash.update(size.to_be_bytes());
    }
    hash.update([0]);
    hash.update(canonical(recipient.as_str()).as_bytes());
    hash.finalize().into()
}

/// Cuts a refusal: plugins and servers can make it as long as they like.
fn short(refusal: &Refusal) -> Refusal {
    let reply = refusal.reply();
    let line = |line: &str| line[..line.floor_char_boundary(MAX_LINE)].to_owned();
    let lines = reply.lines().take(LINES).map(line).collect();
    let short = Reply::new(reply.code(), reply.enhanced(), lines);
    short.and_then(Refusal::new).unwrap_or(Refusal::TRY_LATER)
}

/// The most octets of a line that are kept, more than a client gets (RFC 5321 §4.5.3.1.5).
const MAX_LINE: usize = 512;

#[cfg(test)]
mod tests {
    use postgate_proto::address::{Charset, ReversePath};

    use super::*;

    fn sender(text: &str) -> ReversePath {
        ReversePath::parse(text, Charset::Ascii).unwrap()
    }

    fn path(text: &str) -> ForwardPath {
        ForwardPath::parse(text, Charset::Ascii).unwrap()
    }

    fn refusal(lines: usize) -> Refusal {
        let lines = (0..lines).map(|_| "no ".repeat(1_000)).collect();
        Refusal::new(Reply::new(550, None, lines).unwrap()).unwrap()
    }

    #[test]
    fn a_refusal_is_for_one_sender_recipient_and_network() {
        let deferred = DeferredRefusals::default();
        let own = "192.0.2.1".parse().unwrap();
        let (alice, bob) = (sender("alice@client.example"), path("bob@example.org"));
        let own = Announced {
            client: own,
            sender: &alice,
            size: Some(1000),
        };
        assert_eq!(deferred.take(own, &bob), None);
        let table = [
            ("192.0.2.1", "alice@client.example", 1000, true),
            ("192.0.2.254", "alice@client.example", 1000, true),
            ("::ffff:192.0.2.7", "alice@client.example", 1000, true),
            ("192.0.3.1", "alice@client.example", 1000, false),
            ("2001:db8::1", "alice@client.example", 1000, false),
            ("192.0.2.1", "", 1000, false),
            ("192.0.2.1", "alice@client.example", 1001, false),
        ];
        for (client, from, size, expected) in table {
            deferred.add(own, &bob, &refusal(1));
            let from = sender(from);
            let announced = Announced {
                client: client.parse().unwrap(),
                sender: &from,
                size: Some(size),
            };
            assert_eq!(deferred.take(announced, &path("carol@example.org")), None);
            let found = deferred.take(announced, &bob);
            assert_eq!(found.is_some(), expected, "{announced:?}");
            // It is returned once.
            let again = deferred.take(own, &bob);
            assert_eq!(again.is_some(), !expected, "{announced:?}");
        }
    }

    #[test]
    fn a_refusal_is_kept_short() {
        let short = short(&refusal(100));
        assert_eq!(short.reply().lines().count(), LINES);
        assert!(short.reply().lines().all(|line| line.len() <= MAX_LINE));
    }
}
