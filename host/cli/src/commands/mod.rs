//! The commands of the program `postgate`.

mod arguments;
mod certificate;
mod check;
mod compile;
mod config_source;
mod failure;
mod metrics;
mod output;
mod overrides;
mod plugin;
mod running_gateway;
mod serve;
mod user;

pub(crate) use self::arguments::{Arguments, print_usage};
