//! The plugin directory in all the ways in which operators and their tools change it.

use std::fs;
use std::os::unix::fs::symlink;

use postgate_tests::control::{ask, wait_for_listing};
use postgate_tests::crowd::session;
use postgate_tests::edition::{
    ACCEPTED, NO_HINTS, NO_RESCAN, QUICK_RESCAN, deploy, deploy_into, edition, refusals, says,
    start, wait_until_told,
};
use serde_json::Value;

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

/// As after a file system was unmounted, or before a new directory is filled.
#[test]
fn another_directory_without_plugins_leaves_out_no_filter() {
    let gateway = start(&[NO_RESCAN]);
    let aside = gateway.directory().join("aside");
    fs::rename(gateway.plugins(), &aside).expect("a directory can be renamed");
    fs::create_dir(gateway.plugins()).expect("an empty directory");
    wait_for_listing(&gateway, "empty", |listing| {
        let error = listing["error"].as_str().unwrap_or_default();
        error.ends_with("it is another directory than before, and has no plugins")
    });
    assert_eq!(session(gateway.address()), says(1));
    deploy(&gateway, "10-edition.wasm", &edition(2));
    wait_until_told(&gateway, &says(2));
    assert_eq!(ask(&gateway, "plugin-list")["error"], Value::Null);
    // Who asks for it gets it.
    fs::rename(gateway.plugins(), gateway.directory().join("filled")).expect("a directory");
    fs::create_dir(gateway.plugins()).expect("an empty directory");
    ask(&gateway, "plugin-reload");
    assert!(session(gateway.address()).starts_with(ACCEPTED));
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
