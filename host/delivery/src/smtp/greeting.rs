//! The beginning of a connection: greeting, TLS and authentication.

use std::sync::Arc;

use postgate_config::TlsStart;
use postgate_proto::client::{
    Authentication, Client, ClientCredentials, ClientMechanism, Nonce, Protocol, Request, Stage,
};
use tokio::time::timeout;
use tracing::debug;

use super::connection::Connection;
use super::peer::Peer;
use super::stream::Stream;
use crate::error::{DeliveryError, TlsFailure};
use crate::security::{ClientTls, ConnectionSecurity};

impl Connection {
    /// Waits for the greeting and introduces the gateway; encrypts the connection and authenticates
    /// as configured.
    pub(super) async fn greet(
        stream: Stream,
        peer: Arc<Peer>,
        security: Arc<ConnectionSecurity>,
    ) -> Result<Self, DeliveryError> {
        let client = Client::new(peer.protocol, peer.name.clone());
        let client = client.without(&peer.extensions.unused());
        let stream = match &security.tls {
            Some(tls) if tls.start == TlsStart::Implicit => encrypt(stream, tls, &peer).await?,
            Some(_) | None => stream,
        };
        let mut connection = Self::new(stream, client, Arc::clone(&peer), Arc::clone(&security));
        connection.require(Stage::Greeting).await?;
        connection.require(hello(&peer)).await?;
        if let Some(tls) = &security.tls
            && tls.start == TlsStart::StartTls
        {
            connection = connection.start_tls(tls).await?;
            connection.require(hello(&peer)).await?;
        }
        if let Some(credentials) = &security.credentials {
            connection.authenticate(credentials).await?;
        }
        let keeps_tls = connection.keeps_tls();
        let capabilities = connection.client.capabilities();
        peer.extensions.note(capabilities, keeps_tls);
        Ok(connection)
    }

    /// Waits for a reply that must be positive.
    async fn require(&mut self, stage: Stage) -> Result<(), DeliveryError> {
        let limit = match stage {
            Stage::Greeting => self.peer.connect_timeout,
            _ => self.peer.command_timeout,
        };
        match self.accepted(stage, limit).await? {
            Ok(_) => Ok(()),
            Err(refusal) => Err(DeliveryError::Unavailable { stage, refusal }),
        }
    }

    /// Encrypts the connection. Takes it by value: without TLS it must not be used any more.
    async fn start_tls(mut self, tls: &ClientTls) -> Result<Self, DeliveryError> {
        if !self.client.capabilities().offers("STARTTLS") {
            return Err(TlsFailure::NotOffered.into());
        }
        let stage = Stage::StartTls;
        self.client.request(Request::StartTls);
        if let Err(refusal) = self.accepted(stage, self.peer.command_timeout).await? {
            return Err(TlsFailure::Refused(refusal).into());
        }
        let stream = encrypt(self.stream, tls, &self.peer).await?;
        let client = self.client.encrypted();
        Ok(Self::new(stream, client, self.peer, self.security))
    }

    async fn authenticate(
        &mut self,
        credentials: &Arc<ClientCredentials>,
    ) -> Result<(), DeliveryError> {
        let capabilities = self.client.capabilities();
        let Some(mechanism) = ClientMechanism::choose(capabilities, credentials) else {
            let offered = capabilities.parameters("AUTH").unwrap_or_default();
            return Err(DeliveryError::NoMechanism {
                offered: offered.to_owned(),
            });
        };
        self.client.request(Request::Auth(Authentication {
            mechanism,
            credentials: Arc::clone(credentials),
            nonce: nonce(),
        }));
        match self
            .accepted(Stage::Auth, self.peer.command_timeout)
            .await?
        {
            Ok(_) => Ok(()),
            Err(refusal) => Err(DeliveryError::Authentication { mechanism, refusal }),
        }
    }
}

const fn hello(peer: &Peer) -> Stage {
    match peer.protocol {
        Protocol::Lmtp => Stage::Lhlo,
        Protocol::Smtp => Stage::Ehlo,
    }
}

/// Performs the TLS handshake.
async fn encrypt(stream: Stream, tls: &ClientTls, peer: &Peer) -> Result<Stream, TlsFailure> {
    let handshake = stream.encrypt(&tls.connector, tls.name.clone());
    let stream = match timeout(peer.connect_timeout, handshake).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            return Err(TlsFailure::of(&error).unwrap_or(TlsFailure::Broken(error)));
        }
        Err(_) => return Err(TlsFailure::Timeout),
    };
    if let Some(connection) = stream.tls() {
        debug!(
            backend = peer.address,
            version = ?connection.protocol_version(),
            cipher = ?connection.negotiated_cipher_suite().map(|suite| suite.suite()),
            handshake = ?connection.handshake_kind(),
            "encrypted"
        );
    }
    Ok(stream)
}

fn nonce() -> Nonce {
    let mut octets = [0; 18];
    // The system always has randomness: Linux blocks until it has, and TLS could not work without.
    getrandom::fill(&mut octets).expect("the system has randomness");
    Nonce(octets)
}
