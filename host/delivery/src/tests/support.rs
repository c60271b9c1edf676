//! Drives transactions as the gateway does. Calls return the reply to the client.

use std::net::Ipv4Addr;
use std::time::Duration;

use postgate_config::{Backend, BackendAddress};
use postgate_proto::address::{Charset, ForwardPath, ReversePath};
use postgate_proto::envelope::{Envelope, Recipient};
use postgate_proto::parameters::{MailParameters, Parameter};
use postgate_proto::reply::Acceptance;
use postgate_spool::Content;

use crate::{Attempt, BackendTransaction, Delivery, DeliveryError, Message, OriginalMessage};

/// A backend whose timeouts only turn a hang into a failure.
pub(super) fn backend(address: BackendAddress) -> Backend {
    Backend {
        name: "store".into(),
        address,
        connect_timeout: Duration::from_secs(60),
        command_timeout: Duration::from_secs(60),
        data_timeout: Duration::from_secs(60),
        max_idle: 4,
        idle_timeout: Duration::from_secs(60),
        unused_extensions: Vec::new(),
        tls: None,
        login: None,
    }
}

pub(super) fn delivery(address: BackendAddress) -> Delivery {
    Delivery::new(&backend(address), "gate.example").unwrap()
}

/// A transaction with its envelope.
pub(super) struct Mail {
    pub(super) envelope: Envelope,
    pub(super) transaction: BackendTransaction,
}

/// Begins a transaction from `a@b`.
pub(super) fn begin(delivery: &Delivery) -> Mail {
    begin_with(delivery, "a@b", MailParameters::default())
}

pub(super) fn begin_with(delivery: &Delivery, address: &str, parameters: MailParameters) -> Mail {
    Mail {
        envelope: Envelope::new(sender(address), parameters),
        transaction: delivery.begin(),
    }
}

pub(super) fn sender(address: &str) -> ReversePath {
    ReversePath::parse(address, Charset::Utf8).unwrap()
}

pub(super) fn recipient(address: &str) -> ForwardPath {
    ForwardPath::parse(address, Charset::Utf8).unwrap()
}

impl Mail {
    /// Offers a recipient; returns the reply to the client.
    pub(super) async fn offer(&mut self, address: &str) -> String {
        self.offer_with(address, &[]).await
    }

    /// Offers a recipient with these parameters of RCPT.
    pub(super) async fn offer_with(&mut self, address: &str, parameters: &[Parameter]) -> String {
        let recipient = Recipient {
            path: recipient(address),
            parameters: parameters.to_vec(),
        };
        let offered = self.transaction.offer(&self.envelope, &recipient).await;
        if offered.is_ok() {
            self.envelope.recipients.push(recipient);
        }
        reply(offered)
    }

    /// Replaces sender and recipients, as plugins do. Recipients who stay keep their parameters.
    pub(super) fn amend(&mut self, address: &str, recipients: &[&str]) {
        self.envelope.sender = sender(address);
        let known = &self.envelope.recipients;
        let amended = recipients.iter().map(|address| {
            let path = recipient(address);
            let found = known.iter().find(|known| known.path == path);
            found.cloned().unwrap_or_else(|| path.into())
        });
        self.envelope.recipients = amended.collect();
    }

    /// Hands over a short message; returns the reply to the client.
    pub(super) async fn deliver(&mut self) -> String {
        let body = Content::from(b".body\r\n".to_vec());
        self.deliver_message(&Message::new(b"A: b\r\n\r\n", &body))
            .await
    }

    pub(super) async fn deliver_message(&mut self, message: &Message<'_>) -> String {
        let recipients: Vec<_> = self.envelope.recipients.iter().collect();
        let transaction = &mut self.transaction;
        let delivered = transaction.deliver(&self.envelope, &recipients, message);
        reply(delivered.await)
    }
}

pub(super) fn reply(result: Result<Acceptance, DeliveryError>) -> String {
    match result {
        Ok(acceptance) => acceptance.reply().to_string(),
        Err(error) => error.refusal().reply().to_string(),
    }
}

/// Sessions are tasks, which may move to another thread at any `.await`.
#[test]
fn calls_can_be_made_in_tasks() {
    async fn session(delivery: Delivery, mut mail: Mail, body: Content) {
        mail.offer("c@d").await;
        let message = Message::new(b"\r\n", &body);
        let attempt = Attempt {
            client: Ipv4Addr::LOCALHOST.into(),
            size: None,
            message: OriginalMessage {
                sender: &mail.envelope.sender,
                head: b"\r\n",
                body: &body,
            },
            recipients: &mail.envelope.recipients,
            others: Vec::new(),
        };
        let rest = delivery.rest(attempt).await.unwrap();
        let recipients = rest.recipients();
        let delivered = mail
            .transaction
            .deliver(&mail.envelope, recipients, &message);
        if let Err(error) = delivered.await {
            delivery.failed(&rest, error).await;
        }
        delivery.delivered(&rest, &[]).await;
        delivery.complete(&rest);
        crate::reload(&delivery).await;
        crate::watch(delivery, Duration::ZERO).await;
    }
    fn check(_: impl Send + 'static) {}
    let delivery = Delivery::without_backend();
    let mail = begin(&delivery);
    check(session(delivery, mail, Content::default()));
}
