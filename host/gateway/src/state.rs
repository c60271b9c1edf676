//! The state that all listeners and sessions of a gateway share.

use std::sync::Arc;

use postgate_runtime::{PluginRegistry, Runtime};

use crate::descriptors::Descriptors;
use crate::session::Services;
use crate::tls::CertificateStore;

/// The state that all listeners and sessions of a gateway share.
#[derive(Debug)]
pub(crate) struct SharedState {
    pub(crate) descriptors: Descriptors,
    pub(crate) plugins: Arc<PluginRegistry>,
    pub(crate) runtime: Arc<Runtime>,
    pub(crate) services: Arc<Services>,
    pub(crate) certificates: Arc<CertificateStore>,
}
