//! When files are read, and when they are not.

use super::super::entry::SETTLE_TIME;
use super::*;

const NAME: &str = "10-a.wasm";

/// Scans one plugin. Returns true if it would be read or removed.
fn scan(table: &mut PluginTable, stamp: Option<Stamp>, now: Instant) -> bool {
    let (is_change, _) = scan_fully(table, stamp, now);
    is_change
}

/// As [`scan`]; the second value is true if the files may still be being written.
fn scan_fully(table: &mut PluginTable, stamp: Option<Stamp>, now: Instant) -> (bool, bool) {
    let was_there = table.entries.contains_key(OsStr::new(NAME));
    let found = stamp.map(|stamp| (NAME.into(), stamp));
    let plan = table.plan(&found.into_iter().collect(), ScanMode::Changed, now);
    let is_removed = was_there && !table.entries.contains_key(OsStr::new(NAME));
    for job in &plan.jobs {
        assert_eq!(Some(job.stamp), stamp);
        table.end_load(job);
    }
    (is_removed || !plan.jobs.is_empty(), plan.is_unsettled)
}

/// Finishes a load of a plugin with this stamp.
fn finish(
    table: &mut PluginTable,
    stamp: Stamp,
    outcome: LoadOutcome,
) -> Result<(), Vec<LoadError>> {
    let job = table.new_job(NAME.into(), stamp);
    table.finish_load(&job, outcome)
}

/// Refuses a plugin with this stamp for these reasons.
fn refuse(
    table: &mut PluginTable,
    stamp: Stamp,
    errors: Vec<LoadError>,
) -> Result<(), Vec<LoadError>> {
    let content = Content {
        sha256: "1".into(),
        sidecar: None,
    };
    finish(
        table,
        stamp,
        LoadOutcome::refused(Some(content), None, errors),
    )
}

/// Returns a table with a plugin that was read with this stamp.
fn table_with(stamp: Stamp) -> PluginTable {
    let mut table = PluginTable::default();
    _ = refuse(&mut table, stamp, vec![LoadError::NoEvent(NAME.into())]);
    table
}

#[test]
fn a_file_is_read_when_it_is_settled() {
    let now = Instant::now();
    let [first, second] = [1, 2].map(|size| Stamp::fake(1, size));
    let mut table = PluginTable::default();
    assert_eq!(scan_fully(&mut table, Some(first), now), (false, true));
    assert!(!scan(&mut table, Some(second), now));
    assert!(scan(&mut table, Some(second), now));
    _ = finish(&mut table, second, LoadOutcome::Known);
    assert_eq!(scan_fully(&mut table, Some(second), now), (false, false));
}

#[test]
fn a_file_that_is_gone_for_a_moment_stays() {
    let now = Instant::now();
    let stamp = Stamp::fake(1, 1);
    let mut table = table_with(stamp);
    assert!(!scan(&mut table, None, now));
    assert!(!scan(&mut table, Some(stamp), now));
    assert!(!scan(&mut table, None, now));
    assert!(scan(&mut table, None, now));
}

#[test]
fn a_file_that_is_replaced_again_and_again_is_read_in_time() {
    let start = Instant::now();
    let mut table = table_with(Stamp::fake(0, 1));
    // Each replacement is another, complete file.
    let read = (1..).find(|step| {
        let now = start + SETTLE_TIME * u32::try_from(*step).unwrap();
        scan(&mut table, Some(Stamp::fake(*step, 1)), now)
    });
    assert_eq!(read, Some(5));
    // A file that grows is never complete.
    let mut table = table_with(Stamp::fake(0, 1));
    let is_read = |step: &u64| {
        let now = start + SETTLE_TIME * u32::try_from(*step).unwrap();
        scan(&mut table, Some(Stamp::fake(0, 1 + step)), now)
    };
    assert_eq!((1..100).find(is_read), None);
}

#[test]
fn a_file_that_changes_while_it_is_read_is_read_again() {
    let now = Instant::now();
    let [before, after] = [1, 2].map(|size| Stamp::fake(1, size));
    let mut table = table_with(Stamp::fake(0, 0));
    _ = finish(&mut table, before, LoadOutcome::Changed(after));
    assert!(scan(&mut table, Some(after), now));
}

#[test]
fn everything_is_read_at_once_on_request() {
    let stamp = Stamp::fake(1, 1);
    let mut table = table_with(stamp);
    let found = [NAME, "20-b.wasm"].map(|name| (name.into(), stamp));
    let plan = table.plan(&found.into(), ScanMode::Everything, Instant::now());
    assert_eq!(plan.jobs.len(), 2);
    assert!(!plan.is_unsettled);
}

/// A plugin that loads slowly is not loaded twice, and its load is ignored if the file is gone.
#[test]
fn a_file_is_not_read_during_its_load() {
    let now = Instant::now();
    let [first, second] = [1, 2].map(|inode| Stamp::fake(inode, 1));
    let mut table = table_with(Stamp::fake(0, 1));
    let job = table.new_job(NAME.into(), first);
    for _ in 0..3 {
        assert_eq!(scan_fully(&mut table, Some(second), now), (false, false));
    }
    assert!(!scan(&mut table, None, now));
    assert!(scan(&mut table, None, now));
    let refused = LoadOutcome::refused(None, None, vec![LoadError::NoEvent(NAME.into())]);
    assert!(table.finish_load(&job, refused).is_ok());
    assert!(table.listing().plugins.is_empty());
    table.end_load(&job);
    // The file comes back: the outcome of the earlier load is ignored.
    let again = table.new_job(NAME.into(), second);
    let refused = LoadOutcome::refused(None, None, vec![LoadError::NoEvent(NAME.into())]);
    assert!(table.finish_load(&job, refused).is_ok());
    let refused = LoadOutcome::refused(None, None, vec![LoadError::NoEvent(NAME.into())]);
    assert!(table.finish_load(&again, refused).is_err());
}

#[test]
fn transient_failures_are_retried_with_increasing_intervals() {
    let stamp = Stamp::fake(1, 1);
    let no_room = || LoadError::NoRoom {
        sidecar: "10-a.toml".into(),
        count: 1,
    };
    let unreadable = || LoadError::Io {
        file: NAME.into(),
        error: io::Error::from_raw_os_error(5),
    };
    let found = BTreeMap::from([(NAME.into(), stamp)]);
    let read = || {
        let content = Content {
            sha256: "1".into(),
            sidecar: None,
        };
        LoadOutcome::refused(Some(content), None, vec![no_room()])
    };
    let not_read = || LoadOutcome::refused(None, None, vec![unreadable()]);
    for outcome in [&read as &dyn Fn() -> LoadOutcome, &not_read] {
        let mut table = PluginTable::default();
        assert!(
            finish(&mut table, stamp, outcome()).is_err(),
            "returned at first"
        );
        let mut retries = Vec::new();
        for interval in 1..=16 {
            let plan = table.plan(&found, ScanMode::Changed, Instant::now());
            assert_eq!(plan.jobs, []);
            let plan = table.plan(&found, ScanMode::RetryRefused, Instant::now());
            if let [job] = &plan.jobs[..] {
                retries.push(interval);
                assert!(
                    table.finish_load(job, outcome()).is_ok(),
                    "not returned again"
                );
            }
        }
        assert_eq!(retries, [1, 3, 7, 15]);
    }
    // Other failures are not retried.
    let mut table = PluginTable::default();
    _ = refuse(&mut table, stamp, vec![LoadError::NoEvent(NAME.into())]);
    for _ in 0..100 {
        let plan = table.plan(&found, ScanMode::RetryRefused, Instant::now());
        assert_eq!(plan.jobs, []);
    }
}
