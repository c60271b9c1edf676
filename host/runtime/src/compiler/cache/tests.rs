use std::fs::File;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::time::Duration;

use super::*;
use crate::compiler::code_config::code_config;

fn cache(directory: &Path, size: u64) -> CodeCache {
    let engine = Engine::new(&code_config()).unwrap();
    let settings = CacheSettings { directory, size };
    CodeCache::open(settings, &engine).unwrap().unwrap()
}

fn compiled() -> Compiled {
    Compiled {
        version: None,
        code: b"code".to_vec(),
    }
}

/// Three names of plugin files.
fn names() -> [String; 3] {
    ["a", "b", "c"].map(|digit| digit.repeat(64))
}

/// The files of a cache but its key.
fn entries(directory: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(directory).unwrap();
    let files = files.map(|entry| entry.unwrap().path());
    files.filter(|file| !file.ends_with(key::NAME)).collect()
}

#[test]
fn an_entry_is_found_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cache");
    let [a, b, _] = names();
    cache(&path, 1 << 20).put(&a, compiled());
    let cache = cache(&path, 1 << 20);
    assert_eq!(cache.get(&a), Some(compiled()));
    assert_eq!(cache.get(&b), None);
}

#[test]
fn an_entry_that_was_changed_is_not_used() {
    let directory = tempfile::tempdir().unwrap();
    let cache = cache(directory.path(), 1 << 20);
    let [a, b, _] = names();
    cache.put(&a, compiled());
    let [file] = entries(directory.path()).try_into().unwrap();
    let octets = fs::read(&file).unwrap();
    for index in 0..octets.len() {
        let mut changed = octets.clone();
        changed[index] ^= 1;
        fs::write(&file, changed).unwrap();
        assert_eq!(cache.get(&a), None, "octet {index}");
        fs::write(&file, &octets[..index]).unwrap();
        assert_eq!(cache.get(&a), None, "{index} octets");
    }
    // The entry of another file.
    fs::write(directory.path().join(cache.name_of(&b)), &octets).unwrap();
    assert_eq!(cache.get(&b), None);
    // A link, a directory and a file that is larger than the cache.
    fs::remove_file(&file).unwrap();
    symlink(directory.path().join(cache.name_of(&b)), &file).unwrap();
    assert_eq!(cache.get(&a), None);
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    assert_eq!(cache.get(&a), None);
    fs::remove_dir(&file).unwrap();
    File::create(&file).unwrap().set_len(1 << 40).unwrap();
    assert_eq!(cache.get(&a), None);
    // It is made anew.
    cache.put(&a, compiled());
    assert_eq!(cache.get(&a), Some(compiled()));
}

#[test]
fn a_key_that_others_know_is_made_anew() {
    let directory = tempfile::tempdir().unwrap();
    let [a, ..] = names();
    cache(directory.path(), 1 << 20).put(&a, compiled());
    let key = directory.path().join(key::NAME);
    let elsewhere = directory.path().join("elsewhere");
    type Spoil<'a> = &'a dyn Fn();
    let table: [Spoil<'_>; 4] = [
        &|| fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap(),
        &|| fs::write(&key, b"short").unwrap(),
        &|| fs::write(&key, [0; 65]).unwrap(),
        &|| {
            fs::rename(&key, &elsewhere).unwrap();
            symlink(&elsewhere, &key).unwrap();
        },
    ];
    for spoil in table {
        spoil();
        let cache = cache(directory.path(), 1 << 20);
        assert_eq!(cache.get(&a), None);
        cache.put(&a, compiled());
        assert_eq!(cache.get(&a), Some(compiled()));
    }
}

#[test]
fn the_entries_that_were_used_least_recently_make_room() {
    let directory = tempfile::tempdir().unwrap();
    let names = names();
    let [a, b, c] = &names;
    cache(directory.path(), 1 << 20).put(a, compiled());
    let [file] = entries(directory.path()).try_into().unwrap();
    let size = fs::metadata(file).unwrap().len();
    let cache = cache(directory.path(), 2 * size);
    let note = directory.path().join("note");
    fs::write(&note, [0; 1_000]).unwrap();
    cache.put(b, compiled());
    for (name, age) in [(a, 20), (b, 10)] {
        let file = directory.path().join(cache.name_of(name));
        let file = File::options().append(true).open(file).unwrap();
        let then = SystemTime::now() - Duration::from_secs(age);
        file.set_modified(then).unwrap();
    }
    assert!(cache.get(a).is_some());
    cache.put(c, compiled());
    let left = names.each_ref().map(|name| cache.get(name).is_some());
    assert_eq!(left, [true, false, true]);
    // What is larger than the cache is not stored, and removes nothing.
    let large = Compiled {
        version: None,
        code: vec![0; 1 << 16],
    };
    cache.put(b, large);
    let left = names.each_ref().map(|name| cache.get(name).is_some());
    assert_eq!(left, [true, false, true]);
    // A file of somebody else stays.
    assert!(note.exists());
}

#[test]
fn what_was_left_half_written_counts_and_goes() {
    let directory = tempfile::tempdir().unwrap();
    let [a, ..] = names();
    cache(directory.path(), 1 << 20).put(&a, compiled());
    let [file] = entries(directory.path()).try_into().unwrap();
    let name = file.file_name().unwrap().to_str().unwrap();
    let half = directory.path().join(format!(".{name}.0123456789abcdef"));
    fs::write(&half, [0; 1_000]).unwrap();
    fs::remove_file(&file).unwrap();
    cache(directory.path(), 1_000).put(&a, compiled());
    assert_eq!(entries(directory.path()), [file]);
}
