//! An answer whose edits are not checked yet.

use std::fmt;

use super::invalid_answer::InvalidAnswer;
use crate::meter::{Meter, OutOfTime};
use crate::verdict::{Edit, PluginAnswer, Verdict};

/// An answer whose edits are not checked yet. There can be many of them, of a size that takes time.
pub(crate) struct Unchecked {
    pub(super) verdict: Verdict,
    /// Checks one edit after another. `None` if there are none.
    pub(super) edits: Option<Box<dyn Iterator<Item = Result<Edit, InvalidAnswer>> + Send>>,
}

impl Unchecked {
    /// An answer without edits.
    pub(crate) const fn of(verdict: Verdict) -> Self {
        Self {
            verdict,
            edits: None,
        }
    }

    /// Checks the edits, as a part of the call.
    ///
    /// # Errors
    ///
    /// The outer error means that the call has used up its CPU time, the inner one that an edit violates the
    /// contract.
    pub(crate) async fn check(
        self,
        meter: &mut Meter,
    ) -> Result<Result<PluginAnswer, InvalidAnswer>, OutOfTime> {
        let mut edits = Vec::new();
        for edit in self.edits.into_iter().flatten() {
            match edit {
                Ok(edit) => edits.push(edit),
                Err(error) => return Ok(Err(error)),
            }
            meter.count(EDIT).await?;
        }
        Ok(Ok(PluginAnswer {
            verdict: self.verdict,
            edits,
        }))
    }
}

impl fmt::Debug for Unchecked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unchecked")
            .field("verdict", &self.verdict)
            .finish_non_exhaustive()
    }
}

/// What checking an edit counts for, in octets. A long value takes longer, but there are few of them within
/// `limits.hostcall-bytes`.
const EDIT: usize = 4_096;
