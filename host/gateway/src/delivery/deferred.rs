//! What policy refuses after a message has come, while other recipients get it.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use postgate_proto::address::{ForwardPath, ReversePath};
use postgate_proto::reply::{Refusal, Reply};
use sha2::{Digest, Sha256};

use super::Given;
use super::fading::{Fading, Key};
use super::remembered::{Fingerprint, Remembered};

/// What is kept from one attempt of a client to the next.
///
/// SMTP has one reply for a message, whoever it is for. Where some recipients are refused only then,
/// the client is asked to try again. At its next attempt it hears of each refusal at RCPT, and those
/// that have the message do not get it twice. Both are kept for a time, and only so many of them; a
/// restart forgets them. Then a client may be asked to try once more, and a recipient may get the
/// message twice; nothing is lost.
#[derive(Debug)]
pub(super) struct Deferred {
    refusals: Fading<Refusal>,
    delivered: Remembered,
}

impl Default for Deferred {
    fn default() -> Self {
        Self {
            refusals: Fading::new(LIFETIME),
            delivered: Remembered::default(),
        }
    }
}

impl Deferred {
    /// The refusal that the client at this address is to read for this recipient.
    pub(super) fn refusal(
        &self,
        client: IpAddr,
        sender: &ReversePath,
        recipient: &ForwardPath,
    ) -> Option<Refusal> {
        match self.refusals.is_empty() {
            true => None,
            false => self.refusals.get(&key(client, sender, recipient)),
        }
    }

    /// Remembers a refusal for the client's next attempt.
    pub(super) fn refuse(
        &self,
        client: IpAddr,
        sender: &ReversePath,
        recipient: &ForwardPath,
        refusal: &Refusal,
    ) {
        let key = key(client, sender, recipient);
        self.refusals.add(key, short(refusal));
    }

    /// Those of the recipients that do not have the message yet.
    pub(super) fn without_delivered(
        &self,
        recipients: &[ForwardPath],
        given: Given<'_>,
    ) -> io::Result<Vec<ForwardPath>> {
        if self.delivered.is_empty() {
            return Ok(recipients.to_vec());
        }
        let message = Fingerprint::new(given)?;
        let is_new = |path: &&ForwardPath| !self.delivered.holds(&message, path);
        Ok(recipients.iter().filter(is_new).cloned().collect())
    }

    /// Remembers that these recipients have the message.
    pub(super) fn delivered(&self, recipients: &[ForwardPath], given: Given<'_>) -> io::Result<()> {
        let message = Fingerprint::new(given)?;
        for path in recipients {
            self.delivered.add(&message, path);
        }
        Ok(())
    }
}

/// Longer than clients wait between two attempts.
const LIFETIME: Duration = Duration::from_secs(4 * 60 * 60);
/// The most lines of a refusal that are remembered.
const LINES: usize = 4;

/// A client may come back from another address of its network.
fn key(client: IpAddr, sender: &ReversePath, recipient: &ForwardPath) -> Key {
    let mut hash = Sha256::new();
    match client.to_canonical() {
        IpAddr::V4(address) => hash.update(&address.octets()[..3]),
        IpAddr::V6(address) => hash.update(&address.octets()[..8]),
    }
    hash.update([0]);
    hash.update(sender.as_str().as_bytes());
    hash.update([0]);
    hash.update(recipient.as_str().as_bytes());
    hash.finalize().into()
}

/// A refusal takes as much memory as a plugin likes; only its first lines are kept.
fn short(refusal: &Refusal) -> Refusal {
    let reply = refusal.reply();
    let line = |line: &str| line[..line.floor_char_boundary(MAX_LINE)].to_owned();
    let lines = reply.lines().take(LINES).map(line).collect();
    let short = Reply::new(reply.code(), reply.enhanced(), lines);
    short.and_then(Refusal::new).unwrap_or(Refusal::TRY_LATER)
}

/// More of a line than a client gets to see (RFC 5321 §4.5.3.1.5).
const MAX_LINE: usize = 512;

#[cfg(test)]
mod tests {
    use postgate_proto::address::Charset;

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
        let deferred = Deferred::default();
        let client = "192.0.2.1".parse().unwrap();
        let (alice, bob) = (sender("alice@client.example"), path("bob@example.org"));
        assert_eq!(deferred.refusal(client, &alice, &bob), None);
        deferred.refuse(client, &alice, &bob, &refusal(1));
        let table = [
            ("192.0.2.1", "alice@client.example", "bob@example.org", true),
            (
                "192.0.2.254",
                "alice@client.example",
                "bob@example.org",
                true,
            ),
            (
                "::ffff:192.0.2.7",
                "alice@client.example",
                "bob@example.org",
                true,
            ),
            (
                "192.0.3.1",
                "alice@client.example",
                "bob@example.org",
                false,
            ),
            (
                "2001:db8::1",
                "alice@client.example",
                "bob@example.org",
                false,
            ),
            ("192.0.2.1", "", "bob@example.org", false),
            (
                "192.0.2.1",
                "alice@client.example",
                "carol@example.org",
                false,
            ),
        ];
        for (client, from, to, expected) in table {
            let client = client.parse().unwrap();
            let found = deferred.refusal(client, &sender(from), &path(to));
            assert_eq!(found.is_some(), expected, "{client} {from} {to}");
        }
    }

    #[test]
    fn a_refusal_is_kept_short() {
        let short = short(&refusal(100));
        assert_eq!(short.reply().lines().count(), LINES);
        assert!(short.reply().lines().all(|line| line.len() <= MAX_LINE));
    }
}
