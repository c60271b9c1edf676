//! The extensions and AUTH mechanisms that are available now.

use crate::auth::Mechanism;
use crate::parameters::Extensions;
use crate::session::core::Core;
use crate::session::offers::{ClientIdentity, OptionalQuestion};

impl Core {
    /// The available extensions. REQUIRETLS is available under TLS only (RFC 8689 §3).
    pub(super) fn extensions(&self) -> Extensions {
        let offered = self.settings.extensions;
        Extensions {
            requiretls: offered.requiretls && self.tls.channel().is_some(),
            ..offered
        }
    }

    /// The available mechanisms in the order of the settings.
    pub(super) fn mechanisms(&self) -> impl Iterator<Item = Mechanism> {
        let configured = self.settings.mechanisms.iter().copied();
        configured.filter(|mechanism| self.can_use(*mechanism))
    }

    /// True if the mechanism is configured, permitted by policy, and possible on this connection.
    pub(super) fn can_use(&self, mechanism: Mechanism) -> bool {
        let channel = self.tls.channel();
        let is_possible = match mechanism {
            Mechanism::External => channel.is_some_and(|channel| channel.client_certificate),
            Mechanism::ScramSha256 => self.asks(OptionalQuestion::AuthKeys),
            Mechanism::ScramSha256Plus => {
                self.asks(OptionalQuestion::AuthKeys)
                    && channel.is_some_and(|channel| channel.exporter.is_some())
            }
            Mechanism::CramMd5
            | Mechanism::Login
            | Mechanism::OauthBearer
            | Mechanism::Plain
            | Mechanism::Xoauth2 => true,
        };
        is_possible
            && self.settings.mechanisms.contains(&mechanism)
            && self.profile.permits(mechanism)
            && self.is_fit_for_auth()
    }

    /// True if AUTH may take place over this connection. An eavesdropper learns a password or a token,
    /// can guess the password behind a SCRAM or CRAM-MD5 exchange, and can inject mail after any of
    /// them.
    pub(super) fn is_fit_for_auth(&self) -> bool {
        self.tls.channel().is_some() || self.settings.auth_in_clear
    }

    pub(super) fn is_authenticated(&self) -> bool {
        self.identity == ClientIdentity::Authenticated
    }
}
