//! The error of an answer that violates the contract.

use std::net::AddrParseError;

use postgate_proto::address::{ForwardPath, InvalidAddress};
use postgate_proto::auth::InvalidKeys;
use postgate_proto::header::InvalidHeader;
use postgate_proto::reply::InvalidReply;

/// The rule of the contract that an answer of a plugin violates. The author of the plugin has to fix it.
///
/// The variants keep the beginning of the text of the plugin. [`PluginError`](crate::PluginError) escapes it
/// when it is displayed.
#[derive(Debug, thiserror::Error)]
pub enum InvalidAnswer {
    /// A keyword for the reply to EHLO does not have the syntax of RFC 5321 §4.1.1.1.
    #[error("{0:?} is not an EHLO keyword with parameters")]
    EhloKeyword(String),
    /// An enhanced status code does not have the syntax of RFC 3463 §2.
    #[error("this is no enhanced status code")]
    EnhancedCode,
    /// A field name or a field value is not valid.
    #[error(transparent)]
    Header(#[from] InvalidHeader),
    /// The host name of a client has characters that a host name cannot have, or a wrong length.
    #[error("{0:?} is not a host name")]
    HostName(String),
    /// The identity of a client has a wrong length or control characters.
    #[error("an identity must have 1 to 255 octets without control characters")]
    Identity,
    /// The address of a client is not an IP address.
    #[error("{text:?} is not an IP address")]
    IpAddress {
        /// The text of the plugin.
        text: String,
        /// The cause.
        #[source]
        error: AddrParseError,
    },
    /// SCRAM keys are not valid.
    #[error(transparent)]
    Keys(#[from] InvalidKeys),
    /// A verb or the name of a parameter does not have the syntax of RFC 5321 §4.1.1.1.
    #[error("{0:?} is not a keyword")]
    Keyword(String),
    /// The id of a message has a wrong length or characters that are not allowed in it.
    #[error("{0:?} is not an id of 1 to 100 printable ASCII characters without spaces")]
    MessageId(String),
    /// A plugin may not add a recipient for whose domain the gateway does not relay.
    #[error("recipient {0} is of no domain in relay.domains")]
    NotRelayed(ForwardPath),
    /// The keyword stands for an extension that the gateway itself offers or withholds.
    #[error("{0:?} has an EHLO keyword that is the gateway's own")]
    OwnKeyword(String),
    /// A recipient is not a forward-path.
    #[error("recipient {text:?}: {error}")]
    Recipient {
        /// The text of the plugin.
        text: String,
        /// The cause.
        #[source]
        error: InvalidAddress,
    },
    /// A reply is not valid, or not of the class that the verdict needs.
    #[error(transparent)]
    Reply(#[from] InvalidReply),
    /// The event does not allow a positive reply with this code.
    #[error("reply code {0} is not allowed here")]
    ReplyCode(u16),
    /// A sender is not a reverse-path.
    #[error("sender {text:?}: {error}")]
    Sender {
        /// The text of the plugin.
        text: String,
        /// The cause.
        #[source]
        error: InvalidAddress,
    },
    /// A tag is too long, or has control characters.
    #[error("a tag must have at most {limit} octets and no control characters")]
    Tag {
        /// The greatest length of name and value together, in octets.
        limit: usize,
    },
}
