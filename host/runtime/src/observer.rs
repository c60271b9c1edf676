//! Who else is told what plugins are asked and say: the tools of authors, and recordings.

use std::time::Duration;

use crate::context::Context;
use crate::error::PluginError;
use crate::question::Question;
use crate::verdict::Opinion;

/// Is told of each call of a plugin, after the call and before its edits are applied.
pub trait Observer: Send + Sync {
    /// Takes note. Sessions wait for it, so it must be quick.
    fn observe(&self, call: &ObservedCall<'_>);
}

/// One call of a plugin.
#[derive(Clone, Copy, Debug)]
pub struct ObservedCall<'a> {
    /// The name of the plugin.
    pub plugin: &'a str,
    /// What it was asked.
    pub question: Question<'a>,
    /// What else it could see.
    pub context: &'a Context,
    /// What it said.
    pub answer: Result<&'a Opinion, &'a PluginError>,
    /// How long it took, including the time to make the instance if this was its first call.
    pub elapsed: Duration,
}
