//! A connection of the gateway to a backend.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::sync::Arc;

use rustls::{ServerConnection, StreamOwned};

use super::script::{Act, Event, Mail, Step};
use super::shared::Shared;
use super::transport::{Tls, Transport};

pub(super) struct Connection<'a> {
    number: usize,
    shared: &'a Shared,
    reader: BufReader<Transport>,
    mail: String,
    recipients: Vec<String>,
    /// The chunks of a message that is not complete.
    chunks: Vec<u8>,
    is_lmtp: bool,
}

impl<'a> Connection<'a> {
    pub(super) const fn new(
        number: usize,
        shared: &'a Shared,
        reader: BufReader<Transport>,
    ) -> Self {
        Self {
            number,
            shared,
            reader,
            mail: String::new(),
            recipients: Vec::new(),
            chunks: Vec::new(),
            is_lmtp: false,
        }
    }
}

impl Connection<'_> {
    /// Answers commands until the gateway sends QUIT or the connection ends.
    pub(super) fn serve(&mut self) -> io::Result<()> {
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
                "EHLO" | "LHLO" => self.introduce(&line)?,
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
                    self.chunks.clear();
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
                        let content = self.content()?;
                        self.message(&content)?;
                    }
                }
                "BDAT" => self.chunk(&line)?,
                "QUIT" => {
                    self.act(Step::Other(&line), "221 2.0.0 Bye")?;
                    return Ok(());
                }
                _ => {
                    if verb.eq_ignore_ascii_case("RSET") {
                        self.recipients.clear();
                        self.chunks.clear();
                    }
                    self.act(Step::Other(&line), "250 2.0.0 Ok")?;
                }
            }
        }
    }

    fn introduce(&mut self, line: &str) -> io::Result<()> {
        self.is_lmtp = line.starts_with(['L', 'l']);
        let starts_tls = self.shared.tls.is_some() && !self.is_encrypted();
        let offer = if starts_tls { "250-STARTTLS\r\n" } else { "" };
        let usual = format!("250-backend.example\r\n{offer}{KEYWORDS}");
        self.act(Step::Helo(line), &usual)?;
        Ok(())
    }

    pub(super) fn close(&mut self) {
        self.reader.get_mut().close();
    }

    fn is_encrypted(&self) -> bool {
        matches!(self.reader.get_ref(), Transport::Tls(_))
    }

    fn encrypt(&mut self, tls: &Tls) -> io::Result<()> {
        let transport = std::mem::replace(self.reader.get_mut(), Transport::Closed);
        let Transport::Plain(mut stream) = transport else {
            return Err(ErrorKind::InvalidInput.into());
        };
        let config = Arc::clone(&tls.config);
        let mut connection = ServerConnection::new(config).map_err(io::Error::other)?;
        while connection.is_handshaking() {
            connection.complete_io(&mut stream)?;
        }
        let kind = connection.handshake_kind().ok_or(ErrorKind::InvalidData)?;
        self.shared.seen().handshakes.push(kind);
        *self.reader.get_mut() = Transport::Tls(Box::new(StreamOwned::new(connection, stream)));
        Ok(())
    }

    /// Calls the script, and does what it returns. Returns true if the reply is positive.
    fn act(&mut self, step: Step<'_>, usual: &str) -> io::Result<bool> {
        let act = (self.shared.script)(&self.event(step));
        self.carry_out(act, usual)
    }

    const fn event<'b>(&self, step: Step<'b>) -> Event<'b> {
        Event {
            connection: self.number,
            step,
        }
    }

    fn carry_out(&mut self, act: Act, usual: &str) -> io::Result<bool> {
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

    /// Reads a chunk (RFC 3030 §2). A script offers CHUNKING in its reply to EHLO.
    fn chunk(&mut self, line: &str) -> io::Result<()> {
        let mut words = line.split(' ').skip(1);
        let size = words.next().and_then(|size| size.parse().ok());
        let size: usize = size.ok_or(ErrorKind::InvalidData)?;
        let start = self.chunks.len();
        self.chunks.resize(start + size, 0);
        self.reader.read_exact(&mut self.chunks[start..])?;
        if words.next().is_none() {
            self.act(Step::Other(line), "250 2.0.0 Ok")?;
            return Ok(());
        }
        let content = std::mem::take(&mut self.chunks);
        self.message(&content)
    }

    /// Replies to a message once or, with LMTP, once for each recipient. An accepted message is stored
    /// before the reply is sent.
    fn message(&mut self, content: &[u8]) -> io::Result<()> {
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
                self.store(&mail, recipients, content);
            }
            self.carry_out(act, "250 2.0.0 Ok: queued as 4711")?;
        }
        Ok(())
    }

    fn store(&self, mail: &str, recipients: &[String], content: &[u8]) {
        self.shared.seen().taken.push(Mail {
            mail: mail.to_owned(),
            recipients: recipients.to_vec(),
            content: content.to_vec(),
        });
    }

    /// Reads the message up to the end of the data, and removes dot-stuffing.
    fn content(&mut self) -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        loop {
            let start = content.len();
            if self.reader.read_until(b'\n', &mut content)? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            // A bare LF does not end a line.
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

    fn line(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        if self.reader.read_until(b'\n', &mut line)? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let line = line.strip_suffix(b"\r\n").ok_or(ErrorKind::InvalidData)?;
        Ok(String::from_utf8_lossy(line).into_owned())
    }
}

const KEYWORDS: &str = "250-PIPELINING\r\n250-SIZE 0\r\n250-8BITMIME\r\n\
     250-SMTPUTF8\r\n250 ENHANCEDSTATUSCODES";
