//! What is counted about plugins.

use std::sync::atomic::{AtomicBool, Ordering};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::{Registry, Unit};

use super::{Durations, Gauge};
use postgate_contract::Event;

type Labels<const N: usize> = [(&'static str, String); N];

/// What is counted about all plugins, each by its name.
#[derive(Clone, Debug)]
pub struct PluginMetricsFamily {
    calls: Family<Labels<2>, Durations>,
    failures: Family<Labels<3>, Counter>,
    skipped: Family<Labels<2>, Counter>,
    opened: Family<Labels<1>, Counter>,
    is_open: Family<Labels<1>, Gauge>,
    instances: Family<Labels<1>, Gauge>,
    refused: Family<Labels<1>, Counter>,
    /// The generation of the plugins that serve new sessions.
    pub generation: Gauge,
}

impl PluginMetricsFamily {
    /// Registers the counters of all plugins.
    pub fn register(registry: &mut Registry) -> Self {
        let all = Self {
            calls: Family::default(),
            failures: Family::default(),
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
            "plugin_skipped",
            "Calls that were not made, since the breaker was open",
            all.skipped.clone(),
        );
        registry.register(
            "plugin_breaker_opened",
            "How often the breaker took the plugin out",
            all.opened.clone(),
        );
        registry.register(
            "plugin_breaker_open",
            "Whether the breaker has taken the plugin out: 1, else 0",
            all.is_open.clone(),
        );
        registry.register(
            "plugin_instances",
            "Instances that there are",
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

    /// Files of a plugin could not be used.
    pub fn refused(&self, plugin: &str) {
        let labels = [("plugin", plugin.to_owned())];
        self.refused.get_or_create(&labels).inc();
    }

    /// What is counted about one plugin at these events.
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
            skipped: self.skipped.clone(),
            opened: self.opened.get_or_create_owned(&alone),
            is_open: self.is_open.get_or_create_owned(&alone),
            is_retired: AtomicBool::new(false),
            instances: self.instances.get_or_create_owned(&alone),
        }
    }
}

/// What is counted about one plugin. A plugin that takes the place of another of the same name goes
/// on counting where that one was.
#[derive(Debug)]
pub struct PluginMetrics {
    plugin: String,
    calls: Vec<(Event, Durations)>,
    failures: Family<Labels<3>, Counter>,
    skipped: Family<Labels<2>, Counter>,
    /// How often the breaker took it out.
    pub opened: Counter,
    is_open: Gauge,
    is_retired: AtomicBool,
    /// The instances that there are.
    pub instances: Gauge,
}

impl PluginMetrics {
    /// The calls at an event; nothing where the plugin does not handle it.
    pub fn calls(&self, event: Event) -> Option<&Durations> {
        let mut calls = self.calls.iter();
        calls
            .find(|(handled, _)| *handled == event)
            .map(|(_, calls)| calls)
    }

    /// The breaker has taken the plugin out, or let it back. A version that serves no new sessions
    /// says nothing about the one that does.
    pub fn note_breaker(&self, is_open: bool) {
        if !self.is_retired.load(Ordering::Relaxed) {
            self.is_open.set(i64::from(is_open));
        }
    }

    /// The plugin serves no new sessions any more: its breaker counts no longer.
    pub(crate) fn retire(&self) {
        self.is_retired.store(true, Ordering::Relaxed);
        self.is_open.set(0);
    }

    /// A call at this event had no answer, for this cause.
    pub fn failed(&self, event: Event, cause: &'static str) {
        let labels = [
            ("plugin", self.plugin.clone()),
            ("event", event.name().to_owned()),
            ("cause", cause.to_owned()),
        ];
        self.failures.get_or_create(&labels).inc();
    }

    /// A call at this event was not made.
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

    use super::*;

    #[test]
    fn plugins_of_one_name_count_together() {
        let metrics = Metrics::new();
        for _ in 0..2 {
            let plugin = metrics
                .plugins()
                .of("10-access", [Event::Mail, Event::Rcpt]);
            plugin
                .calls(Event::Rcpt)
                .unwrap()
                .observe(Duration::from_micros(2));
            plugin.failed(Event::Rcpt, "cpu");
            plugin.skipped(Event::Mail);
            assert!(plugin.calls(Event::Helo).is_none());
        }
        let rendered = metrics.render();
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
