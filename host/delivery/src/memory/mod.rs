//! What is remembered between the attempts of a client to send a message.

mod deferred_refusals;
mod fingerprint;
mod ttl_cache;
mod unfinished_attempts;

pub(crate) use self::deferred_refusals::DeferredRefusals;
pub(crate) use self::fingerprint::Fingerprint;
pub(crate) use self::unfinished_attempts::{Standing, UnfinishedAttempts};
