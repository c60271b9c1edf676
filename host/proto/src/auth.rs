//! The exchange of AUTH: PLAIN (RFC 4616) and LOGIN. The decision is policy's.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::fault::Fault;

/// Credentials as a client presented them, decoded. Their `Debug` hides the password.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The mechanism by which they came.
    pub mechanism: Mechanism,
    /// Who the client says it is: the authentication identity.
    pub identity: String,
    /// Whom it wants to act as: the authorization identity. Empty for the same.
    pub act_as: String,
    /// The password.
    pub password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("mechanism", &self.mechanism)
            .field("identity", &self.identity)
            .field("act_as", &self.act_as)
            .finish_non_exhaustive()
    }
}

/// A SASL mechanism that this server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// User name and password, one line each.
    Login,
    /// Identities and password in one line.
    Plain,
}

impl Mechanism {
    /// Every mechanism, in the order in which EHLO lists them.
    pub const ALL: [Self; 2] = [Self::Plain, Self::Login];

    /// Finds a mechanism by its name; letter case does not matter.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|mechanism| mechanism.name().eq_ignore_ascii_case(name))
    }

    /// The registered name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Login => "LOGIN",
            Self::Plain => "PLAIN",
        }
    }
}

/// An exchange that waits for a response of the client.
#[derive(Debug)]
pub struct Exchange(Awaited);

/// Where an exchange stands after a response.
#[derive(Debug)]
pub enum Progress {
    /// Ask the client for more with this challenge, in base64.
    Challenge(&'static str, Exchange),
    /// The client has presented its credentials.
    Complete(Credentials),
}

#[derive(Debug)]
enum Awaited {
    LoginPassword(String),
    LoginUser,
    Plain,
}

impl Exchange {
    /// Begins an exchange, perhaps with an initial response (RFC 4954 §4).
    pub fn begin(mechanism: Mechanism, initial: Option<&str>) -> Result<Progress, Fault> {
        let (challenge, awaited) = match mechanism {
            Mechanism::Login => ("VXNlcm5hbWU6", Awaited::LoginUser),
            Mechanism::Plain => ("", Awaited::Plain),
        };
        match initial {
            None => Ok(Progress::Challenge(challenge, Self(awaited))),
            // "=" stands for an initial response of no octets.
            Some("=") => Self(awaited).respond(b""),
            Some(initial) => Self(awaited).respond(initial.as_bytes()),
        }
    }

    /// Takes a response line without its line ending.
    pub fn respond(self, line: &[u8]) -> Result<Progress, Fault> {
        if line == b"*" {
            return Err(Fault::AuthCancelled);
        }
        let decoded = STANDARD.decode(line).map_err(|_| Fault::AuthEncoding)?;
        let text = String::from_utf8(decoded).map_err(|_| Fault::AuthEncoding)?;
        match self.0 {
            Awaited::LoginUser if text.contains('\0') => Err(Fault::AuthEncoding),
            Awaited::LoginUser => {
                let next = Self(Awaited::LoginPassword(text));
                Ok(Progress::Challenge("UGFzc3dvcmQ6", next))
            }
            Awaited::LoginPassword(identity) => Ok(Progress::Complete(Credentials {
                mechanism: Mechanism::Login,
                identity,
                act_as: String::new(),
                password: text,
            })),
            Awaited::Plain => plain(&text).map(Progress::Complete),
        }
    }
}

/// `[authzid] NUL authcid NUL passwd` (RFC 4616 §2).
fn plain(text: &str) -> Result<Credentials, Fault> {
    let mut parts = text.split('\0');
    let (Some(act_as), Some(identity), Some(password), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(Fault::AuthEncoding);
    };
    if identity.is_empty() {
        return Err(Fault::AuthEncoding);
    }
    Ok(Credentials {
        mechanism: Mechanism::Plain,
        identity: identity.into(),
        act_as: act_as.into(),
        password: password.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_responses_good_and_bad() {
        let table: [(&[u8], Option<(&str, &str, &str)>); 8] = [
            (b"\0user\0pass", Some(("", "user", "pass"))),
            (b"role\0user\0pass", Some(("role", "user", "pass"))),
            (b"\0user\0", Some(("", "user", ""))),
            (b"user", None),
            (b"user\0pass", None),
            (b"a\0b\0c\0d", None),
            (b"\0\0pass", None),
            (b"\0us\xffer\0pass", None),
        ];
        for (response, expected) in table {
            let encoded = STANDARD.encode(response);
            let expected = expected.ok_or(Fault::AuthEncoding);
            let result = Exchange::begin(Mechanism::Plain, Some(&encoded));
            let credentials = result.map(|progress| match progress {
                Progress::Complete(credentials) => credentials,
                Progress::Challenge(..) => panic!("PLAIN has one response"),
            });
            let parts = credentials
                .as_ref()
                .map(|c| (c.act_as.as_str(), c.identity.as_str(), c.password.as_str()))
                .map_err(|fault| *fault);
            assert_eq!(parts, expected);
        }
    }

    #[test]
    fn login_asks_twice() {
        let Ok(Progress::Challenge("VXNlcm5hbWU6", exchange)) =
            Exchange::begin(Mechanism::Login, None)
        else {
            panic!("no prompt for the user");
        };
        let Ok(Progress::Challenge("UGFzc3dvcmQ6", exchange)) = exchange.respond(b"dXNlcg==")
        else {
            panic!("no prompt for the password");
        };
        let Ok(Progress::Complete(credentials)) = exchange.respond(b"cGFzcw==") else {
            panic!("not complete");
        };
        assert_eq!(
            (credentials.identity.as_str(), credentials.password.as_str()),
            ("user", "pass")
        );
    }

    #[test]
    fn garbage_and_cancellation() {
        for (line, fault) in [
            (&b"*"[..], Fault::AuthCancelled),
            (b"not base64!", Fault::AuthEncoding),
            (b"YQ", Fault::AuthEncoding),
            (b"\xff", Fault::AuthEncoding),
        ] {
            let Ok(Progress::Challenge("", exchange)) = Exchange::begin(Mechanism::Plain, None)
            else {
                panic!("no challenge");
            };
            assert_eq!(exchange.respond(line).err(), Some(fault));
        }
    }

    #[test]
    fn a_password_does_not_show() {
        let credentials = plain("\0user\0hunter2").unwrap();
        assert!(!format!("{credentials:?}").contains("hunter2"));
    }
}
