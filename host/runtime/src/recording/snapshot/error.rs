//! The errors of recorded facts.

use postgate_contract::Event;
use postgate_proto::address::InvalidAddress;
use postgate_proto::fault::Fault;
use postgate_proto::reply::MalformedReply;

/// The reason why recorded facts cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub(in crate::recording) enum SnapshotError {
    /// The recording contains only the beginning of the body of the message.
    #[error("{event}, because only {octets} octets of the body were recorded")]
    IncompleteBody {
        /// The event.
        event: Event,
        /// The size of the recorded part in octets.
        octets: usize,
    },
    /// The lines of a reply end before its last line.
    #[error("the recorded reply is incomplete")]
    IncompleteReply,
    /// The parameters of MAIL are not valid.
    #[error("parameters of MAIL: {}", .0.name())]
    MailParameters(Fault),
    /// The facts of the question are not those of its event.
    #[error("{0}, because its recorded facts are those of another event")]
    OtherEvent(Event),
    /// A recipient is not a forward-path.
    #[error("recipient {path:?}: {error}")]
    Recipient {
        /// The recorded text.
        path: String,
        /// The cause.
        #[source]
        error: InvalidAddress,
    },
    /// The check of the client's host name is unknown, or needs a name that is missing.
    #[error("the recorded host name of the client does not go with the check {0:?}")]
    RemoteHost(String),
    /// A line of a reply is malformed.
    #[error("the recorded reply: {0}")]
    Reply(#[from] MalformedReply),
    /// A sender is not a reverse-path.
    #[error("sender {path:?}: {error}")]
    Sender {
        /// The recorded text.
        path: String,
        /// The cause.
        #[source]
        error: InvalidAddress,
    },
    /// The gateway does not know a name, for example because a later version has recorded it.
    #[error("the {kind} {name:?} is unknown to this gateway")]
    UnknownName {
        /// What the name stands for, such as `fault` or `TLS version`.
        kind: &'static str,
        /// The recorded name.
        name: String,
    },
}
