//! Turns away every client at `connect`, with the reply code that the name of the listener is.

use postgate_plugin::prelude::*;

#[derive(Default)]
struct Doorkeeper;

impl OnConnect for Doorkeeper {
    fn on_connect(&mut self) -> ConnectAnswer {
        let Ok(code) = session::listener().parse() else {
            return ConnectAnswer::next();
        };
        let enhanced = match code {
            ..500 => "4.3.2",
            _ => "5.3.2",
        };
        match Refusal::checked(code, enhanced, "not here") {
            Ok(refusal) => ConnectAnswer::refuse(refusal.because("the client is on the blue list")),
            Err(_) => ConnectAnswer::next(),
        }
    }
}

postgate_plugin::export!(Doorkeeper: OnConnect);
