//! What a server did wrong.

use std::fmt;

use crate::client::sasl_fault::SaslFault;
use crate::client::stage::{MAX_REPLY_LINE, Stage};
use crate::reply::MAX_REPLY_LINES;

/// What a server did wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientFault {
    /// It answered with a code that cannot stand here.
    Code {
        /// What it answered.
        stage: Stage,
        /// The reply code.
        code: u16,
    },
    /// It sent something that is not a reply, or a reply that is too long.
    Malformed,
    /// It does not follow the exchange of AUTH.
    Sasl(SaslFault),
    /// It sent something that nobody asked for. Octets behind its yes to STARTTLS are that, too:
    /// they were sent in the clear, and perhaps by somebody else.
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
