//! Reading files again.

/// The result of reading files again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reloaded {
    /// The files have changed, and new connections use them.
    Changed,
    /// The files are the same as before.
    Same,
}
