//! A gateway that serves, seen from the program around it.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::{JoinError, JoinHandle};

use super::gateway::Gateway;
use crate::control::Controller;
use crate::metrics::{Gauge, Metrics};

/// A gateway that serves on tasks of its own. Dropping this stops it.
#[derive(Debug)]
pub struct Running {
    addresses: Vec<SocketAddr>,
    controller: Controller,
    metrics: Arc<Metrics>,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<()>,
}

impl Gateway {
    /// Serves on tasks of its own, until it is told to stop.
    pub fn spawn(self) -> Running {
        let (stop, stopped) = oneshot::channel();
        let addresses = self.addresses();
        let controller = self.controller();
        let metrics = Arc::clone(self.metrics());
        let serving = tokio::spawn(self.serve(async {
            // An error means that nobody is left who could stop it, which is a reason to stop.
            _ = stopped.await;
        }));
        Running {
            addresses,
            controller,
            metrics,
            stop: Some(stop),
            serving,
        }
    }
}

impl Running {
    /// Where the gateway listens, in the order of the configuration.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// What an operator can see of the gateway, and change in it.
    pub const fn controller(&self) -> &Controller {
        &self.controller
    }

    /// How many connections are open, those that wait for their banner included.
    pub fn connections(&self) -> usize {
        count(&self.metrics.connections)
    }

    /// How many sessions are being processed.
    pub fn sessions(&self) -> usize {
        count(&self.metrics.sessions)
    }

    /// Everything that is counted.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// How many threads of the runtime do the work.
    pub fn workers(&self) -> usize {
        Handle::current().metrics().num_workers()
    }

    /// Tells the gateway to stop, and comes back at once. Telling it twice does no harm.
    pub fn stop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // Where it has stopped by itself there is nobody to be told.
            _ = stop.send(());
        }
    }

    /// Whether the gateway has stopped, its sessions included.
    pub fn is_stopped(&self) -> bool {
        self.serving.is_finished()
    }

    /// Waits until the gateway has stopped.
    ///
    /// # Errors
    ///
    /// Where it ended by a fault of its own.
    pub async fn join(self) -> Result<(), JoinError> {
        // What tells it to stop must live until it has stopped, or this alone would stop it.
        let Self { stop, serving, .. } = self;
        let ended = serving.await;
        drop(stop);
        ended
    }
}

/// A gauge that goes up before it goes down is never below zero.
fn count(gauge: &Gauge) -> usize {
    usize::try_from(gauge.get()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    use tokio::net::TcpStream;

    use super::*;
    use postgate_config::{Config, Overrides};

    const CONFIGURATION: &str =
        "hostname = \"mx.example.org\"\n[[listener]]\naddress = \"127.0.0.1:0\"";

    async fn running() -> Running {
        let file = Path::new("test.toml");
        let config = Config::parse(CONFIGURATION, file, &Overrides::default()).unwrap();
        Gateway::start(config).await.unwrap().spawn()
    }

    #[tokio::test]
    async fn a_gateway_can_be_watched_and_stopped() {
        let mut running = running().await;
        assert_eq!((running.connections(), running.sessions()), (0, 0));
        assert!(running.workers() > 0 && !running.is_stopped());
        let mut client = BufReader::new(TcpStream::connect(running.addresses()[0]).await.unwrap());
        let mut line = String::new();
        client.read_line(&mut line).await.unwrap();
        assert!(line.starts_with("220 mx.example.org "), "{line}");
        assert_eq!((running.connections(), running.sessions()), (1, 1));
        running.stop();
        running.stop();
        line.clear();
        client.read_line(&mut line).await.unwrap();
        assert!(line.starts_with("421 4.3.2 "), "{line}");
        let metrics = Arc::clone(&running.metrics);
        running.join().await.unwrap();
        assert_eq!(metrics.connections.get(), 0);
    }

    #[tokio::test]
    async fn plugins_can_be_looked_for() {
        let running = running().await;
        let plugins = running.controller().reload_plugins().await;
        assert!(plugins.listing.is_well() && plugins.set.plugins.is_empty());
    }

    #[tokio::test]
    async fn joining_does_not_stop() {
        let running = running().await;
        let address = running.addresses()[0];
        let joining = tokio::spawn(running.join());
        let mut client = BufReader::new(TcpStream::connect(address).await.unwrap());
        client.write_all(b"QUIT\r\n").await.unwrap();
        let mut line = String::new();
        client.read_line(&mut line).await.unwrap();
        assert!(line.starts_with("220 "), "{line}");
        assert!(!joining.is_finished());
        joining.abort();
    }
}
