//! Plays dialogs over TCP against the program.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ClientConfig;

use crate::certificate::Authority;
use crate::client::Client;
use crate::dialog::play::{Heard, Server};
use crate::dialog::{Certificate, ScriptedAnswer};

/// A connection to the program as the server of a dialog.
pub struct Wire<'a> {
    client: Client,
    clients: Option<&'a Clients>,
}

/// The TLS configurations of clients with and without a certificate.
pub struct Clients {
    anonymous: Arc<ClientConfig>,
    with_certificate: Arc<ClientConfig>,
}

impl Clients {
    /// Clients that trust this authority. It issues the certificate.
    pub fn of(authority: &Authority) -> Self {
        let own = authority.issue_to_client("bob@example.org");
        Self {
            anonymous: authority.client(),
            with_certificate: authority.client_with(&own),
        }
    }
}

impl<'a> Wire<'a> {
    /// Connects without TLS.
    pub fn connect(address: SocketAddr) -> Self {
        Self {
            client: Client::connect(address),
            clients: None,
        }
    }

    /// Connects for a dialog that may begin TLS.
    pub fn connect_as(address: SocketAddr, clients: &'a Clients) -> Self {
        Self {
            clients: Some(clients),
            ..Self::connect(address)
        }
    }
}

impl Server for Wire<'_> {
    fn send(&mut self, octets: &[u8]) {
        // If the server has closed the connection, `hear` reports it.
        _ = self.client.try_write(octets);
    }

    fn hang_up(&mut self) {
        self.client.hang_up();
    }

    fn begin_tls(&mut self, shows: Certificate) {
        let clients = self.clients.expect("a dialog that begins no TLS");
        let config = match shows {
            Certificate::Client => &clients.with_certificate,
            Certificate::None => &clients.anonymous,
        };
        self.client
            .handshake(config, "mx.example.org")
            .unwrap_or_else(|error| panic!("the handshake failed: {error}"));
    }

    fn wait(&mut self) {}

    fn hear(&mut self) -> Heard {
        self.client.line().map_or(Heard::Close, Heard::Line)
    }

    fn script(&mut self, _: &ScriptedAnswer) {
        // The guest `scripted` has had its answers since it was loaded.
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
