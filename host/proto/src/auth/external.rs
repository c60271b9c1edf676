//! EXTERNAL (RFC 4422 appendix A).

use crate::auth::credentials::{Credentials, Proof, identity};
use crate::auth::mechanism::Mechanism;
use crate::fault::Fault;

/// Parses the authorization identity, which is empty if it is that of the certificate.
pub(super) fn response(text: &str) -> Result<Credentials, Fault> {
    Ok(Credentials {
        mechanism: Mechanism::External,
        identity: String::new(),
        act_as: identity(text)?,
        proof: Proof::Certificate,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn responses_good_and_bad() {
        for (text, expected) in [("", Some("")), ("bob", Some("bob")), ("bob\0", None)] {
            let act_as = match response(text) {
                Ok(credentials) => Some(credentials.act_as),
                _ => None,
            };
            assert_eq!(act_as.as_deref(), expected, "{text:?}");
        }
    }
}
