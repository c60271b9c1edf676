//! How the files of a plugin have looked lately: for how long they have been as they are, and whether
//! they were replaced or written into.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use super::look::{FileStamp, Moment, Stamp};

/// How the files of a plugin have looked lately.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sightings {
    /// The `.wasm` file. Its stamp is `None` if the directory does not have it.
    wasm: Sighting,
    sidecar: Sighting,
}

/// What shows that a file is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    /// It has not changed for [`SETTLE_TIME`].
    Settled,
    /// As before, or it has replaced another file as a whole.
    Replaced,
    /// As before, or it has not just gone: the operator says that what is there is complete.
    Present,
}

impl Sightings {
    /// Records what a look has found.
    pub(super) fn see(&mut self, stamp: Option<Stamp>, moment: Moment) {
        self.wasm.see(stamp.map(|stamp| stamp.wasm), moment);
        // While the plugin is away, its sidecar is not looked at. If that has gone too, and is not back
        // with the plugin, it counts from then on.
        if let Some(stamp) = stamp {
            self.sidecar.see(Some(stamp.sidecar), moment);
        }
    }

    /// Returns the stamp at the latest look, or `None` if the plugin is not there.
    pub(super) fn stamp(&self) -> Option<Stamp> {
        Some(Stamp {
            wasm: self.wasm.stamp?,
            sidecar: self.sidecar.stamp?,
        })
    }

    /// True if each file, or its absence, shows this sign.
    pub(super) fn show(&self, sign: Sign, now: Instant) -> bool {
        self.wasm.shows(sign, now) && (self.wasm.stamp.is_none() || self.sidecar.shows(sign, now))
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Sighting {
    stamp: Option<FileStamp>,
    /// When the file was first seen like this, or `None` if it was never looked for.
    since: Option<Moment>,
    change: Change,
}

/// What a file has turned into.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Change {
    /// It has gone.
    Gone,
    /// It is another file with the same name.
    Replaced,
    /// It was written into, or is new, or was always missing.
    #[default]
    Written,
}

impl Sighting {
    fn see(&mut self, stamp: Option<FileStamp>, moment: Moment) {
        let is_there = |stamp| stamp != FileStamp::Unreadable(ErrorKind::NotFound);
        let is_absent = !stamp.is_some_and(is_there);
        if let Some(since) = &mut self.since
            && self.stamp == stamp
        {
            // A file that is absent at two looks may have been there in between.
            if is_absent && since.directory != moment.directory {
                *since = moment;
            }
            return;
        }
        let change = match (self.stamp, stamp) {
            (Some(old), Some(new)) if new.is_replacement_of(&old) => Change::Replaced,
            (Some(old), _) if is_there(old) && is_absent => Change::Gone,
            _ => Change::Written,
        };
        *self = Self {
            stamp,
            since: Some(moment),
            change,
        };
    }

    /// True if the file is complete by this sign. That it is gone is shown by nothing but time.
    fn shows(&self, sign: Sign, now: Instant) -> bool {
        let age = self.since.map(|since| now.duration_since(since.time));
        age.is_some_and(|age| age >= SETTLE_TIME)
            || match sign {
                Sign::Settled => false,
                Sign::Replaced => self.change == Change::Replaced,
                Sign::Present => self.change != Change::Gone,
            }
    }
}

/// A file is settled, and one that is gone is removed, if that has not changed for this time.
pub(super) const SETTLE_TIME: Duration = Duration::from_millis(200);
