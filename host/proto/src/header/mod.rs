//! The header block of a message: read in place, edited field by field (RFC 5322 §2.2, §3.6).

mod block;
mod edit;
mod field;
mod line;

pub use block::{Field, Fields, HeaderBlock};
pub use edit::HeaderEdit;
pub use field::{HeaderName, HeaderValue, InvalidHeader};
pub use field::{MAX_HEADER_NAME, MAX_HEADER_VALUE, MAX_HEADER_WORD};
