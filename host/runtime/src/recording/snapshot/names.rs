//! The names of what has no value that could be written.

use postgate_proto::data::LineEndings;
use postgate_proto::session::{Ending, Helo};

use crate::question::{Fate, ResetCause};

type Names<T, const N: usize> = [(&'static str, T); N];

pub(super) fn find_name<T: PartialEq, const N: usize>(
    names: &Names<T, N>,
    value: &T,
) -> &'static str {
    let named = names.iter().find(|(_, other)| other == value);
    named.map_or("", |(name, _)| name)
}

pub(super) fn find<'a, T, const N: usize>(
    names: &'a Names<T, N>,
    name: &str,
) -> Result<&'a T, String> {
    let named = names.iter().find(|(other, _)| *other == name);
    let (_, value) = named.ok_or_else(|| format!("{name:?} means nothing to this gateway"))?;
    Ok(value)
}

pub(super) const HELOS: Names<Helo, 2> = [("EHLO", Helo::Ehlo), ("HELO", Helo::Helo)];

pub(super) const LINE_ENDINGS: Names<LineEndings, 4> = [
    ("ensure", LineEndings::Ensure),
    ("ensure-legacy", LineEndings::EnsureLegacy),
    ("leave", LineEndings::Leave),
    ("strict", LineEndings::Strict),
];

pub(super) const FATES: Names<Fate, 5> = [
    ("delivered", Fate::Delivered),
    ("delivered-in-part", Fate::DeliveredInPart),
    ("discarded", Fate::Discarded),
    ("quarantined", Fate::Quarantined),
    ("refused", Fate::Refused),
];

pub(super) const CAUSES: Names<ResetCause, 4> = [
    ("helo", ResetCause::Helo),
    ("refused", ResetCause::Refused),
    ("rset", ResetCause::Rset),
    ("starttls", ResetCause::StartTls),
];

pub(super) const ENDINGS: Names<Ending, 7> = [
    ("closed", Ending::Closed),
    ("disconnected", Ending::Disconnected),
    ("endless-line", Ending::EndlessLine),
    ("quit", Ending::Quit),
    ("shutdown", Ending::Shutdown),
    ("timeout", Ending::Timeout),
    ("too-many-errors", Ending::TooManyErrors),
];
