//! The recorded names of values of enums.

use postgate_proto::data::LineEndings;
use postgate_proto::session::{Ending, Helo};

use super::error::SnapshotError;
use crate::question::{Fate, ResetCause};

/// All values of an enum, with their recorded names.
pub(super) struct Names<T: 'static> {
    /// What the values are, for errors.
    kind: &'static str,
    values: &'static [(&'static str, T)],
}

impl<T: Copy + PartialEq> Names<T> {
    /// The name of a value.
    pub(super) fn name(&self, value: T) -> &'static str {
        let named = self.values.iter().find(|(_, other)| *other == value);
        // The tables below are complete, so there always is a name.
        named.map_or("", |(name, _)| name)
    }

    /// The value with this name.
    ///
    /// # Errors
    ///
    /// Fails if there is none.
    pub(super) fn value(&self, name: &str) -> Result<T, SnapshotError> {
        let named = self.values.iter().find(|(other, _)| *other == name);
        named
            .map(|(_, value)| *value)
            .ok_or_else(|| SnapshotError::UnknownName {
                kind: self.kind,
                name: name.to_owned(),
            })
    }
}

pub(super) const HELOS: Names<Helo> = Names {
    kind: "command",
    values: &[("EHLO", Helo::Ehlo), ("HELO", Helo::Helo)],
};

pub(super) const LINE_ENDINGS: Names<LineEndings> = Names {
    kind: "mode of line endings",
    values: &[
        ("ensure", LineEndings::Ensure),
        ("ensure-legacy", LineEndings::EnsureLegacy),
        ("leave", LineEndings::Leave),
        ("strict", LineEndings::Strict),
    ],
};

pub(super) const FATES: Names<Fate> = Names {
    kind: "fate of a message",
    values: &[
        ("delivered", Fate::Delivered),
        ("delivered-in-part", Fate::DeliveredInPart),
        ("discarded", Fate::Discarded),
        ("quarantined", Fate::Quarantined),
        ("refused", Fate::Refused),
    ],
};

pub(super) const RESET_CAUSES: Names<ResetCause> = Names {
    kind: "cause of a reset",
    values: &[
        ("helo", ResetCause::Helo),
        ("refused", ResetCause::Refused),
        ("rset", ResetCause::Rset),
        ("starttls", ResetCause::StartTls),
    ],
};

pub(super) const ENDINGS: Names<Ending> = Names {
    kind: "end of a session",
    values: &[
        ("closed", Ending::Closed),
        ("disconnected", Ending::Disconnected),
        ("endless-line", Ending::EndlessLine),
        ("quit", Ending::Quit),
        ("shutdown", Ending::Shutdown),
        ("timeout", Ending::Timeout),
        ("too-many-errors", Ending::TooManyErrors),
    ],
};
