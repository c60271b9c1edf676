//! Conversations kept as data: the content of `.smtp` files.
//!
//! `tests/README.md` describes the format.

mod dialog;
mod load;
mod parse;
mod pattern;
pub mod play;
mod policy;
mod rules;
mod scope;

pub use self::dialog::{Action, Certificate, Dialog, HANDSHAKE, Line};
pub use self::load::LoadError;
pub use self::parse::ParseError;
pub use self::pattern::Pattern;
pub use self::policy::{ScriptedAnswer, ScriptedReply, Verdict};
pub use self::scope::Scope;
