//! What the gateway itself does about authentication: limits on failed attempts, and the secrets of
//! which nonces and the keys of unknown users are made. Who may authenticate is decided by plugins.

pub(crate) mod attempts;
mod secret_file;
pub(crate) mod secrets;

pub use self::secret_file::{AuthSecretError, AuthSecretFault, check_auth_secret};
