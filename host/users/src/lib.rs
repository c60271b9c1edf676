//! The users file: user names and secrets for authentication.
//!
//! Each line is one user, `name:secrets:options`:
//!
//! ```text
//! # comments and blank lines are kept
//! alice@example.org:{ARGON2ID}$argon2id$v=19$m=7168,t=5,p=1$… {SCRAM-SHA-256}100000,…:
//! bob@example.org:{BLF-CRYPT}$2y$10$…:sender=sales@example.org sender=*@lists.example.org act-as=postmaster
//! ```
//!
//! Secrets have the format of Dovecot's `doveadm pw`, and the output of `htpasswd -B` is a valid users
//! file. The crate has no IO, no clock and no source of randomness: the program, which edits the file,
//! and the plugin, which authenticates users, share it.

mod file;
mod password;
mod secret;
mod user;

pub use self::file::{AddError, EncodingError, File, Line, MAX_LINE, parse_line, without_mark};
pub use self::password::{EmptyPassword, Password};
pub use self::secret::{Budget, CannotVerify, Cost, ScramKeys, Secret, SecretError, TooCostly};
pub use self::user::{LineError, NameError, User, canonical_name, check_name};

/// True if the password is that of the user. If the decoy costs as much as the secrets of users, the
/// time does not reveal whether the user exists.
///
/// # Errors
///
/// Fails if there is not enough memory.
pub fn verify(user: Option<&User>, decoy: &Secret, password: &str) -> Result<bool, CannotVerify> {
    let own = user.and_then(User::password_secret);
    let matches = own.unwrap_or(decoy).verify(password)?;
    Ok(matches && own.is_some())
}
