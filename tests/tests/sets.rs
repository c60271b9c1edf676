//! The plugins of a session are what one look at the directory has found, whole.

use std::fs;

use postgate_tests::control::{plugin, wait_for_listing, wait_for_state};
use postgate_tests::crowd::session;
use postgate_tests::edition::{
    NO_RESCAN, Witness, deploy, deploy_into, edition, guest, says, start, wait_until_told,
};
use postgate_tests::gateway::repository;
use serde_json::Value;

/// The log line about what serves new sessions from now on.
fn is_set(line: &Value, generation: u32) -> bool {
    let message = line["message"].as_str().unwrap_or_default();
    message.starts_with("plugins are ready") && line["generation"] == generation
}

/// One file of a release compiles slowly. The other one is not served beside those of the release before.
#[test]
fn a_release_serves_when_all_of_it_is_loaded() {
    let gateway = start(&[NO_RESCAN]);
    deploy(&gateway, "20-other.wasm", &edition(1));
    wait_for_state(&gateway, "20-other", "active");
    let release = gateway.directory().join("release");
    fs::create_dir(&release).expect("a directory");
    deploy_into(&release, "10-edition.wasm", &edition(2));
    let slow = repository().join("tests/components/nested-components-24.wasm");
    fs::copy(slow, release.join("20-other.wasm")).expect("a slow file");
    let mut witness = Witness::of(&gateway);
    fs::rename(gateway.plugins(), gateway.directory().join("aside")).expect("a directory");
    fs::rename(&release, gateway.plugins()).expect("a directory");
    wait_until_told(&gateway, &says(2));
    witness.is_told_the_same();
    let is_event = |line: &Value| is_set(line, 3) || line["message"] == "plugin loaded";
    let is_refusal = |line: &Value| {
        let message = line["message"].as_str().unwrap_or_default();
        message.starts_with("plugin refused")
    };
    let lines = gateway
        .log()
        .find(|line| is_event(line) || is_refusal(line));
    // Edition 2 was loaded, the other one refused, and both serve then.
    let [.., loaded, refused, set] = &lines[..] else {
        panic!("{lines:?}");
    };
    assert_eq!(loaded["message"], "plugin loaded", "{lines:?}");
    assert!(is_refusal(refused) && is_set(set, 3), "{lines:?}");
    assert_eq!(refused["plugin"], "20-other", "{lines:?}");
    wait_for_state(&gateway, "20-other", "outdated");
}

/// A new file name for each version: the one before is not missed if the new one cannot be used.
#[test]
fn a_plugin_serves_until_what_came_as_it_went_does() {
    let gateway = start(&[NO_RESCAN]);
    let plugins = gateway.plugins();
    deploy(&gateway, "10-edition-2.wasm", b"nothing");
    fs::remove_file(plugins.join("10-edition.wasm")).expect("the plugin is there");
    wait_for_state(&gateway, "10-edition-2", "refused");
    let state = wait_for_state(&gateway, "10-edition", "outdated");
    let error = state["error"].as_str().unwrap_or_default();
    assert!(
        error.starts_with("its file is gone; it serves until") && error.ends_with("10-edition-2"),
        "{error}"
    );
    assert_eq!(session(gateway.address()), says(1));
    deploy(&gateway, "10-edition-2.wasm", &edition(2));
    wait_until_told(&gateway, &says(2));
    assert_eq!(plugin(&gateway, "10-edition"), None);

    // What cannot be used is taken away.
    deploy(&gateway, "20-broken.wasm", b"nothing");
    fs::remove_file(plugins.join("10-edition-2.wasm")).expect("the plugin is there");
    wait_for_state(&gateway, "10-edition-2", "outdated");
    assert_eq!(session(gateway.address()), says(2));
    fs::remove_file(plugins.join("20-broken.wasm")).expect("the file is there");
    wait_for_listing(&gateway, "empty", |listing| {
        listing["plugins"].as_array().is_some_and(Vec::is_empty)
    });
    assert!(session(gateway.address()).starts_with("250"));
}

/// A plugin that could be loaded only after the others of its change had gone ahead.
#[test]
fn a_plugin_that_takes_long_comes_later() {
    let gateway = start(&[NO_RESCAN]);
    let sidecar = b"limits.message-cpu = \"2s\"\nlimits.message-wall = \"1m\"\n";
    deploy(&gateway, "05-slow.toml", sidecar);
    deploy(&gateway, "05-slow.wasm", &guest("endless-self-test"));
    deploy(&gateway, "20-new.wasm", &edition(3));
    let state = wait_for_state(&gateway, "20-new", "active");
    assert_eq!(state["generation"], 2, "{state}");
    gateway.log().wait_for("the slow one", |line| {
        let message = line["message"].as_str().unwrap_or_default();
        line["plugin"] == "05-slow" && message.starts_with("plugin takes long to load")
    });
    wait_for_state(&gateway, "05-slow", "refused");
}
