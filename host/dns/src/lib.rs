//! DNS queries, for the host names of clients and for plugins.

mod error;
mod name;
mod resolver;
mod reverse;
mod sockets;

pub use self::error::DnsError;
pub use self::resolver::Dns;
pub use self::reverse::ReverseName;
