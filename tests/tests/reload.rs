//! Plugins come, change and go while mail flows, and no session notices but by what it is told.

use std::fs;
use std::time::{Duration, Instant};

use postgate_tests::PATIENCE;
use postgate_tests::control::{ask, plugin};
use postgate_tests::crowd::{Crowd, session};
use postgate_tests::edition::{
    ACCEPTED, CROWD, NO_HINTS, NO_RESCAN, Witness, deploy, edition, guest, refusals, says, start,
    wait_until_told,
};
use postgate_tests::gateway::{Gateway, program};
use postgate_tests::peer::{pause, run};
use postgate_tests::process::resident_memory;
use serde_json::Value;

#[test]
fn plugins_are_added_replaced_renamed_and_removed_under_load() {
    let gateway = start(&[NO_RESCAN]);
    let crowd = Crowd::of(CROWD, gateway.address());
    let mut first = Witness::of(&gateway);
    assert_eq!(first.told, says(1));

    deploy(&gateway, "10-edition.wasm", &edition(2));
    wait_until_told(&gateway, &says(2));
    first.is_told_the_same();
    let mut second = Witness::of(&gateway);

    // One that is asked before it.
    deploy(&gateway, "05-edition.wasm", &edition(3));
    wait_until_told(&gateway, &says(3));
    let listing = ask(&gateway, "plugin-list");
    assert_eq!(listing["plugins"][0]["name"], "05-edition", "{listing}");
    assert_eq!(listing["plugins"][1]["generation"], 2, "{listing}");

    // Now it is the other way round.
    let plugins = gateway.plugins();
    let rename = fs::rename(
        plugins.join("05-edition.wasm"),
        plugins.join("15-edition.wasm"),
    );
    rename.expect("a plugin can be renamed");
    wait_until_told(&gateway, &says(2));
    assert!(plugin(&gateway, "05-edition").is_none());

    for name in ["10-edition.wasm", "15-edition.wasm"] {
        fs::remove_file(plugins.join(name)).expect("a plugin can be removed");
    }
    wait_until_told(&gateway, ACCEPTED);
    first.is_told_the_same();
    second.is_told_the_same();

    let (sessions, told) = crowd.end();
    assert!(sessions >= CROWD, "{sessions}");
    let expected = [says(1), says(2), says(3)];
    let is_expected = |told: &String| expected.contains(told) || told.starts_with("250");
    assert!(told.iter().all(is_expected), "{told:?}");
    assert_eq!(refusals(&gateway), [] as [Value; 0]);
}

#[test]
fn a_gateway_can_be_told_to_look() {
    let gateway = start(&[NO_HINTS, NO_RESCAN]);
    let config = gateway.directory().join("postgate.toml");
    let reload = || {
        run(program()
            .args(["plugin", "reload", "--config"])
            .arg(&config))
    };
    deploy(&gateway, "10-edition.wasm", &edition(2));
    let output = reload();
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("10-edition"), "{said}");
    assert_eq!(session(gateway.address()), says(2));

    deploy(&gateway, "10-edition.wasm", b"nothing");
    let output = reload();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("10-edition.wasm"), "{said}");
    assert_eq!(session(gateway.address()), says(2));

    deploy(&gateway, "10-edition.wasm", &edition(3));
    gateway.hang_up();
    wait_until_told(&gateway, &says(3));
}

/// Files that change faster than anybody can read them.
#[test]
fn a_storm_of_a_thousand_changes_ends_with_the_last() {
    let gateway = start(&[NO_RESCAN]);
    let crowd = Crowd::of(CROWD, gateway.address());
    for number in 1..=1_000 {
        deploy(&gateway, "10-edition.wasm", &edition(number));
    }
    wait_until_told(&gateway, &says(1_000));
    let (_, told) = crowd.end();
    assert!(told.contains(&says(1)) && told.len() <= 1_000, "{told:?}");
    assert_eq!(refusals(&gateway), [] as [Value; 0]);
}

/// Each of a thousand changes serves, and none of the versions before stays in memory.
#[test]
fn a_thousand_versions_leave_no_memory_behind() {
    let gateway = start(&[NO_HINTS, NO_RESCAN]);
    let crowd = Crowd::of(CROWD, gateway.address());
    let change = |number: u32| {
        deploy(&gateway, "10-edition.wasm", &edition(2 + number % 2));
        let listing = ask(&gateway, "plugin-reload");
        assert_eq!(listing["generation"], number + 1, "{listing}");
    };
    // What the first of them take, all others may take as well.
    (1..=100).for_each(change);
    let before = resident_memory(&gateway);
    (101..=1_000).for_each(change);
    let after = resident_memory(&gateway);
    let (_, told) = crowd.end();
    assert!(told.is_superset(&[says(2), says(3)].into()), "{told:?}");
    let grown = after.saturating_sub(before);
    assert!(
        grown < 900 * LEAK_OF_A_VERSION,
        "{before} octets grew by {grown}"
    );
}

/// Less than half of what a version takes, code and image and all, and more than twice of what the
/// allocator sways by where everything else on the machine is busy.
const LEAK_OF_A_VERSION: usize = 96 << 10;

/// A plugin that takes its time to be loaded keeps no other from coming and going.
#[test]
fn a_slow_plugin_holds_up_no_other() {
    let gateway = start(&[NO_RESCAN]);
    let sidecar = b"limits.message-cpu = \"10m\"\nlimits.message-wall = \"10m\"\n";
    deploy(&gateway, "05-slow.toml", sidecar);
    deploy(&gateway, "05-slow.wasm", &guest("endless-self-test"));
    // What changes at the same moment would wait for it for half a minute.
    gateway.log().wait_for("the slow plugin", |line| {
        let message = line["message"].as_str().unwrap_or_default();
        message.starts_with("plugin takes long to load")
    });
    deploy(&gateway, "10-edition.wasm", &edition(2));
    wait_until_told(&gateway, &says(2));
    deploy(&gateway, "10-edition.wasm", &edition(3));
    wait_until_told(&gateway, &says(3));
    fs::remove_file(gateway.plugins().join("10-edition.wasm")).expect("it is there");
    wait_until_told(&gateway, ACCEPTED);
    // What was being loaded and is gone never serves.
    fs::remove_file(gateway.plugins().join("05-slow.wasm")).expect("it is there");
    deploy(&gateway, "10-edition.wasm", &edition(4));
    wait_until_told(&gateway, &says(4));
    assert_eq!(plugin(&gateway, "05-slow"), None);
    assert_eq!(refusals(&gateway), [] as [Value; 0]);
}

/// From a change of the directory to the first session that it serves. How soon that is at best says what
/// the gateway waits for; the rest is what else the machine has to do.
#[test]
fn a_change_serves_within_a_second() {
    let gateway = start(&[NO_RESCAN]);
    let file = gateway.plugins().join("10-edition.wasm");
    let timed = |change: &dyn Fn(), told: &str| {
        let start = Instant::now();
        change();
        wait_until_told(&gateway, told);
        start.elapsed()
    };
    let remove = || fs::remove_file(&file).expect("the plugin is there");
    let mut soonest = [Duration::MAX; 3];
    for number in 2..=6 {
        let put = || deploy(&gateway, "10-edition.wasm", &edition(number));
        let replaced = timed(&put, &says(number));
        let removed = timed(&remove, ACCEPTED);
        let added = timed(&put, &says(number));
        for (soonest, time) in soonest.iter_mut().zip([replaced, removed, added]) {
            *soonest = time.min(*soonest);
        }
    }
    for (change, soonest) in ["replaced", "removed", "added"].into_iter().zip(soonest) {
        assert!(soonest < Duration::from_secs(1), "{change}: {soonest:?}");
    }
}

/// Sessions of all generations share the instances that there may be.
#[test]
fn instances_of_all_generations_count() {
    let gateway = start(&[NO_HINTS, NO_RESCAN, "plugins.instances = 2"]);
    let mut first = Witness::of(&gateway);
    deploy(&gateway, "10-edition.wasm", &edition(2));
    ask(&gateway, "plugin-reload");
    let mut second = Witness::of(&gateway);
    assert_eq!(second.told, says(2));
    gateway.connect().expect("421 4.3.2");
    first.is_told_the_same();
    first.client.says("QUIT", "221");
    first.client.expect_close();
    wait_for_place(&gateway);
    second.is_told_the_same();
}

/// A session is over a moment after its client has gone.
fn wait_for_place(gateway: &Gateway) {
    let deadline = Instant::now() + PATIENCE;
    while !gateway.connect().reply().starts_with("220") {
        assert!(Instant::now() < deadline, "nobody gives his place back");
        pause();
    }
}
