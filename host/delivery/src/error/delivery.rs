//! Why a delivery failed, and the reply to the client.

use std::io;

use postgate_proto::client::{ClientFault, ClientMechanism, Stage};
use postgate_proto::reply::{Enhanced, Refusal, Reply};
use postgate_spool::{NO_ROOM, is_full};

use super::tls::TlsFailure;

/// Why a recipient or a message was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    /// The backend refused an envelope permanently to which a plugin has added a recipient. The
    /// client did not cause that, and is asked to try again.
    #[error("the backend refused a recipient that a plugin has added: {}", .0.reply())]
    Added(Refusal),
    /// The backend rejects the gateway's credentials: the fault of the configuration or of the
    /// backend.
    #[error("the backend does not take the credentials of the gateway by {mechanism}: {}", .refusal.reply())]
    Authentication {
        /// The mechanism of the attempt.
        mechanism: ClientMechanism,
        /// The backend's reply.
        refusal: Refusal,
    },
    /// The connection was closed or reset.
    #[error("the backend closed the connection at the {stage}: {cause}")]
    Closed {
        /// What the gateway was waiting for or sending.
        stage: Stage,
        /// The error of the socket.
        #[source]
        cause: io::Error,
    },
    /// The message cannot be read from the spool.
    #[error("the message cannot be read: {0}")]
    Content(#[source] io::Error),
    /// Plugins have refused the message for some recipients, and the others have it now.
    #[error("the message is for {delivered} of {recipients} recipients only")]
    Deferred {
        /// The number of recipients who have the message.
        delivered: usize,
        /// The number of all recipients.
        recipients: usize,
    },
    /// The backend violated the protocol.
    #[error("{0}")]
    Fault(#[from] ClientFault),
    /// Some recipients of an LMTP backend have the message now, and others do not.
    #[error("the backend took the message for {delivered} of {recipients} recipients")]
    Mixed {
        /// The number of recipients who have the message.
        delivered: usize,
        /// The number of all recipients.
        recipients: usize,
    },
    /// No backend is configured.
    #[error("no backend is configured")]
    NoBackend,
    /// The gateway cannot authenticate: the backend offers no mechanism that it has.
    #[error("the backend offers no mechanism of AUTH that the gateway can use: {offered:?}")]
    NoMechanism {
        /// The mechanisms that the backend offers; empty if it offers none.
        offered: String,
    },
    /// The message has no recipients.
    #[error("no recipient was accepted")]
    NoRecipients,
    /// The backend refused the transaction, a recipient or the message.
    #[error("the backend refused: {}", .0.reply())]
    Refused(Refusal),
    /// The message cannot be written to the Maildir.
    #[error("the message cannot be stored: {0}")]
    Store(#[source] io::Error),
    /// The backend did not answer in time.
    #[error("the backend took too long at the {stage}")]
    Timeout {
        /// What the gateway was waiting for or sending.
        stage: Stage,
    },
    /// The connection could not be encrypted, and was closed.
    #[error("{0}")]
    Tls(#[from] TlsFailure),
    /// The backend refuses to serve the gateway, or ends the session.
    #[error("the backend is not available at the {stage}: {}", .refusal.reply())]
    Unavailable {
        /// What the gateway was waiting for.
        stage: Stage,
        /// The backend's reply.
        refusal: Refusal,
    },
    /// No connection to the backend could be made.
    #[error("the backend cannot be reached: {0}")]
    Unreachable(#[source] io::Error),
}

impl DeliveryError {
    /// The same error if a recipient that the client has not named may be its cause: a permanent
    /// refusal becomes [`Added`](Self::Added), which is temporary.
    #[must_use]
    pub fn about_added(self) -> Self {
        match self {
            Self::Refused(refusal) if !refusal.is_temporary() => Self::Added(refusal),
            Self::NoRecipients => Self::Added(NO_RECIPIENTS),
            error => error,
        }
    }

    /// True if some recipients have the message, and the client is asked to try again for the
    /// others.
    pub const fn is_in_part(&self) -> bool {
        match self {
            Self::Deferred { delivered, .. } | Self::Mixed { delivered, .. } => *delivered > 0,
            _ => false,
        }
    }

    /// The reply to the client. The backend's own reply is passed on only if it is about the
    /// client's mail: a 421 of the backend, for example, must not close the session of the client.
    pub fn refusal(&self) -> Refusal {
        match self {
            Self::Authentication { .. } | Self::NoMechanism { .. } => NO_ENTRY,
            Self::Closed { .. }
            | Self::Timeout { .. }
            | Self::Tls(TlsFailure::Broken(_) | TlsFailure::Timeout) => BAD_CONNECTION,
            Self::Tls(TlsFailure::NotOffered | TlsFailure::Refused(_)) => NO_TLS,
            Self::Tls(
                TlsFailure::Certificate(_) | TlsFailure::Identity(_) | TlsFailure::Protocol(_),
            ) => BAD_TLS,
            Self::Added(_) | Self::Content(_) | Self::Fault(_) | Self::Unavailable { .. } => {
                Refusal::TRY_LATER
            }
            Self::Deferred { .. } | Self::Mixed { .. } => NOT_FOR_ALL,
            Self::NoBackend => NO_BACKEND,
            Self::NoRecipients => NO_RECIPIENTS,
            Self::Refused(refusal) => about_mail(refusal),
            Self::Store(error) if is_full(error) => NO_ROOM,
            Self::Store(_) => Refusal::TRY_LATER,
            Self::Unreachable(_) => UNREACHABLE,
        }
    }
}

/// The same refusal, with 550 in place of 521: that is about a host, and ends the session of a client
/// (RFC 7504 §3).
fn about_mail(refusal: &Refusal) -> Refusal {
    let reply = refusal.reply();
    if reply.code() != 521 {
        return refusal.clone();
    }
    let lines = reply.lines().map(str::to_owned).collect();
    let permanent = Reply::new(550, reply.enhanced(), lines).and_then(Refusal::new);
    permanent.unwrap_or_else(|_| refusal.clone())
}

/// The details are in the log only: they do not concern the client.
const BAD_TLS: Refusal = Refusal::fixed(
    451,
    Enhanced::new(4, 7, 5),
    "Mail store cannot be reached securely, try again later",
);

const BAD_CONNECTION: Refusal = Refusal::fixed(
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

const NO_BACKEND: Refusal = Refusal::fixed(452, Enhanced::new(4, 3, 1), "No storage backend");

/// The message is binary, and the backend does not offer BINARYMIME (RFC 3030 §3).
pub(crate) const NO_CONVERSION: Refusal =
    Refusal::fixed(554, Enhanced::new(5, 6, 1), "Conversion is not possible");

/// Not 4.7.8, which would be about the client's own credentials.
const NO_ENTRY: Refusal = Refusal::fixed(
    451,
    Enhanced::new(4, 7, 0),
    "Mail store does not let the gateway in, try again later",
);

const NO_TLS: Refusal = Refusal::fixed(
    451,
    Enhanced::new(4, 7, 4),
    "Mail store cannot be reached securely, try again later",
);

const NO_RECIPIENTS: Refusal = Refusal::fixed(554, Enhanced::new(5, 5, 1), "No valid recipients");

const NOT_FOR_ALL: Refusal = Refusal::fixed(
    451,
    Enhanced::new(4, 3, 0),
    "Not yet delivered to all recipients, try again later",
);

const UNREACHABLE: Refusal = Refusal::fixed(
    451,
    Enhanced::new(4, 4, 1),
    "Mail store cannot be reached, try again later",
);

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use rustls::{AlertDescription, CertificateError};

    use super::*;

    fn refusal(code: u16, class: u8) -> Refusal {
        Refusal::fixed(code, Enhanced::new(class, 7, 1), "said the backend")
    }

    fn check(table: impl IntoIterator<Item = (DeliveryError, &'static str)>) {
        for (error, expected) in table {
            let shown = error.refusal().reply().to_string();
            assert!(shown.starts_with(expected), "{error}: {shown}");
        }
    }

    #[test]
    fn what_the_client_is_told_of_its_mail() {
        use io::ErrorKind::{NotFound, StorageFull};
        check([
            (DeliveryError::Content(NotFound.into()), "451 4.3.0"),
            (DeliveryError::Store(NotFound.into()), "451 4.3.0"),
            (DeliveryError::Store(StorageFull.into()), "452 4.3.1"),
            (DeliveryError::Refused(NEEDS_UTF8), "550 5.6.7"),
            (DeliveryError::Refused(NO_CONVERSION), "554 5.6.1"),
            (DeliveryError::NoBackend, "452 4.3.1 No storage backend"),
            (DeliveryError::NoRecipients, "554 5.5.1"),
            (
                DeliveryError::Mixed {
                    delivered: 1,
                    recipients: 2,
                },
                "451 4.3.0",
            ),
            (
                DeliveryError::Refused(refusal(550, 5)),
                "550 5.7.1 said the backend",
            ),
            (
                DeliveryError::Refused(refusal(450, 4)),
                "450 4.7.1 said the backend",
            ),
        ]);
    }

    #[test]
    fn what_the_client_is_told_of_the_backend() {
        use io::ErrorKind::{ConnectionRefused, UnexpectedEof};
        let stage = Stage::Data;
        check([
            (
                DeliveryError::Unreachable(ConnectionRefused.into()),
                "451 4.4.1",
            ),
            (DeliveryError::Timeout { stage }, "451 4.4.2"),
            (
                DeliveryError::Closed {
                    stage,
                    cause: UnexpectedEof.into(),
                },
                "451 4.4.2",
            ),
            (DeliveryError::Fault(ClientFault::Malformed), "451 4.3.0"),
            (
                DeliveryError::Refused(refusal(550, 5)).about_added(),
                "451 4.3.0",
            ),
            (
                DeliveryError::Refused(refusal(450, 4)).about_added(),
                "450 4.7.1 said the backend",
            ),
            (
                DeliveryError::Unavailable {
                    stage,
                    refusal: refusal(421, 4),
                },
                "451 4.3.0",
            ),
            (DeliveryError::Tls(TlsFailure::NotOffered), "451 4.7.4"),
            (
                DeliveryError::Tls(TlsFailure::Refused(refusal(454, 4))),
                "451 4.7.4",
            ),
            (
                DeliveryError::Tls(TlsFailure::Certificate(CertificateError::Expired)),
                "451 4.7.5",
            ),
            (
                DeliveryError::Tls(TlsFailure::Identity(AlertDescription::UnknownCA)),
                "451 4.7.5",
            ),
            (DeliveryError::Tls(TlsFailure::Timeout), "451 4.4.2"),
            (
                DeliveryError::Tls(TlsFailure::Broken(UnexpectedEof.into())),
                "451 4.4.2",
            ),
            // A permanent refusal of the gateway's credentials is temporary for the client.
            (
                DeliveryError::Authentication {
                    mechanism: ClientMechanism::Plain,
                    refusal: refusal(535, 5),
                },
                "451 4.7.0",
            ),
            (
                DeliveryError::NoMechanism {
                    offered: String::new(),
                },
                "451 4.7.0",
            ),
        ]);
    }

    #[test]
    fn errors_give_their_cause() {
        let cause = || io::Error::from(io::ErrorKind::UnexpectedEof);
        for error in [
            DeliveryError::Content(cause()),
            DeliveryError::Store(cause()),
            DeliveryError::Unreachable(cause()),
            DeliveryError::Closed {
                stage: Stage::Data,
                cause: cause(),
            },
            DeliveryError::Tls(TlsFailure::Broken(cause())),
        ] {
            let source = error.source().unwrap();
            let source = source.source().unwrap_or(source);
            assert_eq!(source.to_string(), cause().to_string(), "{error}");
        }
    }
}
