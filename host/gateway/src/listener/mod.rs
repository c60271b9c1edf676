//! A listener: accepts connections, enforces its limits, and starts the sessions.

pub(crate) mod admission;
mod bound;
mod connection;
mod permits;
mod preamble;
mod replies;
mod session_tasks;
mod socket;

pub(crate) use self::bound::BoundListener;
