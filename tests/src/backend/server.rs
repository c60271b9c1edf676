//! The listener of a backend.

use std::io::BufReader;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use rustls::HandshakeKind;

use super::connection::Connection;
use super::script::{Act, Event, Mail, Step};
use super::shared::Shared;
use super::transport::{Tls, Transport};
use crate::certificate::Authority;

/// An SMTP and LMTP server on a free port, with one thread per connection.
pub struct Backend {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl Backend {
    /// Starts a backend that accepts everything.
    pub fn working() -> Self {
        Self::scripted(|_| Act::Work)
    }

    /// Like [`Self::working`], with every extension that the gateway announces only if the backend has
    /// it.
    pub fn with_all_extensions() -> Self {
        Self::scripted(offer_everything)
    }

    /// Like [`Self::with_all_extensions`], with implicit TLS for `store.example`, without which
    /// REQUIRETLS is none of them.
    pub fn secured_with_all_extensions(authority: &Authority) -> Self {
        let tls = Tls {
            config: authority.issue(&["store.example"]).server(),
            is_implicit: true,
        };
        Self::secured(tls, offer_everything)
    }

    /// Starts a backend that calls the script at each step.
    pub fn scripted(script: impl Fn(&Event<'_>) -> Act + Send + Sync + 'static) -> Self {
        Self::start(None, script)
    }

    /// Like [`Self::scripted`], with TLS.
    pub fn secured(tls: Tls, script: impl Fn(&Event<'_>) -> Act + Send + Sync + 'static) -> Self {
        Self::start(Some(tls), script)
    }

    fn start(tls: Option<Tls>, script: impl Fn(&Event<'_>) -> Act + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener
            .local_addr()
            .expect("a bound socket has an address");
        let shared = Arc::new(Shared {
            script: Box::new(script),
            tls,
            seen: Mutex::default(),
            closing: AtomicBool::new(false),
        });
        let accepting = Arc::clone(&shared);
        std::thread::spawn(move || accept(&listener, &accepting));
        Self { address, shared }
    }

    /// Returns the address of the server.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the address of an SMTP backend, as in the configuration of the gateway.
    pub fn smtp(&self) -> String {
        format!("smtp://{}", self.address)
    }

    /// Returns the address of an LMTP backend, as in the configuration of the gateway.
    pub fn lmtp(&self) -> String {
        format!("lmtp://{}", self.address)
    }

    /// Returns the messages that were accepted.
    pub fn taken(&self) -> Vec<Mail> {
        self.shared.seen().taken.clone()
    }

    /// Returns the kind of handshake of each encrypted connection: full or resumed.
    pub fn handshakes(&self) -> Vec<HandshakeKind> {
        self.shared.seen().handshakes.clone()
    }

    /// Returns the command lines of each connection.
    pub fn transcripts(&self) -> Vec<Vec<String>> {
        self.shared.seen().transcripts.clone()
    }

    /// Closes all open connections, as a server does after a timeout.
    pub fn close_connections(&self) {
        for stream in self.shared.seen().streams.drain(..) {
            // It fails if the gateway has already closed the connection.
            _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::Release);
        self.close_connections();
        // Wakes the thread that accepts connections, so that it sees the flag.
        _ = TcpStream::connect(self.address);
    }
}

fn offer_everything(event: &Event<'_>) -> Act {
    match event.step {
        Step::Helo(_) => Act::Say(ALL_EXTENSIONS.to_owned()),
        _ => Act::Work,
    }
}

const ALL_EXTENSIONS: &str = "250-backend.example\r\n250-PIPELINING\r\n250-SIZE 0\r\n\
     250-8BITMIME\r\n250-SMTPUTF8\r\n250-CHUNKING\r\n250-BINARYMIME\r\n250-DSN\r\n\
     250-REQUIRETLS\r\n250 ENHANCEDSTATUSCODES\r\n";

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        let Ok(stream) = stream else { return };
        if shared.closing.load(Ordering::Acquire) {
            return;
        }
        let Ok(copy) = stream.try_clone() else { return };
        // It fails if the gateway has already closed the connection.
        _ = stream.set_nodelay(true);
        let mut seen = shared.seen();
        let number = seen.transcripts.len();
        seen.transcripts.push(Vec::new());
        seen.streams.push(copy);
        drop(seen);
        let shared = Arc::clone(shared);
        std::thread::spawn(move || {
            let reader = BufReader::new(Transport::Plain(stream));
            let mut connection = Connection::new(number, &shared, reader);
            // An error ends the connection and its thread.
            _ = connection.serve();
            connection.close();
        });
    }
}
