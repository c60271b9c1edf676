//! When files are read, and when not.

use super::*;

const NAME: &str = "10-a.wasm";

/// Looks at one plugin, and says whether it would be read or removed.
fn look(shelf: &mut PluginTable, stamp: Option<Stamp>, now: Instant) -> bool {
    let (is_change, _) = look_again(shelf, stamp, now);
    is_change
}

/// The same, and whether it may still be being written and is to be looked at again.
fn look_again(shelf: &mut PluginTable, stamp: Option<Stamp>, now: Instant) -> (bool, bool) {
    let was_there = shelf.entries.contains_key(OsStr::new(NAME));
    let found = stamp.map(|stamp| (NAME.into(), stamp));
    let todo = shelf.compare(&found.into_iter().collect(), Care::Settle, now);
    let is_removed = was_there && !shelf.entries.contains_key(OsStr::new(NAME));
    for job in &todo.jobs {
        assert_eq!(Some(job.stamp), stamp);
        shelf.end(job);
    }
    (is_removed || !todo.jobs.is_empty(), todo.is_unsettled)
}

/// A load of a plugin that looks like this ends.
fn finish(shelf: &mut PluginTable, stamp: Stamp, taken: Taken) -> Result<(), Vec<LoadError>> {
    let job = shelf.job(NAME.into(), stamp);
    shelf.finish(&job, taken)
}

/// It cannot be used, for these reasons.
fn refuse(
    shelf: &mut PluginTable,
    stamp: Stamp,
    errors: Vec<LoadError>,
) -> Result<(), Vec<LoadError>> {
    let content = Content {
        sha256: "1".into(),
        sidecar: None,
    };
    finish(shelf, stamp, Taken::refused(Some(content), None, errors))
}

/// A shelf with a plugin that was read when it looked like this.
fn shelf_with(stamp: Stamp) -> PluginTable {
    let mut shelf = PluginTable::default();
    _ = refuse(&mut shelf, stamp, vec![LoadError::NoEvent(NAME.into())]);
    shelf
}

#[test]
fn a_file_is_read_once_it_has_come_to_rest() {
    let now = Instant::now();
    let [first, second] = [1, 2].map(|size| Stamp::fake(1, size));
    let mut shelf = PluginTable::default();
    assert_eq!(look_again(&mut shelf, Some(first), now), (false, true));
    assert!(!look(&mut shelf, Some(second), now));
    assert!(look(&mut shelf, Some(second), now));
    _ = finish(&mut shelf, second, Taken::Known);
    assert_eq!(look_again(&mut shelf, Some(second), now), (false, false));
}

#[test]
fn a_file_that_is_gone_for_a_moment_stays() {
    let now = Instant::now();
    let stamp = Stamp::fake(1, 1);
    let mut shelf = shelf_with(stamp);
    assert!(!look(&mut shelf, None, now));
    assert!(!look(&mut shelf, Some(stamp), now));
    assert!(!look(&mut shelf, None, now));
    assert!(look(&mut shelf, None, now));
}

#[test]
fn what_is_replaced_again_and_again_is_taken_in_time() {
    let start = Instant::now();
    let mut shelf = shelf_with(Stamp::fake(0, 1));
    // Another file each time, of which each came whole.
    let taken = (1..).find(|step| {
        let now = start + SETTLE * u32::try_from(*step).unwrap();
        look(&mut shelf, Some(Stamp::fake(*step, 1)), now)
    });
    assert_eq!(taken, Some(5));
    // One file that grows is never whole.
    let mut shelf = shelf_with(Stamp::fake(0, 1));
    let is_taken = |step: &u64| {
        let now = start + SETTLE * u32::try_from(*step).unwrap();
        look(&mut shelf, Some(Stamp::fake(0, 1 + step)), now)
    };
    assert_eq!((1..100).find(is_taken), None);
}

#[test]
fn a_file_that_changes_while_it_is_read_is_looked_at_again() {
    let now = Instant::now();
    let [before, after] = [1, 2].map(|size| Stamp::fake(1, size));
    let mut shelf = shelf_with(Stamp::fake(0, 0));
    _ = finish(&mut shelf, before, Taken::Changed(after));
    assert!(look(&mut shelf, Some(after), now));
}

#[test]
fn asking_for_it_reads_everything_at_once() {
    let stamp = Stamp::fake(1, 1);
    let mut shelf = shelf_with(stamp);
    let found = [NAME, "20-b.wasm"].map(|name| (name.into(), stamp));
    let todo = shelf.compare(&found.into(), Care::Reread, Instant::now());
    assert_eq!(todo.jobs.len(), 2);
    assert!(!todo.is_unsettled);
}

/// A plugin that takes long to load is not loaded twice, and counts for nothing once its file is gone.
#[test]
fn what_is_being_loaded_is_left_alone_unless_it_goes() {
    let now = Instant::now();
    let [first, second] = [1, 2].map(|inode| Stamp::fake(inode, 1));
    let mut shelf = shelf_with(Stamp::fake(0, 1));
    let job = shelf.job(NAME.into(), first);
    for _ in 0..3 {
        assert_eq!(look_again(&mut shelf, Some(second), now), (false, false));
    }
    assert!(!look(&mut shelf, None, now));
    assert!(look(&mut shelf, None, now));
    let refused = Taken::refused(None, None, vec![LoadError::NoEvent(NAME.into())]);
    assert!(shelf.finish(&job, refused).is_ok());
    assert!(shelf.listing().plugins.is_empty());
    shelf.end(&job);
    // It comes back, and the load of before is none of it.
    let again = shelf.job(NAME.into(), second);
    let refused = Taken::refused(None, None, vec![LoadError::NoEvent(NAME.into())]);
    assert!(shelf.finish(&job, refused).is_ok());
    let refused = Taken::refused(None, None, vec![LoadError::NoEvent(NAME.into())]);
    assert!(shelf.finish(&again, refused).is_err());
}

#[test]
fn what_may_pass_is_tried_again_ever_more_rarely() {
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
        Taken::refused(Some(content), None, vec![no_room()])
    };
    let not_read = || Taken::refused(None, None, vec![unreadable()]);
    for taken in [&read as &dyn Fn() -> Taken, &not_read] {
        let mut shelf = PluginTable::default();
        assert!(finish(&mut shelf, stamp, taken()).is_err(), "is told");
        let mut tried = Vec::new();
        for occasion in 1..=16 {
            let todo = shelf.compare(&found, Care::Settle, Instant::now());
            assert_eq!(todo.jobs, []);
            let todo = shelf.compare(&found, Care::Retry, Instant::now());
            if let [job] = &todo.jobs[..] {
                tried.push(occasion);
                assert!(shelf.finish(job, taken()).is_ok(), "is not told again");
            }
        }
        assert_eq!(tried, [1, 3, 7, 15]);
    }
    // What cannot pass is not tried again.
    let mut shelf = PluginTable::default();
    _ = refuse(&mut shelf, stamp, vec![LoadError::NoEvent(NAME.into())]);
    for _ in 0..100 {
        let todo = shelf.compare(&found, Care::Retry, Instant::now());
        assert_eq!(todo.jobs, []);
    }
}
