//! What the gateway adds to a message: the Received field, and what a submitted message still needs.

pub(crate) mod received;
pub(crate) mod submission;
