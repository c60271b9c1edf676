//! The header fields that the gateway adds to messages: Received, and those that submissions lack.

pub(crate) mod received;
pub(crate) mod submission;
