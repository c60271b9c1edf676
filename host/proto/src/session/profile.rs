//! What policy sets for the rest of a session.

use crate::auth::Mechanism;
use crate::command::split_verb;
use crate::parameters::Extensions;

/// What policy sets for the rest of a session: texts, extensions and allowed mechanisms.
///
/// Policy owns the profile. The session adopts the one that comes with each decision.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    banner: Option<Box<str>>,
    greeting: Option<Box<str>>,
    keywords: Vec<Box<str>>,
    verbs: Vec<Box<str>>,
    mail_parameters: Vec<Box<str>>,
    rcpt_parameters: Vec<Box<str>>,
    /// `None` without a limit.
    mechanisms: Option<Vec<Mechanism>>,
    announced: Extensions,
}

impl Profile {
    /// Sets the text after the host name in the banner.
    pub fn set_banner(&mut self, text: &str) {
        self.banner = Some(text.into());
    }

    /// Sets the text after the host name in the reply to HELO and EHLO.
    pub fn set_greeting(&mut self, text: &str) {
        self.greeting = Some(text.into());
    }

    /// Adds a keyword and its parameters to the reply to EHLO. Has no effect if the session lists the
    /// keyword itself (see [`is_own_keyword`]), and after 256 keywords.
    pub fn add_ehlo_keyword(&mut self, keyword: &str) {
        add(&mut self.keywords, keyword.into());
    }

    /// Has policy asked about a verb that the session does not know. Has no effect after 256 verbs.
    pub fn register_verb(&mut self, verb: &str) {
        add(&mut self.verbs, verb.to_ascii_uppercase().into());
    }

    /// Accepts a parameter of MAIL that the session does not know. Has no effect after 256 parameters.
    pub fn register_mail_parameter(&mut self, keyword: &str) {
        let keyword = keyword.to_ascii_uppercase();
        add(&mut self.mail_parameters, keyword.into());
    }

    /// Accepts a parameter of RCPT that the session does not know. Has no effect after 256 parameters.
    pub fn register_rcpt_parameter(&mut self, keyword: &str) {
        let keyword = keyword.to_ascii_uppercase();
        add(&mut self.rcpt_parameters, keyword.into());
    }

    /// Restricts AUTH to these mechanisms. If there is a limit already, only mechanisms in both remain.
    pub fn limit_mechanisms(&mut self, allowed: &[Mechanism]) {
        match &mut self.mechanisms {
            Some(mechanisms) => mechanisms.retain(|mechanism| allowed.contains(mechanism)),
            None => self.mechanisms = Some(allowed.to_vec()),
        }
    }

    /// Removes the restriction of the mechanisms.
    pub fn lift_mechanism_limit(&mut self) {
        self.mechanisms = None;
    }

    /// True if the mechanisms are restricted.
    pub const fn limits_mechanisms(&self) -> bool {
        self.mechanisms.is_some()
    }

    /// Restricts what the reply to EHLO announces to these extensions. A client that uses another one
    /// of its listener nevertheless is not refused for it.
    pub const fn announce(&mut self, extensions: Extensions) {
        self.announced = extensions;
    }

    /// The extensions that the reply to EHLO may announce: by default all.
    pub const fn announced(&self) -> Extensions {
        self.announced
    }

    /// The text after the host name in the banner. Returns `None` if policy has set none.
    pub fn banner(&self) -> Option<&str> {
        self.banner.as_deref()
    }

    /// The text after the host name in the reply to HELO and EHLO. Returns `None` if policy has set
    /// none.
    pub fn greeting(&self) -> Option<&str> {
        self.greeting.as_deref()
    }

    pub(super) fn ehlo_keywords(&self) -> impl Iterator<Item = &str> {
        self.keywords.iter().map(|keyword| &**keyword)
    }

    pub(super) fn mail_parameters(&self) -> &[Box<str>] {
        &self.mail_parameters
    }

    pub(super) fn rcpt_parameters(&self) -> &[Box<str>] {
        &self.rcpt_parameters
    }

    pub(super) fn permits(&self, mechanism: Mechanism) -> bool {
        self.mechanisms
            .as_ref()
            .is_none_or(|allowed| allowed.contains(&mechanism))
    }

    /// True if a command line starts with a registered verb.
    pub(super) fn has_registered_verb(&self, line: &[u8]) -> bool {
        let (verb, _) = split_verb(line);
        self.verbs
            .iter()
            .any(|known| known.as_bytes().eq_ignore_ascii_case(verb))
    }
}

/// True if a line of the reply to EHLO starts with a keyword that the session lists itself while the
/// extension can be used. Nobody else may list it, because the extension may be unavailable.
pub fn is_own_keyword(line: &str) -> bool {
    let name = line.split(' ').next().unwrap_or_default();
    OWN_KEYWORDS
        .iter()
        .any(|own| own.eq_ignore_ascii_case(name))
}

/// Adds a text once, up to [`MAX_TEXTS`]. A client can repeat HELO, and policy may add the same texts
/// each time.
fn add(texts: &mut Vec<Box<str>>, text: Box<str>) {
    if texts.len() < MAX_TEXTS && !texts.contains(&text) {
        texts.push(text);
    }
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

/// The maximum number of keywords, verbs or parameters of a profile.
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

    #[test]
    fn limits_of_mechanisms_intersect() {
        let mut profile = Profile::default();
        assert!(Mechanism::ALL.iter().all(|any| profile.permits(*any)));
        profile.limit_mechanisms(&[Mechanism::Plain, Mechanism::Login]);
        profile.limit_mechanisms(&[Mechanism::Plain, Mechanism::External]);
        let permitted = Mechanism::ALL
            .into_iter()
            .filter(|any| profile.permits(*any));
        assert_eq!(permitted.collect::<Vec<_>>(), [Mechanism::Plain]);
        profile.lift_mechanism_limit();
        assert!(profile.permits(Mechanism::Login));
    }
}
