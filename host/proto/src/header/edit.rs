//! Edits of a header block, with the meaning that the plugin contract gives them.

use crate::header::field::{HeaderName, HeaderValue};

/// One change to a header block. Positions count the fields as earlier edits have left them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderEdit {
    /// Add a field above all others.
    Prepend(HeaderName, HeaderValue),
    /// Add a field below all others.
    Append(HeaderName, HeaderValue),
    /// Put a field at an exact place.
    Insert {
        /// Before the field that has this index in the whole block; beyond its end means at the
        /// end.
        index: usize,
        /// The name of the new field.
        name: HeaderName,
        /// The value of the new field.
        value: HeaderValue,
    },
    /// Leave exactly one field of this name: replace the value of the topmost and remove the others,
    /// or add one below all other fields where there is none.
    Set(HeaderName, HeaderValue),
    /// Replace the value of one field, whose name keeps its spelling. A field that is not there is
    /// no error.
    Replace {
        /// The name of the field; letter case does not matter.
        name: HeaderName,
        /// 0 is the topmost field of that name, and so on downwards.
        index: usize,
        /// The new value.
        value: HeaderValue,
    },
    /// Remove one field. A field that is not there is no error.
    Remove {
        /// The name of the field; letter case does not matter.
        name: HeaderName,
        /// 0 is the topmost field of that name, and so on downwards.
        index: usize,
    },
    /// Remove all fields of this name; letter case does not matter.
    RemoveAll(HeaderName),
}
