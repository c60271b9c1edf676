//! An SMTP client that sends what a test wants and reads replies.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use crate::PATIENCE;

/// A connection to the gateway.
pub struct Client {
    reader: BufReader<Transport>,
}

/// A connection with or without TLS.
enum Transport {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Transport {
    fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => &stream.sock,
        }
    }
}

impl Read for Transport {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Transport {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(octets),
            Self::Tls(stream) => stream.write(octets),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}

/// A complete reply: its lines without line endings, joined by LF.
pub type Reply = String;

impl Client {
    /// Connects without reading the banner.
    pub fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("the gateway accepts connections");
        stream
            .set_read_timeout(Some(PATIENCE))
            .expect("a timeout can be set");
        stream
            .set_write_timeout(Some(PATIENCE))
            .expect("a timeout can be set");
        stream.set_nodelay(true).expect("an option can be set");
        Self {
            reader: BufReader::new(Transport::Plain(stream)),
        }
    }

    /// Connects and performs the TLS handshake at once (implicit TLS), for this host name.
    ///
    /// # Panics
    ///
    /// Panics if the handshake fails.
    pub fn connect_tls(address: SocketAddr, config: &Arc<ClientConfig>, name: &str) -> Self {
        let mut client = Self::connect(address);
        client
            .handshake(config, name)
            .unwrap_or_else(|error| panic!("the handshake failed: {error}"));
        client
    }

    /// Connects, sends EHLO and STARTTLS, performs the handshake, and sends EHLO again.
    ///
    /// # Panics
    ///
    /// Panics if a step fails.
    pub fn start_tls(address: SocketAddr, config: &Arc<ClientConfig>, name: &str) -> Self {
        let mut client = Self::greeted(address);
        client.says("STARTTLS", "220 2.0.0 ");
        client
            .handshake(config, name)
            .unwrap_or_else(|error| panic!("the handshake failed: {error}"));
        client.says("EHLO client.example", "250");
        client
    }

    /// Performs the TLS handshake, for this host name.
    ///
    /// # Errors
    ///
    /// Returns an error if the handshake fails. The connection is then unusable.
    pub fn handshake(&mut self, config: &Arc<ClientConfig>, name: &str) -> io::Result<()> {
        self.handshake_behind(b"", config, name)
    }

    /// Like [`Self::handshake`], with other octets in the same write before the handshake.
    ///
    /// # Errors
    ///
    /// Returns an error if the handshake fails.
    pub fn handshake_behind(
        &mut self,
        before: &[u8],
        config: &Arc<ClientConfig>,
        name: &str,
    ) -> io::Result<()> {
        assert!(
            self.reader.buffer().is_empty(),
            "the gateway said something before the handshake"
        );
        let mut socket = self.reader.get_ref().socket().try_clone()?;
        let name = ServerName::try_from(name.to_owned()).expect("a name of a host");
        let mut connection =
            ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
        let mut first = before.to_vec();
        while connection.wants_write() {
            connection.write_tls(&mut first)?;
        }
        socket.write_all(&first)?;
        while connection.is_handshaking() {
            connection.complete_io(&mut socket)?;
        }
        let stream = StreamOwned::new(connection, socket);
        self.reader = BufReader::new(Transport::Tls(Box::new(stream)));
        Ok(())
    }

    /// Returns the state of TLS.
    ///
    /// # Panics
    ///
    /// Panics if the connection is not encrypted.
    pub fn tls(&self) -> &ClientConnection {
        match self.reader.get_ref() {
            Transport::Tls(stream) => &stream.conn,
            Transport::Plain(_) => panic!("the connection is not encrypted"),
        }
    }

    /// Connects, reads the banner and sends EHLO.
    pub fn greeted(address: SocketAddr) -> Self {
        let mut client = Self::connect(address);
        client.expect("220 ");
        client.send("EHLO client.example");
        client.expect("250");
        client
    }

    /// Returns the address from which the client has connected.
    pub fn local_address(&self) -> SocketAddr {
        let socket = self.reader.get_ref().socket();
        socket.local_addr().expect("a socket has an address")
    }

    /// Sends octets unchanged.
    pub fn write(&mut self, octets: &[u8]) {
        self.try_write(octets)
            .expect("the gateway takes what is sent");
    }

    /// Sends octets to a gateway that may have closed the connection.
    pub fn try_write(&mut self, octets: &[u8]) -> io::Result<()> {
        self.reader.get_mut().write_all(octets)?;
        self.reader.get_mut().flush()
    }

    /// Sends the same octets again and again until the gateway closes the connection.
    ///
    /// # Panics
    ///
    /// Panics if the gateway neither reads nor closes.
    pub fn write_until_closed(&mut self, octets: &[u8]) {
        let error = loop {
            if let Err(error) = self.try_write(octets) {
                break error;
            }
        };
        let is_patience = matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
        assert!(!is_patience, "the gateway does not let go: {error}");
    }

    /// Sends a line.
    pub fn send(&mut self, line: &str) {
        self.write(format!("{line}\r\n").as_bytes());
    }

    /// Sends a line and reads the reply.
    pub fn ask(&mut self, line: &str) -> Reply {
        self.send(line);
        self.reply()
    }

    /// Sends a line and reads the reply.
    ///
    /// # Panics
    ///
    /// Panics if the reply does not begin with `expected`.
    pub fn says(&mut self, line: &str, expected: &str) -> Reply {
        self.send(line);
        self.expect_after(expected, line)
    }

    /// Sends MAIL, and RCPT for each recipient.
    pub fn envelope(&mut self, sender: &str, recipients: &[&str]) {
        self.says(&format!("MAIL FROM:<{sender}>"), "250");
        for recipient in recipients {
            self.says(&format!("RCPT TO:<{recipient}>"), "250");
        }
    }

    /// Sends a message with DATA, and reads the reply. The lines of the message end in CRLF.
    pub fn message(&mut self, content: &[u8]) -> Reply {
        self.says("DATA", "354");
        let mut wire = Vec::with_capacity(content.len() + 5);
        for line in content.split_inclusive(|octet| *octet == b'\n') {
            if line.starts_with(b".") {
                wire.push(b'.');
            }
            wire.extend_from_slice(line);
        }
        if !content.is_empty() && !content.ends_with(b"\r\n") {
            wire.extend_from_slice(b"\r\n");
        }
        wire.extend_from_slice(b".\r\n");
        self.write(&wire);
        self.reply()
    }

    /// Reads a reply.
    ///
    /// # Panics
    ///
    /// Panics if the reply does not begin with `expected`.
    pub fn expect(&mut self, expected: &str) -> Reply {
        self.expect_after(expected, "the last command")
    }

    /// Reads a reply.
    pub fn reply(&mut self) -> Reply {
        let mut lines = Vec::new();
        loop {
            let line = self
                .line()
                .unwrap_or_else(|| panic!("the connection ended inside a reply, after {lines:?}"));
            let last = line.as_bytes().get(3) != Some(&b'-');
            lines.push(line);
            if last {
                return lines.join("\n");
            }
        }
    }

    /// Reads one line. Returns `None` if the gateway has closed the connection.
    ///
    /// # Panics
    ///
    /// Panics if neither comes in time, or the line does not end in CRLF.
    pub fn line(&mut self) -> Option<String> {
        let mut line = Vec::new();
        match self.reader.read_until(b'\n', &mut line) {
            Ok(0) => return None,
            Ok(_) => {}
            Err(error) if is_reset(error.kind()) => return None,
            Err(error) => panic!("no line came: {error}"),
        }
        let text = line.strip_suffix(b"\r\n");
        let text = text.unwrap_or_else(|| panic!("{:?} does not end in CRLF", line.escape_ascii()));
        Some(String::from_utf8_lossy(text).into_owned())
    }

    /// True if there is nothing to read.
    ///
    /// # Panics
    ///
    /// Panics if the connection is closed.
    pub fn has_heard_nothing(&self) -> bool {
        let stream = self.reader.get_ref().socket();
        stream.set_nonblocking(true).expect("an option can be set");
        let heard = stream.peek(&mut [0]);
        stream.set_nonblocking(false).expect("an option can be set");
        match heard {
            Ok(0) => panic!("the gateway has closed the connection"),
            Ok(_) => false,
            Err(error) => error.kind() == ErrorKind::WouldBlock && self.reader.buffer().is_empty(),
        }
    }

    /// Waits until the gateway closes the connection.
    ///
    /// # Panics
    ///
    /// Panics if the gateway sends something before that.
    pub fn expect_close(&mut self) {
        if let Some(line) = self.line() {
            panic!("expected the connection to be closed, got {line:?}");
        }
    }

    /// Reads until the gateway closes the connection, and returns what it has read.
    pub fn drain(&mut self) -> String {
        let mut octets = Vec::new();
        match self.reader.read_to_end(&mut octets) {
            Ok(_) => {}
            Err(error) if is_reset(error.kind()) => {}
            Err(error) => panic!("the connection was not closed: {error}"),
        }
        String::from_utf8_lossy(&octets).into_owned()
    }

    /// Closes the sending side of the connection.
    pub fn hang_up(&mut self) {
        // It fails if the gateway has already closed the connection.
        _ = self.reader.get_ref().socket().shutdown(Shutdown::Write);
    }

    fn expect_after(&mut self, expected: &str, command: &str) -> Reply {
        let reply = self.reply();
        assert!(
            reply.starts_with(expected),
            "expected \"{expected}…\" after {command:?}, got {reply:?}"
        );
        reply
    }
}

fn is_reset(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::UnexpectedEof
    )
}
