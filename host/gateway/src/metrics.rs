//! What the gateway counts, for its operator: OpenMetrics, as Prometheus reads it.
//!
//! What is counted at each call of a plugin is found once, when the plugin is loaded, and takes no
//! lock from then on.

use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use postgate_runtime::metrics::PluginMetricsFamily;
pub use postgate_runtime::metrics::{Counted, Gauge};

/// Everything that one gateway counts.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// Connections that are open, those that wait for their banner included.
    pub connections: Gauge,
    /// Sessions that are being processed.
    pub sessions: Gauge,
    /// Connections that came in.
    pub accepted: Counter,
    /// Connections that were closed for a limit, by the name of the reason.
    turned_away: Family<[(&'static str, &'static str); 1], Counter>,
    /// Messages, by what became of them.
    messages: Family<[(&'static str, &'static str); 1], Counter>,
    plugins: PluginMetricsFamily,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Everything at zero.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("postgate");
        let plugins = PluginMetricsFamily::register(&mut registry);
        let mut metrics = Self {
            registry,
            connections: Gauge::default(),
            sessions: Gauge::default(),
            accepted: Counter::default(),
            turned_away: Family::default(),
            messages: Family::default(),
            plugins,
        };
        metrics.register();
        metrics
    }

    fn register(&mut self) {
        let registry = &mut self.registry;
        registry.register(
            "connections",
            "Connections that are open",
            self.connections.clone(),
        );
        registry.register(
            "sessions",
            "Sessions that are being processed",
            self.sessions.clone(),
        );
        registry.register(
            "accepted_connections",
            "Connections that came in",
            self.accepted.clone(),
        );
        registry.register(
            "turned_away_connections",
            "Connections that were closed for a limit",
            self.turned_away.clone(),
        );
        registry.register(
            "messages",
            "Messages, by what became of them",
            self.messages.clone(),
        );
    }

    /// One more connection was closed for this reason.
    pub fn turned_away(&self, reason: &'static str) {
        self.turned_away.get_or_create(&[("reason", reason)]).inc();
    }

    /// One more message met this fate: `delivered`, `delivered-in-part`, `discarded`,
    /// `quarantined` or `refused`.
    pub fn message(&self, fate: &'static str) {
        self.messages.get_or_create(&[("fate", fate)]).inc();
    }

    /// What is counted about plugins.
    pub const fn plugins(&self) -> &PluginMetricsFamily {
        &self.plugins
    }

    /// Everything as text in the OpenMetrics format, version 1.0.
    pub fn render(&self) -> String {
        let mut rendered = String::new();
        // Writing to a String does not fail.
        _ = text::encode(&mut rendered, &self.registry);
        rendered
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_shown() {
        let metrics = Metrics::new();
        metrics.accepted.inc();
        metrics.turned_away("full");
        metrics.message("delivered");
        metrics.message("delivered");
        let open = Counted::on(&metrics.connections);
        let rendered = metrics.render();
        for line in [
            "postgate_connections 1",
            "postgate_sessions 0",
            "postgate_accepted_connections_total 1",
            "postgate_turned_away_connections_total{reason=\"full\"} 1",
            "postgate_messages_total{fate=\"delivered\"} 2",
            "# EOF",
        ] {
            assert!(rendered.lines().any(|l| l == line), "{line}:\n{rendered}");
        }
        drop(open);
        assert!(metrics.render().contains("postgate_connections 0\n"));
    }
}
