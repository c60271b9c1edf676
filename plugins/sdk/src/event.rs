//! The plugin and the events that it may handle.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::{
    AuthAnswer, BodyChunk, BodyChunkAnswer, Cause, Command, ConnectAnswer, Credentials, DataAnswer,
    HeadersAnswer, HeloAnswer, MailAnswer, MessageAnswer, Outcome, ProxyAnswer, QueryAnswer,
    RcptAnswer, Recipient, ScramKeys, Sender, StarttlsAnswer, Summary,
};

/// A plugin: one value for each SMTP session, created when the session first needs it.
///
/// A type that implements [`Default`] is a plugin without configuration, and needs no `impl` of
/// this trait. Any other type defines its configuration:
///
/// ```
/// use postgate_plugin::prelude::*;
/// use serde::Deserialize;
///
/// #[derive(Deserialize)]
/// #[serde(rename_all = "kebab-case", deny_unknown_fields)]
/// struct Config {
///     max_recipients: usize,
/// }
///
/// struct Limit {
///     max: usize,
/// }
///
/// impl Plugin for Limit {
///     type Config = Config;
///
///     fn new(config: Config) -> Result<Self, String> {
///         match config.max_recipients {
///             0 => Err("max-recipients: nobody could receive anything".into()),
///             max => Ok(Self { max }),
///         }
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a plugin",
    note = "derive `Default` for a plugin without configuration, or implement `Plugin`"
)]
pub trait Plugin: Sized + 'static {
    /// The `[config]` table of the operator's sidecar file.
    type Config: DeserializeOwned;

    /// Creates the plugin. An error is shown to the operator, and the plugin is not used.
    fn new(config: Self::Config) -> Result<Self, String>;
}

impl<P: Default + 'static> Plugin for P {
    type Config = NoConfig;

    fn new(NoConfig {}: NoConfig) -> Result<Self, String> {
        Ok(Self::default())
    }
}

/// The configuration of a plugin without options: an empty table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoConfig {}

/// Called when the plugin is loaded, in an instance of its own.
pub trait OnSelfTest: Plugin {
    /// Checks that the plugin works. An error is shown to the operator, and the plugin is not used.
    fn on_self_test(&mut self) -> Result<(), String>;
}

/// A proxy in front of the gateway has said who the client is; [`OnConnect`] follows.
pub trait OnProxy: Plugin {
    /// Decides on what the proxy said; see [`session::proxy`](crate::session::proxy).
    fn on_proxy(&mut self) -> ProxyAnswer;
}

/// A client has connected; nothing has been sent yet.
pub trait OnConnect: Plugin {
    /// Decides on the connection; see [`session::remote_ip`](crate::session::remote_ip).
    fn on_connect(&mut self) -> ConnectAnswer;
}

/// The client has introduced itself with HELO, EHLO or LHLO.
pub trait OnHelo: Plugin {
    /// Decides on the name.
    fn on_helo(&mut self, name: &str) -> HeloAnswer;
}

/// The client asks for TLS with STARTTLS (RFC 3207), and the gateway is ready for it.
pub trait OnStarttls: Plugin {
    /// Decides before the reply. After the handshake the session begins anew, with [`OnHelo`].
    fn on_starttls(&mut self) -> StarttlsAnswer;
}

/// The client has begun a SCRAM exchange (RFC 5802, RFC 7677), for which the gateway needs the keys
/// of the user. EHLO lists SCRAM mechanisms only if a plugin handles this event.
pub trait OnAuthKeys: Plugin {
    /// Looks up the keys of a user; `None` if there are none. The identity is in lower case.
    /// [`OnAuth`] follows if the client has proved that it knows the password.
    fn on_auth_keys(&mut self, identity: &str) -> Option<ScramKeys>;
}

/// The client has presented credentials (RFC 4954).
pub trait OnAuth: Plugin {
    /// Decides on the credentials.
    fn on_auth(&mut self, credentials: &Credentials) -> AuthAnswer;
}

/// The client opens a transaction.
pub trait OnMail: Plugin {
    /// Decides on the sender.
    fn on_mail(&mut self, sender: &Sender) -> MailAnswer;
}

/// The client names a recipient that the gateway may relay to.
pub trait OnRcpt: Plugin {
    /// Decides on the recipient.
    fn on_rcpt(&mut self, recipient: &Recipient) -> RcptAnswer;
}

/// The client asks to send the message, before the 354 reply. Not called for BDAT.
pub trait OnData: Plugin {
    /// Decides on the envelope; see [`session::sender`](crate::session::sender) and
    /// [`session::recipients`](crate::session::recipients).
    fn on_data(&mut self) -> DataAnswer;
}

/// The header block is complete, and the body has not been read yet.
pub trait OnHeaders: Plugin {
    /// Decides on the header block; see [`message`](crate::message).
    fn on_headers(&mut self) -> HeadersAnswer;
}

/// A piece of the body has arrived. The client gets a refusal after the end of the data, but the
/// reply of a disconnect at once.
pub trait OnBodyChunk: Plugin {
    /// Checks a piece. Pieces come in order, without gaps. Accepting means that this plugin does
    /// not need the rest of this message.
    fn on_body_chunk(&mut self, chunk: &BodyChunk) -> BodyChunkAnswer;
}

/// The message is complete.
pub trait OnMessage: Plugin {
    /// Decides on the message; see [`message`](crate::message).
    fn on_message(&mut self) -> MessageAnswer;
}

/// The outcome of a message is known, and the client is about to get the reply.
pub trait OnOutcome: Plugin {
    /// Handles the outcome.
    fn on_outcome(&mut self, outcome: &Outcome);
}

/// A transaction has ended before its message was complete.
pub trait OnReset: Plugin {
    /// Forgets the transaction. It no longer exists: [`session::sender`](crate::session::sender) is
    /// `None`.
    fn on_reset(&mut self, cause: Cause);
}

/// The client asks whether a user exists (RFC 5321 §3.5). If no plugin answers, the reply is 252.
pub trait OnVrfy: Plugin {
    /// Answers for a user name or an address, as the client wrote it.
    fn on_vrfy(&mut self, user: &str) -> QueryAnswer;
}

/// The client asks for the members of a list (RFC 5321 §3.5). If no plugin answers, the reply is
/// 502.
pub trait OnExpn: Plugin {
    /// Answers for the name of a list, as the client wrote it. The reply has one line per member.
    fn on_expn(&mut self, name: &str) -> QueryAnswer;
}

/// The client asks for help.
pub trait OnHelp: Plugin {
    /// Answers about a topic, which is empty if the client named none. A reply that does not refuse
    /// has the code 211 or 214.
    fn on_help(&mut self, topic: &str) -> QueryAnswer;
}

/// The client has sent a command line: one that is legal now, before the event that belongs to it,
/// or one with a verb that the gateway does not know. Never AUTH.
pub trait OnCommand: Plugin {
    /// Answers a verb that the gateway does not know. A command that the gateway knows can only be
    /// refused here: a reply with a code of 200 to 299 counts as no answer. QUIT and RSET are
    /// carried out even if they are refused.
    fn on_command(&mut self, command: &Command) -> QueryAnswer;
}

/// The session is over; always the last event.
pub trait OnDisconnect: Plugin {
    /// Handles the end of the session.
    fn on_disconnect(&mut self, summary: &Summary);
}
