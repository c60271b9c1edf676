//! `postgate user`: manages the file of users of the plugin `auth-file`.

mod command;
mod error;
mod file;
mod password;

pub(super) use self::command::UserCommand;
