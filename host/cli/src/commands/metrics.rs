//! `postgate metrics`: prints the metrics of a running gateway.

use postgate::control::{Request, Response};

use super::failure::Failure;
use super::output::print;
use super::running_gateway::RunningGateway;

pub(super) fn run(gateway: &RunningGateway) -> Result<(), Failure> {
    match gateway.ask(Request::Metrics)? {
        Response::Metrics { text } => print(text),
        _ => Err(gateway.unexpected_response()),
    }
}
