//! What identifies a message at all attempts of a client to send it.

use std::io;

use postgate_address::canonical;
use postgate_proto::address::ForwardPath;
use postgate_proto::header::HeaderBlock;
use postgate_spool::Content;
use sha2::{Digest, Sha256};
use tokio::task::spawn_blocking;

use super::ttl_cache::CacheKey;
use crate::message::OriginalMessage;

/// A hash of a message as the client sent it, by which it is recognised at the next attempt: of its
/// sender, its body, and the fields of its header block in their order.
///
/// Fields that hosts on the way add or change ([`is_of_the_way`]) are left out: where a host in front
/// of the gateway keeps no queue, such as a balancer or a filter, they are others at each attempt.
#[derive(Clone, Debug)]
pub(crate) struct Fingerprint(Sha256);

impl Fingerprint {
    /// # Errors
    ///
    /// Fails if the message cannot be read.
    pub(crate) async fn of(original: OriginalMessage<'_>) -> io::Result<Self> {
        let mut hash = Sha256::new();
        update(&mut hash, canonical(original.sender.as_str()).as_bytes());
        let headers = HeaderBlock::parse(original.head.to_vec());
        for field in headers
            .fields()
            .filter(|field| !is_of_the_way(field.name()))
        {
            update(&mut hash, field.name().as_bytes());
            update(&mut hash, field.value());
        }
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
        // No field has a name like that, so that none can be taken for the body.
        update(&mut hash, b":");
        hash.update(body.len().to_be_bytes());
        let mut chunks = body.chunks();
        while let Some(chunk) = chunks.next()? {
            hash.update(chunk);
        }
        Ok(Self(hash))
    }

    /// The key of this message for one recipient, however the client spells it.
    pub(super) fn key(&self, recipient: &ForwardPath) -> CacheKey {
        let mut hash = self.0.clone();
        update(&mut hash, canonical(recipient.as_str()).as_bytes());
        hash.finalize().into()
    }
}

/// True for fields that hosts on the way of a message add or change: trace fields (RFC 5321 §4.4, RFC
/// 8601, RFC 8617), signatures, which have a time in them, and what filters report.
fn is_of_the_way(name: &str) -> bool {
    let is = |other: &&str| name.eq_ignore_ascii_case(other);
    let begins = |prefix: &&str| {
        let start = name.get(..prefix.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    NAMES.iter().any(is) || PREFIXES.iter().any(begins)
}

/// The names of such fields. The documentation has the same list.
const NAMES: [&str; 9] = [
    "Authentication-Results",
    "Delivered-To",
    "DKIM-Signature",
    "DomainKey-Signature",
    "Envelope-To",
    "Return-Path",
    "X-Original-To",
    "X-Originating-IP",
    "X-Received",
];

/// How the names of such fields begin.
const PREFIXES: [&str; 8] = [
    "ARC-",
    "Received",
    "X-Gm-",
    "X-Google-",
    "X-MS-Exchange-",
    "X-Rspamd-",
    "X-Spam-",
    "X-Virus-",
];

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

    async fn key(sender: &str, head: &str, body: &str) -> CacheKey {
        let sender = ReversePath::parse(sender, Charset::Ascii).unwrap();
        let body = Content::from(body.as_bytes().to_vec());
        let original = OriginalMessage {
            sender: &sender,
            head: head.as_bytes(),
            body: &body,
        };
        let message = Fingerprint::of(original).await.unwrap();
        message.key(&path("c@d"))
    }

    fn path(address: &str) -> ForwardPath {
        ForwardPath::parse(address, Charset::Utf8).unwrap()
    }

    #[tokio::test]
    async fn a_message_is_recognised_by_all_of_its_parts() {
        let head = "Subject: x\r\nMessage-ID: <1@b>\r\n\r\n";
        let message = key("a@b", head, "body").await;
        assert_eq!(key("a@b", head, "body").await, message);
        let sent_again = "Subject: x\r\nMessage-ID: <2@b>\r\n\r\n";
        for (sender, head, body) in [
            ("a@c", head, "body"),
            ("", head, "body"),
            ("a@b", "", "body"),
            ("a@b", sent_again, "body"),
            (
                "a@b",
                "Subject: x\r\nMessage-ID: <1@b>\r\nX: y\r\n\r\n",
                "body",
            ),
            ("a@b", "Subject: x\r\n\r\n", "Message-ID: <1@b>\r\n\r\nbody"),
            ("a@b", head, "Body"),
            ("a@b", head, ""),
        ] {
            assert_ne!(
                key(sender, head, body).await,
                message,
                "{sender} {head} {body}"
            );
        }
    }

    #[tokio::test]
    async fn what_hosts_on_the_way_do_makes_no_difference() {
        let message = key("a@b", "Subject: x\r\n\r\n", "body").await;
        for field in [
            "Received: from c by d; now",
            "received: from c by d;\r\n\tlater",
            "Received-SPF: pass",
            "X-Received: by d",
            "Return-Path: <a@b>",
            "Delivered-To: c@d",
            "Authentication-Results: d; spf=pass",
            "ARC-Seal: i=1; t=1",
            "ARC-Message-Signature: i=1; t=1",
            "DKIM-Signature: v=1; t=1",
            "X-Spam-Score: 1",
            "X-Spam-Status: No",
            "X-Virus-Scanned: yes",
            "X-MS-Exchange-Organization-SCL: 1",
        ] {
            let head = format!("{field}\r\nSubject: x\r\n\r\n");
            assert_eq!(key("a@b", &head, "body").await, message, "{field}");
        }
        for field in ["X-Spammer: 1", "Resent-To: c@d", "ARC: x", "X-Alert: 1"] {
            let head = format!("{field}\r\nSubject: x\r\n\r\n");
            assert_ne!(key("a@b", &head, "body").await, message, "{field}");
        }
    }

    #[tokio::test]
    async fn a_large_message_is_recognised_too() {
        let body = "x".repeat(200_000);
        let message = key("a@b", "", &body).await;
        assert_eq!(key("a@b", "", &body).await, message);
        assert_ne!(key("a@b", "", &body[1..]).await, message);
    }

    #[tokio::test]
    async fn a_recipient_is_one_in_all_spellings() {
        let body = Content::default();
        let message = OriginalMessage {
            sender: &ReversePath::Null,
            head: b"",
            body: &body,
        };
        let message = Fingerprint::of(message).await.unwrap();
        let key = message.key(&path("bob@xn--bcher-kva.example"));
        for same in ["\"bob\"@xn--bcher-kva.example", "bob@BÜCHER.example"] {
            assert_eq!(message.key(&path(same)), key, "{same}");
        }
        assert_ne!(message.key(&path("Bob@xn--bcher-kva.example")), key);
    }
}
