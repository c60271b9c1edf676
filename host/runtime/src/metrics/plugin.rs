//! The metrics of plugins.

use std::sync::atomic::{AtomicBool, Ordering};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::{Registry, Unit};

use super::duration::Durations;
use super::gauge::Gauge;
use postgate_contract::Event;

type Labels<const N: usize> = [(&'static str, String); N];

/// The metrics of all plugins, labelled with their names.
#[derive(Clone, Debug)]
pub struct PluginMetricsFamily {
    calls: Family<Labels<2>, Durations>,
    failures: Family<Labels<3>, Counter>,
    host_faults: Family<Labels<3>, Counter>,
    skipped: Family<Labels<2>, Counter>,
    opened: Family<Labels<1>, Counter>,
    is_open: Family<Labels<1>, Gauge>,
    instances: Family<Labels<1>, Gauge>,
    refused: Family<Labels<1>, Counter>,
    /// The generation of the plugin set of new sessions.
    pub generation: Gauge,
}

impl PluginMetricsFamily {
    /// Registers the metrics of all plugins.
    pub fn register(registry: &mut Registry) -> Self {
        let all = Self {
            calls: Family::default(),
            failures: Family::default(),
            host_faults: Family::default(),
            skipped: Family::default(),
            opened: Family::default(),
            is_open: Family::default(),
            instances: Family::default(),
            refused: Family::default(),
            generation: Gauge::default(),
        };
        registry.register_with_unit(
            "plugin_call",
            "Time that plugins took to answer, waiting included",
            Unit::Seconds,
            all.calls.clone(),
        );
        registry.register(
            "plugin_failures",
            "Calls without an answer, by the limit that was exceeded or what else happened",
            all.failures.clone(),
        );
        registry.register(
            "plugin_host_faults",
            "Calls and loads that failed through the fault of the host, by its cause",
            all.host_faults.clone(),
        );
        registry.register(
            "plugin_skipped",
            "Calls that were not made, since the breaker was open",
            all.skipped.clone(),
        );
        registry.register(
            "plugin_breaker_opened",
            "How often the breaker took the plugin out of service",
            all.opened.clone(),
        );
        registry.register(
            "plugin_breaker_open",
            "Whether the breaker has taken the plugin out: 1, else 0",
            all.is_open.clone(),
        );
        registry.register(
            "plugin_instances",
            "Instances that exist",
            all.instances.clone(),
        );
        registry.register(
            "plugin_refused",
            "How often files of the plugin could not be used",
            all.refused.clone(),
        );
        registry.register(
            "plugins_generation",
            "The generation of the plugins that serve new sessions",
            all.generation.clone(),
        );
        all
    }

    /// Counts a refused file of a plugin.
    pub fn refused(&self, plugin: &str) {
        let labels = [("plugin", plugin.to_owned())];
        self.refused.get_or_create(&labels).inc();
    }

    /// Counts a load of a plugin that failed through the fault of the host, with its cause.
    pub fn load_failed(&self, plugin: &str, cause: &'static str) {
        let labels = [
            ("plugin", plugin.to_owned()),
            ("event", "load".to_owned()),
            ("cause", cause.to_owned()),
        ];
        self.host_faults.get_or_create(&labels).inc();
    }

    /// Returns the metrics of one plugin that handles these events.
    pub fn of(&self, plugin: &str, events: impl IntoIterator<Item = Event>) -> PluginMetrics {
        let alone = [("plugin", plugin.to_owned())];
        let at = |event: Event| {
            let labels = [
                ("plugin", plugin.to_owned()),
                ("event", event.name().to_owned()),
            ];
            (event, self.calls.get_or_create_owned(&labels))
        };
        PluginMetrics {
            plugin: plugin.to_owned(),
            calls: events.into_iter().map(at).collect(),
            failures: self.failures.clone(),
            host_faults: self.host_faults.clone(),
            skipped: self.skipped.clone(),
            opened: self.opened.get_or_create_owned(&alone),
            is_open: self.is_open.get_or_create_owned(&alone),
            is_retired: AtomicBool::new(false),
            instances: self.instances.get_or_create_owned(&alone),
        }
    }
}

/// The metrics of one plugin. Versions of the plugin with the same name share their counters.
#[derive(Debug)]
pub struct PluginMetrics {
    plugin: String,
    calls: Vec<(Event, Durations)>,
    failures: Family<Labels<3>, Counter>,
    host_faults: Family<Labels<3>, Counter>,
    skipped: Family<Labels<2>, Counter>,
    /// The number of times that the breaker has opened.
    pub opened: Counter,
    is_open: Gauge,
    is_retired: AtomicBool,
    /// The number of instances.
    pub instances: Gauge,
}

impl PluginMetrics {
    /// Returns the calls at an event, or `None` if the plugin does not handle it.
    pub fn calls(&self, event: Event) -> Option<&Durations> {
        let mut calls = self.calls.iter();
        calls
            .find(|(handled, _)| *handled == event)
            .map(|(_, calls)| calls)
    }

    /// Sets the gauge of the breaker. Does nothing for a version that serves no new sessions: the gauge
    /// belongs to the version that does.
    pub fn note_breaker(&self, is_open: bool) {
        if !self.is_retired.load(Ordering::Relaxed) {
            self.is_open.set(i64::from(is_open));
        }
    }

    /// Marks this version as one that serves no new sessions.
    pub(crate) fn retire(&self) {
        self.is_retired.store(true, Ordering::Relaxed);
        self.is_open.set(0);
    }

    /// Counts a failed call at an event, with its cause.
    pub fn failed(&self, event: Event, cause: &'static str) {
        let labels = self.with_cause(event, cause);
        self.failures.get_or_create(&labels).inc();
    }

    /// Counts a call at an event that failed through the fault of the host, with its cause.
    pub fn host_failed(&self, event: Event, cause: &'static str) {
        let labels = self.with_cause(event, cause);
        self.host_faults.get_or_create(&labels).inc();
    }

    fn with_cause(&self, event: Event, cause: &'static str) -> Labels<3> {
        [
            ("plugin", self.plugin.clone()),
            ("event", event.name().to_owned()),
            ("cause", cause.to_owned()),
        ]
    }

    /// Counts a call at an event that was not made.
    pub fn skipped(&self, event: Event) {
        let labels = [
            ("plugin", self.plugin.clone()),
            ("event", event.name().to_owned()),
        ];
        self.skipped.get_or_create(&labels).inc();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use prometheus_client::encoding::text;

    use super::*;

    #[test]
    fn versions_of_a_plugin_share_their_counters() {
        let mut registry = Registry::with_prefix("postgate");
        let metrics = PluginMetricsFamily::register(&mut registry);
        for _ in 0..2 {
            let plugin = metrics.of("10-access", [Event::Mail, Event::Rcpt]);
            plugin
                .calls(Event::Rcpt)
                .unwrap()
                .observe(Duration::from_micros(2));
            plugin.failed(Event::Rcpt, "cpu");
            plugin.skipped(Event::Mail);
            assert!(plugin.calls(Event::Helo).is_none());
        }
        let mut rendered = String::new();
        text::encode(&mut rendered, &registry).unwrap();
        for line in [
            "postgate_plugin_call_seconds_count{plugin=\"10-access\",event=\"rcpt\"} 2",
            "postgate_plugin_failures_total{plugin=\"10-access\",event=\"rcpt\",cause=\"cpu\"} 2",
            "postgate_plugin_skipped_total{plugin=\"10-access\",event=\"mail\"} 2",
            "postgate_plugin_breaker_open{plugin=\"10-access\"} 0",
        ] {
            assert!(rendered.lines().any(|l| l == line), "{line}:\n{rendered}");
        }
    }
}
