//! A whole gateway: built, serving, and stopped gracefully.

mod error;
mod gateway;
mod running;

pub use self::error::RunError;
pub use self::gateway::Gateway;
pub use self::running::Running;
