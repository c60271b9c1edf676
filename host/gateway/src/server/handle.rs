//! A handle to a gateway that runs in the background of a program.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::{JoinError, JoinHandle};

use super::gateway::Gateway;
use crate::control::Controller;
use crate::metrics::{Gauge, Metrics};

/// A handle to a gateway that runs in the background. Dropping it stops the gateway.
#[derive(Debug)]
pub struct GatewayHandle {
    addresses: Vec<SocketAddr>,
    controller: Controller,
    metrics: Arc<Metrics>,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<()>,
}

impl Gateway {
    /// Serves in a new task, until [`GatewayHandle::stop`] is called or the handle is dropped.
    ///
    /// # Panics
    ///
    /// Panics if it is called outside of a tokio runtime.
    pub fn spawn(self) -> GatewayHandle {
        let (stop, stopped) = oneshot::channel();
        let addresses = self.addresses();
        let controller = self.controller();
        let metrics = Arc::clone(self.metrics());
        let serving = tokio::spawn(self.serve(async {
            // An error means that the handle was dropped.
            _ = stopped.await;
        }));
        GatewayHandle {
            addresses,
            controller,
            metrics,
            stop: Some(stop),
            serving,
        }
    }
}

impl GatewayHandle {
    /// Returns the addresses of the listeners, in the order of the configuration.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Returns a handle for inspecting the gateway and reloading its files.
    pub const fn controller(&self) -> &Controller {
        &self.controller
    }

    /// Returns the number of open connections, including those that wait for the banner.
    pub fn connections(&self) -> usize {
        count(&self.metrics.connections)
    }

    /// Returns the number of sessions in progress.
    pub fn sessions(&self) -> usize {
        count(&self.metrics.sessions)
    }

    /// Returns the metrics of the gateway.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Returns the number of worker threads of the current tokio runtime.
    ///
    /// # Panics
    ///
    /// Panics if it is called outside of a tokio runtime.
    pub fn workers(&self) -> usize {
        Handle::current().metrics().num_workers()
    }

    /// Begins the shutdown, and returns immediately. Further calls have no effect.
    pub fn stop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // The gateway may have ended by a panic.
            _ = stop.send(());
        }
    }

    /// Returns true if the gateway and all sessions have ended.
    pub fn is_stopped(&self) -> bool {
        self.serving.is_finished()
    }

    /// Waits until the gateway and all sessions have ended. Does not begin the shutdown.
    ///
    /// # Errors
    ///
    /// Fails if the gateway has panicked.
    pub async fn join(self) -> Result<(), JoinError> {
        // Dropping `stop` before the gateway has ended would begin the shutdown.
        let Self { stop, serving, .. } = self;
        let ended = serving.await;
        drop(stop);
        ended
    }
}

/// Reads a gauge, which is never negative, since each decrement follows its increment.
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

    async fn spawn() -> GatewayHandle {
        let file = Path::new("test.toml");
        let config = Config::parse(CONFIGURATION, file, &Overrides::default()).unwrap();
        Gateway::start(config).await.unwrap().spawn()
    }

    #[tokio::test]
    async fn a_gateway_can_be_watched_and_stopped() {
        let mut running = spawn().await;
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
    async fn plugins_can_be_reloaded() {
        let running = spawn().await;
        let plugins = running.controller().reload_plugins().await;
        assert!(plugins.listing.is_well() && plugins.set.plugins.is_empty());
    }

    #[tokio::test]
    async fn joining_does_not_stop_the_gateway() {
        let running = spawn().await;
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
