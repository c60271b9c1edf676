//! Messages with an attachment that is packed and encoded in many ways.

mod file;
mod message;
mod packed;

pub use self::file::File;
pub use self::message::{Encoding, Wrapping, message};
pub use self::packed::{Archive, Method, Zip, packed};
