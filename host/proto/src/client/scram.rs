//! The client side of SCRAM-SHA-256 (RFC 5802, RFC 7677), without channel binding.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::client::credentials::ClientCredentials;
use crate::client::nonce::Nonce;
use crate::client::sasl_fault::SaslFault;
use crate::client::scram_keys::hash;

/// The exchange after client-first-message.
pub(super) struct ClientFirst {
    credentials: Arc<ClientCredentials>,
    nonce: String,
}

impl ClientFirst {
    pub(super) fn new(credentials: Arc<ClientCredentials>, Nonce(octets): Nonce) -> Self {
        Self {
            credentials,
            nonce: URL_SAFE_NO_PAD.encode(octets),
        }
    }

    pub(super) fn message(&self) -> String {
        format!("{NO_BINDING}{}", self.bare())
    }

    fn bare(&self) -> String {
        let username = self.credentials.username();
        let username = username.replace('=', "=3D").replace(',', "=2C");
        format!("n={username},r={}", self.nonce)
    }

    /// Parses server-first-message: `r=…,s=…,i=…`, and ignores extensions.
    pub(super) fn respond(self, challenge: &[u8]) -> Result<ClientFinal, SaslFault> {
        let server_first = str::from_utf8(challenge).map_err(|_| SaslFault::Challenge)?;
        let mut fields = server_first.split(',');
        let mut field = |name| {
            let field = fields.next().and_then(|field| field.strip_prefix(name));
            field.ok_or(SaslFault::Challenge)
        };
        let (nonce, salt, iterations) = (field("r=")?, field("s=")?, field("i=")?);
        // The server appends to the client's nonce. Otherwise the message is replayed.
        if !nonce.starts_with(&self.nonce) || nonce.len() == self.nonce.len() {
            return Err(SaslFault::Challenge);
        }
        let salt = STANDARD.decode(salt).map_err(|_| SaslFault::Challenge)?;
        let iterations = iterations.parse().map_err(|_| SaslFault::Challenge)?;
        if !ITERATIONS.contains(&iterations) {
            return Err(SaslFault::Iterations(iterations));
        }
        let without_proof = format!("c={},r={nonce}", STANDARD.encode(NO_BINDING));
        let signed = format!("{},{server_first},{without_proof}", self.bare());
        let keys = self.credentials.keys(&salt, iterations);
        let stored_key: [u8; 32] = Sha256::digest(*keys.client_key).into();
        let mut proof = hash(&stored_key, signed.as_bytes());
        for (octet, key) in proof.iter_mut().zip(keys.client_key.iter()) {
            *octet ^= key;
        }
        Ok(ClientFinal {
            message: format!("{without_proof},p={}", STANDARD.encode(proof)),
            signature: hash(&*keys.server_key, signed.as_bytes()),
        })
    }
}

/// The exchange after client-final-message.
pub(super) struct ClientFinal {
    message: String,
    signature: [u8; 32],
}

impl ClientFinal {
    pub(super) fn message(&self) -> &str {
        &self.message
    }

    /// Verifies server-final-message: `v=…`.
    pub(super) fn verify(&self, challenge: &[u8]) -> Result<(), SaslFault> {
        let text = challenge.strip_prefix(b"v=").unwrap_or_default();
        let text = text
            .split(|octet| *octet == b',')
            .next()
            .unwrap_or_default();
        let given = STANDARD.decode(text).unwrap_or_default();
        match given.ct_eq(&self.signature).into() {
            true => Ok(()),
            false => Err(SaslFault::Signature),
        }
    }
}

/// The gs2-header without channel binding (RFC 5802 §6).
const NO_BINDING: &str = "n,,";

/// The accepted iterations: the minimum of RFC 7677 §4, and a maximum of about the time of a network
/// round trip.
const ITERATIONS: std::ops::RangeInclusive<u32> = 4096..=200_000;

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7677 §3, with its nonce.
    fn example() -> ClientFirst {
        ClientFirst {
            credentials: Arc::new(ClientCredentials::new("user", "pencil").unwrap()),
            nonce: "rOprNGfwEbeRWgbNEkqO".into(),
        }
    }

    const SERVER_FIRST: &str = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
         s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";

    #[test]
    fn the_example_of_the_rfc() {
        let first = example();
        assert_eq!(first.message(), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let last = first.respond(SERVER_FIRST.as_bytes()).unwrap();
        assert_eq!(
            last.message(),
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
             p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        let signature = b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";
        assert_eq!(last.verify(signature), Ok(()));
        for wrong in [
            &b""[..],
            b"v=",
            b"e=invalid-proof",
            b"v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
        ] {
            assert_eq!(last.verify(wrong), Err(SaslFault::Signature));
        }
    }

    #[test]
    fn keys_are_computed_once_for_a_salt() {
        let credentials = ClientCredentials::new("user", "pencil").unwrap();
        let first = credentials.keys(b"salt", 4096);
        assert!(Arc::ptr_eq(
            &first,
            &credentials.clone().keys(b"salt", 4096)
        ));
        for (salt, iterations) in [(b"salt", 4097), (b"tlas", 4097)] {
            let other = credentials.keys(salt, iterations);
            assert!(!Arc::ptr_eq(&first, &other));
            assert!(Arc::ptr_eq(&other, &credentials.keys(salt, iterations)));
        }
        let other = ClientCredentials::new("user", "pencil").unwrap();
        assert!(!Arc::ptr_eq(&first, &other.keys(b"salt", 4096)));
        assert_eq!(credentials, other);
    }

    #[test]
    fn first_messages_of_a_server_that_are_none() {
        for (from, to, fault) in [
            ("r=rOpr", "r=xOpr", SaslFault::Challenge),
            ("%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0", "", SaslFault::Challenge),
            ("r=rOpr", "m=x,r=rOpr", SaslFault::Challenge),
            ("s=W22Z", "s=!", SaslFault::Challenge),
            ("i=4096", "i=many", SaslFault::Challenge),
            (",i=4096", "", SaslFault::Challenge),
            ("i=4096", "i=1", SaslFault::Iterations(1)),
            ("i=4096", "i=4294967295", SaslFault::Iterations(u32::MAX)),
        ] {
            let message = SERVER_FIRST.replace(from, to);
            let found = example().respond(message.as_bytes()).err();
            assert_eq!(found, Some(fault), "{message}");
        }
    }

    #[test]
    fn a_name_with_signs_of_the_protocol() {
        let credentials = ClientCredentials::new("a=b,c", "x").unwrap();
        let first = ClientFirst::new(Arc::new(credentials), Nonce([0; 18]));
        let nonce = "A".repeat(24);
        assert_eq!(first.message(), format!("n,,n=a=3Db=2Cc,r={nonce}"));
    }
}
