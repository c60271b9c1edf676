//! Plays dialogs over TCP against the program.

use std::net::SocketAddr;

use super::{Heard, Server};
use crate::client::Client;
use crate::dialog::{Certificate, ScriptedAnswer};

/// The program at the other end of a new connection.
pub struct Wire(Client);

impl Wire {
    /// Connects.
    pub fn connect(address: SocketAddr) -> Self {
        Self(Client::connect(address))
    }
}

impl Server for Wire {
    fn send(&mut self, octets: &[u8]) {
        // A server that closes early shows in what is heard next.
        _ = self.0.try_write(octets);
    }

    fn hang_up(&mut self) {
        self.0.hang_up();
    }

    fn begin_tls(&mut self, _: Certificate) {
        unreachable!("dialogs with TLS are played against the core only");
    }

    fn wait(&mut self) {}

    fn hear(&mut self) -> Heard {
        self.0.line().map_or(Heard::Close, Heard::Line)
    }

    fn script(&mut self, _: &ScriptedAnswer) {
        unreachable!("a dialog with a scripted policy is not played over TCP");
    }

    fn is_quiet(&mut self) -> Option<bool> {
        None
    }

    fn asked(&mut self) -> Option<Vec<String>> {
        None
    }

    fn stored(&mut self) -> Option<Vec<u8>> {
        None
    }

    fn leftovers(&mut self) -> Option<String> {
        None
    }
}
