//! What is known about the plugins at one moment: the set that serves, and how each file fares.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::load::PluginSet;

/// The set of plugins that serves new sessions, and the state of every plugin file.
#[derive(Debug, Default)]
pub struct Inventory {
    /// What a session takes when it begins, and keeps to its end.
    pub set: Arc<PluginSet>,
    /// What an operator sees.
    pub listing: PluginListing,
}

impl Inventory {
    /// What an operator sees at this moment: a breaker may have taken out what serves otherwise.
    pub fn listing_now(&self) -> PluginListing {
        let mut listing = self.listing.clone();
        for plugin in &self.set.plugins {
            let mut states = listing.plugins.iter_mut();
            let listed = states.find(|listed| listed.name == plugin.name());
            if let Some(listed) = listed
                && listed.state == State::Active
                && plugin.breaker().is_open()
            {
                listed.state = State::Out;
            }
        }
        listing
    }
}

/// The plugins as an operator sees them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginListing {
    /// The generation of the set that serves new sessions: it grows by one with each change.
    pub generation: u64,
    /// Why the plugin directory could not be looked into the last time. The plugins that were there
    /// before serve on.
    pub error: Option<String>,
    /// Every plugin, in the order in which sessions ask them.
    pub plugins: Vec<PluginState>,
}

impl PluginListing {
    /// Whether what serves is what the directory holds.
    pub fn is_well(&self) -> bool {
        let mut plugins = self.plugins.iter();
        self.error.is_none() && plugins.all(|plugin| plugin.state == State::Active)
    }
}

/// One plugin as an operator sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginState {
    /// The name: that of the file without its ending.
    pub name: String,
    /// Whether it serves.
    pub state: State,
    /// The version that its author gave to the one that serves.
    pub version: Option<String>,
    /// The SHA-256 of the file of the one that serves, in hexadecimal digits.
    pub sha256: Option<String>,
    /// The generation in which the one that serves came.
    pub generation: Option<u64>,
    /// The events that it is asked about, in the order of a session.
    pub events: Vec<String>,
    /// What it may use beyond what every plugin may.
    pub grants: Vec<String>,
    /// Why the file that is there does not serve.
    pub error: Option<String>,
}

/// Whether a plugin serves new sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It serves as its files are.
    Active,
    /// Its files are good, but it keeps failing, and its breaker has taken it out for a while.
    Out,
    /// Its files were changed to something that cannot be used; the previous version stays in service.
    Outdated,
    /// Its files cannot be used, and no version before could.
    Refused,
}

impl State {
    /// The name in a listing.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Out => "out",
            Self::Outdated => "outdated",
            Self::Refused => "refused",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
