//! What policy puts into a session for as long as it lasts.

use crate::session::Session;

/// What policy has put in place of the usual texts.
#[derive(Debug, Default)]
pub(super) struct Texts {
    pub(super) banner: Option<Box<str>>,
    pub(super) greeting: Option<Box<str>>,
    pub(super) keywords: Vec<Box<str>>,
    pub(super) verbs: Vec<Box<str>>,
    pub(super) mail_parameters: Vec<Box<str>>,
    pub(super) rcpt_parameters: Vec<Box<str>>,
}

impl Texts {
    /// Whether a line begins with a verb that policy answers.
    pub(super) fn is_registered(&self, line: &[u8]) -> bool {
        let verb = line.split(|byte| *byte == b' ').next().unwrap_or_default();
        self.verbs
            .iter()
            .any(|known| known.as_bytes().eq_ignore_ascii_case(verb))
    }
}

impl Session {
    /// Sets the text behind the host name in the banner.
    pub fn set_banner(&mut self, text: &str) {
        self.texts.banner = Some(text.into());
    }

    /// Sets the text behind the host name in the reply to HELO and EHLO.
    pub fn set_greeting(&mut self, text: &str) {
        self.texts.greeting = Some(text.into());
    }

    /// Lists one more keyword, with its parameters, in the reply to EHLO. Those of the session
    /// itself can not be replaced: such a keyword is left out.
    pub fn add_ehlo_keyword(&mut self, keyword: &str) {
        self.texts.keywords.push(keyword.into());
    }

    /// Asks policy about a verb that this server does not know.
    pub fn register_verb(&mut self, verb: &str) {
        self.texts.verbs.push(verb.to_ascii_uppercase().into());
    }

    /// Takes a parameter of MAIL that this server does not know, for policy to look at.
    pub fn register_mail_parameter(&mut self, keyword: &str) {
        self.texts
            .mail_parameters
            .push(keyword.to_ascii_uppercase().into());
    }

    /// The same for RCPT.
    pub fn register_rcpt_parameter(&mut self, keyword: &str) {
        self.texts
            .rcpt_parameters
            .push(keyword.to_ascii_uppercase().into());
    }
}
