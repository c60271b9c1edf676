//! Conversations with scripted backends.

mod chunks;
mod conversations;
mod faults;
mod lmtp;
mod login;
mod notifications;
mod script;
mod smuggling;
mod tls;

use std::time::Duration;

use postgate_proto::address::{Charset, ForwardPath, ReversePath};
use postgate_proto::parameters::{MailParameters, Parameter};

use super::{Delivery, Message, Transaction};
use postgate_config::{Backend, BackendAddress};
use postgate_spool::Content;

/// A backend whose timeouts only turn a hang into a failure.
fn backend(address: BackendAddress) -> Backend {
    Backend {
        name: "store".into(),
        address,
        connect_timeout: Duration::from_secs(60),
        command_timeout: Duration::from_secs(60),
        data_timeout: Duration::from_secs(60),
        max_idle: 4,
        idle_timeout: Duration::from_secs(60),
        tls: None,
        login: None,
    }
}

fn delivery(address: BackendAddress) -> Delivery {
    Delivery::new(&backend(address), "gate.example").unwrap()
}

fn begin(delivery: &Delivery) -> Transaction {
    delivery.begin(sender("a@b"), MailParameters::default())
}

fn sender(address: &str) -> ReversePath {
    ReversePath::parse(address, Charset::Utf8).unwrap()
}

fn recipient(address: &str) -> ForwardPath {
    ForwardPath::parse(address, Charset::Utf8).unwrap()
}

/// Offers a recipient; gives the reply that the client would get.
async fn offer(transaction: &mut Transaction, address: &str) -> String {
    offer_with(transaction, address, &[]).await
}

async fn offer_with(
    transaction: &mut Transaction,
    address: &str,
    parameters: &[Parameter],
) -> String {
    match transaction.offer(&recipient(address), parameters).await {
        Ok(acceptance) => acceptance.reply().to_string(),
        Err(error) => error.refusal().reply().to_string(),
    }
}

async fn amend(transaction: &mut Transaction, address: &str, recipients: &[&str]) -> String {
    let recipients: Vec<_> = recipients
        .iter()
        .map(|address| recipient(address))
        .collect();
    match transaction.amend(sender(address), &recipients).await {
        Ok(()) => "amended".into(),
        Err(error) => error.refusal().reply().to_string(),
    }
}

/// Hands over a short message; gives the reply that the client would get.
async fn deliver(transaction: &mut Transaction) -> String {
    let body = Content::from(b".body\r\n".to_vec());
    deliver_message(
        transaction,
        &Message::new(&ReversePath::Null, b"A: b\r\n\r\n", &body),
    )
    .await
}

async fn deliver_message(transaction: &mut Transaction, message: &Message<'_>) -> String {
    match transaction.deliver(message).await {
        Ok(acceptance) => acceptance.reply().to_string(),
        Err(error) => error.refusal().reply().to_string(),
    }
}
