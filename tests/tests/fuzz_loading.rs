//! Whatever a plugin file contains: loading it ends with a plugin or an error, in one line that is fit to be
//! shown, and leaves nothing behind. `FUZZ_SECONDS` makes the run longer.

use std::cell::Cell;
use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use postgate_config::Plugins;
use postgate_dns::Dns;
use postgate_runtime::metrics::PluginMetricsFamily;
use postgate_runtime::{Runtime, RuntimeSettings, load_file};
use postgate_tests::compiler::compiling;
use postgate_tests::edition::guest;
use postgate_tests::fuzz::end_of_run;
use postgate_tests::gateway::repository;
use prometheus_client::registry::Registry;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::TestRunner;

/// A change of a file.
#[derive(Clone, Debug)]
enum Change {
    Cut(Index),
    Drop(Index, usize),
    Repeat(Index, usize, usize),
    Set(Index, u8),
    /// Puts a piece of another file in.
    Splice(Index, usize, Index, usize),
    /// A component whose only content is the file, again and again.
    Wrap(usize),
}

fn change() -> impl Strategy<Value = Change> {
    let index = any::<Index>;
    prop_oneof![
        1 => index().prop_map(Change::Cut),
        2 => (index(), 1_usize..64).prop_map(|(at, count)| Change::Drop(at, count)),
        2 => (index(), 1_usize..200, 1_usize..200)
            .prop_map(|(at, length, times)| Change::Repeat(at, length, times)),
        8 => (index(), any::<u8>()).prop_map(|(at, octet)| Change::Set(at, octet)),
        // Numbers that a length or an index can have.
        4 => (index(), select(vec![0, 1, 0x7F, 0x80, 0xFF])).prop_map(|(at, octet)| Change::Set(at, octet)),
        2 => (index(), 0_usize..8, index(), 1_usize..400)
            .prop_map(|(at, file, from, length)| Change::Splice(at, file, from, length)),
        1 => (1_usize..200).prop_map(Change::Wrap),
    ]
}

fn apply(change: &Change, octets: &mut Vec<u8>, files: &[Vec<u8>]) {
    if octets.is_empty() {
        return;
    }
    let range = |at: &Index, length: usize, octets: &[u8]| {
        let start = at.index(octets.len());
        start..(start + length).min(octets.len())
    };
    match change {
        Change::Cut(at) => octets.truncate(at.index(octets.len())),
        Change::Drop(at, count) => drop(octets.drain(range(at, *count, octets))),
        Change::Repeat(at, length, times) => {
            let range = range(at, *length, octets);
            let repeated = octets[range.clone()].repeat(*times);
            octets.splice(range.end..range.end, repeated);
        }
        Change::Set(at, octet) => {
            let at = at.index(octets.len());
            octets[at] = *octet;
        }
        Change::Splice(at, file, from, length) => {
            let other = &files[file % files.len()];
            let piece = other[range(from, *length, other)].to_vec();
            let at = at.index(octets.len());
            octets.splice(at..at, piece);
        }
        Change::Wrap(levels) => {
            for _ in 0..*levels {
                *octets = wrapped(octets);
            }
        }
    }
}

/// A component that contains another one.
fn wrapped(component: &[u8]) -> Vec<u8> {
    let mut octets = b"\0asm\x0d\0\x01\0\x04".to_vec();
    let mut length = component.len();
    while length > 0x7F {
        octets.push(0x80 | (length & 0x7F) as u8);
        length >>= 7;
    }
    octets.push(length as u8);
    octets.extend_from_slice(component);
    octets
}

/// What is changed: plugins, and files that have done harm.
fn files() -> Vec<Vec<u8>> {
    let directory = repository().join("tests/components");
    let entries = fs::read_dir(&directory).expect("components");
    let paths = entries.map(|entry| entry.expect("a component").path());
    let paths = paths.filter(|path| path.extension().is_some_and(|kind| kind == "wasm"));
    let known = paths.map(|path| fs::read(path).expect("a component"));
    let plugins = ["busy", "editor", "spin"].map(guest);
    let text = "(component (core module (func (export \"f\"))) (component) (type (func)))";
    let small = wat::parse_str(text).expect("a component");
    known.chain(plugins).chain([small]).collect()
}

struct Loader {
    tokio: tokio::runtime::Runtime,
    runtime: Arc<Runtime>,
    directory: tempfile::TempDir,
}

impl Loader {
    fn new() -> Self {
        let tokio = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let plugins = Plugins {
            load_memory: 256 << 20,
            load_cpu: Duration::from_secs(2),
            load_time: Duration::from_secs(20),
            instances: Some(8),
            ..compiling()
        };
        let metrics = PluginMetricsFamily::register(&mut Registry::default());
        let runtime = Runtime::new(RuntimeSettings::of(&plugins), Dns::default(), metrics);
        Self {
            tokio,
            runtime: Arc::new(runtime.expect("an engine")),
            directory: tempfile::tempdir().expect("a directory"),
        }
    }

    /// Returns true if the file is a plugin.
    fn load(&self, octets: &[u8]) -> bool {
        let file = self.directory.path().join("fuzz.wasm");
        fs::write(&file, octets).expect("a file");
        let loading = load_file(&self.runtime, &file, u64::MAX);
        let Err(errors) = self.tokio.block_on(loading) else {
            return true;
        };
        assert!(!errors.is_empty());
        for error in errors {
            let text = error.to_string();
            assert!(!text.contains(char::is_control), "{text:?}");
            assert!(text.len() < 10_000, "{text:?}");
            // What a file does to the compiler is never taken for a fault of the machine.
            assert_eq!(error.host_cause(), None, "{text}");
        }
        false
    }
}

/// The resident memory of this process, in pages.
fn resident_pages() -> usize {
    let text = fs::read_to_string("/proc/self/statm").expect("the memory of a process");
    let pages = text.split_ascii_whitespace().nth(1).expect("a number");
    pages.parse().expect("a number")
}

/// True if a child of this process is left.
fn has_children() -> bool {
    let own = std::process::id();
    let children = fs::read_to_string(format!("/proc/{own}/task/{own}/children"));
    children.is_ok_and(|children| !children.trim().is_empty())
}

#[test]
fn any_file_is_a_plugin_or_an_error() {
    let (loader, files) = (Loader::new(), files());
    let plugins = files.iter().filter(|file| loader.load(file));
    assert_eq!(plugins.count(), 3);
    let before = resident_pages();
    let end = end_of_run();
    let (mut cases, mut loaded) = (0, 0);
    let case = (any::<Index>(), prop::collection::vec(change(), 1..4));
    loop {
        let config = ProptestConfig {
            cases: CASES,
            failure_persistence: None,
            ..ProptestConfig::default()
        };
        let count = Cell::new(0);
        let result = TestRunner::new(config).run(&case, |(file, changes)| {
            let mut octets = files[file.index(files.len())].clone();
            changes
                .iter()
                .for_each(|change| apply(change, &mut octets, &files));
            count.set(count.get() + u32::from(loader.load(&octets)));
            Ok(())
        });
        result.unwrap_or_else(|failure| panic!("{failure}"));
        cases += CASES;
        loaded += count.get();
        if Instant::now() >= end {
            break;
        }
    }
    let grown = resident_pages().saturating_sub(before) * 4_096;
    assert!(
        grown < 64 << 20,
        "{grown} octets are left after {cases} files"
    );
    assert!(!has_children(), "a compiler is left");
    println!("{cases} files, {loaded} of them plugins");
}

/// The number of files before the time is looked at.
const CASES: u32 = 100;
