//! Generated types into the gateway's own, and back. The files of this folder, `exports.rs` and the folder
//! `host` are the only ones that name both. An answer that breaks a rule of the contract ends here, with
//! a text that names the rule.

mod answer;
mod argument;
mod broken;
mod edit;
mod verdict;

pub(crate) use self::answer::{
    auth, auth_keys, body_chunk_answer, command, connect, data, expn, headers, helo, help, mail,
    message, proxy, rcpt, starttls, vrfy,
};
pub(crate) use self::argument::{
    body_chunk, cause, command_line, credentials, outcome, parameters, summary,
};
pub(crate) use self::broken::Broken;
