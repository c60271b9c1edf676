//! The AUTH exchange (RFC 4954): what a client presents, and by which mechanism. Policy decides whether
//! to accept it.

mod cram_md5;
mod credentials;
mod digest;
mod exchange;
mod external;
mod keys;
mod login;
mod mechanism;
mod nonce;
mod oauth;
mod plain;
mod saslname;
mod scram;
mod terms;
#[cfg(test)]
mod tests;

pub use self::credentials::{Credentials, Proof};
pub(crate) use self::exchange::{AuthProgress, Exchange, write_challenge};
pub use self::keys::{Decoy, InvalidKeys, KeyShape, ScramKeys, ScramLookup};
pub use self::mechanism::Mechanism;
pub(crate) use self::nonce::NonceSequence;
pub(crate) use self::scram::AwaitsKeys;
pub(crate) use self::terms::ExchangeTerms;
