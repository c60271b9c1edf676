//! `postgate plugin reload`: tells a running gateway to look at its plugins now.

use postgate::control::Request;

use super::list::{Errors, Table};
use super::{Failure, RunningGateway};

pub(super) fn run(gateway: &RunningGateway) -> Result<(), Failure> {
    let listing = super::plugins(gateway, Request::PluginReload)?;
    if listing.is_well() {
        return crate::commands::say(Table(&listing));
    }
    let count = listing.plugins.iter().filter(|p| p.error.is_some()).count();
    Err(Failure::run_time(format!(
        "{}{count} of {} plugins cannot be used as they are",
        Errors(&listing),
        listing.plugins.len()
    )))
}
