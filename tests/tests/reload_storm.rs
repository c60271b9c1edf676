//! Ten ways to change plugins again and again under load. No session fails, each is answered by one set,
//! none passes a filter, and in the end the last release serves.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::Path;

use postgate_tests::backend::Backend;
use postgate_tests::control::{SOCKET, wait_for_state};
use postgate_tests::edition::{CROWD, deploy};
use postgate_tests::gateway::Setup;
use postgate_tests::release::{FILES, FIRST, Storm, content, write_release};

/// The number of sessions after each change of a way. The shortest pause is over before the change is
/// settled, the longest while it is being loaded.
const PAUSES: [usize; 4] = [20, 60, 120, 180];

#[test]
fn ten_ways_to_change_plugins_cost_no_session() {
    let backend = Backend::working();
    let setup = Setup::new().set(SOCKET).backend(&backend.smtp());
    let mut storm = Storm::start(setup, CROWD);
    let mut number = FIRST;
    for way in [
        rename as fn(&mut Storm, u32),
        in_place,
        truncated_and_completed,
        removed_and_added,
        of_the_same_time_and_size,
        hard_links,
        sidecars_only,
        pairs,
        whole_directories,
        links_of_a_config_map,
    ] {
        for pause in PAUSES {
            number += 1;
            way(&mut storm, number);
            storm.go_on(pause);
        }
        storm.settle();
    }
    assert!(!backend.taken().is_empty());
    storm.end();
}

/// What `mv` does.
fn rename(storm: &mut Storm, number: u32) {
    let files = FILES.map(|file| (file, content(file, number)));
    storm.change([number; 4], |storm| {
        for (file, content) in &files {
            deploy(&storm.gateway, file, content);
        }
    });
}

/// What `cp` does.
fn in_place(storm: &mut Storm, number: u32) {
    let files = FILES.map(|file| (file, content(file, number)));
    storm.change([number; 4], |storm| {
        for (file, content) in &files {
            fs::write(storm.file(file), content).expect("a file");
        }
    });
}

/// A copy that breaks off, and is completed later: half of a file never serves.
fn truncated_and_completed(storm: &mut Storm, number: u32) {
    let whole = content("10-a.wasm", number);
    let (half, rest) = whole.split_at(whole.len() / 2);
    let file = storm.file("10-a.wasm");
    fs::write(&file, half).expect("half of the file");
    wait_for_state(&storm.gateway, "10-a", "outdated");
    let [_, of_a, b, of_b] = storm.now();
    storm.switch([number, of_a, b, of_b], |_| {
        let mut file = File::options().append(true).open(&file).expect("the file");
        file.write_all(rest).expect("the rest of the file");
    });
}

/// Each plugin is gone for half of the time.
fn removed_and_added(storm: &mut Storm, number: u32) {
    let files = FILES.map(|file| (file, content(file, number)));
    for _ in 0..8 {
        storm.change_with_gap([number; 4], |storm| {
            for (file, _) in &files {
                fs::remove_file(storm.file(file)).expect("the file is there");
            }
            storm.go_on(20);
            for (file, content) in &files {
                deploy(&storm.gateway, file, content);
            }
        });
        storm.go_on(20);
    }
}

/// The content changes, and of the metadata nothing that can be set.
fn of_the_same_time_and_size(storm: &mut Storm, number: u32) {
    let files = FILES.map(|file| (storm.file(file), content(file, number)));
    storm.change([number; 4], |_| {
        for (path, content) in &files {
            let mut file = File::options().write(true).open(path).expect("the file");
            let before = file.metadata().expect("its metadata");
            assert_eq!(before.len(), content.len() as u64);
            file.write_all(content).expect("other content");
            let modified = before.modified().expect("a time");
            file.set_modified(modified).expect("the time before");
        }
    });
}

/// As `cp -al` and `rsync --link-dest` make them.
fn hard_links(storm: &mut Storm, number: u32) {
    let release = storm.gateway.directory().join(format!("linked-{number}"));
    write_release(&release, number);
    storm.change([number; 4], |storm| {
        for file in FILES {
            let hidden = storm.file(".link");
            fs::hard_link(release.join(file), &hidden).expect("a link");
            fs::rename(&hidden, storm.file(file)).expect("the link can be renamed");
        }
    });
}

fn sidecars_only(storm: &mut Storm, number: u32) {
    let [a, _, b, _] = storm.now();
    storm.change([a, number, b, number], |storm| {
        for file in ["10-a.toml", "20-b.toml"] {
            deploy(&storm.gateway, file, &content(file, number));
        }
    });
}

/// A plugin with its sidecar, while the other plugin stays.
fn pairs(storm: &mut Storm, number: u32) {
    let [_, _, b, of_b] = storm.now();
    let files = ["10-a.toml", "10-a.wasm"].map(|file| (file, content(file, number)));
    storm.change([number, number, b, of_b], |storm| {
        for (file, content) in &files {
            deploy(&storm.gateway, file, content);
        }
    });
}

/// Another directory gets the name, and the one before it gets it back for a moment.
fn whole_directories(storm: &mut Storm, number: u32) {
    let [next, aside] = ["next", "aside"].map(|name| storm.gateway.directory().join(name));
    write_release(&next, number);
    let exchange = |storm: &Storm| {
        fs::rename(storm.gateway.plugins(), &aside).expect("a directory can be renamed");
        fs::rename(&next, storm.gateway.plugins()).expect("a directory can be renamed");
        fs::rename(&aside, &next).expect("a directory can be renamed");
    };
    let before = storm.now();
    for pause in PAUSES {
        storm.switch([number; 4], exchange);
        storm.go_on(pause);
        storm.switch(before, exchange);
        storm.go_on(pause);
    }
    storm.switch([number; 4], exchange);
    fs::remove_dir_all(&next).expect("the directory before");
}

/// As Kubernetes mounts what a ConfigMap holds.
fn links_of_a_config_map(storm: &mut Storm, number: u32) {
    let plugins = storm.gateway.plugins();
    let version = format!("..version-{number}");
    if fs::exists(plugins.join("..data")).expect("a directory") {
        write_release(&plugins.join(&version), number);
        storm.switch([number; 4], |_| point_to(&plugins, &version));
        return;
    }
    let mount = storm.gateway.directory().join("mount");
    fs::create_dir(&mount).expect("a directory");
    write_release(&mount.join(&version), number);
    point_to(&mount, &version);
    for file in FILES {
        symlink(Path::new("..data").join(file), mount.join(file)).expect("a link");
    }
    storm.switch([number; 4], |storm| {
        let aside = storm.gateway.directory().join("aside");
        fs::rename(&plugins, aside).expect("a directory can be renamed");
        fs::rename(mount, &plugins).expect("a directory can be renamed");
    });
}

fn point_to(directory: &Path, version: &str) {
    let link = directory.join("..data_tmp");
    symlink(version, &link).expect("a link");
    fs::rename(link, directory.join("..data")).expect("the link can be renamed");
}
