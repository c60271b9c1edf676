//! Support for authentication: limits on failed attempts, and the secrets for nonces and for the SCRAM
//! keys of unknown users. Plugins decide who may authenticate.

pub(crate) mod attempts;
mod secret_file;
pub(crate) mod secrets;

pub use self::secret_file::{AuthSecretError, AuthSecretFault, check_auth_secret};
