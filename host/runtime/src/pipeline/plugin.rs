//! A plugin as the pipeline sees it.

use std::future::Future;
use std::sync::Arc;

use postgate_config::sidecar::Sidecar;
use postgate_contract::Event;

use crate::breaker::Breaker;
use crate::context::Context;
use crate::error::PluginError;
use crate::instance::Instance;
use crate::loaded::LoadedPlugin;
use crate::metrics::PluginMetrics;
use crate::question::Question;
use crate::verdict::Opinion;

/// A plugin as the pipeline sees it.
pub trait Plugin: Send + Sync {
    /// What answers questions.
    type Instance: PluginInstance;

    /// The name in logs.
    fn name(&self) -> &str;
    /// True if the plugin is to be asked about an event.
    fn handles(&self, event: Event) -> bool;
    /// What the operator decided about it.
    fn sidecar(&self) -> &Sidecar;
    /// Takes it out of service while it keeps failing.
    fn breaker(&self) -> &Breaker;
    /// What is counted about it.
    fn metrics(&self) -> &PluginMetrics;
    /// Finds or makes an instance for a session.
    fn start(
        &self,
        context: &Arc<Context>,
    ) -> impl Future<Output = Result<Self::Instance, PluginError>> + Send;
    /// Takes back an instance that works, if sessions share them.
    fn give_back(&self, instance: Self::Instance);
}

/// An instance of a plugin. It is not asked again after an error.
pub trait PluginInstance: Send {
    /// Asks for an opinion.
    fn ask(
        &mut self,
        question: Question<'_>,
        context: &Arc<Context>,
    ) -> impl Future<Output = Result<Opinion, PluginError>> + Send;
}

impl Plugin for LoadedPlugin {
    type Instance = Instance;

    fn name(&self) -> &str {
        self.name()
    }

    fn handles(&self, event: Event) -> bool {
        self.handles(event)
    }

    fn sidecar(&self) -> &Sidecar {
        self.sidecar()
    }

    fn breaker(&self) -> &Breaker {
        self.breaker()
    }

    fn metrics(&self) -> &PluginMetrics {
        self.metrics()
    }

    async fn start(&self, context: &Arc<Context>) -> Result<Instance, PluginError> {
        self.take(context).await
    }

    fn give_back(&self, instance: Instance) {
        self.give_back(instance);
    }
}

impl PluginInstance for Instance {
    async fn ask(
        &mut self,
        question: Question<'_>,
        context: &Arc<Context>,
    ) -> Result<Opinion, PluginError> {
        self.call(question, context).await
    }
}
