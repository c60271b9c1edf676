//! The resources of a listener that a session holds.

use tokio::sync::OwnedSemaphorePermit;

use super::admission::{ClientPermit, ConnectionPermit};
use crate::metrics::Counted;

/// The resources that a session holds. Dropping it releases them.
pub(super) struct SessionPermits {
    pub(super) _connection: ConnectionPermit,
    pub(super) _descriptors: OwnedSemaphorePermit,
    pub(super) _client: ClientPermit,
    pub(super) _slot: Option<OwnedSemaphorePermit>,
    pub(super) _instances: OwnedSemaphorePermit,
    pub(super) _counted: Counted,
}
