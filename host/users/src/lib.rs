//! The file of users: who may authenticate, and how that is checked.
//!
//! One user a line, `name:secrets:options`:
//!
//! ```text
//! # comments and blank lines are kept
//! alice@example.org:{ARGON2ID}$argon2id$v=19$m=7168,t=5,p=1$… {SCRAM-SHA-256}100000,…:
//! bob@example.org:{BLF-CRYPT}$2y$10$…:sender=sales@example.org sender=*@lists.example.org act-as=postmaster
//! ```
//!
//! Secrets have the notation of Dovecot, so that `doveadm pw` makes them too, and what `htpasswd -B`
//! writes is a file of users as it is. Nothing here reads a file, a clock or a source of randomness: the
//! program that keeps the file and the plugin that believes it share this code.

mod file;
mod secret;
mod user;

pub use file::{AddError, File, Line};
pub use secret::{CannotVerify, Cost, ScramKeys, Secret, SecretError};
pub use user::{LineError, NameError, User, check_name};

/// Whether the password is that of the user. Takes the same time whether there is such a user or not,
/// provided that the decoy costs as much as the secrets of users do.
///
/// # Errors
///
/// Where the machine cannot tell.
pub fn verify(user: Option<&User>, decoy: &Secret, password: &str) -> Result<bool, CannotVerify> {
    let own = user.and_then(User::password_secret);
    let matches = own.unwrap_or(decoy).verify(password)?;
    Ok(matches && own.is_some())
}
