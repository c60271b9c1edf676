//! Plugins that cannot be used take nothing from those that could.

use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use postgate_tests::control::{SOCKET, ask, wait_for_listing, wait_for_state};
use postgate_tests::crowd::{Crowd, session};
use postgate_tests::edition::{
    CROWD, NO_RESCAN, QUICK_RESCAN, Witness, deploy, edition, guest, says, start,
    wait_for_refusals, wait_until_told,
};
use postgate_tests::gateway::{Setup, program as postgate};
use postgate_tests::mail::digest;
use postgate_tests::peer::{is_root, program, run};
use postgate_tests::process::peak_memory;
use serde_json::Value;

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
        let refusals = wait_for_refusals(&gateway, index + 1);
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

/// A file in which one octet is another one is refused, or is a plugin like any other: whichever it is, the
/// sessions go on, and the gateway needs no more memory than for a plugin.
#[test]
fn a_changed_octet_costs_no_session() {
    let gateway = start(&[QUICK_RESCAN, "plugins.cache = \"cache\""]);
    let good = edition(1);
    let listed = |what: &str, wanted: &[u8]| {
        let digest = digest(wanted);
        let listing = wait_for_listing(&gateway, what, |listing| {
            let plugin = &listing["plugins"][0];
            plugin["state"] == "outdated" || plugin["sha256"] == digest.as_str()
        });
        listing["plugins"][0].clone()
    };
    let crowd = Crowd::of(CROWD, gateway.address());
    let mut refused = 0;
    let mut memory = 0;
    for sample in 0..SAMPLES {
        // Every part of the file, and every bit of an octet.
        let at = sample * good.len() / SAMPLES + sample % 7;
        let mut bad = good.clone();
        bad[at] ^= 1 << (sample % 8);
        deploy(&gateway, "10-edition.wasm", &bad);
        let plugin = listed(&format!("octet {at}"), &bad);
        if plugin["state"] == "outdated" {
            refused += 1;
            assert_eq!(session(gateway.address()), says(1), "octet {at}");
        }
        deploy(&gateway, "10-edition.wasm", &good);
        wait_for_listing(&gateway, "the good one", |listing| {
            let plugin = &listing["plugins"][0];
            plugin["state"] == "active" && plugin["sha256"] == digest(&good).as_str()
        });
        wait_until_told(&gateway, &says(1));
        if sample == SAMPLES / 4 {
            memory = peak_memory(&gateway);
        }
    }
    let (sessions, _) = crowd.end();
    println!("{refused} of {SAMPLES} files refused, {sessions} sessions");
    assert!(refused > SAMPLES / 4, "{refused} of {SAMPLES}");
    let grown = peak_memory(&gateway) - memory;
    assert!(grown < 64 << 20, "{grown} octets more");
    assert_eq!(gateway.log().others(), [""; 0]);
}

const SAMPLES: usize = 48;

/// What a file says of itself is shown in one line, with nothing that a terminal obeys.
#[test]
fn texts_of_a_file_forge_no_line() {
    let component = wat::parse_str(r#"(component (import "url=<a\0a\1b[2Jforged>" (func)))"#);
    let module = wat::parse_str(r#"(module (import "a\0a\1b[2Jforged" "f" (func)))"#);
    let gateway = start(&[NO_RESCAN]);
    for (name, wasm) in [("20-component", component), ("30-module", module)] {
        let wasm = wasm.expect("a file");
        deploy(&gateway, &format!("{name}.wasm"), &wasm);
        let state = wait_for_state(&gateway, name, "refused");
        let error = state["error"].as_str().unwrap_or_default().to_owned();
        assert!(error.contains(r"a\n\u{1b}[2Jforged"), "{error:?}");
        let file = gateway.plugins().join(format!("{name}.wasm"));
        let output = run(postgate().args(["plugin", "inspect"]).arg(file));
        let text = String::from_utf8([output.stdout, output.stderr].concat()).expect("a text");
        assert!(text.contains(r"a\n\u{1b}[2Jforged"), "{text:?}");
        assert!(!text.contains('\u{1b}'), "{text:?}");
        assert!(
            !text
                .lines()
                .any(|line| line.contains("forged") && !line.contains(r"a\n")),
            "{text}"
        );
    }
}

/// Two names that look alike where they are shown are two plugins, which are both refused.
#[test]
fn a_name_that_cannot_be_shown_is_refused() {
    let gateway = start(&[NO_RESCAN]);
    let table: [(&[u8], &str); 3] = [
        (b"20-\xFE.wasm", r"20-\xFE"),
        (b"20-\xFF.wasm", r"20-\xFF"),
        (b"20-a\nb.wasm", r"20-a\nb"),
    ];
    for (name, _) in table {
        let hidden = gateway.plugins().join(".tmp");
        fs::write(&hidden, edition(2)).expect("a file");
        let file = gateway.plugins().join(OsStr::from_bytes(name));
        fs::rename(hidden, file).expect("the file can be renamed");
    }
    for (_, shown) in table {
        let state = wait_for_state(&gateway, shown, "refused");
        let error = state["error"].as_str().unwrap_or_default();
        let sign = format!("{shown}.wasm: the name of a plugin must be UTF-8");
        assert!(error.contains(&sign), "{error}");
    }
    assert_eq!(session(gateway.address()), says(1));
    let metrics = ask(&gateway, "metrics");
    let metrics = metrics["text"].as_str().unwrap_or_default();
    for label in [r#"{plugin="20-\\xFF"}"#, r#"{plugin="20-a\\nb"}"#] {
        let line = format!("postgate_plugin_refused_total{label} 1");
        assert!(metrics.lines().any(|l| l == line), "{line}: {metrics}");
    }
    // At the start, it is a mistake that names the file.
    let output = run(postgate()
        .args(["check", "--config"])
        .arg(gateway.directory().join("postgate.toml")));
    let text = String::from_utf8(output.stderr).expect("a text");
    assert_eq!(output.status.code(), Some(64), "{text}");
    for (_, shown) in table {
        assert!(text.contains(&format!("{shown}.wasm: the name")), "{text}");
    }
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

/// Nobody ever writes into these pipes, and whoever opens one waits for that.
#[test]
fn a_pipe_holds_up_nobody() {
    let gateway = start(&[NO_RESCAN]);
    let plugins = gateway.plugins();
    for name in ["10-edition.toml", "20-new.wasm"] {
        let made = run(program("mkfifo").arg(plugins.join(name)));
        assert!(made.status.success(), "{made:?}");
    }
    let [edition, new] = [("10-edition", "outdated"), ("20-new", "refused")]
        .map(|(name, state)| wait_for_state(&gateway, name, state));
    for state in [edition, new] {
        let error = state["error"].as_str().unwrap_or_default();
        assert!(error.contains("no regular file"), "{error}");
    }
    fs::remove_file(plugins.join("20-new.wasm")).expect("the pipe is there");
    fs::remove_file(plugins.join("10-edition.toml")).expect("the pipe is there");
    wait_for_state(&gateway, "10-edition", "active");
    assert_eq!(session(gateway.address()), says(1));
}

/// Rights that are taken away and given back, of a file and of the whole directory.
#[test]
fn what_may_not_be_read_leaves_the_version_before() {
    let setup = Setup::new().set(SOCKET).set(NO_RESCAN);
    let setup = setup.plugin_file("10-edition", &edition(1), "");
    // Nothing is kept from root but by taking away what makes him root.
    let setup = match is_root() {
        true => setup.under(&["setpriv", "--bounding-set=-dac_override,-dac_read_search"]),
        false => setup,
    };
    let gateway = setup.start();
    let plugins = gateway.plugins();
    let allow = |path: &Path, mode: u32| {
        fs::set_permissions(path, Permissions::from_mode(mode)).expect("rights can be set");
    };
    let plugin = plugins.join("10-edition.wasm");
    allow(&plugin, 0o000);
    let state = wait_for_state(&gateway, "10-edition", "outdated");
    let error = state["error"].as_str().unwrap_or_default();
    assert!(error.contains("Permission denied"), "{error}");
    allow(&plugin, 0o644);
    wait_for_state(&gateway, "10-edition", "active");
    allow(&plugins, 0o000);
    wait_for_listing(&gateway, "closed", |listing| listing["error"].is_string());
    assert_eq!(session(gateway.address()), says(1));
    allow(&plugins, 0o755);
    wait_for_listing(&gateway, "open", |listing| listing["error"].is_null());
    deploy(&gateway, "10-edition.wasm", &edition(2));
    wait_until_told(&gateway, &says(2));
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

#[test]
fn a_plugin_that_cannot_be_tried_for_now_comes_later() {
    let gateway = start(&[QUICK_RESCAN, "plugins.instances = 1"]);
    let mut first = Witness::of(&gateway);
    deploy(&gateway, "10-edition.toml", b"limits.wall = \"1s\"\n");
    deploy(&gateway, "10-edition.wasm", &edition(2));
    let state = wait_for_state(&gateway, "10-edition", "outdated");
    let error = state["error"].as_str().unwrap_or_default();
    assert!(error.contains("plugins.instances are in use"), "{error}");
    first.is_told_the_same();
    first.client.says("QUIT", "221");
    wait_for_state(&gateway, "10-edition", "active");
    assert_eq!(session(gateway.address()), says(2));
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
    assert_eq!(wait_for_refusals(&gateway, 1).len(), 1);
}
