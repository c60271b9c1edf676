//! Bearer tokens: OAUTHBEARER (RFC 7628), and XOAUTH2, its predecessor.

use zeroize::Zeroizing;

use crate::auth::credentials::{Credentials, Proof, identity};
use crate::auth::mechanism::Mechanism;
use crate::auth::saslname::saslname;
use crate::fault::Fault;

/// A well-formed response.
#[derive(Debug)]
pub(super) enum OauthResponse {
    /// No token: the client asks which one it needs (RFC 7628 §4.3).
    Discovery,
    Token(Credentials),
}

/// The only response of either mechanism.
pub(super) fn response(mechanism: Mechanism, text: &str) -> Result<OauthResponse, Fault> {
    let (user, pairs) = match mechanism {
        Mechanism::OauthBearer => bearer(text)?,
        _ => xoauth2(text)?,
    };
    let credentials = pairs
        .split_terminator(SEPARATOR)
        .find_map(|pair| pair.strip_prefix("auth="))
        .ok_or(Fault::AuthEncoding)?;
    let token = match credentials.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim_start(),
        Some(_) => return Err(Fault::AuthEncoding),
        None if credentials.is_empty() => return Ok(OauthResponse::Discovery),
        None => return Err(Fault::AuthEncoding),
    };
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Fault::AuthEncoding);
    }
    Ok(OauthResponse::Token(Credentials {
        mechanism,
        identity: user,
        act_as: String::new(),
        proof: Proof::Token(Zeroizing::new(token.to_owned())),
    }))
}

/// Parses `gs2-header kvsep *kvpair kvsep` (RFC 7628 §3.1). Returns the authorization identity, which
/// is the user of the token, and the pairs.
fn bearer(text: &str) -> Result<(String, &str), Fault> {
    let (header, pairs) = text.split_once(SEPARATOR).ok_or(Fault::AuthEncoding)?;
    let fields: Vec<_> = header.split(',').collect();
    // Tokens have no channel binding.
    let ["n" | "y", user, ""] = fields.as_slice() else {
        return Err(Fault::AuthEncoding);
    };
    let user = match user.strip_prefix("a=") {
        Some(user) => saslname(user)?,
        None if user.is_empty() => String::new(),
        None => return Err(Fault::AuthEncoding),
    };
    Ok((user, ended(pairs)?))
}

/// Parses `user=` and a name, then pairs as in [`bearer`].
fn xoauth2(text: &str) -> Result<(String, &str), Fault> {
    let (user, pairs) = text.split_once(SEPARATOR).ok_or(Fault::AuthEncoding)?;
    let user = user.strip_prefix("user=").ok_or(Fault::AuthEncoding)?;
    if user.is_empty() {
        return Err(Fault::AuthEncoding);
    }
    Ok((identity(user)?, ended(pairs)?))
}

/// Strips the final separator, after the one that ends the last pair.
fn ended(pairs: &str) -> Result<&str, Fault> {
    let pairs = pairs.strip_suffix(SEPARATOR).ok_or(Fault::AuthEncoding)?;
    match pairs.ends_with(SEPARATOR) {
        true => Ok(pairs),
        false => Err(Fault::AuthEncoding),
    }
}

const SEPARATOR: char = '\x01';

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn responses_good_and_bad() {
        use Mechanism::{OauthBearer, Xoauth2};
        let bob = Some(("bob@example.org", "vF9dft4qmT"));
        let table = [
            (
                Xoauth2,
                "user=bob@example.org|auth=Bearer vF9dft4qmT||",
                bob,
            ),
            (
                Xoauth2,
                "user=bob@example.org|auth=bearer vF9dft4qmT||",
                bob,
            ),
            (
                Xoauth2,
                "user=bob@example.org|auth=Bearer vF9dft4qmT|",
                None,
            ),
            (
                Xoauth2,
                "user=bob@example.org|auth=Basic vF9dft4qmT||",
                None,
            ),
            (Xoauth2, "user=bob@example.org|auth=Bearer a b||", None),
            (Xoauth2, "user=bob@example.org|auth=Bearer ||", None),
            (Xoauth2, "user=|auth=Bearer vF9dft4qmT||", None),
            (Xoauth2, "user=b\0b|auth=Bearer vF9dft4qmT||", None),
            (Xoauth2, "auth=Bearer vF9dft4qmT||", None),
            (Xoauth2, "", None),
            (
                OauthBearer,
                "n,a=bob@example.org,|host=mx|port=587|auth=Bearer vF9dft4qmT||",
                bob,
            ),
            (
                OauthBearer,
                "y,a=bob@example.org,|auth=Bearer vF9dft4qmT||",
                bob,
            ),
            (
                OauthBearer,
                "n,,|auth=Bearer vF9dft4qmT||",
                Some(("", "vF9dft4qmT")),
            ),
            (
                OauthBearer,
                "n,a=b=2Cb,|auth=Bearer x||",
                Some(("b,b", "x")),
            ),
            (OauthBearer, "p=tls-exporter,,|auth=Bearer x||", None),
            (OauthBearer, "n,a=b=xb,|auth=Bearer x||", None),
            (OauthBearer, "n,bob,|auth=Bearer x||", None),
            (OauthBearer, "n,,|host=mx||", None),
            (OauthBearer, "n,,|auth=Bearer x|", None),
            (OauthBearer, "n,,", None),
            (OauthBearer, "\x01", None),
        ];
        for (mechanism, text, expected) in table {
            let credentials = match response(mechanism, &text.replace('|', "\x01")) {
                Ok(OauthResponse::Token(credentials)) => Some(credentials),
                _ => None,
            };
            let parts = credentials.as_ref().map(|c| match &c.proof {
                Proof::Token(token) => (c.identity.as_str(), token.as_str()),
                other => panic!("{other:?}"),
            });
            assert_eq!(parts, expected, "{mechanism} {text:?}");
        }
    }

    #[test]
    fn a_client_may_ask_what_it_needs() {
        let asked = response(Mechanism::OauthBearer, "n,,\x01auth=\x01\x01");
        assert!(matches!(asked, Ok(OauthResponse::Discovery)));
    }
}
