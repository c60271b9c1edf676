//! The sockets of the resolver, and the news that the machine lacks what one needs.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hickory_resolver::net::runtime::{RuntimeProvider, TokioRuntimeProvider};
use rustix::io::Errno;
use tokio::sync::Notify;

/// Makes sockets for queries. The resolver retries a query for which there is none until its time is
/// over, so that those who wait are told by another way. Clones share the news.
#[derive(Clone, Default)]
pub(super) struct Sockets {
    tokio: TokioRuntimeProvider,
    lack: Arc<Lack>,
}

/// The news that there was no socket for a query.
#[derive(Default)]
struct Lack {
    /// How often.
    count: AtomicU64,
    news: Notify,
}

impl Sockets {
    /// Does work that needs sockets. Returns `None` as soon as there is none, be it for other work: what
    /// the resolver then says of a name is not to be believed.
    pub(super) async fn while_there_are<T, E>(
        &self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Option<Result<T, E>> {
        let before = self.lack.count.load(Ordering::Acquire);
        // What happens from here on is heard.
        let mut news = pin!(self.lack.news.notified());
        news.as_mut().enable();
        let done = tokio::select! {
            biased;
            done = work => done,
            () = news => return None,
        };
        let is_lack = self.lack.count.load(Ordering::Acquire) != before;
        match done {
            Err(_) if is_lack => None,
            done => Some(done),
        }
    }

    fn watched<T: 'static>(&self, making: Making<T>) -> Making<T> {
        let lack = Arc::clone(&self.lack);
        Box::pin(async move {
            let made = making.await;
            if made.as_ref().is_err_and(is_lack) {
                lack.count.fetch_add(1, Ordering::Release);
                lack.news.notify_waiters();
            }
            made
        })
    }
}

type Making<T> = Pin<Box<dyn Send + Future<Output = io::Result<T>>>>;

impl RuntimeProvider for Sockets {
    type Handle = <TokioRuntimeProvider as RuntimeProvider>::Handle;
    type Timer = <TokioRuntimeProvider as RuntimeProvider>::Timer;
    type Udp = <TokioRuntimeProvider as RuntimeProvider>::Udp;
    type Tcp = <TokioRuntimeProvider as RuntimeProvider>::Tcp;

    fn create_handle(&self) -> Self::Handle {
        self.tokio.create_handle()
    }

    fn connect_tcp(
        &self,
        server: SocketAddr,
        local: Option<SocketAddr>,
        timeout: Option<Duration>,
    ) -> Making<Self::Tcp> {
        self.watched(self.tokio.connect_tcp(server, local, timeout))
    }

    fn bind_udp(&self, local: SocketAddr, server: SocketAddr) -> Making<Self::Udp> {
        self.watched(self.tokio.bind_udp(local, server))
    }
}

/// True if an error says that the machine lacks descriptors or memory.
fn is_lack(error: &io::Error) -> bool {
    let lacks = [Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::NOBUFS];
    Errno::from_io_error(error).is_some_and(|errno| lacks.contains(&errno))
}
