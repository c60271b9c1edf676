//! An SMTP or LMTP server that a test scripts.

mod connection;
mod script;
mod server;
mod shared;
mod transport;

pub use self::script::{Act, Event, Mail, Step};
pub use self::server::Backend;
pub use self::transport::Tls;
