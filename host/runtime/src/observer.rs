//! Who else is told what plugins are asked and say: the tools of authors, and recordings.

use std::time::Duration;

use crate::context::Context;
use crate::pipeline;
use crate::verdict::{Opinion, PluginError};
use postgate_contract::Event;

/// Is told of each call of a plugin, after it and before its edits are applied.
pub trait Observer: Send + Sync {
    /// Takes note. Sessions wait for it, so that it must be quick.
    fn observe(&self, asked: &Asked<'_>);
}

/// One call of a plugin.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The name of the plugin.
    pub plugin: &'a str,
    /// The event.
    pub event: Event,
    /// What the plugin could see.
    pub context: &'a Context,
    /// What it said.
    pub answer: Result<&'a Opinion, &'a PluginError>,
    /// How long it took, with making the instance where this was its first call.
    pub elapsed: Duration,
}

impl Asked<'_> {
    /// Whom or what the call was about: a recipient, a host name, an address.
    pub fn subject(&self) -> String {
        pipeline::subject(self.event, self.context)
    }
}
