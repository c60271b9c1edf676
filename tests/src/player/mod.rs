//! Plays dialogs: against the protocol core ([`core`]) and over TCP ([`wire`]).

pub mod core;
mod reply;
pub mod script;
mod settings;
pub mod wire;

pub use postgate_dialog::play::{Heard, Mismatch, Server, play};
