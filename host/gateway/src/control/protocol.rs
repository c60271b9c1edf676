//! What can be asked of a running gateway, and what it says.

use serde::{Deserialize, Serialize};

use crate::tls::CertificateListing;
use postgate_runtime::PluginListing;

/// What can be asked of a running gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// Which certificates clients are shown: [`Response::Certificates`].
    Certificates,
    /// What the gateway counts: [`Response::Metrics`].
    Metrics,
    /// Which plugins there are: [`Response::Plugins`].
    PluginList,
    /// To look at the plugin directory now, and to say what came of it: [`Response::Plugins`].
    PluginReload,
}

/// What a gateway says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "response", rename_all = "kebab-case")]
pub enum Response {
    /// What clients are shown.
    Certificates(CertificateListing),
    /// It did not understand.
    Error {
        /// Why.
        reason: String,
    },
    /// What the gateway counts.
    Metrics {
        /// In the OpenMetrics format.
        text: String,
    },
    /// The plugins as they are now.
    Plugins(PluginListing),
}

/// The most octets of a request, with its line ending.
pub(super) const MAX_REQUEST: u64 = 4 << 10;
