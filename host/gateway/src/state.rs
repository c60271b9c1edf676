//! What all sessions of a gateway share.

use std::sync::Arc;

use crate::auth::attempts::Attempts;
use crate::auth::secrets::Secrets;
use crate::metrics::Metrics;
use crate::tls;
use postgate_delivery::{Delivery, Maildir};
use postgate_runtime::{PluginRegistry, Runtime};
use postgate_spool::SpoolSettings;

/// What all sessions share.
#[derive(Debug)]
pub(crate) struct SharedState {
    pub(crate) tls: Arc<tls::Store>,
    pub(crate) library: Arc<PluginRegistry>,
    pub(crate) runtime: Arc<Runtime>,
    pub(crate) delivery: Delivery,
    pub(crate) quarantine: Option<Maildir>,
    pub(crate) spool: Arc<SpoolSettings>,
    pub(crate) secrets: Arc<Secrets>,
    pub(crate) attempts: Arc<Attempts>,
    pub(crate) metrics: Arc<Metrics>,
}
