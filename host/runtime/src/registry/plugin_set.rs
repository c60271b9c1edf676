//! The plugins that serve a session.

use std::sync::Arc;

use crate::loaded::LoadedPlugin;

/// The plugins that serve a session, in their order.
#[derive(Debug, Default)]
pub struct PluginSet {
    /// The number of the set, which grows by one with each change.
    pub generation: u64,
    /// The plugins, in the order in which a session asks them.
    pub plugins: Vec<Arc<LoadedPlugin>>,
}
