//! The encoding of names in SCRAM and OAUTHBEARER.

use crate::auth::credentials::identity;
use crate::fault::Fault;

/// Decodes a name in which `=2C` is a comma and `=3D` an equals sign (RFC 5802 §7).
pub(super) fn saslname(text: &str) -> Result<String, Fault> {
    let mut pieces = text.split('=');
    let mut name = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (escaped, rest) = match (piece.strip_prefix("2C"), piece.strip_prefix("3D")) {
            (Some(rest), _) => (',', rest),
            (None, Some(rest)) => ('=', rest),
            (None, None) => return Err(Fault::AuthEncoding),
        };
        name.push(escaped);
        name.push_str(rest);
    }
    match name.is_empty() {
        true => Err(Fault::AuthEncoding),
        false => identity(&name),
    }
}
