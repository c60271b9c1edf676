//! PLAIN (RFC 4616).

use crate::auth::credentials::{Presented, Proof, identity};
use crate::auth::mechanism::Mechanism;
use crate::fault::Fault;

/// `[authzid] NUL authcid NUL passwd` (RFC 4616 §2).
pub(super) fn response(text: &str) -> Result<Presented, Fault> {
    let mut parts = text.split('\0');
    let (Some(act_as), Some(user), Some(password), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(Fault::AuthEncoding);
    };
    if user.is_empty() {
        return Err(Fault::AuthEncoding);
    }
    Ok(Presented::of(
        Mechanism::Plain,
        identity(user)?,
        identity(act_as)?,
        Proof::of_password(password),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn responses_good_and_bad() {
        let table: [(&str, Option<(&str, &str, &str)>); 9] = [
            ("\0user\0pass", Some(("", "user", "pass"))),
            ("role\0user\0pass", Some(("role", "user", "pass"))),
            ("\0user\0pass\r\nword", Some(("", "user", "pass\r\nword"))),
            ("", None),
            ("user", None),
            ("user\0pass", None),
            ("a\0b\0c\0d", None),
            ("\0\0pass", None),
            ("\0us\ner\0pass", None),
        ];
        for (text, expected) in table {
            let credentials = match response(text) {
                Ok(Presented::Credentials(credentials)) => Some(credentials),
                Ok(other) => panic!("{other:?}"),
                Err(fault) => {
                    assert_eq!(fault, Fault::AuthEncoding);
                    None
                }
            };
            let parts = credentials.as_ref().map(|c| match &c.proof {
                Proof::Password(p) => (c.act_as.as_str(), c.identity.as_str(), p.as_str()),
                other => panic!("{other:?}"),
            });
            assert_eq!(parts, expected, "{text:?}");
        }
        let unproven = Presented::Unproven {
            mechanism: Mechanism::Plain,
            identity: "user".into(),
        };
        assert_eq!(response("\0user\0"), Ok(unproven));
    }
}
