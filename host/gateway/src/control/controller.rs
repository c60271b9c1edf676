//! The handle for inspecting a running gateway and reloading its files.

use std::sync::Arc;

use crate::state::SharedState;
use crate::tls::{self, CertificateListing};
use postgate_runtime::Inventory;

/// A handle for inspecting a running gateway and reloading its files.
///
/// Clones share the gateway's state. A handle may outlive the gateway.
#[derive(Clone, Debug)]
pub struct Controller {
    state: Arc<SharedState>,
}

impl Controller {
    pub(crate) const fn new(state: Arc<SharedState>) -> Self {
        Self { state }
    }

    /// Returns the inventory of plugins.
    pub fn plugins(&self) -> Arc<Inventory> {
        self.state.plugins.current()
    }

    /// Reads the plugin directory now, and returns the new inventory. A plugin whose file cannot be used
    /// keeps its previous version.
    pub async fn reload_plugins(&self) -> Arc<Inventory> {
        self.state.plugins.reload().await
    }

    /// Lists the certificates in use.
    pub fn certificates(&self) -> CertificateListing {
        self.state.certificates.listing()
    }

    /// Returns all metrics in the OpenMetrics format.
    pub fn metrics(&self) -> String {
        self.state.services.metrics.render()
    }

    /// Counts lines of the log that were dropped because nobody read them, for
    /// `postgate_dropped_log_lines_total`.
    pub fn count_dropped_log_lines(&self, lines: u64) {
        let metrics = &self.state.services.metrics;
        metrics.dropped_log_lines.inc_by(lines);
    }

    /// Reloads certificates, the files of the backend, and plugins. Unlike [`Self::reload_plugins`], this
    /// waits for plugin files that are still being written.
    pub async fn reload(&self) {
        self.reload_certificates().await;
        postgate_delivery::reload(&self.state.services.delivery).await;
        self.state.plugins.refresh().await;
    }

    /// Reloads certificates, keys and authorities, and logs the result. New handshakes use them. If one
    /// of the files cannot be used, all of the previous ones stay in use.
    pub async fn reload_certificates(&self) {
        let certificates = Arc::clone(&self.state.certificates);
        if certificates.files().next().is_none() {
            return;
        }
        // File systems can be slow, and must not block the threads of sessions.
        let reloaded = tokio::task::spawn_blocking(move || certificates.reload()).await;
        if let Ok(reloaded) = reloaded {
            tls::log_reload(&reloaded);
        }
    }
}
