//! The parameters of one session.

use std::fmt;

/// The parameters of one session, beside the [`Settings`](crate::session::Settings) of its listener.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Offers {
    /// The optional questions that policy answers.
    pub questions: OptionalQuestions,
    /// What came before the session on the same connection.
    pub preamble: Preamble,
    /// 32 random octets for this session alone, from which nonces and challenges are derived. If they
    /// can be guessed, authentication exchanges can be replayed.
    pub seed: [u8; 32],
    /// The state of TLS.
    pub tls: Tls,
    /// The trust in what the client says about itself.
    pub client: ClientTrust,
    /// The identity of the client at the start of the session.
    pub identity: ClientIdentity,
}

/// Hides the seed.
impl fmt::Debug for Offers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Offers")
            .field("questions", &self.questions)
            .field("preamble", &self.preamble)
            .field("tls", &self.tls)
            .field("client", &self.client)
            .field("identity", &self.identity)
            .finish_non_exhaustive()
    }
}

/// A question that is asked only if policy answers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OptionalQuestion {
    /// [`Ask::AuthKeys`](crate::session::Ask::AuthKeys). Without it, SCRAM is not offered.
    AuthKeys,
    /// [`Ask::Command`](crate::session::Ask::Command) for each command, not only for registered verbs.
    Command,
    /// [`Ask::Expn`](crate::session::Ask::Expn). Without it, EXPN is not implemented.
    Expn,
}

/// A set of optional questions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OptionalQuestions(u8);

impl OptionalQuestions {
    /// Adds a question.
    pub const fn insert(&mut self, question: OptionalQuestion) {
        self.0 |= bit(question);
    }

    /// True if the set contains the question.
    pub const fn contains(self, question: OptionalQuestion) -> bool {
        self.0 & bit(question) != 0
    }
}

impl FromIterator<OptionalQuestion> for OptionalQuestions {
    fn from_iter<I: IntoIterator<Item = OptionalQuestion>>(questions: I) -> Self {
        let mut set = Self::default();
        questions
            .into_iter()
            .for_each(|question| set.insert(question));
        set
    }
}

const fn bit(question: OptionalQuestion) -> u8 {
    match question {
        OptionalQuestion::AuthKeys => 1,
        OptionalQuestion::Command => 2,
        OptionalQuestion::Expn => 4,
    }
}

/// What came before the session on the same connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Preamble {
    /// Nothing.
    #[default]
    None,
    /// A PROXY header. Another one is an error, and the first command may arrive together with it.
    Proxy,
}

/// The trust in what the client says about itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientTrust {
    /// None: XCLIENT is unknown.
    #[default]
    Ordinary,
    /// The client may name another client with XCLIENT.
    NamesClients,
}

/// The identity of the client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientIdentity {
    /// The client has not authenticated.
    #[default]
    Anonymous,
    /// The client has authenticated, in this session or before it.
    Authenticated,
}

/// The state of TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tls {
    /// The connection is encrypted, since its start or since STARTTLS.
    Active(Channel),
    /// The connection is not encrypted, and STARTTLS is not implemented.
    #[default]
    Off,
    /// The connection is not encrypted, and STARTTLS is offered.
    Offered,
}

impl Tls {
    /// The encrypted channel. Returns `None` if the connection is not encrypted.
    pub const fn channel(self) -> Option<Channel> {
        match self {
            Self::Active(channel) => Some(channel),
            Self::Off | Self::Offered => None,
        }
    }
}

/// The properties of an encrypted channel that AUTH uses.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Channel {
    /// The channel binding `tls-exporter` (RFC 9266): 32 octets exported with the label
    /// `EXPORTER-Channel-Binding` and an empty context. `None` if the channel has no such binding, as
    /// TLS 1.2 without the extended master secret.
    pub exporter: Option<[u8; 32]>,
    /// True if the client presented a certificate that was verified.
    pub client_certificate: bool,
}

/// Hides the channel binding.
impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel")
            .field("exporter", &self.exporter.is_some())
            .field("client_certificate", &self.client_certificate)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_of_questions_contains_what_was_inserted() {
        use OptionalQuestion::{AuthKeys, Command, Expn};
        let questions: OptionalQuestions = [AuthKeys, Expn].into_iter().collect();
        assert!(questions.contains(AuthKeys) && questions.contains(Expn));
        assert!(!questions.contains(Command));
        assert!(!OptionalQuestions::default().contains(AuthKeys));
    }
}
