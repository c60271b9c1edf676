//! The default enhanced status code and text of each reply code.

use crate::reply::enhanced::Enhanced;

/// The default enhanced status code (RFC 5248) and text of a reply code.
pub(super) const fn defaults(code: u16) -> (Enhanced, &'static str) {
    match code {
        211 | 214 => (Enhanced::new(2, 0, 0), "Help"),
        220 => (Enhanced::new(2, 0, 0), "Ready"),
        221 => (Enhanced::new(2, 0, 0), "Bye"),
        235 => (Enhanced::new(2, 7, 0), "Authentication successful"),
        251 => (Enhanced::new(2, 1, 5), "User not local, will forward"),
        252 => (
            Enhanced::new(2, 5, 0),
            "Cannot verify, but will try to deliver",
        ),
        200..=299 => (Enhanced::new(2, 0, 0), "Ok"),
        421 => (
            Enhanced::new(4, 3, 2),
            "Service not available, closing connection",
        ),
        432 => (Enhanced::new(4, 7, 12), "A password transition is needed"),
        450 => (Enhanced::new(4, 2, 0), "Mailbox temporarily unavailable"),
        452 => (Enhanced::new(4, 3, 1), "Insufficient system storage"),
        454 => (Enhanced::new(4, 7, 0), "Temporary authentication failure"),
        455 => (Enhanced::new(4, 5, 1), "Cannot accommodate parameters"),
        400..=499 => (Enhanced::new(4, 3, 0), "Temporary problem, try again later"),
        500 => (Enhanced::new(5, 5, 1), "Command not recognized"),
        501 => (Enhanced::new(5, 5, 4), "Invalid arguments"),
        502 => (Enhanced::new(5, 5, 1), "Command not implemented"),
        503 => (Enhanced::new(5, 5, 1), "Bad sequence of commands"),
        504 => (Enhanced::new(5, 5, 4), "Parameter not implemented"),
        521 => (Enhanced::new(5, 3, 2), "Host does not accept mail"),
        523 => (Enhanced::new(5, 7, 10), "Encryption needed"),
        530 => (Enhanced::new(5, 7, 0), "Authentication required"),
        534 => (
            Enhanced::new(5, 7, 9),
            "Authentication mechanism is too weak",
        ),
        535 => (Enhanced::new(5, 7, 8), "Authentication credentials invalid"),
        538 => (
            Enhanced::new(5, 7, 11),
            "Encryption required for authentication",
        ),
        551 => (Enhanced::new(5, 1, 6), "User not local"),
        552 => (Enhanced::new(5, 2, 2), "Exceeded storage allocation"),
        553 => (Enhanced::new(5, 1, 3), "Mailbox name not allowed"),
        555 => (Enhanced::new(5, 5, 4), "Parameters not recognized"),
        556 => (Enhanced::new(5, 1, 10), "Domain does not accept mail"),
        300..=399 => (Enhanced::new(2, 0, 0), "Go on"),
        _ => (Enhanced::new(5, 7, 1), "Refused by policy"),
    }
}
