//! The requests and responses of the control socket.

use serde::{Deserialize, Serialize};

use crate::tls::CertificateListing;
use postgate_runtime::PluginListing;

/// A request to a running gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// List the certificates in use. The response is [`Response::Certificates`].
    Certificates,
    /// Report the metrics. The response is [`Response::Metrics`].
    Metrics,
    /// List the plugins. The response is [`Response::Plugins`].
    PluginList,
    /// Read the plugin directory, and list the plugins. The response is [`Response::Plugins`].
    PluginReload,
}

/// The response to a [`Request`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "response", rename_all = "kebab-case")]
pub enum Response {
    /// The certificates in use.
    Certificates(CertificateListing),
    /// The request is malformed or unknown.
    Error {
        /// What is wrong with the request.
        reason: String,
    },
    /// The metrics.
    Metrics {
        /// The metrics in the OpenMetrics format.
        text: String,
    },
    /// The plugins.
    Plugins(PluginListing),
}

/// The maximum length of a request with its line ending, in octets.
pub(super) const MAX_REQUEST: u64 = 4 << 10;
