//! Faults of the server.

use std::fmt;

use crate::client::sasl_fault::SaslFault;
use crate::client::stage::{MAX_REPLY_LINE, Stage};
use crate::reply::MAX_REPLY_LINES;

/// A violation of the protocol by the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientFault {
    /// A reply code that is not valid at this stage.
    Code {
        /// The stage.
        stage: Stage,
        /// The reply code.
        code: u16,
    },
    /// A reply that is malformed or too long.
    Malformed,
    /// A violation of the AUTH exchange.
    Sasl(SaslFault),
    /// A reply without a request, including octets between the reply to STARTTLS and the handshake,
    /// which an attacker may have injected.
    Unsolicited,
}

impl fmt::Display for ClientFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code { stage, code } => {
                write!(
                    f,
                    "the server answered {code} to the {stage}, which means nothing there"
                )
            }
            Self::Malformed => write!(
                f,
                "the server sent no reply, or more than {MAX_REPLY_LINES} lines or a line of more \
                 than {MAX_REPLY_LINE} octets"
            ),
            Self::Sasl(fault) => fault.fmt(f),
            Self::Unsolicited => f.write_str("the server sent a reply that nobody asked for"),
        }
    }
}

impl std::error::Error for ClientFault {}

impl From<SaslFault> for ClientFault {
    fn from(fault: SaslFault) -> Self {
        Self::Sasl(fault)
    }
}
