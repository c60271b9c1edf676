//! `postgate plugin reload`: makes a running gateway read its plugins now.

use postgate::control::Request;

use super::list::{Errors, Table};
use crate::commands::failure::Failure;
use crate::commands::output::print;
use crate::commands::running_gateway::RunningGateway;

pub(super) fn run(gateway: &RunningGateway) -> Result<(), Failure> {
    let listing = gateway.plugins(Request::PluginReload)?;
    if listing.is_well() {
        return print(Table(&listing));
    }
    let count = listing.plugins.iter().filter(|p| p.error.is_some()).count();
    Err(Failure::runtime(format!(
        "{}{count} of {} plugins cannot be used as they are",
        Errors(&listing),
        listing.plugins.len()
    )))
}
