//! The MIME parts of a message (RFC 2045), over any random-access [`Source`] of octets.
//!
//! [`Mime::find`] records only where parts begin and end. Content is read and decoded when it is
//! asked for, and decoded content goes to a [`Scratch`] space. Nothing here is async:
//! [`Mime::is_long`] tells callers which calls belong on a thread that may block.
//!
//! ```
//! use postgate_mime::Mime;
//! use postgate_proto::header::HeaderBlock;
//!
//! let headers = HeaderBlock::parse(b"Content-Type: text/plain; charset=latin1\r\n\r\n".to_vec());
//! let body = b"caf\xE9".to_vec();
//! let mime = Mime::find(&headers, body, Vec::new())?;
//! assert_eq!(mime.plain(), Some(0));
//! assert_eq!(mime.text(0, 0, 10)?.as_deref(), Some("café"));
//! # Ok::<_, std::io::Error>(())
//! ```

mod boundary;
mod charset;
mod decoded;
mod defect;
mod facts;
mod found;
mod head;
mod line_end;
mod message_type;
mod mime;
mod names;
mod parameter;
mod part;
mod scan;
mod search;
mod source;
mod transfer;
mod version;
mod words;

pub use self::defect::Defect;
pub use self::facts::Facts;
pub use self::mime::Mime;
pub use self::part::Part;
pub use self::search::MAX_PARTS;
pub use self::source::{Scratch, Source};
pub use self::version::MimeVersion;

#[cfg(test)]
mod tests;
