//! `postgate plugin`: tools for authors of plugins, and commands for the plugins of a running gateway.

mod bench;
mod bindings;
mod command;
mod inspect;
mod list;
mod new;
mod reload;
mod replay;
mod test;

pub(super) use self::command::PluginCommand;
