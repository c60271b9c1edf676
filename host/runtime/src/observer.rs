//! Observers of the calls of plugins: recordings, and the tools for plugin authors.

use std::time::Duration;

use crate::context::Context;
use crate::error::PluginError;
use crate::question::Question;
use crate::verdict::PluginAnswer;

/// Observes each call of a plugin, after the call and before its edits are applied.
pub trait Observer: Send + Sync {
    /// Observes a call. The session waits for it, so it must not block.
    fn observe(&self, call: &ObservedCall<'_>);
}

/// One call of a plugin.
#[derive(Clone, Copy, Debug)]
pub struct ObservedCall<'a> {
    /// The name of the plugin.
    pub plugin: &'a str,
    /// The question.
    pub question: Question<'a>,
    /// The session as the plugin could see it.
    pub context: &'a Context,
    /// The answer, or the reason why there is none.
    pub answer: Result<&'a PluginAnswer, &'a PluginError>,
    /// How long the call took, including the start of the instance if it was new.
    pub elapsed: Duration,
}
