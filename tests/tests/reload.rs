//! Plugins come, change and go while mail flows, and no session notices but by what it is told.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Instant;

use postgate_tests::PATIENCE;
use postgate_tests::client::Client;
use postgate_tests::control::{SOCKET, ask, plugin, wait_for_listing, wait_for_state};
use postgate_tests::crowd::{Crowd, session};
use postgate_tests::gateway::{Gateway, Setup, guest_file, program};
use postgate_tests::peer::{pause, run};
use postgate_tests::process::resident_memory;
use serde_json::Value;

/// How many sessions there are at any time while plugins change.
const CROWD: usize = 20;
/// No look at the directory but where the system hints at a change, or somebody asks for it.
const NO_RESCAN: &str = "plugins.rescan = \"1h\"";
/// No hints of the system.
const NO_HINTS: &str = "plugins.watch = false";
/// Looks that follow each other at once.
const QUICK_RESCAN: &str = "plugins.rescan = \"100ms\"";

/// The built guest with another number in it.
fn edition(number: u32) -> Vec<u8> {
    let mut wasm = fs::read(guest_file("guests/edition")).expect("the guests are built");
    let built = b"edition 000000";
    let places: Vec<_> = wasm
        .windows(built.len())
        .enumerate()
        .filter_map(|(at, found)| (found == built).then_some(at))
        .collect();
    let [at] = places[..] else {
        panic!("the text of the guest is there {} times", places.len());
    };
    let text = format!("edition {number:06}");
    wasm[at..at + text.len()].copy_from_slice(text.as_bytes());
    wasm
}

fn guest(name: &str) -> Vec<u8> {
    fs::read(guest_file(&format!("guests/{name}"))).expect("the guests are built")
}

/// What a client is told by an edition.
fn says(number: u32) -> String {
    format!("550 5.7.1 this is edition {number:06}")
}

const ACCEPTED: &str = "250 ";

/// A gateway with the first edition as its only plugin.
fn start(settings: &[&str]) -> Gateway {
    let setup = settings.iter().fold(Setup::new(), |setup, s| setup.set(s));
    let setup = setup.set(SOCKET);
    setup.plugin_file("10-edition", &edition(1), "").start()
}

/// Puts a file into the plugin directory as the documentation says.
fn deploy(gateway: &Gateway, name: &str, contents: &[u8]) {
    deploy_into(&gateway.plugins(), name, contents);
}

fn deploy_into(directory: &Path, name: &str, contents: &[u8]) {
    let hidden = directory.join(format!(".{name}.tmp"));
    fs::write(&hidden, contents).expect("the copy");
    fs::rename(hidden, directory.join(name)).expect("the file can be renamed");
}

/// Waits until a new client is told this.
fn wait_until_told(gateway: &Gateway, expected: &str) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let told = session(gateway.address());
        if told.starts_with(expected) {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "{told:?}, and never {expected:?}"
        );
        pause();
    }
}

/// A client in the middle of its session, which was told something already.
struct Witness {
    client: Client,
    told: String,
}

impl Witness {
    fn of(gateway: &Gateway) -> Self {
        let mut client = Client::greeted(gateway.address());
        client.says("MAIL FROM:<alice@client.example>", "250");
        let told = client.ask("RCPT TO:<bob@example.org>");
        Self { client, told }
    }

    fn is_told_the_same(&mut self) {
        self.client.says("RSET", "250");
        self.client.says("MAIL FROM:<alice@client.example>", "250");
        assert_eq!(self.client.ask("RCPT TO:<bob@example.org>"), self.told);
    }
}

fn refusals(gateway: &Gateway) -> Vec<Value> {
    let is_refusal = |line: &Value| {
        let message = line["message"].as_str().unwrap_or_default();
        line["level"] == "ERROR" && message.starts_with("plugin refused")
    };
    gateway.log().find(is_refusal)
}

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

/// Whatever comes in the place of a plugin and cannot be used, the plugin that was there stays.
#[test]
fn what_cannot_be_used_leaves_the_version_before() {
    let gateway = start(&[QUICK_RESCAN]);
    let crowd = Crowd::of(CROWD, gateway.address());
    let table = [
        ("empty", Vec::new(), "shorter than the preamble"),
        (
            "text",
            b"#!/bin/sh\n".to_vec(),
            "not a WebAssembly component",
        ),
        (
            "broken",
            b"\0asm\x01\0\0\0broken".to_vec(),
            "not a WebAssembly component",
        ),
        ("ungranted", guest("ungranted"), "grants = [\"store\"]"),
        ("init", guest("init-fails"), "this plugin never starts"),
        (
            "self-test",
            guest("self-test-fails"),
            "this plugin does not work",
        ),
    ];
    for (index, (what, contents, sign)) in table.iter().enumerate() {
        deploy(&gateway, "10-edition.wasm", contents);
        let state = wait_for_state(&gateway, "10-edition", "outdated");
        let error = state["error"].as_str().unwrap_or_default();
        assert!(error.contains(sign), "{what}: {error}");
        assert!(error.contains("10-edition.wasm"), "{what}: {error}");
        assert_eq!(state["generation"], 1, "{what}");
        assert_eq!(session(gateway.address()), says(1), "{what}");
        // Once, however often it was looked at.
        let refusals = refusals(&gateway);
        assert_eq!(refusals.len(), index + 1, "{what}: {refusals:?}");
        let line = &refusals[index];
        assert_eq!(line["plugin"], "10-edition", "{line}");
        assert!(
            line["error"].as_str().is_some_and(|e| e.contains(sign)),
            "{line}"
        );
        deploy(&gateway, "10-edition.wasm", &edition(1));
        let state = wait_for_state(&gateway, "10-edition", "active");
        assert_eq!(state["error"], Value::Null, "{what}");
    }
    let (_, told) = crowd.end();
    assert_eq!(told, [says(1)].into());
    assert_eq!(ask(&gateway, "plugin-list")["generation"], 1);
}

/// A plugin that could never be used does not keep the others from changing.
#[test]
fn a_new_plugin_that_cannot_be_used_is_listed_and_harms_nobody() {
    let gateway = start(&[NO_RESCAN]);
    deploy(&gateway, "20-new.wasm", b"nothing");
    let state = wait_for_state(&gateway, "20-new", "refused");
    assert_eq!(state["sha256"], Value::Null, "{state}");
    deploy(&gateway, "10-edition.wasm", &edition(2));
    wait_until_told(&gateway, &says(2));
    fs::remove_file(gateway.plugins().join("20-new.wasm")).expect("the file is there");
    wait_for_listing(&gateway, "one plugin", |listing| {
        listing["plugins"]
            .as_array()
            .is_some_and(|list| list.len() == 1)
    });
}

#[test]
fn what_is_no_file_is_no_plugin() {
    let gateway = start(&[NO_RESCAN]);
    let plugin = gateway.plugins().join("10-edition.wasm");
    fs::remove_file(&plugin).expect("the plugin is there");
    fs::create_dir(&plugin).expect("a directory of this name");
    let state = wait_for_state(&gateway, "10-edition", "outdated");
    let error = state["error"].as_str().unwrap_or_default();
    assert!(error.contains("no regular file"), "{error}");
    fs::remove_dir(&plugin).expect("the directory is empty");
    symlink("not-there", &plugin).expect("a link");
    wait_for_listing(&gateway, "a link that leads nowhere", |listing| {
        let error = listing["plugins"][0]["error"].as_str();
        error.is_some_and(|error| error.contains("No such file"))
    });
    assert_eq!(session(gateway.address()), says(1));
}

#[test]
fn a_half_written_copy_never_serves() {
    let gateway = start(&[QUICK_RESCAN]);
    let crowd = Crowd::of(CROWD, gateway.address());
    let whole = edition(2);
    let (half, rest) = whole.split_at(whole.len() / 2);
    let plugin = gateway.plugins().join("10-edition.wasm");
    fs::write(&plugin, half).expect("half of the copy");
    // It has been looked at, for longer than any pause between two writes.
    wait_for_state(&gateway, "10-edition", "outdated");
    assert_eq!(session(gateway.address()), says(1));
    let mut file = fs::File::options()
        .append(true)
        .open(&plugin)
        .expect("the file");
    std::io::Write::write_all(&mut file, rest).expect("the rest of the copy");
    wait_until_told(&gateway, &says(2));
    wait_for_state(&gateway, "10-edition", "active");
    let (_, told) = crowd.end();
    assert_eq!(told, [says(1), says(2)].into());
}

#[test]
fn a_sidecar_changes_its_plugin() {
    let echo = |text: &str| format!("[config]\ntext = \"{text}\"\n");
    let gateway = Setup::new()
        .set(SOCKET)
        .set(NO_RESCAN)
        .plugin("10-echo", "guests/config-echo", &echo("one"))
        .start();
    let told = |text: &str| format!("550 5.7.1 {text}");
    wait_until_told(&gateway, &told("one"));
    deploy(&gateway, "10-echo.toml", echo("two").as_bytes());
    wait_until_told(&gateway, &told("two"));
    for (broken, sign) in [
        ("oops = 1\n", "10-echo.toml:1: oops: unknown key"),
        ("grants = [\"everything\"]\n", "10-echo.toml:1: grants[0]"),
        (
            "listeners = [\"nowhere\"]\n[config]\ntext = \"x\"\n",
            "no listener is called",
        ),
        (
            "events = [\"helo\"]\n[config]\ntext = \"x\"\n",
            "the plugin has no",
        ),
    ] {
        deploy(&gateway, "10-echo.toml", broken.as_bytes());
        wait_for_listing(&gateway, sign, |listing| {
            let error = listing["plugins"][0]["error"].as_str();
            error.is_some_and(|error| error.contains(sign))
        });
        assert_eq!(session(gateway.address()), told("two"));
    }
    // Without it the plugin misses its text.
    fs::remove_file(gateway.plugins().join("10-echo.toml")).expect("the sidecar is there");
    wait_for_listing(&gateway, "a plugin without its sidecar", |listing| {
        let error = listing["plugins"][0]["error"].as_str();
        error.is_some_and(|error| error.contains("missing field"))
    });
    deploy(&gateway, "10-echo.toml", echo("three").as_bytes());
    wait_until_told(&gateway, &told("three"));
    // Nobody reads one without its plugin, and somebody is told so.
    deploy(&gateway, "30-alone.toml", b"");
    gateway.log().wait_for("the file 30-alone.toml", |line| {
        line["level"] == "WARN" && line.to_string().contains("30-alone.toml")
    });
}

/// Hidden files, and the leavings of editors and copying programs.
#[test]
fn other_files_are_left_alone() {
    let gateway = start(&[QUICK_RESCAN]);
    let plugins = gateway.plugins();
    for name in [
        ".10-edition.wasm.swp",
        ".20-hidden.wasm",
        "10-edition.wasm.new",
        "10-edition.wasm~",
        "#10-edition.wasm#",
        "4913",
        "README.md",
    ] {
        fs::write(plugins.join(name), "nothing").expect("a file");
    }
    // What comes after them has been seen, and so have they.
    deploy(&gateway, "10-edition.wasm", &edition(2));
    wait_until_told(&gateway, &says(2));
    let listing = ask(&gateway, "plugin-list");
    assert_eq!(
        listing["plugins"].as_array().map(Vec::len),
        Some(1),
        "{listing}"
    );
    assert_eq!(listing["generation"], 2, "{listing}");
    assert_eq!(refusals(&gateway), [] as [Value; 0]);
}

#[test]
fn without_hints_looking_now_and_then_is_enough() {
    let gateway = start(&[NO_HINTS, QUICK_RESCAN]);
    for number in 2..5 {
        deploy(&gateway, "10-edition.wasm", &edition(number));
        wait_until_told(&gateway, &says(number));
    }
    fs::remove_file(gateway.plugins().join("10-edition.wasm")).expect("the plugin is there");
    wait_until_told(&gateway, ACCEPTED);
}

/// The system tells nothing of a directory any more once another one has its name.
#[test]
fn a_directory_that_is_replaced_is_watched_again() {
    let gateway = start(&[NO_RESCAN]);
    let plugins = gateway.plugins();
    let aside = gateway.directory().join("aside");
    for number in [2, 4] {
        let next = gateway.directory().join("next");
        fs::create_dir(&next).expect("another directory");
        deploy_into(&next, "10-edition.wasm", &edition(number));
        fs::rename(&plugins, &aside).expect("a directory can be renamed");
        // It is gone for a while, and nothing else changes.
        wait_for_listing(&gateway, "missing", |listing| listing["error"].is_string());
        assert_eq!(session(gateway.address()), says(number - 1));
        fs::rename(&next, &plugins).expect("a directory can be renamed");
        wait_until_told(&gateway, &says(number));
        assert_eq!(ask(&gateway, "plugin-list")["error"], Value::Null);
        deploy(&gateway, "10-edition.wasm", &edition(number + 1));
        wait_until_told(&gateway, &says(number + 1));
        fs::remove_dir_all(&aside).expect("the old directory");
    }
}

/// The usual way to deploy all files of a version at once.
#[test]
fn a_link_to_a_directory_may_lead_elsewhere() {
    let gateway = start(&[NO_RESCAN]);
    let plugins = gateway.plugins();
    let release = |number: u32| {
        let name = format!("release-{number}");
        let directory = gateway.directory().join(&name);
        fs::create_dir(&directory).expect("another directory");
        deploy_into(&directory, "10-edition.wasm", &edition(number));
        let next = gateway.directory().join("next");
        symlink(&name, &next).expect("a link");
        next
    };
    fs::rename(&plugins, gateway.directory().join("aside")).expect("a directory can be renamed");
    for number in 2..5 {
        fs::rename(release(number), &plugins).expect("a link can be replaced");
        wait_until_told(&gateway, &says(number));
        let list = ask(&gateway, "plugin-list");
        assert_eq!(list["plugins"].as_array().map(Vec::len), Some(1), "{list}");
    }
}

/// As Kubernetes mounts what a ConfigMap holds: links into a directory, which is itself a link that is
/// replaced.
#[test]
fn links_that_are_replaced_are_followed() {
    let gateway = start(&[NO_RESCAN]);
    let plugins = gateway.plugins();
    let mount = |number: u32| {
        let version = format!("..2026_{number}");
        fs::create_dir(plugins.join(&version)).expect("a directory");
        fs::write(
            plugins.join(&version).join("20-linked.wasm"),
            edition(number),
        )
        .expect("a file");
        symlink(&version, plugins.join("..data_tmp")).expect("a link");
        fs::rename(plugins.join("..data_tmp"), plugins.join("..data")).expect("the new link");
    };
    mount(2);
    symlink("..data/20-linked.wasm", plugins.join("20-linked.wasm")).expect("a link");
    fs::remove_file(plugins.join("10-edition.wasm")).expect("the plugin is there");
    wait_until_told(&gateway, &says(2));
    mount(3);
    wait_until_told(&gateway, &says(3));
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
    // Code and image of one version alone are more than 100 KiB.
    let grown = after.saturating_sub(before);
    assert!(
        grown < 900 * LEAK_OF_A_VERSION,
        "{before} octets grew by {grown}"
    );
}

/// Less than what a version takes, by far more than what the allocator and the system sway by.
const LEAK_OF_A_VERSION: usize = 32 << 10;

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

/// What fails for lack of something is tried again when there may be more of it.
#[test]
fn a_plugin_that_finds_no_room_comes_later() {
    let gateway = start(&[QUICK_RESCAN, "plugins.instances = 2"]);
    let mut first = Witness::of(&gateway);
    let shared = b"isolation = \"shared\"\nshared-instances = 2\n";
    deploy(&gateway, "10-edition.toml", shared);
    let state = wait_for_state(&gateway, "10-edition", "outdated");
    let error = state["error"].as_str().unwrap_or_default();
    assert!(
        error.contains("10-edition.toml: shared-instances"),
        "{error}"
    );
    first.is_told_the_same();
    first.client.says("QUIT", "221");
    wait_for_state(&gateway, "10-edition", "active");
    wait_until_told(&gateway, &says(1));
    assert_eq!(refusals(&gateway).len(), 1);
}

/// A session is over a moment after its client has gone.
fn wait_for_place(gateway: &Gateway) {
    let deadline = Instant::now() + PATIENCE;
    while !gateway.connect().reply().starts_with("220") {
        assert!(Instant::now() < deadline, "nobody gives his place back");
        pause();
    }
}
