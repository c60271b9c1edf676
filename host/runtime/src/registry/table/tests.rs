//! When files are read, what is read together, and what serves together.

use std::io;
use std::time::Instant;

use super::super::look::{FileStamp, Stamp, fake};
use super::super::pending::LoadTask;
use super::super::plan::{LoadId, LoadOutcome, ReadFile, Snapshot};
use super::super::sighting::SETTLE_TIME;
use super::*;
use crate::load::{Content, LoadError, Source};

const NAME: &str = "10-a.wasm";
const OTHER: &str = "20-b.wasm";

/// Looks at one plugin. Returns true if it would be read or removed.
fn scan(table: &mut PluginTable, stamp: Option<Stamp>, now: Instant) -> bool {
    let found = stamp.map(|stamp| (NAME, stamp));
    let look = fake::look(found.as_slice(), now);
    let plan = table.plan(&look, ScanMode::Changed);
    !plan.reads.is_empty() || !plan.removals.is_empty()
}

/// A table that has read these plugins, none of which could be used.
fn table_with(plugins: &[(&str, Stamp)]) -> PluginTable {
    let mut table = PluginTable::default();
    table.plan(&fake::look(plugins, Instant::now()), ScanMode::Everything);
    for (name, stamp) in plugins {
        let content = Content {
            sha256: "1".into(),
            sidecar: None,
        };
        let errors = vec![LoadError::NoEvent(name.into())];
        let refused = LoadOutcome::refused(Some(content), None, errors);
        read(&mut table, name, *stamp, refused);
    }
    table
}

/// Puts the outcome of reading a file into the table.
fn read(table: &mut PluginTable, name: &str, stamp: Stamp, outcome: LoadOutcome) -> bool {
    let entry = table.entries.entry(name.into()).or_default();
    entry.settle(Some(stamp));
    entry.apply(name.as_ref(), outcome, 1).is_ok()
}

#[test]
fn a_file_is_read_when_it_is_settled() {
    let start = Instant::now();
    let [first, second] = [1, 2].map(|size| fake::stamp(1, size));
    let mut table = PluginTable::default();
    let at = |steps: u32| start + SETTLE_TIME / 2 * steps;
    assert!(!scan(&mut table, Some(first), at(0)));
    assert!(!scan(&mut table, Some(second), at(1)));
    assert!(!scan(&mut table, Some(second), at(2)));
    assert!(scan(&mut table, Some(second), at(3)));
}

#[test]
fn a_file_that_is_gone_for_a_moment_stays() {
    let start = Instant::now();
    let stamp = fake::stamp(1, 1);
    let mut table = table_with(&[(NAME, stamp)]);
    let at = |steps: u32| start + SETTLE_TIME * steps;
    assert!(!scan(&mut table, None, at(1)));
    assert!(!scan(&mut table, Some(stamp), at(2)));
    assert!(!scan(&mut table, None, at(3)));
    // The directory has changed: the file may have been there in between.
    let mut look = fake::look(&[], at(4));
    let FileStamp::Readable(version) = fake::file(1, 1) else {
        panic!("a file");
    };
    look.moment.directory = Some(version);
    assert_eq!(
        table.plan(&look, ScanMode::Changed).removals,
        [] as [&str; 0]
    );
    look.moment.time = at(5);
    assert_eq!(table.plan(&look, ScanMode::Changed).removals, [NAME]);
}

/// Without its sidecar a plugin is another plugin, so that must be certain.
#[test]
fn a_sidecar_that_is_gone_for_a_moment_stays() {
    let start = Instant::now();
    let without = |inode| fake::stamp(inode, 1);
    let with = |inode| Stamp {
        sidecar: fake::file(100, 1),
        ..fake::stamp(inode, 1)
    };
    for mode in [ScanMode::Changed, ScanMode::Everything] {
        let mut table = table_with(&[(NAME, with(1))]);
        let at = |steps: u32| start + SETTLE_TIME * steps;
        let mut reads = |stamp, now| {
            let plan = table.plan(&fake::look(&[(NAME, stamp)], now), mode);
            !plan.reads.is_empty()
        };
        assert!(!reads(without(1), at(1)), "{mode:?}");
        // The plugin is replaced again and again meanwhile.
        for step in 2..20 {
            let sidecar = step % 2 == 0;
            let stamp = match sidecar {
                true => with(u64::from(step)),
                false => without(u64::from(step)),
            };
            let is_read = reads(stamp, at(step));
            assert!(sidecar || !is_read, "{mode:?} {step}");
        }
        // It was removed.
        reads(without(20), at(20));
        assert!(reads(without(20), at(21)), "{mode:?}");
    }
}

#[test]
fn a_file_that_is_replaced_again_and_again_is_read_in_time() {
    let start = Instant::now();
    let mut table = table_with(&[(NAME, fake::stamp(0, 1))]);
    // Each replacement is another, complete file.
    let read = (1..).find(|step| {
        let now = start + SETTLE_TIME * u32::try_from(*step).unwrap();
        scan(&mut table, Some(fake::stamp(*step, 1)), now)
    });
    assert_eq!(read, Some(5));
    // A file that grows is never complete.
    let mut table = table_with(&[(NAME, fake::stamp(0, 1))]);
    let is_read = |step: &u64| {
        let now = start + SETTLE_TIME * u32::try_from(*step).unwrap();
        scan(&mut table, Some(fake::stamp(0, 1 + step)), now)
    };
    assert_eq!((1..100).find(is_read), None);
}

/// A file that is being written holds up the others that changed, but not for ever.
#[test]
fn what_changes_together_is_read_together() {
    let start = Instant::now();
    let settled = fake::stamp(1, 2);
    let mut table = table_with(&[(NAME, fake::stamp(1, 1)), (OTHER, fake::stamp(2, 1))]);
    let mut plan = |step: u32| {
        let growing = fake::stamp(2, u64::from(step));
        let found = [(NAME, settled), (OTHER, growing)];
        let look = fake::look(&found, start + SETTLE_TIME * (step - 2));
        table.plan(&look, ScanMode::Changed)
    };
    let first = (2..).find_map(|step| {
        let plan = plan(step);
        assert!(plan.is_unsettled);
        (!plan.reads.is_empty()).then_some((step, plan))
    });
    let (step, plan) = first.unwrap();
    assert_eq!(SETTLE_TIME * (step - 2), MAX_HOLD);
    assert_eq!(plan.reads, [NAME]);
    assert_eq!(plan.aside, [OTHER.into()].into());
    // What comes later does not wait for it again.
    table
        .entries
        .get_mut(OsStr::new(NAME))
        .unwrap()
        .settle(Some(settled));
    let changed = fake::stamp(1, 3);
    for (steps, reads) in [(step - 1, &[][..]), (step, &[NAME][..])] {
        let found = [
            (NAME, changed),
            (OTHER, fake::stamp(2, 1_000 + u64::from(steps))),
        ];
        let look = fake::look(&found, start + SETTLE_TIME * steps);
        assert_eq!(table.plan(&look, ScanMode::Changed).reads, reads);
    }
}

#[test]
fn everything_is_read_at_once_on_request() {
    let stamp = fake::stamp(1, 1);
    let mut table = table_with(&[(NAME, stamp)]);
    let look = fake::look(&[(NAME, stamp), (OTHER, stamp)], Instant::now());
    let plan = table.plan(&look, ScanMode::Everything);
    assert_eq!(plan.reads, [NAME, OTHER]);
    assert!(!plan.is_unsettled);
}

/// Begins a change of these files, with this content.
fn begin(table: &mut PluginTable, plugins: &[(&str, Stamp)], content: &str) -> Vec<LoadId> {
    let look = fake::look(plugins, Instant::now());
    table.plan(&look, ScanMode::Everything);
    let file = |(name, stamp): &(&str, Stamp)| ReadFile {
        name: name.into(),
        stamp: *stamp,
        source: Ok(Source {
            file: name.into(),
            wasm: Vec::new(),
            content: Content {
                sha256: content.to_owned(),
                sidecar: None,
            },
            versions: match stamp.wasm {
                FileStamp::Readable(version) => (version, None),
                FileStamp::Unreadable(kind) => panic!("{kind}"),
            },
        }),
    };
    let snapshot = Snapshot {
        files: plugins.iter().map(file).collect(),
        removals: Vec::new(),
    };
    let mut ids = Vec::new();
    table.begin(snapshot, ScanMode::Changed, &mut |job| {
        ids.push(job.id);
        LoadTask::spawn(std::future::pending())
    });
    ids
}

fn refuse(table: &mut PluginTable, id: &LoadId, content: &str) -> Vec<OsString> {
    let content = Content {
        sha256: content.to_owned(),
        sidecar: None,
    };
    let errors = vec![LoadError::NoEvent(PathBuf::from(&id.name))];
    table.finish_load(id, LoadOutcome::refused(Some(content), None, errors));
    let refusals = table.apply_complete_changes();
    refusals.into_iter().map(|(name, _)| name).collect()
}

#[tokio::test]
async fn a_change_is_carried_out_as_a_whole() {
    let [a, b, c] = [1, 2, 3].map(|inode| fake::stamp(inode, 1));
    let mut table = PluginTable::default();
    let ids = begin(&mut table, &[(NAME, a), (OTHER, b)], "first");
    let [first, second] = &ids[..] else {
        panic!("{ids:?}");
    };
    assert_eq!(refuse(&mut table, first, "first"), [] as [&str; 0]);
    // A later change of other files waits for nothing of it.
    let others = begin(&mut table, &[("30-c.wasm", c)], "other");
    assert_eq!(refuse(&mut table, &others[0], "other"), ["30-c.wasm"]);
    assert_eq!(refuse(&mut table, second, "first"), [NAME, OTHER]);
}

#[tokio::test]
async fn a_change_of_the_same_files_takes_the_place_of_one_under_way() {
    let [a, b, c] = [1, 2, 3].map(|inode| fake::stamp(inode, 1));
    let mut table = PluginTable::default();
    let first = begin(&mut table, &[(NAME, a), (OTHER, b)], "first");
    let second = begin(&mut table, &[(NAME, c)], "second");
    assert_eq!(refuse(&mut table, &first[0], "first"), [] as [&str; 0]);
    // The other file is part of the later change.
    assert_eq!(refuse(&mut table, &second[0], "second"), [] as [&str; 0]);
    assert_eq!(refuse(&mut table, &first[1], "first"), [NAME, OTHER]);
    // The same content is not loaded twice.
    let third = begin(&mut table, &[(NAME, a)], "third");
    assert_eq!(begin(&mut table, &[(NAME, b)], "third"), []);
    assert_eq!(refuse(&mut table, &third[0], "third"), [NAME]);
}

/// A file that changes faster than it can be loaded: something new serves all the same.
#[tokio::test]
async fn a_change_is_not_put_off_for_ever() {
    let start = Instant::now();
    let mut table = PluginTable::default();
    let mut ids = Vec::new();
    let mut step = 0;
    let is_read = |table: &mut PluginTable, step: u32| {
        let stamp = fake::stamp(u64::from(step / 2), 1);
        scan(table, Some(stamp), start + SETTLE_TIME * step)
    };
    while step < 20 {
        if is_read(&mut table, step) {
            let stamp = fake::stamp(u64::from(step / 2), 1);
            ids.extend(begin(&mut table, &[(NAME, stamp)], &step.to_string()));
        }
        step += 1;
    }
    assert_eq!(ids.len(), 5);
    assert_eq!(refuse(&mut table, &ids[4], "other"), [NAME]);
    assert!(is_read(&mut table, 20) || is_read(&mut table, 21));
}

#[tokio::test]
async fn a_change_goes_ahead_without_what_takes_long() {
    let [a, b] = [1, 2].map(|inode| fake::stamp(inode, 1));
    let mut table = PluginTable::default();
    let ids = begin(&mut table, &[(NAME, a), (OTHER, b)], "first");
    assert_eq!(refuse(&mut table, &ids[0], "first"), [] as [&str; 0]);
    table.go_ahead_without(&ids[1]);
    let refusals = table.apply_complete_changes();
    assert_eq!(refusals.len(), 1);
    assert_eq!(table.loads().len(), 1);
    assert_eq!(refuse(&mut table, &ids[1], "first"), [OTHER]);
    assert_eq!(table.loads().len(), 0);
}

#[test]
fn transient_failures_are_retried_with_increasing_intervals() {
    let stamp = fake::stamp(1, 1);
    let no_room = || LoadError::NoRoom {
        sidecar: "10-a.toml".into(),
        count: 1,
    };
    let unreadable = || LoadError::Io {
        file: NAME.into(),
        error: io::Error::from_raw_os_error(5),
    };
    let look = fake::look(&[(NAME, stamp)], Instant::now());
    let was_read = || {
        let content = Content {
            sha256: "1".into(),
            sidecar: None,
        };
        LoadOutcome::refused(Some(content), None, vec![no_room()])
    };
    let not_read = || LoadOutcome::refused(None, None, vec![unreadable()]);
    for outcome in [&was_read as &dyn Fn() -> LoadOutcome, &not_read] {
        let mut table = PluginTable::default();
        table.plan(&look, ScanMode::Everything);
        assert!(!read(&mut table, NAME, stamp, outcome()), "told at first");
        let mut retries = Vec::new();
        for interval in 1..=16 {
            assert!(table.plan(&look, ScanMode::Changed).reads.is_empty());
            let plan = table.plan(&look, ScanMode::RetryRefused);
            if !plan.reads.is_empty() {
                retries.push(interval);
                assert!(read(&mut table, NAME, stamp, outcome()), "not told again");
            }
        }
        assert_eq!(retries, [1, 3, 7, 15]);
    }
    // Other failures are not retried.
    let mut table = table_with(&[(NAME, stamp)]);
    for _ in 0..100 {
        assert!(table.plan(&look, ScanMode::RetryRefused).reads.is_empty());
    }
}
