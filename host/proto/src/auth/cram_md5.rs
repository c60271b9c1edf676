//! CRAM-MD5 (RFC 2195).

use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use zeroize::Zeroizing;

use crate::auth::credentials::{Presented, Proof, identity};
use crate::auth::mechanism::Mechanism;
use crate::auth::terms::ExchangeTerms;
use crate::fault::Fault;

/// `<nonce@hostname>`.
pub(super) fn challenge(terms: &ExchangeTerms<'_>) -> Vec<u8> {
    let digits: String = terms.nonce[..16]
        .iter()
        .map(|octet| format!("{octet:02x}"))
        .collect();
    format!("<{digits}@{}>", terms.hostname).into_bytes()
}

/// Parses `user digest`. A user name may contain spaces. Anybody can compute the digest of the empty
/// password, so it is refused, whatever passwords plugins know.
pub(super) fn response(challenge: Vec<u8>, text: &str) -> Result<Presented, Fault> {
    let (user, digest) = text.rsplit_once(' ').ok_or(Fault::AuthEncoding)?;
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if user.is_empty() || digest.len() != 32 || !digest.bytes().all(is_digit) {
        return Err(Fault::AuthEncoding);
    }
    let is_empty = digest == of_empty_password(&challenge);
    let proof = Proof::Response {
        challenge,
        digest: Zeroizing::new(digest.to_owned()),
    };
    Ok(Presented::of(
        Mechanism::CramMd5,
        identity(user)?,
        String::new(),
        (!is_empty).then_some(proof),
    ))
}

/// The digest with the empty password as its key, in hexadecimal digits.
fn of_empty_password(challenge: &[u8]) -> String {
    // An empty key is padded with zeros to the block size (RFC 2104 §2).
    let mut hmac = Hmac::<Md5>::new(&[0; 64].into());
    hmac.update(challenge);
    let digest = hmac.finalize().into_bytes();
    digest.iter().map(|octet| format!("{octet:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "b913a602c7eda7a495b4e6e7334d3890";

    #[test]
    fn responses_good_and_bad() {
        let table = [
            (format!("tim {DIGEST}"), Some("tim")),
            (format!("tim o'hara {DIGEST}"), Some("tim o'hara")),
            (DIGEST.to_owned(), None),
            (format!(" {DIGEST}"), None),
            (format!("tim {DIGEST}0"), None),
            (format!("tim {}", DIGEST.to_uppercase()), None),
            (format!("t\0im {DIGEST}"), None),
            ("tim ".to_owned(), None),
            (String::new(), None),
        ];
        for (text, expected) in table {
            let user = match response(b"<1@x>".to_vec(), &text) {
                Ok(Presented::Credentials(credentials)) => Some(credentials.identity),
                _ => None,
            };
            assert_eq!(user.as_deref(), expected, "{text:?}");
        }
    }

    #[test]
    fn nobody_has_the_empty_password() {
        let of_nobody = "tim 1f38caa9f91a66169c1c7cc6276d601c";
        let refused = response(b"<1@x>".to_vec(), of_nobody);
        assert!(matches!(refused, Ok(Presented::Unproven { identity, .. }) if identity == "tim"));
        let other = response(b"<2@x>".to_vec(), of_nobody);
        assert!(matches!(other, Ok(Presented::Credentials(_))));
    }

    #[test]
    fn a_challenge_is_made_of_its_nonce() {
        let of = |nonce| {
            challenge(&ExchangeTerms {
                hostname: "mx.example.org",
                nonce,
                exporter: None,
                offers_binding: false,
            })
        };
        assert_eq!(
            of([0xab; 32]),
            b"<abababababababababababababababab@mx.example.org>"
        );
        assert_ne!(of([1; 32]), of([2; 32]));
    }
}
