//! SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, RFC 7677), with the channel binding tls-exporter
//! (RFC 9266).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use subtle::{Choice, ConstantTimeEq};

use crate::auth::credentials::{Credentials, Proof};
use crate::auth::digest::{hmac, sha256};
use crate::auth::keys::{ScramKeys, ScramLookup};
use crate::auth::mechanism::Mechanism;
use crate::auth::saslname::saslname;
use crate::auth::terms::ExchangeTerms;
use crate::fault::Fault;

/// The exchange before client-first-message.
pub(super) struct Start {
    mechanism: Mechanism,
    exporter: Option<[u8; 32]>,
    offers_binding: bool,
    nonce: String,
}

/// The exchange after client-first-message, while the keys of the user are looked up.
pub(crate) struct AwaitsKeys {
    mechanism: Mechanism,
    identity: String,
    act_as: String,
    /// The expected value of `c=`.
    binding: Vec<u8>,
    /// The nonces of client and server.
    nonce: String,
    /// client-first-message-bare.
    first: String,
}

/// The exchange after server-first-message.
pub(super) struct Challenged {
    client: AwaitsKeys,
    /// AuthMessage up to client-final-message-without-proof.
    said: String,
    keys: ScramKeys,
    user: User,
}

/// Whether policy knows the user.
#[derive(Clone, Copy)]
enum User {
    Known,
    Unknown,
}

impl User {
    /// True if the user exists, for constant-time operations.
    fn exists(self) -> Choice {
        Choice::from(match self {
            Self::Known => 1,
            Self::Unknown => 0,
        })
    }
}

/// Hides the channel binding, as the two below do.
impl fmt::Debug for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Start")
            .field("mechanism", &self.mechanism)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for AwaitsKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwaitsKeys")
            .field("mechanism", &self.mechanism)
            .field("identity", &self.identity)
            .field("act_as", &self.act_as)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Challenged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Challenged");
        shown.field("client", &self.client).finish_non_exhaustive()
    }
}

impl Start {
    pub(super) fn new(mechanism: Mechanism, terms: &ExchangeTerms<'_>) -> Self {
        Self {
            mechanism,
            exporter: terms.exporter,
            offers_binding: terms.offers_binding,
            nonce: STANDARD.encode(&terms.nonce[..18]),
        }
    }

    /// Parses client-first-message: `gs2-header client-first-message-bare` (RFC 5802 §7).
    pub(super) fn respond(self, text: &str) -> Result<AwaitsKeys, Fault> {
        let (flag, rest) = text.split_once(',').ok_or(Fault::AuthEncoding)?;
        let (authzid, bare) = rest.split_once(',').ok_or(Fault::AuthEncoding)?;
        let act_as = match authzid.strip_prefix("a=") {
            Some(name) => saslname(name)?,
            None if authzid.is_empty() => String::new(),
            None => return Err(Fault::AuthEncoding),
        };
        let mut binding = text.as_bytes()[..text.len() - bare.len()].to_vec();
        if let Some(exporter) = self.bound(flag)? {
            binding.extend_from_slice(&exporter);
        }
        // A first attribute "m=" requires an extension. None is defined.
        let mut attributes = bare.split(',');
        let user = attribute(attributes.next(), "n=").and_then(saslname)?;
        let nonce = attribute(attributes.next(), "r=")?;
        let is_nonce = nonce.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_nonce || !(1..=MAX_NONCE).contains(&nonce.len()) {
            return Err(Fault::AuthEncoding);
        }
        Ok(AwaitsKeys {
            mechanism: self.mechanism,
            identity: user,
            act_as,
            binding,
            nonce: format!("{nonce}{}", self.nonce),
            first: bare.to_owned(),
        })
    }

    /// The channel binding that the gs2-cbind-flag requires (RFC 5802 §6).
    fn bound(&self, flag: &str) -> Result<Option<[u8; 32]>, Fault> {
        let is_plus = self.mechanism == Mechanism::ScramSha256Plus;
        match (flag, self.exporter) {
            ("n", _) if !is_plus => Ok(None),
            // Downgrade: the client supports channel binding and believes that the server does not.
            ("y", _) if !is_plus && !self.offers_binding => Ok(None),
            ("p=tls-exporter", Some(exporter)) if is_plus => Ok(Some(exporter)),
            ("n" | "y", _) => Err(Fault::ChannelBinding),
            (flag, _) if flag.starts_with("p=") => Err(Fault::ChannelBinding),
            _ => Err(Fault::AuthEncoding),
        }
    }
}

impl AwaitsKeys {
    /// Returns server-first-message.
    pub(super) fn with_keys(self, lookup: ScramLookup) -> (Vec<u8>, Challenged) {
        let (keys, user) = match lookup {
            ScramLookup::Known(keys) => (keys, User::Known),
            ScramLookup::Unknown(decoy) => (decoy.keys(), User::Unknown),
        };
        let salt = STANDARD.encode(&keys.salt);
        let message = format!("r={},s={salt},i={}", self.nonce, keys.iterations);
        let challenged = Challenged {
            said: format!("{},{message},", self.first),
            client: self,
            keys,
            user,
        };
        (message.into_bytes(), challenged)
    }
}

impl Challenged {
    /// Verifies client-final-message, and returns server-final-message and the credentials. The
    /// computation is the same for unknown users.
    pub(super) fn respond(self, text: &str) -> Result<(Vec<u8>, Credentials), Fault> {
        let (bare, proof) = text.rsplit_once(",p=").ok_or(Fault::AuthEncoding)?;
        let mut attributes = bare.split(',');
        let binding = decoded(attribute(attributes.next(), "c=")?)?;
        let nonce = attribute(attributes.next(), "r=")?;
        let proof: [u8; 32] = decoded(proof)?
            .try_into()
            .map_err(|_| Fault::AuthEncoding)?;
        if nonce != self.client.nonce {
            return Err(Fault::AuthRejected);
        }
        if binding != self.client.binding {
            return Err(Fault::ChannelBinding);
        }
        let parts = [self.said.as_bytes(), bare.as_bytes()];
        let signature = hmac(&self.keys.stored_key, &parts);
        let mut client_key = proof;
        for (octet, mask) in client_key.iter_mut().zip(signature) {
            *octet ^= mask;
        }
        let is_right = sha256(&client_key).ct_eq(&self.keys.stored_key);
        let answer = STANDARD.encode(hmac(&self.keys.server_key, &parts));
        match bool::from(is_right & self.user.exists()) {
            true => Ok((
                format!("v={answer}").into_bytes(),
                self.client.credentials(),
            )),
            false => Err(Fault::AuthRejected),
        }
    }
}

impl AwaitsKeys {
    /// The name for the lookup of the keys, in lower case. If letter case changed the salt of unknown
    /// users but not of known ones, it would reveal which users exist.
    pub(crate) fn account(&self) -> String {
        self.identity.to_lowercase()
    }

    pub(crate) const fn mechanism(&self) -> Mechanism {
        self.mechanism
    }

    fn credentials(self) -> Credentials {
        Credentials {
            mechanism: self.mechanism,
            identity: self.identity,
            act_as: self.act_as,
            proof: Proof::Verified,
        }
    }
}

fn attribute<'a>(text: Option<&'a str>, name: &str) -> Result<&'a str, Fault> {
    text.and_then(|text| text.strip_prefix(name))
        .ok_or(Fault::AuthEncoding)
}

fn decoded(text: &str) -> Result<Vec<u8>, Fault> {
    STANDARD.decode(text).map_err(|_| Fault::AuthEncoding)
}

/// The maximum length of a client's nonce in octets, so that the challenge fits into a reply line.
const MAX_NONCE: usize = 128;

#[cfg(test)]
mod tests;
