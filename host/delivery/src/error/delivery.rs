//! Why a delivery failed, and the reply to the client.

use std::path::PathBuf;
use std::{fmt, io};

use postgate_proto::address::ForwardPath;
use postgate_proto::client::{ClientFault, ClientMechanism, EncodeError, Stage};
use postgate_proto::reply::{Refusal, Reply};
use postgate_spool::{NO_ROOM, is_full};

use super::replies::{
    BAD_CONNECTION, BAD_TLS, NO_BACKEND, NO_ENTRY, NO_RECIPIENTS, NO_TLS, NOT_FOR_ALL, UNREACHABLE,
    UNSENDABLE,
};
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
    /// One reply to the client cannot say what became of the message: some recipients have it and
    /// others do not, or an LMTP backend refused some of them permanently and others for now.
    #[error("{0}")]
    Mixed(Mixed),
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
    /// The backend refused an envelope that it had accepted before, when the gateway opened the
    /// transaction anew. The refusal is about the sender or one of the recipients.
    #[error("the backend refused an envelope that it has accepted before: {}", .0.reply())]
    Reopened(Refusal),
    /// The message cannot be written to the Maildir.
    #[error("the message cannot be stored in {maildir:?}: {cause}")]
    Store {
        /// The Maildir.
        maildir: PathBuf,
        /// The cause.
        #[source]
        cause: io::Error,
    },
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
    /// The message cannot be sent as plugins have seen it, and nothing was delivered: the fault of
    /// the gateway or of a plugin.
    #[error("the message cannot be sent unchanged: {0}")]
    Unsendable(#[from] EncodeError),
    /// No connection to the backend could be made.
    #[error("the backend {address} cannot be reached: {cause}")]
    Unreachable {
        /// The address of the backend, as configured.
        address: String,
        /// The cause.
        #[source]
        cause: io::Error,
    },
}

impl DeliveryError {
    /// The same error if a recipient that the client has not named may be its cause: a permanent
    /// refusal becomes [`Added`](Self::Added), which is temporary.
    #[must_use]
    pub fn about_added(self) -> Self {
        match self {
            Self::Refused(refusal) | Self::Reopened(refusal) if !refusal.is_temporary() => {
                Self::Added(refusal)
            }
            Self::NoRecipients => Self::Added(NO_RECIPIENTS),
            error => error,
        }
    }

    /// True if some recipients have the message, and the client is asked to try again for the
    /// others.
    pub const fn is_in_part(&self) -> bool {
        match self {
            Self::Deferred { delivered, .. } => *delivered > 0,
            Self::Mixed(mixed) => mixed.delivered() > 0,
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
            Self::Added(_)
            | Self::Content(_)
            | Self::Fault(_)
            | Self::Unavailable { .. }
            | Self::Unsendable(EncodeError::Size(_)) => Refusal::TRY_LATER,
            Self::Deferred { .. } => NOT_FOR_ALL,
            Self::Mixed(mixed) => mixed.refusal(),
            Self::NoBackend => NO_BACKEND,
            Self::NoRecipients => NO_RECIPIENTS,
            Self::Refused(refusal) | Self::Reopened(refusal) => about_mail(refusal),
            Self::Store { cause, .. } if is_full(cause) => NO_ROOM,
            Self::Store { .. } => Refusal::TRY_LATER,
            Self::Unreachable { .. } => UNREACHABLE,
            // Another attempt would not change the message.
            Self::Unsendable(EncodeError::Lines(_)) => UNSENDABLE,
        }
    }
}

/// What became of a message for its recipients, where one reply cannot say it. The client is asked to
/// try again.
#[derive(Debug, Default)]
pub struct Mixed {
    /// The recipients who have the message, from this attempt of the client or an earlier one.
    pub(crate) delivered: Vec<ForwardPath>,
    /// The recipients whom the server has refused the message, and its replies.
    pub(crate) refused: Vec<(ForwardPath, Refusal)>,
    /// The number of all recipients. Of some, nothing may be known.
    pub(crate) recipients: usize,
    /// Why the server has not answered for all of them.
    pub(crate) cause: Option<Box<DeliveryError>>,
}

impl Mixed {
    /// The number of recipients who have the message.
    pub const fn delivered(&self) -> usize {
        self.delivered.len()
    }

    /// The number of all recipients.
    pub const fn recipients(&self) -> usize {
        self.recipients
    }

    /// Why the server has not answered for all recipients. Returns `None` if it has.
    pub fn cause(&self) -> Option<&DeliveryError> {
        self.cause.as_deref()
    }

    /// The recipients who will never get the message, and why.
    pub(crate) fn refused_permanently(&self) -> impl Iterator<Item = (&ForwardPath, &Refusal)> {
        let refused = self.refused.iter().map(|(path, refusal)| (path, refusal));
        refused.filter(|(_, refusal)| !refusal.is_temporary())
    }

    /// The reply to the client, which is always temporary: it must come again, at least to hear who
    /// is refused.
    fn refusal(&self) -> Refusal {
        let mut refusals = self.refused.iter().map(|(_, refusal)| refusal);
        let told = match &self.cause {
            Some(cause) => Some(cause.refusal()),
            None if self.delivered.is_empty() => {
                refusals.find(|refusal| refusal.is_temporary()).cloned()
            }
            None => None,
        };
        let told = told.filter(Refusal::is_temporary);
        told.unwrap_or(NOT_FOR_ALL)
    }
}

impl fmt::Display for Mixed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (delivered, recipients) = (self.delivered(), self.recipients);
        write!(
            f,
            "the backend took the message for {delivered} of {recipients} recipients"
        )?;
        for (path, refusal) in self.refused.iter().take(SHOWN) {
            write!(f, "; {path} {}", refusal.reply())?;
        }
        match &self.cause {
            Some(cause) => write!(f, "; {cause}"),
            None => Ok(()),
        }
    }
}

/// How many refusals a line of the log shows.
const SHOWN: usize = 10;

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

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use postgate_proto::reply::Enhanced;
    use rustls::{AlertDescription, CertificateError};

    use super::*;
    use crate::error::replies::{NEEDS_UTF8, NO_CONVERSION};

    fn refusal(code: u16, class: u8) -> Refusal {
        Refusal::fixed(code, Enhanced::new(class, 7, 1), "said the backend")
    }

    fn store(cause: io::Error) -> DeliveryError {
        DeliveryError::Store {
            maildir: "/var/mail/store".into(),
            cause,
        }
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
            (store(NotFound.into()), "451 4.3.0"),
            (store(StorageFull.into()), "452 4.3.1"),
            (DeliveryError::Refused(NEEDS_UTF8), "550 5.6.7"),
            (DeliveryError::Refused(NO_CONVERSION), "554 5.6.1"),
            (DeliveryError::NoBackend, "452 4.3.1 No storage backend"),
            (DeliveryError::NoRecipients, "554 5.5.1"),
            (
                DeliveryError::Mixed(Mixed::default()),
                "451 4.3.0 Not yet delivered to all",
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
                DeliveryError::Unreachable {
                    address: "smtp://192.0.2.1:25".to_owned(),
                    cause: ConnectionRefused.into(),
                },
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
            store(cause()),
            DeliveryError::Unreachable {
                address: "smtp://192.0.2.1:25".to_owned(),
                cause: cause(),
            },
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
