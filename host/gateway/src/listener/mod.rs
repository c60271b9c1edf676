//! One listener: accepts connections, and brings each client to its session.

pub(crate) mod admission;
mod bound;
mod incoming;
mod preamble;
mod replies;
mod socket;

pub(crate) use self::bound::BoundListener;
