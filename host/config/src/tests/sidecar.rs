//! Sidecars.

use std::path::Path;
use std::time::Duration;

use postgate_contract::{Event, Grant, Isolation, OnFailure};
use serde_json::json;

use crate::ConfigError;
use crate::sidecar::Sidecar;

#[test]
fn reads_a_sidecar() {
    let sidecar = Sidecar::parse(
        r#"
        on-failure = "reject"
        grants = ["store"]
        isolation = "event"
        shared-instances = 2
        events = ["rcpt", "message"]
        listeners = ["in"]
        [limits]
        memory = "1MiB"
        cpu = "20ms"
        delay = "0s"
        dns-queries = 0
        [breaker]
        failures = 3
        back-off = "1h"
        [config]
        anything = [1, 2.5, true, 1979-05-27, { deep = "x" }]
        "#,
        Path::new("10-a.toml"),
    )
    .unwrap();
    assert_eq!(sidecar.on_failure, OnFailure::Reject);
    assert_eq!(sidecar.grants, [Grant::Store]);
    assert_eq!(sidecar.events, Some(vec![Event::Rcpt, Event::Message]));
    assert_eq!(sidecar.listeners, Some(vec!["in".to_owned()]));
    assert_eq!(sidecar.isolation, Isolation::Event);
    assert_eq!(sidecar.shared_instances, 2);
    assert_eq!(sidecar.breaker.failures, 3);
    assert_eq!(sidecar.breaker.max_back_off, Duration::from_secs(3_600));
    assert_eq!(sidecar.limits.dns_queries, 0);
    assert_eq!(sidecar.limits.memory, 1 << 20);
    assert_eq!(sidecar.limits.cpu, Duration::from_millis(20));
    assert_eq!(
        sidecar.config,
        json!({"anything": [1, 2.5, true, "1979-05-27", {"deep": "x"}]}),
    );
}

#[test]
fn an_empty_sidecar_has_the_defaults() {
    assert_eq!(Sidecar::parse("", Path::new("x")), Ok(Sidecar::default()));
}

#[test]
fn listeners_and_events_are_checked() {
    let text = "events = [\"rcpt\", \"vrfy\"]\nlisteners = [\"mx\", \"submission\"]\n";
    let plugin = Path::new("plugins/10-a.wasm");
    let sidecar = Sidecar::parse(text, &plugin.with_extension("toml")).unwrap();
    let shown = |errors: Vec<ConfigError>| -> Vec<String> {
        errors.iter().map(ToString::to_string).collect()
    };
    assert_eq!(
        shown(sidecar.check_listeners(plugin, &["mx", "local"])),
        [
            r#"plugins/10-a.toml: listeners: no listener is called "submission"; there are: mx, local"#
        ],
    );
    assert_eq!(
        shown(sidecar.check_events(plugin, &[Event::Helo, Event::Rcpt])),
        [r#"plugins/10-a.toml: events: the plugin has no "vrfy"; it has: helo, rcpt"#],
    );
    assert_eq!(sidecar.check_listeners(plugin, &["submission", "mx"]), []);
    assert_eq!(sidecar.check_events(plugin, &Event::ALL), []);
    assert_eq!(Sidecar::default().check_listeners(plugin, &[]), []);
    assert_eq!(Sidecar::default().check_events(plugin, &[]), []);
}

/// A filter that is never asked passes what it would stop.
#[test]
fn a_plugin_that_would_never_be_asked_is_a_mistake() {
    for key in ["events", "listeners"] {
        let text = format!("{key} = []");
        let errors = Sidecar::parse(&text, Path::new("10-a.toml")).unwrap_err();
        let shown: Vec<_> = errors.iter().map(ToString::to_string).collect();
        let start = format!("10-a.toml:1: {key}: is empty");
        assert!(
            shown.len() == 1 && shown[0].starts_with(&start),
            "{shown:?}"
        );
    }
}

#[test]
fn body_chunk_needs_an_instance_for_the_message() {
    let plugin = Path::new("plugins/10-a.wasm");
    let exported = [Event::Rcpt, Event::BodyChunk];
    for (text, mistakes) in [
        ("isolation = \"event\"", 1),
        (
            "isolation = \"event\"\nevents = [\"rcpt\", \"body-chunk\"]",
            1,
        ),
        ("isolation = \"event\"\nevents = [\"rcpt\"]", 0),
        ("isolation = \"message\"", 0),
    ] {
        let sidecar = Sidecar::parse(text, &plugin.with_extension("toml")).unwrap();
        let found = sidecar.check_events(plugin, &exported);
        assert_eq!(found.len(), mistakes, "{text}");
        assert!(found.iter().all(|mistake| mistake.key == "isolation"));
    }
}

#[test]
fn all_mistakes_of_a_sidecar_are_listed_at_once() {
    let text = "on-failure = \"ignore\"\nonfailure = 1\ngrants = [\"http\", \"store\"]\nconfig = 1\n[limits]\nmemory = \"2GiB\"\ncpu = 5\n";
    let errors = Sidecar::parse(text, Path::new("10-a.toml")).unwrap_err();
    let shown: Vec<_> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            r#"10-a.toml:1: on-failure: expected "tempfail", "accept" or "reject", found "ignore""#,
            "10-a.toml:2: onfailure: unknown key; did you mean `on-failure`?",
            r#"10-a.toml:3: grants[0]: expected "clock", "dns", "files", "random" or "store", found "http""#,
            "10-a.toml:4: config: expected a table, found 1",
            "10-a.toml:6: limits.memory: is at most 1 GiB",
            r#"10-a.toml:7: limits.cpu: expected a time above 0, such as "500ms", "30s", "5m" or "1h", found 5"#,
        ],
    );
}
