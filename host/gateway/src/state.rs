//! What all listeners and sessions of a gateway share.

use std::sync::Arc;

use postgate_runtime::{PluginRegistry, Runtime};

use crate::session::Services;
use crate::tls;

/// What all listeners and sessions of a gateway share.
#[derive(Debug)]
pub(crate) struct SharedState {
    pub(crate) plugins: Arc<PluginRegistry>,
    pub(crate) runtime: Arc<Runtime>,
    pub(crate) services: Arc<Services>,
    pub(crate) tls: Arc<tls::Store>,
}
