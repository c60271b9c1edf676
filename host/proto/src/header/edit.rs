//! Edits of a header block, as the plugin contract defines them.

use crate::header::field::{HeaderName, HeaderValue};

/// An edit of a header block. Indices refer to the block after earlier edits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderEdit {
    /// Add a field above all others.
    Prepend(HeaderName, HeaderValue),
    /// Add a field below all others.
    Append(HeaderName, HeaderValue),
    /// Insert a field.
    Insert {
        /// The index of the field before which the new one is inserted, counted from 0 at the top. An
        /// index beyond the last field appends.
        index: usize,
        /// The name of the new field.
        name: HeaderName,
        /// The value of the new field.
        value: HeaderValue,
    },
    /// Keep one field with this name: replace the value of the topmost one and remove the others, or
    /// append one if there is none.
    Set(HeaderName, HeaderValue),
    /// Replace the value of a field. Its name is not changed. Has no effect if there is no such field.
    Replace {
        /// The name of the field, in any letter case.
        name: HeaderName,
        /// The index among the fields with this name, counted from 0 at the top.
        index: usize,
        /// The new value.
        value: HeaderValue,
    },
    /// Remove a field. Has no effect if there is no such field.
    Remove {
        /// The name of the field, in any letter case.
        name: HeaderName,
        /// The index among the fields with this name, counted from 0 at the top.
        index: usize,
    },
    /// Remove all fields with this name, in any letter case.
    RemoveAll(HeaderName),
}
