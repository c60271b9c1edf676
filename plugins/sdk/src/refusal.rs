//! Refusals: a reply to the client, and a reason for the log.

use std::fmt;

use crate::bindings::imports::postgate::plugin::types;
use crate::{InvalidReply, reply};

/// A reply that refuses a step of the session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal(types::Refusal);

impl Refusal {
    /// A refusal with constant parts: the reply code, the enhanced status code, the text.
    ///
    /// ```
    /// # use postgate_plugin::Refusal;
    /// let refusal = Refusal::new(550, "5.1.1", "no such user here");
    /// # assert_eq!(refusal.to_string(), "550 5.1.1 no such user here");
    /// ```
    ///
    /// # Panics
    ///
    /// If [`Refusal::checked`] would fail.
    pub fn new(code: u16, enhanced: &str, text: impl Into<String>) -> Self {
        match Self::checked(code, enhanced, text) {
            Ok(refusal) => refusal,
            Err(error) => panic!("{error}"),
        }
    }

    /// A refusal made at run time, for example from the configuration. The reply code is 400 to
    /// 599, and the enhanced status code (RFC 3463) begins with the same digit.
    pub fn checked(
        code: u16,
        enhanced: &str,
        text: impl Into<String>,
    ) -> Result<Self, InvalidReply> {
        let reply = reply::refusing(code, enhanced, vec![text.into()])?;
        let reason = None;
        Ok(Self(types::Refusal { reply, reason }))
    }

    /// There is no such recipient.
    pub fn no_such_mailbox() -> Self {
        Self::new(550, "5.1.1", "No such mailbox")
    }

    /// The recipient's mailbox is full, permanently.
    pub fn mailbox_full() -> Self {
        Self::new(552, "5.2.2", "Mailbox full")
    }

    /// The recipient's mailbox is full for now: the client should try again.
    pub fn mailbox_full_for_now() -> Self {
        Self::new(452, "4.2.2", "Mailbox full, try again later")
    }

    /// Mail for this recipient is not accepted from this client.
    pub fn relay_denied() -> Self {
        Self::new(550, "5.7.1", "Relay access denied")
    }

    /// Adds a line to the reply.
    #[must_use]
    pub fn line(mut self, text: impl Into<String>) -> Self {
        self.0.reply.lines.push(text.into());
        self
    }

    /// Adds a reason for the operator's log, which the client does not see.
    #[must_use]
    pub fn because(mut self, reason: impl Into<String>) -> Self {
        self.0.reason = Some(reason.into());
        self
    }

    /// The reply code.
    pub const fn code(&self) -> u16 {
        self.0.reply.code
    }

    /// The lines of text, without codes.
    pub fn lines(&self) -> &[String] {
        &self.0.reply.lines
    }

    /// The reason for the operator's log.
    pub fn reason(&self) -> Option<&str> {
        self.0.reason.as_deref()
    }
}

/// Formats the reply on one line.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reply = &self.0.reply;
        write!(f, "{}", reply.code)?;
        if let Some(enhanced) = &reply.enhanced {
            write!(
                f,
                " {}.{}.{}",
                enhanced.class, enhanced.subject, enhanced.detail
            )?;
        }
        write!(f, " {}", reply.lines.join(" / "))
    }
}

impl From<Refusal> for types::Refusal {
    fn from(refusal: Refusal) -> Self {
        refusal.0
    }
}

impl From<types::Refusal> for Refusal {
    fn from(refusal: types::Refusal) -> Self {
        Self(refusal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_that_are_ready_made() {
        let table = [
            (Refusal::no_such_mailbox(), "550 5.1.1"),
            (Refusal::mailbox_full(), "552 5.2.2"),
            (Refusal::mailbox_full_for_now(), "452 4.2.2"),
            (Refusal::relay_denied(), "550 5.7.1"),
        ];
        for (refusal, codes) in table {
            assert!(refusal.to_string().starts_with(codes), "{refusal}");
        }
    }

    #[test]
    fn refusals_good_and_bad() {
        let table = [
            (550, "5.1.1", Ok("550 5.1.1 text")),
            (421, "4.999.0", Ok("421 4.999.0 text")),
            (399, "4.0.0", Err("reply code 399 does not refuse")),
            (600, "5.0.0", Err("reply code 600 does not refuse")),
            (
                450,
                "5.1.1",
                Err("enhanced code 5.1.1 does not go with reply code 450"),
            ),
            (550, "5.1", Err("\"5.1\" is no enhanced code such as 5.7.1")),
            (
                550,
                "5.1.1.1",
                Err("\"5.1.1.1\" is no enhanced code such as 5.7.1"),
            ),
            (
                550,
                "5.1000.1",
                Err("\"5.1000.1\" is no enhanced code such as 5.7.1"),
            ),
            (550, "", Err("\"\" is no enhanced code such as 5.7.1")),
        ];
        for (code, enhanced, expected) in table {
            let shown = Refusal::checked(code, enhanced, "text")
                .map(|refusal| refusal.to_string())
                .map_err(|error| error.to_string());
            let shown = shown.as_deref().map_err(String::as_str);
            assert_eq!(shown, expected, "{code} {enhanced}");
        }
    }

    #[test]
    #[should_panic = "reply code 250 does not refuse"]
    fn a_refusal_of_the_program_must_refuse() {
        let _ = Refusal::new(250, "2.0.0", "fine");
    }

    #[test]
    fn the_client_does_not_see_the_reason() {
        let refusal = Refusal::new(550, "5.7.1", "no")
            .line("really")
            .because("listed");
        assert_eq!(refusal.to_string(), "550 5.7.1 no / really");
        assert_eq!(refusal.reason(), Some("listed"));
    }
}
