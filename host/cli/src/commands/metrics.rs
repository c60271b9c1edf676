//! `postgate metrics`: what a running gateway counts.

use postgate::control::{Request, Response};

use super::{Failure, RunningGateway};

pub(super) fn run(gateway: &RunningGateway) -> Result<(), Failure> {
    match gateway.ask(Request::Metrics)? {
        Response::Metrics { text } => super::say(text),
        _ => Err(gateway.unexpected()),
    }
}
