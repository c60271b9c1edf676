//! Questions to policy.

use crate::address::{ForwardPath, ReversePath};
use crate::auth::{Credentials, Mechanism};
use crate::parameters::{MailParameters, Parameter};
use crate::xclient::Xclient;

/// A question to policy about a command that is legal in the current state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// May this command line be carried out?
    ///
    /// Asked if [`Offers::questions`](crate::session::Offers::questions) contains
    /// [`OptionalQuestion::Command`](crate::session::OptionalQuestion::Command), or if policy has
    /// registered the verb. Never asked about AUTH, nor about unknown lines after a failed AUTH, which
    /// may be credentials. Policy can answer an unknown command in place of the session. QUIT and RSET
    /// are carried out even if policy refuses them.
    Command {
        /// The verb as sent.
        verb: Box<str>,
        /// The text after the verb.
        argument: Box<str>,
        /// The whole line as sent, without its line ending.
        line: Box<[u8]>,
        /// True if the session supports the command and it is legal now.
        known: bool,
    },
    /// Are these credentials valid?
    ///
    /// Accept with [`Answer::Authenticated`](crate::session::Answer::Authenticated). Any other answer
    /// that does not reject means that no such user exists.
    Auth(Credentials),
    /// Which SCRAM keys does this user have?
    ///
    /// Asked if [`Offers::questions`](crate::session::Offers::questions) contains
    /// [`OptionalQuestion::AuthKeys`](crate::session::OptionalQuestion::AuthKeys). Answer with
    /// [`Answer::Keys`](crate::session::Answer::Keys), also if the user is unknown: the client sees no
    /// difference before the end of the exchange. Any other answer that does not reject is a temporary
    /// failure (454 4.7.0), because it would otherwise reveal which users exist.
    AuthKeys {
        /// The user name in lower case.
        identity: Box<str>,
        /// The mechanism of the exchange.
        mechanism: Mechanism,
    },
    /// May the client go on trying this identity? It has presented the empty password, so that there are
    /// no credentials to check.
    ///
    /// Any answer that does not reject means that the credentials are invalid.
    AuthUnproven {
        /// The authentication identity, without control characters.
        identity: Box<str>,
        /// The mechanism of the exchange.
        mechanism: Mechanism,
    },
    /// May this client use the server? Asked before the banner is sent.
    Connect,
    /// May the client send the message now? Not asked for messages sent with BDAT.
    Data,
    /// Who are the members of this mailing list? Without an acceptance in the answer, the command is
    /// not implemented.
    Expn(Box<str>),
    /// Is the header block acceptable? All of it has been stored, including the blank line after it if
    /// the message has one, and perhaps the first octets of the body:
    /// [`HeaderBlock::split`](crate::header::HeaderBlock::split) divides them.
    Headers,
    /// May the client introduce itself by this name? Ends an open transaction.
    ///
    /// A limit of the mechanisms ends with this question: policy calls
    /// [`Profile::lift_mechanism_limit`](crate::session::Profile::lift_mechanism_limit) before it sets
    /// a new one.
    Helo {
        /// The command.
        kind: Helo,
        /// The argument as sent.
        name: Box<str>,
    },
    /// What is the reply to HELP with this topic? The topic may be empty.
    Help(Box<str>),
    /// May a transaction begin?
    Mail {
        /// The argument of FROM.
        sender: ReversePath,
        /// The ESMTP parameters.
        parameters: MailParameters,
    },
    /// Deliver the message, all of which has been stored. An acceptance takes responsibility for it
    /// (RFC 5321 §6.1).
    Message,
    /// May this recipient be added to the transaction?
    Rcpt {
        /// The argument of TO.
        recipient: ForwardPath,
        /// The ESMTP parameters.
        parameters: Vec<Parameter>,
    },
    /// May TLS begin? If TLS is not available, reject with
    /// [`TLS_NOT_AVAILABLE`](crate::session::TLS_NOT_AVAILABLE).
    StartTls,
    /// Does this user exist?
    Vrfy(Box<str>),
    /// The client speaks for another client from now on. [`Ask::Connect`] follows. Answer with
    /// [`Answer::Authenticated`](crate::session::Answer::Authenticated) if the other client has
    /// authenticated.
    ///
    /// The answer comes with a new [`Profile`](crate::session::Profile): settings made for the first
    /// client do not apply to the second.
    Xclient(Xclient),
}

/// The command by which a client introduced itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Helo {
    /// EHLO.
    Ehlo,
    /// HELO.
    Helo,
}
