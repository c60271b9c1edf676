//! A user: one line of the file.

use std::borrow::Cow;
use std::fmt;

use crate::secret::{Budget, ScramKeys, Secret, SecretError, TooCostly};

/// A user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// A name that [`check_name`] accepts.
    pub name: String,
    /// At most one password hash, and at most one for SCRAM.
    pub secrets: Vec<Secret>,
    /// Patterns of sender addresses that the user may use, besides its name.
    pub senders: Vec<String>,
    /// Patterns of identities that the user may act as, besides its name.
    pub act_as: Vec<String>,
}

/// Why a line is malformed. Never contains the secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// A secret takes more than is allowed.
    #[error(transparent)]
    Cost(#[from] TooCostly),
    /// The line is not UTF-8.
    #[error("a line is UTF-8; only comments may have another encoding")]
    Encoding,
    /// The line has no colon.
    #[error("a line is NAME:SECRETS or NAME:SECRETS:OPTIONS")]
    Fields,
    /// The line is too long.
    #[error("a line has at most 65,536 octets")]
    Length,
    /// The name is invalid.
    #[error(transparent)]
    Name(#[from] NameError),
    /// An option is unknown or has no value.
    #[error("an option is sender=ADDRESS or act-as=NAME")]
    Option,
    /// A secret is malformed.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// There are two secrets of the same kind.
    #[error("there may be one hash of the password and one {{SCRAM-SHA-256}}, not two")]
    Twice,
    /// There is no secret.
    #[error("there is no secret")]
    NoSecret,
}

/// Why the name of a user is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The name is empty or longer than 255 octets.
    #[error("a name has 1 to 255 octets")]
    Length,
    /// The name has a character that the format of the file excludes.
    #[error("a name holds no blank, no colon and no control character, and does not begin with #")]
    Character,
    /// The name is not in the form of [`canonical_name`].
    #[error(
        "a name is written in lower case, and as SASLprep (RFC 4013) leaves it; clients may write it as they like"
    )]
    NotCanonical,
}

/// Checks the name of a user.
///
/// # Errors
///
/// Fails if the name is not canonical, has the wrong length or an invalid character.
pub fn check_name(name: &str) -> Result<(), NameError> {
    let ends = |c: char| c.is_whitespace() || c.is_control() || c == ':';
    match name {
        _ if name.is_empty() || name.len() > 255 => Err(NameError::Length),
        _ if name.starts_with('#') || name.contains(ends) => Err(NameError::Character),
        _ if canonical_name(name) != name => Err(NameError::NotCanonical),
        _ => Ok(()),
    }
}

/// The form in which names are stored and compared: prepared with SASLprep (RFC 4013), so that invisible
/// characters and other encodings make no other user, and in lower case. A name that SASLprep forbids is
/// only put in lower case; [`check_name`] refuses most of these.
pub fn canonical_name(name: &str) -> Cow<'_, str> {
    let is_plain = |octet: u8| octet.is_ascii_graphic() && !octet.is_ascii_uppercase();
    if name.bytes().all(is_plain) {
        return name.into();
    }
    let prepare = |name: &str| {
        let prepared = stringprep::saslprep(name);
        prepared.map_or_else(|_| name.to_owned(), Cow::into_owned)
    };
    // The lower case of a prepared name may have another normal form.
    prepare(&prepare(name).to_lowercase()).into()
}

impl User {
    /// Parses a line without its line ending.
    ///
    /// # Errors
    ///
    /// Fails if the line is malformed.
    pub fn parse(line: &str) -> Result<Self, LineError> {
        let mut fields = line.split(':');
        let (Some(name), Some(secrets), options, None) =
            (fields.next(), fields.next(), fields.next(), fields.next())
        else {
            // Options may hold colons: an address can be an IPv6 literal.
            return Self::parse_with_colons(line);
        };
        Self::of_fields(name, secrets, options.unwrap_or_default())
    }

    fn parse_with_colons(line: &str) -> Result<Self, LineError> {
        let (name, rest) = line.split_once(':').ok_or(LineError::Fields)?;
        let (secrets, options) = rest.split_once(':').ok_or(LineError::Fields)?;
        Self::of_fields(name, secrets, options)
    }

    fn of_fields(name: &str, secrets: &str, options: &str) -> Result<Self, LineError> {
        check_name(name)?;
        let mut user = Self {
            name: name.to_owned(),
            secrets: Vec::new(),
            senders: Vec::new(),
            act_as: Vec::new(),
        };
        for secret in secrets.split_ascii_whitespace() {
            user.secrets.push(secret.parse()?);
        }
        for option in options.split_ascii_whitespace() {
            match option.split_once('=') {
                Some(("sender", value)) if !value.is_empty() => user.senders.push(value.into()),
                Some(("act-as", value)) if !value.is_empty() => user.act_as.push(value.into()),
                _ => return Err(LineError::Option),
            }
        }
        let scram = user
            .secrets
            .iter()
            .filter(|secret| is_scram(secret))
            .count();
        match (user.secrets.len(), scram) {
            (0, _) => Err(LineError::NoSecret),
            (all, scram) if scram > 1 || all - scram > 1 => Err(LineError::Twice),
            _ => Ok(user),
        }
    }

    /// Checks that verifying a password stays within a budget, whichever secret it is verified with.
    ///
    /// # Errors
    ///
    /// Fails if a secret takes more.
    pub fn check_cost(&self, budget: Budget) -> Result<(), TooCostly> {
        let mut secrets = self.secrets.iter();
        secrets.try_for_each(|secret| secret.check_cost(budget))
    }

    /// The secret for passwords: the hash, or the SCRAM keys if there is no hash. Returns `None` without
    /// secrets.
    pub fn password_secret(&self) -> Option<&Secret> {
        let hash = self.secrets.iter().find(|secret| !is_scram(secret));
        hash.or_else(|| self.secrets.first())
    }

    /// The keys for SCRAM-SHA-256. Returns `None` if there are none.
    pub fn scram_keys(&self) -> Option<&ScramKeys> {
        self.secrets.iter().find_map(|secret| match secret {
            Secret::Scram(keys) => Some(keys),
            Secret::Argon2id(_) | Secret::Bcrypt(_) => None,
        })
    }
}

fn is_scram(secret: &Secret) -> bool {
    matches!(secret, Secret::Scram(_))
}

/// The line of the file.
impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.name)?;
        for (index, secret) in self.secrets.iter().enumerate() {
            let separator = if index == 0 { "" } else { " " };
            write!(f, "{separator}{secret}")?;
        }
        let senders = self.senders.iter().map(|sender| ("sender", sender));
        let roles = self.act_as.iter().map(|role| ("act-as", role));
        for (index, (option, value)) in senders.chain(roles).enumerate() {
            let separator = if index == 0 { ":" } else { " " };
            write!(f, "{separator}{option}={value}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BCRYPT: &str = "$2y$05$rRUTOHWSEcs7RJK0ISopMukiht7IBQ6fkmdA8W5XQdHOG/5sZYAeK";

    #[test]
    fn what_htpasswd_writes_is_a_user() {
        let user = User::parse(&format!("alice:{BCRYPT}")).unwrap();
        assert_eq!(user.name, "alice");
        assert_eq!(user.to_string(), format!("alice:{{BLF-CRYPT}}{BCRYPT}"));
        assert!(user.scram_keys().is_none());
    }

    #[test]
    fn names_have_one_form() {
        for (name, expected) in [
            ("alice", "alice"),
            ("Alice@Example.ORG", "alice@example.org"),
            ("ali\u{ad}ce", "alice"),
            ("bu\u{308}cher", "bücher"),
            ("BÜCHER", "bücher"),
            ("\u{2168}", "ix"),
            ("\u{ad}", ""),
            ("İx", "i\u{307}x"),
            ("a\u{7}B", "a\u{7}b"),
        ] {
            assert_eq!(canonical_name(name), expected, "{name:?}");
            assert_eq!(canonical_name(expected), expected, "{name:?}");
        }
    }

    #[test]
    fn options_are_read_and_written() {
        let line = format!(
            "alice@example.org:{{BLF-CRYPT}}{BCRYPT}:sender=a@[IPv6:::1] sender=*@b act-as=*"
        );
        let user = User::parse(&line).unwrap();
        assert_eq!(user.senders, ["a@[IPv6:::1]", "*@b"]);
        assert_eq!(user.act_as, ["*"]);
        assert_eq!(user.to_string(), line);
    }

    #[test]
    fn what_is_wrong_with_a_line() {
        let two = format!("a:{BCRYPT} {BCRYPT}");
        let option = format!("a:{BCRYPT}:sender=");
        let name = format!("Alice:{BCRYPT}");
        let soft = format!("ali\u{ad}ce:{BCRYPT}");
        let table = [
            ("alice", LineError::Fields),
            (":x", NameError::Length.into()),
            ("a b:x", NameError::Character.into()),
            (&name, NameError::NotCanonical.into()),
            (&soft, NameError::NotCanonical.into()),
            ("a:", LineError::NoSecret),
            ("a:hunter2", SecretError::Scheme.into()),
            ("a:{BLF-CRYPT}x", SecretError::Garbled("{BLF-CRYPT}").into()),
            (&two, LineError::Twice),
            (&option, LineError::Option),
        ];
        for (line, expected) in table {
            let error = User::parse(line).unwrap_err();
            assert_eq!(error, expected, "{line}");
            assert!(!error.to_string().contains("hunter2"));
        }
    }
}
