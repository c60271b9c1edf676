//! A backend that follows a script.

use std::io::ErrorKind;
use std::path::Path;

use postgate_config::HostPort;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, UnixListener};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

/// The script of each connection, in turn. `S: text` is a line that the backend sends, `C: text` a
/// line that it must get, `B: text` octets without a line end, `end` the end of the stream, `TLS` a
/// handshake, and `no TLS` a handshake that fails. At the end of a script the backend closes the
/// connection; after the last script it accepts no more.
pub(super) type Connections = Vec<Vec<&'static str>>;

/// The message of [`deliver`](super::support::Mail::deliver), sent with DATA.
pub(super) const MESSAGE: [&str; 6] = [
    "C: DATA",
    "S: 354 go",
    "C: A: b",
    "C: ",
    "C: ..body",
    "C: .",
];

/// A greeting and an introduction, followed by these lines.
pub(super) fn greeted(lines: &[&'static str]) -> Vec<&'static str> {
    offering(&[], lines)
}

/// The same as [`greeted`] for a backend that offers these keywords too.
pub(super) fn offering(keywords: &[&'static str], lines: &[&'static str]) -> Vec<&'static str> {
    const HELLO: [&str; 3] = ["S: 220 hi", "C: EHLO gate.example", "S: 250-hi"];
    [&HELLO, keywords, &["S: 250 PIPELINING"], lines].concat()
}

/// A greeting and an introduction over LMTP.
pub(super) fn greeted_lmtp(lines: &[&'static str]) -> Vec<&'static str> {
    offering_lmtp(&[], lines)
}

/// The same as [`greeted_lmtp`] for a backend that offers these keywords too.
pub(super) fn offering_lmtp(
    keywords: &[&'static str],
    lines: &[&'static str],
) -> Vec<&'static str> {
    const HELLO: [&str; 3] = ["S: 220 hi", "C: LHLO gate.example", "S: 250-hi"];
    [&HELLO, keywords, &["S: 250 PIPELINING"], lines].concat()
}

/// Starts a backend on a free port. A test awaits the task at its end, which fails if the backend
/// did not get what its script says.
pub(super) async fn play(connections: Connections) -> (HostPort, JoinHandle<()>) {
    play_tls(None, connections).await
}

/// Starts a backend that can speak TLS.
pub(super) async fn play_tls(
    tls: Option<TlsAcceptor>,
    connections: Connections,
) -> (HostPort, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = HostPort {
        host: "127.0.0.1".into(),
        port: listener.local_addr().unwrap().port(),
    };
    let playing = tokio::spawn(async move {
        for script in connections {
            let (stream, _) = listener.accept().await.unwrap();
            follow(Box::new(stream), tls.as_ref(), &script).await;
        }
    });
    (address, playing)
}

/// Starts a backend on a free port that serves all connections at the same time.
pub(super) async fn play_at_once(connections: Connections) -> (HostPort, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = HostPort {
        host: "127.0.0.1".into(),
        port: listener.local_addr().unwrap().port(),
    };
    let playing = tokio::spawn(async move {
        let mut playing = JoinSet::new();
        for script in connections {
            let (stream, _) = listener.accept().await.unwrap();
            playing.spawn(async move { follow(Box::new(stream), None, &script).await });
        }
        playing.join_all().await;
    });
    (address, playing)
}

/// Starts a backend on a Unix socket.
pub(super) fn play_unix(path: &Path, connections: Connections) -> JoinHandle<()> {
    let listener = UnixListener::bind(path).unwrap();
    tokio::spawn(async move {
        for script in connections {
            let (stream, _) = listener.accept().await.unwrap();
            follow(Box::new(stream), None, &script).await;
        }
    })
}

trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

async fn follow(wire: Box<dyn Wire>, tls: Option<&TlsAcceptor>, script: &[&str]) {
    let mut stream = BufReader::new(wire);
    for step in script {
        if *step == "TLS" || *step == "no TLS" {
            assert_eq!(stream.buffer(), b"", "sent before the handshake");
            let accepted = tls.unwrap().accept(stream.into_inner()).await;
            match accepted {
                Ok(encrypted) if *step == "TLS" => stream = BufReader::new(Box::new(encrypted)),
                Err(_) if *step == "no TLS" => return,
                accepted => panic!("{step}: {:?}", accepted.err()),
            }
            continue;
        }
        if let Some(text) = step.strip_prefix("S: ") {
            let text = format!("{text}\r\n");
            stream.write_all(text.as_bytes()).await.unwrap();
            continue;
        }
        if let Some(text) = step.strip_prefix("B: ") {
            let mut octets = vec![0; text.len()];
            stream.read_exact(&mut octets).await.unwrap();
            assert_eq!(octets, text.as_bytes());
            continue;
        }
        let mut line = String::new();
        if let Err(error) = stream.read_line(&mut line).await {
            // TLS reports a connection that is closed without close_notify.
            assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
        }
        let expected = match step.strip_prefix("C: ") {
            Some(text) => format!("{text}\r\n"),
            None => {
                assert_eq!(*step, "end", "not a step");
                String::new()
            }
        };
        assert_eq!(line, expected);
    }
}
