//! What an operator can see of a running gateway, and change in it.

use std::sync::Arc;

use crate::state::SharedState;
use crate::tls::{self, CertificateListing};
use postgate_runtime::Inventory;

/// A handle to a gateway: what an operator can see of it, and change in it while it serves.
///
/// It can be copied, and outlives the gateway, which then just does not change any more.
#[derive(Clone, Debug)]
pub struct Controller {
    state: Arc<SharedState>,
}

impl Controller {
    pub(crate) const fn new(state: Arc<SharedState>) -> Self {
        Self { state }
    }

    /// The plugins as they are now.
    pub fn plugins(&self) -> Arc<Inventory> {
        self.state.plugins.current()
    }

    /// Looks at the plugin directory now, whatever else watches it, and says what came of it. What
    /// cannot be used leaves the version before in its place.
    pub async fn reload_plugins(&self) -> Arc<Inventory> {
        self.state.plugins.reload().await
    }

    /// The certificates that clients are shown now.
    pub fn certificates(&self) -> CertificateListing {
        self.state.tls.listing()
    }

    /// Everything that the gateway counts, as text in the OpenMetrics format.
    pub fn metrics(&self) -> String {
        self.state.services.metrics.render()
    }

    /// Takes what has changed outside of the configuration file. Unlike
    /// [`Self::reload_plugins`], this waits for files that are still being written.
    pub async fn reload(&self) {
        self.reload_certificates().await;
        postgate_delivery::reload(&self.state.services.delivery).await;
        self.state.plugins.refresh().await;
    }

    /// Reads certificates, keys and authorities again, and logs what came of it. New sessions get
    /// what is new, unless something is wrong with any of it: then all that was before stays.
    pub async fn reload_certificates(&self) {
        let certificates = Arc::clone(&self.state.tls);
        if certificates.files().next().is_none() {
            return;
        }
        // Files can be slow, and it is none of a session's business.
        let reloaded = tokio::task::spawn_blocking(move || certificates.reload()).await;
        if let Ok(reloaded) = reloaded {
            tls::tell(&reloaded);
        }
    }
}
