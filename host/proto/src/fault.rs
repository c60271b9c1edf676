//! Faults of the client, and the replies to them.

use crate::address::InvalidAddress;
use crate::reply::{Enhanced, Reply};

/// A fault of the client. Unless [`is_error`](Self::is_error) returns false, it counts towards
/// [`Settings::max_errors`](crate::session::Settings::max_errors).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A missing or malformed argument.
    Argument,
    /// An argument of a command that has none.
    ArgumentNotAllowed,
    /// AUTH on a listener that does not offer it.
    AuthNotOffered,
    /// The client cancelled the AUTH exchange (RFC 4954 §4).
    AuthCancelled,
    /// A malformed response in an AUTH exchange.
    AuthEncoding,
    /// An initial response for a mechanism in which the server sends the first message.
    AuthInitialResponse,
    /// A line of an AUTH exchange that is longer than RFC 4954 §4 allows.
    AuthLineTooLong,
    /// An AUTH mechanism that is not offered.
    AuthMechanism,
    /// AUTH on a connection that is not encrypted.
    AuthNeedsTls,
    /// Invalid credentials.
    AuthRejected,
    /// MAIL before AUTH on a listener that requires AUTH.
    AuthRequired,
    /// A command that is not legal in the current state.
    BadSequence,
    /// A SCRAM channel binding that differs from that of the connection, or was downgraded.
    ChannelBinding,
    /// A command line with a control character, a bare LF, or text that is not UTF-8.
    CommandEncoding,
    /// BDAT without a transaction, or after a refused chunk. Its octets are discarded.
    ChunkWithoutTransaction,
    /// DATA in a transaction with BODY=BINARYMIME, which requires BDAT.
    DataForBinary,
    /// A command line longer than the limit.
    LineTooLong,
    /// A message, or a value of SIZE, that exceeds the limit.
    MessageTooLarge,
    /// MAIL in a transaction.
    NestedMail,
    /// DATA without a recipient.
    NoRecipients,
    /// A known command that is not implemented.
    NotImplemented,
    /// An ESMTP parameter with a malformed value, or one that is repeated.
    ParameterValue,
    /// A malformed address in RCPT.
    Recipient(InvalidAddress),
    /// A command before the reply to the last one, without PIPELINING.
    Pipelining,
    /// A second PROXY header.
    ProxyTwice,
    /// Octets between STARTTLS and the handshake. They are discarded without a reply.
    PlaintextBehindStartTls,
    /// A recipient whose domain mail is not accepted for.
    RelayDenied,
    /// A malformed address in MAIL.
    Sender(InvalidAddress),
    /// A command before TLS on a listener that requires TLS.
    TlsRequired,
    /// A recipient beyond the limit of a transaction.
    TooManyRecipients,
    /// An unknown ESMTP parameter.
    UnknownParameter,
    /// An unknown verb.
    UnknownVerb,
}

impl Fault {
    /// True if the fault counts as an error. Too many recipients do not: a client cannot know the limit,
    /// and continues with the accepted ones (RFC 5321 §4.5.3.1.10).
    pub const fn is_error(self) -> bool {
        !matches!(self, Self::TooManyRecipients)
    }

    /// The name of the fault in configuration files and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Argument => "bad-argument",
            Self::ArgumentNotAllowed => "argument-not-allowed",
            Self::AuthCancelled => "auth-cancelled",
            Self::AuthEncoding => "auth-encoding",
            Self::AuthInitialResponse => "auth-initial-response",
            Self::AuthLineTooLong => "auth-line-too-long",
            Self::AuthMechanism => "auth-mechanism",
            Self::AuthNeedsTls => "auth-needs-tls",
            Self::AuthNotOffered => "auth-not-offered",
            Self::AuthRejected => "auth-rejected",
            Self::AuthRequired => "auth-required",
            Self::BadSequence => "bad-sequence",
            Self::ChannelBinding => "channel-binding",
            Self::ChunkWithoutTransaction => "chunk-without-transaction",
            Self::CommandEncoding => "command-encoding",
            Self::DataForBinary => "data-for-binary",
            Self::LineTooLong => "line-too-long",
            Self::MessageTooLarge => "message-too-large",
            Self::NestedMail => "nested-mail",
            Self::NoRecipients => "no-recipients",
            Self::NotImplemented => "not-implemented",
            Self::ParameterValue => "parameter-value",
            Self::Pipelining => "pipelining",
            Self::PlaintextBehindStartTls => "plaintext-behind-starttls",
            Self::ProxyTwice => "proxy-twice",
            Self::Recipient(InvalidAddress::NotAscii) => "recipient-needs-smtputf8",
            Self::Recipient(_) => "bad-recipient",
            Self::RelayDenied => "relay-denied",
            Self::Sender(InvalidAddress::NotAscii) => "sender-needs-smtputf8",
            Self::Sender(_) => "bad-sender",
            Self::TlsRequired => "tls-required",
            Self::TooManyRecipients => "too-many-recipients",
            Self::UnknownParameter => "unknown-parameter",
            Self::UnknownVerb => "unknown-verb",
        }
    }

    /// One fault for each name.
    pub const ALL: [Self; 34] = [
        Self::Argument,
        Self::ArgumentNotAllowed,
        Self::AuthCancelled,
        Self::AuthEncoding,
        Self::AuthInitialResponse,
        Self::AuthLineTooLong,
        Self::AuthMechanism,
        Self::AuthNeedsTls,
        Self::AuthNotOffered,
        Self::AuthRejected,
        Self::AuthRequired,
        Self::BadSequence,
        Self::ChannelBinding,
        Self::ChunkWithoutTransaction,
        Self::CommandEncoding,
        Self::DataForBinary,
        Self::LineTooLong,
        Self::MessageTooLarge,
        Self::NestedMail,
        Self::NoRecipients,
        Self::NotImplemented,
        Self::ParameterValue,
        Self::Pipelining,
        Self::PlaintextBehindStartTls,
        Self::ProxyTwice,
        Self::Recipient(InvalidAddress::NotAscii),
        Self::Recipient(InvalidAddress::Syntax),
        Self::RelayDenied,
        Self::Sender(InvalidAddress::NotAscii),
        Self::Sender(InvalidAddress::Syntax),
        Self::TlsRequired,
        Self::TooManyRecipients,
        Self::UnknownParameter,
        Self::UnknownVerb,
    ];
}

impl From<Fault> for Reply {
    fn from(fault: Fault) -> Self {
        let (code, (class, subject, detail), text) = wording(fault);
        Self::fixed(code, Enhanced::new(class, subject, detail), text)
    }
}

type Wording = (u16, (u8, u16, u16), &'static str);

const fn wording(fault: Fault) -> Wording {
    match fault {
        Fault::Argument => (501, (5, 5, 4), "Syntax error in arguments"),
        Fault::ArgumentNotAllowed => (501, (5, 5, 4), "Syntax error, no arguments allowed"),
        Fault::AuthCancelled => (501, (5, 7, 0), "Authentication cancelled"),
        Fault::AuthEncoding => (501, (5, 5, 2), "Cannot decode response"),
        Fault::AuthInitialResponse => (501, (5, 7, 0), "No initial response is taken here"),
        Fault::AuthLineTooLong => (500, (5, 5, 6), "Authentication exchange line is too long"),
        Fault::AuthMechanism => (504, (5, 5, 4), "Unrecognized authentication mechanism"),
        Fault::AuthNeedsTls => (
            538,
            (5, 7, 11),
            "Encryption required for requested authentication mechanism",
        ),
        Fault::AuthNotOffered => (502, (5, 5, 1), "Authentication is not offered here"),
        Fault::AuthRejected => (535, (5, 7, 8), "Authentication credentials invalid"),
        Fault::AuthRequired => (530, (5, 7, 0), "Authentication required"),
        Fault::BadSequence => (503, (5, 5, 1), "Bad sequence of commands"),
        Fault::ChannelBinding => (535, (5, 7, 8), "Authentication credentials invalid"),
        Fault::ChunkWithoutTransaction => (503, (5, 5, 1), "No transaction for this chunk"),
        Fault::CommandEncoding => (500, (5, 5, 2), "Syntax error, unexpected octets in command"),
        Fault::DataForBinary => (503, (5, 5, 1), "Binary data must be sent with BDAT"),
        Fault::LineTooLong => (500, (5, 5, 2), "Line too long"),
        Fault::MessageTooLarge => (552, (5, 3, 4), "Message size exceeds limit"),
        Fault::NestedMail => (503, (5, 5, 1), "Nested MAIL command"),
        Fault::NoRecipients => (503, (5, 5, 1), "No valid recipients"),
        Fault::NotImplemented => (502, (5, 5, 1), "Command not implemented"),
        Fault::ParameterValue => (501, (5, 5, 4), "Invalid parameter value"),
        Fault::Pipelining => (500, (5, 5, 0), "PIPELINING is not allowed here"),
        Fault::PlaintextBehindStartTls => (503, (5, 5, 1), "Bad sequence of commands"),
        Fault::ProxyTwice => (503, (5, 5, 1), "PROXY comes first and once"),
        Fault::Recipient(InvalidAddress::NotAscii) => (553, (5, 6, 7), "Address needs SMTPUTF8"),
        Fault::Recipient(_) => (501, (5, 1, 3), "Bad recipient address syntax"),
        Fault::RelayDenied => (550, (5, 7, 1), "Relay access denied"),
        Fault::Sender(InvalidAddress::NotAscii) => (553, (5, 6, 7), "Address needs SMTPUTF8"),
        Fault::Sender(_) => (501, (5, 1, 7), "Bad sender address syntax"),
        Fault::TlsRequired => (530, (5, 7, 0), "Must issue a STARTTLS command first"),
        Fault::TooManyRecipients => (452, (4, 5, 3), "Too many recipients"),
        Fault::UnknownParameter => (
            555,
            (5, 5, 4),
            "Parameter not recognized or not implemented",
        ),
        Fault::UnknownVerb => (500, (5, 5, 1), "Command not recognized"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_has_a_name_and_a_reply_of_its_own_class() {
        let mut names: Vec<_> = Fault::ALL.map(Fault::name).to_vec();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Fault::ALL.len());
        for fault in Fault::ALL {
            // `Reply::fixed` panics if code and enhanced status code disagree.
            assert!(Reply::from(fault).code() >= 400, "{}", fault.name());
        }
    }
}
