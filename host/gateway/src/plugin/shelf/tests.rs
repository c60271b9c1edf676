//! When files are read, and when not.

use super::*;

const NAME: &str = "10-a.wasm";

/// Looks at one plugin, and says whether it would be read or removed.
fn look(shelf: &mut Shelf, stamp: Option<Stamp>, now: Instant) -> bool {
    let found = stamp.map(|stamp| (NAME.into(), stamp));
    let changes = shelf.compare(&found.into_iter().collect(), Care::Settle, now);
    let is_change = !changes.is_empty();
    assert!(changes.iter().all(|(_, change)| *change == stamp));
    is_change
}

/// A shelf with a plugin that was read when it looked like this.
fn shelf_with(stamp: Stamp) -> Shelf {
    let mut shelf = Shelf::default();
    _ = shelf.refuse(NAME.as_ref(), stamp, None, Vec::new());
    shelf
}

#[test]
fn a_file_is_read_once_it_has_come_to_rest() {
    let now = Instant::now();
    let [first, second] = [1, 2].map(|size| Stamp::fake(1, size));
    let mut shelf = Shelf::default();
    assert!(!look(&mut shelf, Some(first), now));
    assert!(shelf.take_unsettled());
    assert!(!look(&mut shelf, Some(second), now));
    assert!(look(&mut shelf, Some(second), now));
    _ = shelf.refuse(NAME.as_ref(), second, None, Vec::new());
    shelf.take_unsettled();
    assert!(!look(&mut shelf, Some(second), now));
    assert!(!shelf.take_unsettled());
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
fn asking_for_it_reads_everything_at_once() {
    let stamp = Stamp::fake(1, 1);
    let mut shelf = shelf_with(stamp);
    let found = [NAME, "20-b.wasm"].map(|name| (name.into(), stamp));
    let changes = shelf.compare(&found.into(), Care::Reread, Instant::now());
    assert_eq!(changes.len(), 2);
    assert!(!shelf.take_unsettled());
}

#[test]
fn what_may_pass_is_tried_again_ever_more_rarely() {
    let stamp = Stamp::fake(1, 1);
    let content = Content {
        sha256: "1".into(),
        sidecar: None,
    };
    let failure = || LoadError::NoRoom {
        sidecar: "10-a.toml".into(),
        count: 1,
    };
    let mut shelf = Shelf::default();
    let refuse = |shelf: &mut Shelf, errors| {
        let refused = Some((content.clone(), None));
        shelf.refuse(NAME.as_ref(), stamp, refused, errors).is_err()
    };
    assert!(refuse(&mut shelf, vec![failure()]), "is told");
    let found = BTreeMap::from([(NAME.into(), stamp)]);
    let mut tried = Vec::new();
    for occasion in 1..=16 {
        assert_eq!(shelf.compare(&found, Care::Settle, Instant::now()), []);
        if !shelf
            .compare(&found, Care::Retry, Instant::now())
            .is_empty()
        {
            tried.push(occasion);
            assert!(!refuse(&mut shelf, vec![failure()]), "is not told again");
        }
    }
    assert_eq!(tried, [1, 3, 7, 15]);
    // What can not pass is not tried again.
    refuse(&mut shelf, vec![LoadError::NoEvent(NAME.into())]);
    for _ in 0..100 {
        assert_eq!(shelf.compare(&found, Care::Retry, Instant::now()), []);
    }
}
