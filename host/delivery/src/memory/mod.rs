//! What is remembered between the attempts of a client to send a message.

mod deferred_refusals;
mod delivered_recipients;
mod ttl_cache;

pub(crate) use self::deferred_refusals::DeferredRefusals;
pub(crate) use self::delivered_recipients::{DeliveredRecipients, Fingerprint};
