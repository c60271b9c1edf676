//! Counts of refusals in a session, for the log.

use std::fmt;

/// How often each rule refused.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) clients: u32,
    pub(crate) names: u32,
    pub(crate) logins: u32,
    pub(crate) senders: u32,
    pub(crate) recipients: u32,
    pub(crate) messages: u32,
}

/// Formats the counts that are not zero: `refused: names 1, recipients 3`.
impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = [
            ("clients", self.clients),
            ("names", self.names),
            ("logins", self.logins),
            ("senders", self.senders),
            ("recipients", self.recipients),
            ("messages", self.messages),
        ];
        let mut separator = "refused: ";
        for (what, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
            write!(f, "{separator}{what} {count}")?;
            separator = ", ";
        }
        Ok(())
    }
}
