//! What can go wrong between the gateway and the backend.

mod delivery;
mod replies;
mod setup;
mod tls;

pub use self::delivery::{DeliveryError, Mixed};
pub(crate) use self::replies::{NEEDS_TLS, NEEDS_UTF8, NO_CONVERSION};
pub use self::setup::{PasswordFault, SetupError};
pub use self::tls::TlsFailure;
