//! LOGIN (draft-murchison-sasl-login), which has no RFC but is widely used.

use crate::auth::credentials::{Presented, Proof, identity};
use crate::auth::mechanism::Mechanism;
use crate::fault::Fault;

/// The first challenge. Some clients compare it.
pub(super) const USER: &[u8] = b"Username:";
/// The second challenge.
pub(super) const PASSWORD: &[u8] = b"Password:";

pub(super) fn user(text: &str) -> Result<String, Fault> {
    match text.is_empty() {
        true => Err(Fault::AuthEncoding),
        false => identity(text),
    }
}

pub(super) fn password(user: String, text: &str) -> Result<Presented, Fault> {
    if text.contains('\0') {
        return Err(Fault::AuthEncoding);
    }
    let proof = Proof::of_password(text);
    Ok(Presented::of(Mechanism::Login, user, String::new(), proof))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_and_passwords_good_and_bad() {
        for (text, is_good) in [("bob", true), ("", false), ("b\0b", false), ("b\nb", false)] {
            assert_eq!(user(text).is_ok(), is_good, "{text:?}");
        }
        for (text, is_good) in [("secret", true), ("sec\0ret", false)] {
            assert_eq!(password("bob".into(), text).is_ok(), is_good, "{text:?}");
        }
        let unproven = Presented::Unproven {
            mechanism: Mechanism::Login,
            identity: "bob".into(),
        };
        assert_eq!(password("bob".into(), ""), Ok(unproven));
    }
}
