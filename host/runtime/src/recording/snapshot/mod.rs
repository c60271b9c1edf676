//! What a plugin could see and was asked at one event, as data, and its conversion back.

mod context;
mod error;
mod facts;
mod mail;
mod names;
mod question;

pub(super) use self::context::Snapshot;
pub(super) use self::question::RecordedQuestion;
