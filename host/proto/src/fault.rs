//! What a client can do wrong, and the one place where that becomes a reply.

use crate::address::InvalidAddress;
use crate::reply::{Enhanced, Reply};

/// A fault of the client. Each counts towards the limit of errors in a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A command that needs an argument came without, or with a garbled one.
    Argument,
    /// A command that takes no argument came with one.
    ArgumentNotAllowed,
    /// AUTH where the listener does not offer it.
    AuthNotOffered,
    /// The exchange of AUTH was cancelled by the client (RFC 4954 §4).
    AuthCancelled,
    /// What came in the exchange of AUTH can not be decoded.
    AuthEncoding,
    /// A response of AUTH is longer than RFC 4954 §4 allows.
    AuthLineTooLong,
    /// A mechanism that is not offered.
    AuthMechanism,
    /// No plugin knows these credentials.
    AuthRejected,
    /// MAIL before AUTH where the listener demands it.
    AuthRequired,
    /// A command that is legal only in another state.
    BadSequence,
    /// A command line that holds NUL, a bare CR, a bare LF or text that is not UTF-8.
    CommandEncoding,
    /// A command line longer than the limit.
    LineTooLong,
    /// SIZE announces more than the limit.
    MessageTooLarge,
    /// A second MAIL in a transaction.
    NestedMail,
    /// DATA without a recipient.
    NoRecipients,
    /// A verb of SMTP that is not served here.
    NotImplemented,
    /// An ESMTP parameter with a value that it can not have.
    ParameterValue,
    /// The argument of RCPT is no address.
    Recipient(InvalidAddress),
    /// A recipient that the gateway does not relay to.
    RelayDenied,
    /// The argument of MAIL is no address.
    Sender(InvalidAddress),
    /// One recipient more than the limit.
    TooManyRecipients,
    /// An ESMTP parameter that is not known here.
    UnknownParameter,
    /// A verb that is none of SMTP.
    UnknownVerb,
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
        Fault::AuthLineTooLong => (500, (5, 5, 6), "Authentication exchange line is too long"),
        Fault::AuthMechanism => (504, (5, 5, 4), "Unrecognized authentication mechanism"),
        Fault::AuthNotOffered => (502, (5, 5, 1), "Authentication is not offered here"),
        Fault::AuthRejected => (535, (5, 7, 8), "Authentication credentials invalid"),
        Fault::AuthRequired => (530, (5, 7, 0), "Authentication required"),
        Fault::BadSequence => (503, (5, 5, 1), "Bad sequence of commands"),
        Fault::CommandEncoding => (500, (5, 5, 2), "Syntax error, unexpected octets in command"),
        Fault::LineTooLong => (500, (5, 5, 2), "Line too long"),
        Fault::MessageTooLarge => (552, (5, 3, 4), "Message size exceeds limit"),
        Fault::NestedMail => (503, (5, 5, 1), "Nested MAIL command"),
        Fault::NoRecipients => (503, (5, 5, 1), "No valid recipients"),
        Fault::NotImplemented => (502, (5, 5, 1), "Command not implemented"),
        Fault::ParameterValue => (501, (5, 5, 4), "Invalid parameter value"),
        Fault::Recipient(InvalidAddress::NotAscii) => (553, (5, 6, 7), "Address needs SMTPUTF8"),
        Fault::Recipient(_) => (501, (5, 1, 3), "Bad recipient address syntax"),
        Fault::RelayDenied => (550, (5, 7, 1), "Relay access denied"),
        Fault::Sender(InvalidAddress::NotAscii) => (553, (5, 6, 7), "Address needs SMTPUTF8"),
        Fault::Sender(_) => (501, (5, 1, 7), "Bad sender address syntax"),
        Fault::TooManyRecipients => (452, (4, 5, 3), "Too many recipients"),
        Fault::UnknownParameter => (
            555,
            (5, 5, 4),
            "Parameter not recognized or not implemented",
        ),
        Fault::UnknownVerb => (500, (5, 5, 1), "Command not recognized"),
    }
}
