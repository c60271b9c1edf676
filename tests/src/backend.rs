//! A backend that does what a test tells it to.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::{HandshakeKind, ServerConfig, ServerConnection, StreamOwned};

/// A server for SMTP or LMTP on a port of its own, one thread a connection.
pub struct Backend {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    script: Box<dyn Fn(&Event<'_>) -> Act + Send + Sync>,
    tls: Option<Tls>,
    seen: Mutex<Seen>,
    closing: AtomicBool,
}

#[derive(Default)]
struct Seen {
    transcripts: Vec<Vec<String>>,
    streams: Vec<TcpStream>,
    taken: Vec<Mail>,
    handshakes: Vec<HandshakeKind>,
}

/// How a backend encrypts its connections.
#[derive(Clone, Debug)]
pub struct Tls {
    /// With what.
    pub config: Arc<ServerConfig>,
    /// Whether the handshake comes before everything else, and not after STARTTLS.
    pub is_implicit: bool,
}

/// What the gateway did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event<'a> {
    /// Which connection this is, from 0.
    pub connection: usize,
    /// What happened on it.
    pub step: Step<'a>,
}

/// A step of a conversation, as the backend sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// It connected.
    Connect,
    /// It said EHLO, HELO or LHLO.
    Helo(&'a str),
    /// It said MAIL, with this line.
    Mail(&'a str),
    /// It said RCPT, with this line.
    Rcpt(&'a str),
    /// It said DATA.
    Data,
    /// It has sent the whole message. Over LMTP this comes once for each recipient.
    Message {
        /// The line of MAIL.
        mail: &'a str,
        /// The line of the RCPT that this is about; the first one over SMTP.
        rcpt: &'a str,
    },
    /// It said something else.
    Other(&'a str),
}

/// What the backend does about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// What a working server does.
    Work,
    /// Say these octets, whatever they are.
    Say(String),
    /// Close the connection.
    Close,
    /// Say nothing any more, and keep the connection open.
    Hang,
}

impl Act {
    /// Say this line.
    pub fn reply(line: &str) -> Self {
        Self::Say(format!("{line}\r\n"))
    }
}

/// A message that the backend has taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// The line of MAIL.
    pub mail: String,
    /// The lines of RCPT whose recipients have the message.
    pub recipients: Vec<String>,
    /// The message, without dot-stuffing.
    pub content: Vec<u8>,
}

impl Backend {
    /// A backend that takes everything.
    pub fn working() -> Self {
        Self::scripted(|_| Act::Work)
    }

    /// A backend that asks the script at each step.
    pub fn scripted(script: impl Fn(&Event<'_>) -> Act + Send + Sync + 'static) -> Self {
        Self::start(None, script)
    }

    /// The same over TLS.
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

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its address as the configuration wants it, for SMTP.
    pub fn smtp(&self) -> String {
        format!("smtp://{}", self.address)
    }

    /// Its address as the configuration wants it, for LMTP.
    pub fn lmtp(&self) -> String {
        format!("lmtp://{}", self.address)
    }

    /// The messages that were taken.
    pub fn taken(&self) -> Vec<Mail> {
        self.shared.seen().taken.clone()
    }

    /// How each connection was encrypted: whether it went on with the secrets of an earlier one.
    pub fn handshakes(&self) -> Vec<HandshakeKind> {
        self.shared.seen().handshakes.clone()
    }

    /// The lines that came on each connection, messages left out.
    pub fn transcripts(&self) -> Vec<Vec<String>> {
        self.shared.seen().transcripts.clone()
    }

    /// Closes every connection that is open now, as a server does that has waited long enough.
    pub fn close_connections(&self) {
        for stream in self.shared.seen().streams.drain(..) {
            // An error says that the gateway was faster.
            _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::Release);
        self.close_connections();
        // Wakes the accepting thread, so that it sees the flag.
        _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, connection: usize, line: &str) {
        self.seen().transcripts[connection].push(line.to_owned());
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        let Ok(stream) = stream else { return };
        if shared.closing.load(Ordering::Acquire) {
            return;
        }
        let Ok(copy) = stream.try_clone() else { return };
        // An error says that the gateway has gone already.
        _ = stream.set_nodelay(true);
        let mut seen = shared.seen();
        let number = seen.transcripts.len();
        seen.transcripts.push(Vec::new());
        seen.streams.push(copy);
        drop(seen);
        let shared = Arc::clone(shared);
        std::thread::spawn(move || {
            let mut connection = Connection {
                number,
                shared: &shared,
                reader: BufReader::new(Wire::Plain(stream)),
                mail: String::new(),
                recipients: Vec::new(),
                is_lmtp: false,
            };
            // An error says that the connection is over, and so is its thread.
            _ = connection.serve();
            connection.reader.get_mut().close();
        });
    }
}

struct Connection<'a> {
    number: usize,
    shared: &'a Shared,
    reader: BufReader<Wire>,
    mail: String,
    recipients: Vec<String>,
    is_lmtp: bool,
}

impl Connection<'_> {
    fn serve(&mut self) -> std::io::Result<()> {
        if let Some(tls) = &self.shared.tls
            && tls.is_implicit
        {
            self.encrypt(tls)?;
        }
        self.act(Step::Connect, "220 backend.example ESMTP")?;
        loop {
            let line = self.line()?;
            self.shared.note(self.number, &line);
            let verb = line.split([' ', ':']).next().unwrap_or_default();
            match verb.to_ascii_uppercase().as_str() {
                "EHLO" | "LHLO" => {
                    self.is_lmtp = verb.eq_ignore_ascii_case("LHLO");
                    let starts_tls = self.shared.tls.is_some() && !self.is_encrypted();
                    let more = if starts_tls { "250-STARTTLS\r\n" } else { "" };
                    self.act(
                        Step::Helo(&line),
                        &format!("250-backend.example\r\n{more}{KEYWORDS}"),
                    )?;
                }
                "STARTTLS" => {
                    let is_agreed = self.act(Step::Other(&line), "220 2.0.0 Go ahead")?;
                    if let Some(tls) = &self.shared.tls
                        && is_agreed
                    {
                        self.encrypt(tls)?;
                    }
                }
                "HELO" => _ = self.act(Step::Helo(&line), "250 backend.example")?,
                "MAIL" => {
                    self.recipients.clear();
                    self.act(Step::Mail(&line), "250 2.1.0 Ok")?;
                    self.mail = line;
                }
                "RCPT" => {
                    if self.act(Step::Rcpt(&line), "250 2.1.5 Ok")? {
                        self.recipients.push(line);
                    }
                }
                "DATA" => {
                    if self.act(Step::Data, "354 Go ahead")? {
                        self.message()?;
                    }
                }
                "QUIT" => {
                    self.act(Step::Other(&line), "221 2.0.0 Bye")?;
                    return Ok(());
                }
                _ => {
                    if verb.eq_ignore_ascii_case("RSET") {
                        self.recipients.clear();
                    }
                    self.act(Step::Other(&line), "250 2.0.0 Ok")?;
                }
            }
        }
    }

    fn is_encrypted(&self) -> bool {
        matches!(self.reader.get_ref(), Wire::Tls(_))
    }

    fn encrypt(&mut self, tls: &Tls) -> std::io::Result<()> {
        let wire = std::mem::replace(self.reader.get_mut(), Wire::Closed);
        let Wire::Plain(mut stream) = wire else {
            return Err(ErrorKind::InvalidInput.into());
        };
        let config = Arc::clone(&tls.config);
        let mut connection = ServerConnection::new(config).map_err(std::io::Error::other)?;
        while connection.is_handshaking() {
            connection.complete_io(&mut stream)?;
        }
        let kind = connection.handshake_kind().ok_or(ErrorKind::InvalidData)?;
        self.shared.seen().handshakes.push(kind);
        *self.reader.get_mut() = Wire::Tls(Box::new(StreamOwned::new(connection, stream)));
        Ok(())
    }

    /// Does what the script says. Gives whether that was a yes.
    fn act(&mut self, step: Step<'_>, usual: &str) -> std::io::Result<bool> {
        let act = (self.shared.script)(&self.event(step));
        self.carry_out(act, usual)
    }

    const fn event<'b>(&self, step: Step<'b>) -> Event<'b> {
        Event {
            connection: self.number,
            step,
        }
    }

    fn carry_out(&mut self, act: Act, usual: &str) -> std::io::Result<bool> {
        let octets = match act {
            Act::Work => format!("{usual}\r\n"),
            Act::Say(octets) => octets,
            Act::Close => return Err(ErrorKind::ConnectionAborted.into()),
            Act::Hang => {
                // Ends when the gateway closes the connection.
                self.reader.read_to_end(&mut Vec::new())?;
                return Err(ErrorKind::ConnectionAborted.into());
            }
        };
        self.reader.get_mut().write_all(octets.as_bytes())?;
        Ok(octets.starts_with(['2', '3']))
    }

    /// Reads the message, and answers once or, over LMTP, once for each recipient. It is kept before
    /// the gateway hears of it.
    fn message(&mut self) -> std::io::Result<()> {
        let content = self.content()?;
        let mail = self.mail.clone();
        let recipients = std::mem::take(&mut self.recipients);
        let answers: Vec<_> = match self.is_lmtp {
            true => recipients.iter().map(std::slice::from_ref).collect(),
            false => vec![recipients.as_slice()],
        };
        for recipients in answers {
            let rcpt = recipients.first().map_or("", String::as_str);
            let step = Step::Message { mail: &mail, rcpt };
            let act = (self.shared.script)(&self.event(step));
            if act == Act::Work || matches!(&act, Act::Say(reply) if reply.starts_with('2')) {
                self.keep(&mail, recipients, &content);
            }
            self.carry_out(act, "250 2.0.0 Ok: queued as 4711")?;
        }
        Ok(())
    }

    fn keep(&self, mail: &str, recipients: &[String], content: &[u8]) {
        self.shared.seen().taken.push(Mail {
            mail: mail.to_owned(),
            recipients: recipients.to_vec(),
            content: content.to_vec(),
        });
    }

    /// The lines up to the end mark, without dot-stuffing.
    fn content(&mut self) -> std::io::Result<Vec<u8>> {
        let mut content = Vec::new();
        loop {
            let start = content.len();
            if self.reader.read_until(b'\n', &mut content)? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            // A line continues where it ended in a bare LF.
            let is_start = start == 0 || content[..start].ends_with(b"\r\n");
            match &content[start..] {
                b".\r\n" if is_start => {
                    content.truncate(start);
                    return Ok(content);
                }
                [b'.', ..] if is_start => _ = content.remove(start),
                _ => {}
            }
        }
    }

    fn line(&mut self) -> std::io::Result<String> {
        let mut line = Vec::new();
        if self.reader.read_until(b'\n', &mut line)? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let line = line.strip_suffix(b"\r\n").ok_or(ErrorKind::InvalidData)?;
        Ok(String::from_utf8_lossy(line).into_owned())
    }
}

/// What a connection goes over.
enum Wire {
    Closed,
    Plain(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

impl Wire {
    fn close(&mut self) {
        // An error says that the gateway was faster.
        match self {
            Self::Closed => {}
            Self::Plain(stream) => _ = stream.shutdown(Shutdown::Both),
            Self::Tls(stream) => {
                stream.conn.send_close_notify();
                _ = stream.conn.complete_io(&mut stream.sock);
                _ = stream.sock.shutdown(Shutdown::Both);
            }
        }
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::Closed => Err(ErrorKind::NotConnected.into()),
            Self::Plain(stream) => stream.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        match self {
            Self::Closed => Err(ErrorKind::NotConnected.into()),
            Self::Plain(stream) => stream.write(octets),
            Self::Tls(stream) => stream.write(octets),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        match self {
            Self::Closed => Ok(()),
            Self::Plain(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}

const KEYWORDS: &str = "250-PIPELINING\r\n250-SIZE 0\r\n250-8BITMIME\r\n\
     250-SMTPUTF8\r\n250 ENHANCEDSTATUSCODES";
