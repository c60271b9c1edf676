//! A snapshot of the registry: the plugin set of new sessions, and the status of each plugin file.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::plugin_set::PluginSet;

/// The plugin set of new sessions, and the status of each plugin file.
#[derive(Debug, Default)]
pub struct Inventory {
    /// The set of new sessions. A session keeps its set to its end.
    pub set: Arc<PluginSet>,
    /// The listing at the last change of the registry.
    pub listing: PluginListing,
}

impl Inventory {
    /// Returns the listing with the present state of the breakers.
    pub fn listing_now(&self) -> PluginListing {
        let mut listing = self.listing.clone();
        for plugin in &self.set.plugins {
            let mut entries = listing.plugins.iter_mut();
            let listed = entries.find(|listed| listed.name == plugin.name());
            if let Some(listed) = listed
                && listed.state == PluginStatus::Active
                && plugin.breaker().is_open()
            {
                listed.state = PluginStatus::Out;
            }
        }
        listing
    }
}

/// The list of plugins for the operator.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginListing {
    /// The generation of the set of new sessions, which grows by one with each change.
    pub generation: u64,
    /// The error of the last scan, if the plugin directory could not be read. The previous plugins stay
    /// in service.
    pub error: Option<String>,
    /// Every plugin, in the order in which a session asks them.
    pub plugins: Vec<PluginListingEntry>,
}

impl PluginListing {
    /// True if the active plugins are those of the directory, and no breaker is open.
    pub fn is_well(&self) -> bool {
        let mut plugins = self.plugins.iter();
        self.error.is_none() && plugins.all(|plugin| plugin.state == PluginStatus::Active)
    }
}

/// One plugin in a listing. The field names are part of the control protocol.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginListingEntry {
    /// The name: the name of the file without its extension.
    pub name: String,
    /// The status.
    pub state: PluginStatus,
    /// The version of the active plugin according to its author.
    pub version: Option<String>,
    /// The SHA-256 of the file of the active plugin, in hexadecimal digits.
    pub sha256: Option<String>,
    /// The generation of the set in which the active plugin was new.
    pub generation: Option<u64>,
    /// The events that the active plugin handles, in the order of a session.
    pub events: Vec<String>,
    /// The grants of the active plugin.
    pub grants: Vec<String>,
    /// The reasons why the present file is not active.
    pub error: Option<String>,
}

/// The status of a plugin file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PluginStatus {
    /// The plugin is in service as its files are.
    Active,
    /// The plugin keeps failing, and its breaker is open.
    Out,
    /// The present files cannot be used; the previous version stays in service.
    Outdated,
    /// The files cannot be used, and there is no previous version.
    Refused,
}

impl PluginStatus {
    /// Returns the name in a listing.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Out => "out",
            Self::Outdated => "outdated",
            Self::Refused => "refused",
        }
    }
}

impl fmt::Display for PluginStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
