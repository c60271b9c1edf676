//! What an operator can see of a running gateway, and change in it.

use std::sync::Arc;

use crate::state::SharedState;
use crate::tls::{self, CertificateListing};
use postgate_delivery as delivery;
use postgate_runtime::Inventory;

/// A handle to a gateway: what an operator can see of it, and change in it while it serves.
///
/// It can be copied, and outlives the gateway, which then just does not change any more.
#[derive(Clone, Debug)]
pub struct Controller {
    house: Arc<SharedState>,
}

impl Controller {
    pub(crate) const fn new(house: Arc<SharedState>) -> Self {
        Self { house }
    }

    /// The plugins as they are now.
    pub fn plugins(&self) -> Arc<Inventory> {
        self.house.library.current()
    }

    /// Looks at the plugin directory now, whatever else watches it, and says what came of it. What
    /// cannot be used leaves the version before in its place.
    pub async fn reload_plugins(&self) -> Arc<Inventory> {
        self.house.library.reload().await
    }

    /// The certificates that clients are shown now.
    pub fn certificates(&self) -> CertificateListing {
        self.house.tls.listing()
    }

    /// Everything that the gateway counts, as text in the OpenMetrics format.
    pub fn metrics(&self) -> String {
        self.house.metrics.render()
    }

    /// Takes what has changed outside of the configuration file. Unlike
    /// [`Self::reload_plugins`], this waits for files that are still being written.
    pub async fn reload(&self) {
        self.reload_certificates().await;
        delivery::reload(&self.house.delivery).await;
        self.house.library.refresh().await;
    }

    /// Reads certificates, keys and authorities again, and logs what came of it. New sessions get
    /// what is new, unless something is wrong with any of it: then all that was before stays.
    pub async fn reload_certificates(&self) {
        let certificates = Arc::clone(&self.house.tls);
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
