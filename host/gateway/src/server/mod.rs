//! The start, operation and graceful shutdown of a gateway.

mod error;
mod gateway;
mod handle;

pub use self::error::RunError;
pub use self::gateway::Gateway;
pub use self::handle::GatewayHandle;
