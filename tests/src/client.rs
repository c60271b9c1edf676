//! A client that says what a test wants and reads replies.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use crate::PATIENCE;

/// One connection to the gateway.
pub struct Client {
    reader: BufReader<TcpStream>,
}

/// A whole reply: its lines, without line endings, joined by line feeds.
pub type Reply = String;

impl Client {
    /// Connects and reads nothing yet.
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
            reader: BufReader::new(stream),
        }
    }

    /// Connects, reads the banner and says EHLO.
    pub fn greeted(address: SocketAddr) -> Self {
        let mut client = Self::connect(address);
        client.expect("220 ");
        client.send("EHLO client.example");
        client.expect("250");
        client
    }

    /// Sends octets as they are.
    pub fn write(&mut self, octets: &[u8]) {
        self.try_write(octets)
            .expect("the gateway takes what is sent");
    }

    /// Sends octets to a gateway that may have closed the connection.
    pub fn try_write(&mut self, octets: &[u8]) -> std::io::Result<()> {
        self.reader.get_mut().write_all(octets)
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

    /// Sends a line whose reply must begin like this.
    ///
    /// # Panics
    ///
    /// Where it does not.
    pub fn says(&mut self, line: &str, expected: &str) -> Reply {
        self.send(line);
        self.expect_after(expected, line)
    }

    /// Opens a transaction with these recipients.
    pub fn envelope(&mut self, sender: &str, recipients: &[&str]) {
        self.says(&format!("MAIL FROM:<{sender}>"), "250");
        for recipient in recipients {
            self.says(&format!("RCPT TO:<{recipient}>"), "250");
        }
    }

    /// Sends a message, given with its CRLF line ends, and reads the reply.
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

    /// Reads a reply that must begin like this.
    ///
    /// # Panics
    ///
    /// Where it does not.
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

    /// Reads one line; nothing where the gateway has closed the connection.
    ///
    /// # Panics
    ///
    /// Where neither comes in time, or the line does not end in CRLF.
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

    /// Whether nothing has come that was not read yet.
    ///
    /// # Panics
    ///
    /// Where the connection is over.
    pub fn has_heard_nothing(&self) -> bool {
        let stream = self.reader.get_ref();
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
    /// Where it says something before.
    pub fn expect_close(&mut self) {
        if let Some(line) = self.line() {
            panic!("expected the connection to be closed, got {line:?}");
        }
    }

    /// Reads whatever still comes until the gateway closes the connection.
    pub fn drain(&mut self) -> String {
        let mut octets = Vec::new();
        match self.reader.read_to_end(&mut octets) {
            Ok(_) => {}
            Err(error) if is_reset(error.kind()) => {}
            Err(error) => panic!("the connection was not closed: {error}"),
        }
        String::from_utf8_lossy(&octets).into_owned()
    }

    /// Closes the client's side: nothing more will be sent.
    pub fn hang_up(&mut self) {
        // An error says that the gateway was faster.
        _ = self.reader.get_mut().shutdown(Shutdown::Write);
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
    matches!(kind, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe)
}
