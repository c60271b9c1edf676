//! The metrics of a gateway in the OpenMetrics format of Prometheus.
//!
//! The metrics of a plugin are looked up once, when it is loaded. Updates then need no lock.

use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use postgate_runtime::metrics::PluginMetricsFamily;
pub use postgate_runtime::metrics::{Counted, Gauge};

/// The metrics of one gateway.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// Open connections, including those that wait for the banner.
    pub connections: Gauge,
    /// Sessions in progress.
    pub sessions: Gauge,
    /// Connections that were accepted from the system.
    pub accepted: Counter,
    /// Connections that exceeded a limit, by limit.
    denied: Family<[(&'static str, &'static str); 1], Counter>,
    /// Lines of the log that were dropped because nobody read them.
    pub dropped_log_lines: Counter,
    /// Messages by their fate.
    messages: Family<[(&'static str, &'static str); 1], Counter>,
    plugins: PluginMetricsFamily,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Registers all metrics, with the value 0.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("postgate");
        let plugins = PluginMetricsFamily::register(&mut registry);
        let mut metrics = Self {
            registry,
            connections: Gauge::default(),
            sessions: Gauge::default(),
            accepted: Counter::default(),
            denied: Family::default(),
            dropped_log_lines: Counter::default(),
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
            self.denied.clone(),
        );
        registry.register(
            "dropped_log_lines",
            "Lines of the log that were dropped, since nobody read them",
            self.dropped_log_lines.clone(),
        );
        registry.register(
            "messages",
            "Messages, by what became of them",
            self.messages.clone(),
        );
    }

    /// Counts a connection that exceeded a limit: `address`, `descriptors`, `full` or `rate`.
    pub fn count_denied(&self, reason: &'static str) {
        self.denied.get_or_create(&[("reason", reason)]).inc();
    }

    /// Counts a message by its fate: `delivered`, `delivered-in-part`, `discarded`, `quarantined` or
    /// `refused`.
    pub fn count_message(&self, fate: &'static str) {
        self.messages.get_or_create(&[("fate", fate)]).inc();
    }

    /// Returns the metrics of plugins.
    pub const fn plugins(&self) -> &PluginMetricsFamily {
        &self.plugins
    }

    /// Formats all metrics as OpenMetrics 1.0.
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
    fn metrics_are_formatted() {
        let metrics = Metrics::new();
        metrics.accepted.inc();
        metrics.count_denied("full");
        metrics.dropped_log_lines.inc_by(3);
        metrics.count_message("delivered");
        metrics.count_message("delivered");
        let open = Counted::on(&metrics.connections);
        let rendered = metrics.render();
        for line in [
            "postgate_connections 1",
            "postgate_sessions 0",
            "postgate_accepted_connections_total 1",
            "postgate_turned_away_connections_total{reason=\"full\"} 1",
            "postgate_dropped_log_lines_total 3",
            "postgate_messages_total{fate=\"delivered\"} 2",
            "# EOF",
        ] {
            assert!(rendered.lines().any(|l| l == line), "{line}:\n{rendered}");
        }
        drop(open);
        assert!(metrics.render().contains("postgate_connections 0\n"));
    }
}
