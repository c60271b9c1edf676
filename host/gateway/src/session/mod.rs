//! One session: the driver moves octets between a client and the protocol, the handler answers the
//! questions of the protocol by asking the plugins and the backend.

pub(crate) mod driver;
pub(crate) mod handler;
pub(crate) mod stream;
