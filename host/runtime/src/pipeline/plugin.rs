//! The interface between the pipeline and plugins.

use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use postgate_config::sidecar::Sidecar;
use postgate_contract::Event;

use crate::breaker::Breaker;
use crate::context::Context;
use crate::error::PluginError;
use crate::instance::Instance;
use crate::loaded::LoadedPlugin;
use crate::meter::Remainder;
use crate::metrics::PluginMetrics;
use crate::question::Question;
use crate::verdict::PluginAnswer;

/// A plugin that a pipeline can ask. Tests of the pipeline implement it without WebAssembly.
pub trait Plugin: Send + Sync {
    /// An instance, which answers questions.
    type Instance: PluginInstance;

    /// The name in logs.
    fn name(&self) -> &str;
    /// True if the plugin is to be asked about an event.
    fn handles(&self, event: Event) -> bool;
    /// The settings of the operator.
    fn sidecar(&self) -> &Sidecar;
    /// The breaker, which takes the plugin out of service if it keeps failing.
    fn breaker(&self) -> &Breaker;
    /// The metrics of the plugin.
    fn metrics(&self) -> &PluginMetrics;
    /// Returns an instance for a session: a shared one that is idle, or a new one.
    ///
    /// # Errors
    ///
    /// Fails if there is no idle instance and none can be started.
    fn start(
        &self,
        context: &Arc<Context>,
    ) -> impl Future<Output = Result<Self::Instance, PluginError>> + Send;
    /// Takes back an instance that works. Only shared instances are kept.
    fn give_back(&self, instance: Self::Instance);
}

/// An instance of a plugin. It is not asked again after an error.
pub trait PluginInstance: Send {
    /// Asks a question.
    ///
    /// # Errors
    ///
    /// Fails if the instance gives no valid answer.
    fn ask(
        &mut self,
        question: Question<'_>,
        context: &Arc<Context>,
    ) -> impl Future<Output = Result<PluginAnswer, PluginError>> + Send;

    /// What the last answer has left of the limits of its call. What the host has to do for it counts, too.
    fn remainder(&self) -> Remainder;

    /// Adds CPU time that the host has used for an answer to that of a client.
    fn charge(&self, client: IpAddr, time: Duration);
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
    ) -> Result<PluginAnswer, PluginError> {
        self.call(question, context).await
    }

    fn remainder(&self) -> Remainder {
        self.remainder()
    }

    fn charge(&self, client: IpAddr, time: Duration) {
        self.charge(client, time);
    }
}
