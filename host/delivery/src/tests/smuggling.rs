//! SMTP smuggling: messages that a careless backend would take for two.

use std::io;
use std::sync::Arc;

use postgate_config::{BackendAddress, HostPort};
use postgate_spool::{Content, Spool, SpoolSettings};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use super::support::{begin, delivery};
use crate::Message;

/// Sequences that servers have taken for the end of a message.
const ENDS: [&str; 20] = [
    "\r\n.\r\n",
    "\n.\n",
    "\n.\r\n",
    "\r\n.\n",
    "\r.\r",
    "\r.\r\n",
    "\r\n.\r",
    "\n.\r",
    "\r.\n",
    "\r\n\r.\r\n",
    "\r\n.\r\r\n",
    "\r\r\n.\r\r\n",
    "\r\n\0.\r\n",
    "\r\n.\0\r\n",
    "\r\0\n.\r\0\n",
    "\n\0.\n",
    "\0.\n",
    "\r\n..\r\n",
    "\r\n.\r\n.\r\n",
    ".\r\n",
];

/// The smuggled message.
const SECOND: &str =
    "MAIL FROM:<x@y>\r\nRCPT TO:<c@d>\r\nDATA\r\nA: b\r\n\r\nsecond\r\n.\r\nQUIT\r\n";

/// The commands and messages that a backend has received.
#[derive(Debug, Default, PartialEq, Eq)]
struct Got {
    commands: Vec<String>,
    messages: Vec<Vec<u8>>,
}

/// Serves one connection to its end, also in the middle of a message. Any LF ends a line here, and NULs
/// are dropped.
async fn serve(stream: TcpStream, keyword: &str, got: &mut Got) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut chunks = Vec::new();
    stream.write_all(b"220 hi\r\n").await?;
    loop {
        let line = line(&mut stream).await?;
        let command = String::from_utf8_lossy(&line).into_owned();
        let verb = command.split([' ', ':']).next().unwrap_or_default();
        let reply = match verb {
            "" => return Ok(()),
            "EHLO" => format!("250-hi\r\n250 {keyword}\r\n"),
            "DATA" => {
                stream.write_all(b"354 go\r\n").await?;
                got.messages.push(data(&mut stream).await?);
                "250 ok\r\n".into()
            }
            "BDAT" => {
                let size = command.strip_prefix("BDAT ").unwrap();
                let last = size.strip_suffix(" LAST");
                let start = chunks.len();
                chunks.resize(start + last.unwrap_or(size).parse::<usize>().unwrap(), 0);
                stream.read_exact(&mut chunks[start..]).await?;
                match last {
                    Some(_) => got.messages.push(std::mem::take(&mut chunks)),
                    // The first octet, with which a connection shows that it honours BDAT.
                    None => assert_eq!(chunks.len(), 1),
                }
                "250 ok\r\n".into()
            }
            _ => "250 ok\r\n".into(),
        };
        got.commands.push(verb.into());
        stream.write_all(reply.as_bytes()).await?;
    }
}

/// A line without its end and its NULs; empty also at the end of the connection.
async fn line(stream: &mut BufReader<TcpStream>) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    stream.read_until(b'\n', &mut line).await?;
    line.retain(|octet| *octet != 0);
    let end = line.strip_suffix(b"\n").unwrap_or(&line);
    Ok(end.strip_suffix(b"\r").unwrap_or(end).to_vec())
}

async fn data(stream: &mut BufReader<TcpStream>) -> io::Result<Vec<u8>> {
    let mut message = Vec::new();
    loop {
        if stream.fill_buf().await?.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let line = line(stream).await?;
        if line == b"." {
            return Ok(message);
        }
        message.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
        message.extend_from_slice(b"\r\n");
    }
}

/// A message in a file, so that it comes back in pieces.
fn content(octets: &[u8]) -> Content {
    let settings = SpoolSettings {
        memory: 0,
        ..SpoolSettings::default()
    };
    let mut spool = Spool::new(Arc::new(settings));
    spool.write(octets).unwrap();
    spool.finish().unwrap()
}

/// Serves connections one after the other until it is told to stop. Returns what came over all of them.
async fn serve_all(
    listener: TcpListener,
    keyword: &'static str,
    mut stop: oneshot::Receiver<()>,
) -> Got {
    let mut got = Got::default();
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => accepted.unwrap().0,
            _ = &mut stop => return got,
        };
        // The gateway breaks off what it cannot send.
        _ = serve(stream, keyword, &mut got).await;
    }
}

/// True if lines can carry the octets, where a dot at the start of a line is doubled, or not.
fn is_lines(octets: &[u8], doubles_dots: bool) -> bool {
    let text = String::from_utf8(octets.to_vec()).unwrap();
    let has_nul_dot = text
        .split("\r\n")
        .any(|line| line.starts_with('\0') && line.trim_start_matches('\0').starts_with('.'));
    text.ends_with("\r\n")
        && !text.replace("\r\n", "").contains(['\r', '\n'])
        && !(doubles_dots && has_nul_dot)
}

/// A message arrives as it is, or nothing of it does.
#[tokio::test]
async fn one_message_stays_one() {
    for (keyword, is_data) in [("8BITMIME", true), ("CHUNKING", false)] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = HostPort {
            host: "127.0.0.1".into(),
            port: listener.local_addr().unwrap().port(),
        };
        let (stop, stopped) = oneshot::channel();
        let serving = tokio::spawn(serve_all(listener, keyword, stopped));
        let delivery = delivery(BackendAddress::Smtp(address));
        let mut sent = Vec::new();
        for end in ENDS {
            // At the start, in the middle, and across the end of a chunk that is read from the
            // file.
            for before in ["", "text", &"x".repeat(64 * 1024 - 2)] {
                let octets = [before, end, SECOND].concat().into_bytes();
                let body = content(&octets);
                let mut mail = begin(&delivery);
                assert_eq!(mail.offer("c@d").await, "250 2.0.0 ok");
                let message = Message::new(b"A: b\r\n\r\n", &body);
                let reply = mail.deliver_message(&message).await;
                let shown = end.escape_default();
                if is_lines(&octets, is_data) {
                    assert_eq!(reply, "250 2.0.0 ok", "{shown}");
                    sent.push([b"A: b\r\n\r\n", octets.as_slice()].concat());
                } else {
                    assert!(reply.starts_with("554 5.6.0 "), "{shown}: {reply}");
                }
            }
        }
        drop(delivery);
        stop.send(()).unwrap();
        let got = serving.await.unwrap();
        if is_data {
            // This server drops NULs.
            for message in &mut sent {
                message.retain(|octet| *octet != 0);
            }
        }
        assert!(got.messages == sent, "{keyword}");
        let known = ["EHLO", "MAIL", "RCPT", "DATA", "BDAT"];
        for command in got.commands {
            assert!(known.contains(&&*command), "{command}");
        }
    }
}
