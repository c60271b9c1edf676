//! What clients are told about trouble with the backend.

use postgate_proto::reply::{Enhanced, Refusal};

/// The details are in the log only: they do not concern the client.
pub(crate) const BAD_TLS: Refusal = Refusal::fixed(
    451,
    Enhanced::new(4, 7, 5),
    "Mail store cannot be reached securely, try again later",
);

pub(crate) const BAD_CONNECTION: Refusal = Refusal::fixed(
    451,
    Enhanced::new(4, 4, 2),
    "Mail store did not answer, try again later",
);

/// The message requires verified TLS (RFC 8689 §4.2.1).
pub(crate) const NEEDS_TLS: Refusal =
    Refusal::fixed(550, Enhanced::new(5, 7, 30), "REQUIRETLS support required");

/// An address or the message needs SMTPUTF8, which the backend does not offer (RFC 6531 §3.5).
pub(crate) const NEEDS_UTF8: Refusal = Refusal::fixed(
    550,
    Enhanced::new(5, 6, 7),
    "Mail store does not take internationalized mail",
);

pub(crate) const NO_BACKEND: Refusal =
    Refusal::fixed(452, Enhanced::new(4, 3, 1), "No storage backend");

/// The message is binary, and the backend does not offer BINARYMIME (RFC 3030 §3).
pub(crate) const NO_CONVERSION: Refusal =
    Refusal::fixed(554, Enhanced::new(5, 6, 1), "Conversion is not possible");

/// Not 4.7.8, which would be about the client's own credentials.
pub(crate) const NO_ENTRY: Refusal = Refusal::fixed(
    451,
    Enhanced::new(4, 7, 0),
    "Mail store does not let the gateway in, try again later",
);

pub(crate) const NO_TLS: Refusal = Refusal::fixed(
    451,
    Enhanced::new(4, 7, 4),
    "Mail store cannot be reached securely, try again later",
);

pub(crate) const NO_RECIPIENTS: Refusal =
    Refusal::fixed(554, Enhanced::new(5, 5, 1), "No valid recipients");

pub(crate) const NOT_FOR_ALL: Refusal = Refusal::fixed(
    451,
    Enhanced::new(4, 3, 0),
    "Not yet delivered to all recipients, try again later",
);

pub(crate) const UNREACHABLE: Refusal = Refusal::fixed(
    451,
    Enhanced::new(4, 4, 1),
    "Mail store cannot be reached, try again later",
);

pub(crate) const UNSENDABLE: Refusal = Refusal::fixed(
    554,
    Enhanced::new(5, 6, 0),
    "Message cannot be delivered unchanged",
);
