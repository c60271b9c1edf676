//! How connections to a backend are encrypted and authenticated.

mod credentials;
mod current;
mod files;
mod tls;

pub(crate) use self::current::{ConnectionSecurity, CurrentSecurity};
pub(crate) use self::tls::ClientTls;
