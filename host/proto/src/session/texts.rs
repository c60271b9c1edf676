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

    /// Lists one more keyword, with its parameters, in the reply to EHLO. One that
    /// [`is_own_keyword`] says is the session's own is left out, whether the session offers it now or
    /// not.
    pub fn add_ehlo_keyword(&mut self, keyword: &str) {
        add(&mut self.texts.keywords, keyword.into());
    }

    /// Asks policy about a verb that this server does not know.
    pub fn register_verb(&mut self, verb: &str) {
        add(&mut self.texts.verbs, verb.to_ascii_uppercase().into());
    }

    /// Takes a parameter of MAIL that this server does not know, for policy to look at.
    pub fn register_mail_parameter(&mut self, keyword: &str) {
        let keyword = keyword.to_ascii_uppercase();
        add(&mut self.texts.mail_parameters, keyword.into());
    }

    /// The same for RCPT.
    pub fn register_rcpt_parameter(&mut self, keyword: &str) {
        let keyword = keyword.to_ascii_uppercase();
        add(&mut self.texts.rcpt_parameters, keyword.into());
    }
}

/// Whether a line of the reply to EHLO has a keyword that the session lists by itself, where what it
/// stands for can be used: in the words of somebody else it would be a lie at any other time.
pub fn is_own_keyword(line: &str) -> bool {
    let name = line.split(' ').next().unwrap_or_default();
    OWN_KEYWORDS
        .iter()
        .any(|own| own.eq_ignore_ascii_case(name))
}

const OWN_KEYWORDS: [&str; 16] = [
    "8BITMIME",
    "AUTH",
    "BINARYMIME",
    "CHUNKING",
    "DSN",
    "ENHANCEDSTATUSCODES",
    "EXPN",
    "HELP",
    "LIMITS",
    "PIPELINING",
    "REQUIRETLS",
    "SIZE",
    "SMTPUTF8",
    "STARTTLS",
    "VRFY",
    "XCLIENT",
];

/// Adds a text that is not there yet. Policy may say the same at each HELO, and a client may say HELO
/// as often as it likes: there is an end to it.
fn add(texts: &mut Vec<Box<str>>, text: Box<str>) {
    if texts.len() < MAX_TEXTS && !texts.contains(&text) {
        texts.push(text);
    }
}

/// So many keywords, verbs or parameters are kept; more are left out.
const MAX_TEXTS: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_kept_once_and_not_without_end() {
        let mut texts = Vec::new();
        add(&mut texts, "X".into());
        add(&mut texts, "X".into());
        assert_eq!(texts.len(), 1);
        for number in 0..1_000 {
            add(&mut texts, number.to_string().into());
        }
        assert_eq!(texts.len(), MAX_TEXTS);
    }
}
