//! Conversion between the generated types of the contract and the gateway's own types. Only this folder,
//! `exports.rs` and the folder `host` use both. Every answer of a plugin is checked here.

mod answer;
mod argument;
mod edit;
mod invalid_answer;
mod unchecked;
mod verdict;

pub(crate) use self::answer::{
    auth, auth_keys, body_chunk_answer, command, connect, data, expn, headers, helo, help, mail,
    message, proxy, rcpt, starttls, vrfy,
};
pub(crate) use self::argument::{Arguments, parameters};
pub use self::invalid_answer::InvalidAnswer;
pub(crate) use self::unchecked::Unchecked;
