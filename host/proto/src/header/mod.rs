//! The header block of a message, and edits of its fields (RFC 5322 §2.2, §3.6).

mod block;
mod edit;
mod field;
mod line;
mod ranks;
mod revision;
mod scan;
mod view;

pub use self::block::{Fields, HeaderBlock};
pub use self::edit::HeaderEdit;
pub use self::field::{
    HeaderName, HeaderValue, InvalidHeader, MAX_HEADER_NAME, MAX_HEADER_VALUE, MAX_HEADER_WORD,
};
pub use self::revision::{Revised, Revision};
pub use self::scan::{HeaderLine, HeaderScanner};
pub use self::view::Field;
