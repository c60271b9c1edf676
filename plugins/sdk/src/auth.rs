//! What a client presents to show who it is.

use crate::{Credentials, Proof};

impl Credentials {
    /// The password, where the mechanism has the client send it: PLAIN and LOGIN.
    pub fn password(&self) -> Option<&str> {
        match &self.proof {
            Proof::Password(password) => Some(password),
            _ => None,
        }
    }

    /// The bearer token, where the mechanism has the client send one: XOAUTH2 and OAUTHBEARER.
    pub fn token(&self) -> Option<&str> {
        match &self.proof {
            Proof::Token(token) => Some(token),
            _ => None,
        }
    }
}
