//! A gateway inside another program: it starts on a free port, takes a message, and stops.

use std::error::Error;
use std::fs;
use std::net::SocketAddr;

use postgate::Gateway;
use postgate::config::{Config, Overrides};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

#[tokio::main]
pub(crate) async fn main() -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("postgate.toml");
    fs::write(&file, CONFIGURATION)?;
    let config = Config::load(&file, &Overrides::default()).map_err(|mistakes| {
        let mistakes: Vec<_> = mistakes.iter().map(ToString::to_string).collect();
        mistakes.join("\n")
    })?;
    let mut gateway = Gateway::start(config).await?.spawn();
    let replies = send(gateway.addresses()[0]).await?;
    println!("{replies}");
    gateway.stop();
    gateway.join().await?;
    let stored = fs::read_dir(directory.path().join("maildir/new"))?.count();
    println!("{stored} message stored");
    match stored {
        1 => Ok(()),
        _ => Err("the message did not arrive".into()),
    }
}

/// Says all commands at once, and gives the replies.
async fn send(gateway: SocketAddr) -> Result<String, Box<dyn Error>> {
    let mut stream = BufReader::new(TcpStream::connect(gateway).await?);
    stream.write_all(SESSION).await?;
    let mut replies = String::new();
    while stream.read_line(&mut replies).await? > 0 {}
    Ok(replies)
}

const CONFIGURATION: &str = r#"
hostname = "mx.example.org"

[[listener]]
address = "127.0.0.1:0"

[relay]
domains = ["example.org"]

[[backend]]
address = "maildir:maildir"
"#;

const SESSION: &[u8] = b"EHLO client.example\r\n\
    MAIL FROM:<alice@client.example>\r\n\
    RCPT TO:<bob@example.org>\r\n\
    DATA\r\n\
    Subject: hello\r\n\
    .\r\n\
    QUIT\r\n";
