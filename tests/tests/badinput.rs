//! Clients that send what no client should: each hears so, and no other session notices.

use std::fs::File;
use std::io::Read;

use postgate_tests::backend::Backend;
use postgate_tests::client::Client;
use postgate_tests::gateway::{Gateway, Setup};

/// A gateway and a session that was there before and must not notice anything.
struct Bystander {
    gateway: Gateway,
    backend: Backend,
    client: Client,
}

impl Bystander {
    fn new() -> Self {
        let backend = Backend::working();
        let gateway = Setup::new().backend(&backend.smtp()).start();
        let mut client = Client::greeted(gateway.address());
        client.envelope("alice@client.example", &["bob@example.org"]);
        Self {
            gateway,
            backend,
            client,
        }
    }

    fn attack(&self) -> Client {
        let mut client = self.gateway.connect();
        client.expect("220 ");
        client
    }

    /// The session from before and a new one both get their mail through.
    fn assert_unharmed(self) {
        self.assert_unharmed_after(0);
    }

    /// The same, where so many messages came through before.
    fn assert_unharmed_after(mut self, before: usize) {
        assert!(self.gateway.is_up());
        let reply = self.client.message(b"Subject: still here\r\n\r\n");
        assert!(reply.starts_with("250"), "{reply}");
        let mut late = Client::greeted(self.gateway.address());
        late.envelope("alice@client.example", &["bob@example.org"]);
        assert!(late.message(b"Subject: me too\r\n\r\n").starts_with("250"));
        assert_eq!(self.backend.taken().len(), before + 2);
        let errors = self.gateway.log().find(|line| line["level"] == "ERROR");
        assert!(
            errors.is_empty(),
            "a client's fault is no error of ours: {errors:#?}"
        );
        let panics = self.gateway.log().others();
        assert!(panics.is_empty(), "not from the log: {panics:#?}");
    }
}

#[test]
fn command_lines_with_octets_that_have_no_place_there() {
    let bystander = Bystander::new();
    let lines: [&[u8]; 8] = [
        b"EHLO cli\0ent\r\n",
        b"EHLO \xff\xfe\r\n",
        b"\x80\x81\x82\r\n",
        b"NOOP a\rb\r\n",
        b"NOOP\n",
        b"\r\r\r\n",
        b"\0\r\n",
        b"MAIL FROM:<a\0b@client.example>\r\n",
    ];
    for line in lines {
        let mut client = bystander.attack();
        client.write(line);
        let reply = client.reply();
        assert!(reply.starts_with('5'), "{}: {reply}", line.escape_ascii());
        client.says("NOOP", "250");
    }
    bystander.assert_unharmed();
}

#[test]
fn a_mebibyte_without_a_line_end() {
    let bystander = Bystander::new();
    let mut client = bystander.attack();
    // The gateway may close before it has read everything.
    _ = client.try_write(&vec![b'x'; (1 << 20) + (1 << 16)]);
    let said = client.drain();
    assert!(said.is_empty() || said.starts_with("421 4.7.0"), "{said}");
    bystander.assert_unharmed();
}

#[test]
fn data_that_is_cut_off() {
    let bystander = Bystander::new();
    for end in ["", "\r\n", "\r\n.", "\r\n.\r"] {
        let mut client = bystander.attack();
        client.says("EHLO client.example", "250");
        client.envelope("mallory@client.example", &["bob@example.org"]);
        client.says("DATA", "354");
        client.write(format!("Subject: never\r\n\r\ncut off{end}").as_bytes());
        client.hang_up();
        client.expect_close();
    }
    bystander.assert_unharmed();
}

#[test]
fn noise() {
    let bystander = Bystander::new();
    let mut noise = vec![0; 300_000];
    File::open("/dev/urandom")
        .unwrap()
        .read_exact(&mut noise)
        .unwrap();
    let mut client = bystander.attack();
    _ = client.try_write(&noise);
    client.hang_up();
    client.drain();
    bystander.assert_unharmed();
}

#[test]
fn noise_as_a_message() {
    let bystander = Bystander::new();
    let mut noise = vec![0; 300_000];
    File::open("/dev/urandom")
        .unwrap()
        .read_exact(&mut noise)
        .unwrap();
    let mut client = bystander.attack();
    client.says("EHLO client.example", "250");
    client.envelope("mallory@client.example", &["bob@example.org"]);
    client.says("DATA", "354");
    client.write(&noise);
    client.write(b"\r\n.\r\n");
    client.expect("550 5.6.11");
    bystander.assert_unharmed();
}

#[test]
fn http() {
    let bystander = Bystander::new();
    let mut client = bystander.attack();
    client.write(b"GET / HTTP/1.1\r\nHost: mx.example.org\r\nUser-Agent: x\r\n\r\n");
    for _ in 0..4 {
        client.expect("500 5.5.");
    }
    client.says("QUIT", "221");
    bystander.assert_unharmed();
}

/// A client that goes on with nonsense is let go, and costs the operator one line.
#[test]
fn http_with_many_headers() {
    let bystander = Bystander::new();
    let mut client = bystander.attack();
    let headers = "X-Header: value\r\n".repeat(20);
    client.write(format!("GET / HTTP/1.1\r\n{headers}\r\n").as_bytes());
    for _ in 0..10 {
        client.expect("500 5.5.");
    }
    client.expect("421 4.7.0");
    let warnings = |gateway: &Gateway| gateway.log().find(|line| line["level"] == "WARN").len();
    bystander.gateway.log().wait_for("a warning", |line| {
        line["level"] == "WARN" && line["message"] == "session closed for errors of the client"
    });
    assert_eq!(warnings(&bystander.gateway), 1);
    bystander.assert_unharmed();
}

#[test]
fn recipients_without_end() {
    let bystander = Bystander::new();
    let mut client = Client::greeted(bystander.gateway.address());
    client.says("MAIL FROM:<mallory@client.example>", "250");
    let mut taken = 0;
    for number in 0..100 {
        let commands: String = (0..1_000)
            .map(|of| format!("RCPT TO:<user{number}-{of}@example.org>\r\n"))
            .collect();
        client.write(commands.as_bytes());
        for _ in 0..1_000 {
            let reply = client.reply();
            match reply.starts_with("250 2.1.5") {
                true => taken += 1,
                false => assert!(reply.starts_with("452 4.5.3"), "{reply}"),
            }
        }
    }
    assert_eq!(taken, 200);
    // Those that were taken have the message.
    assert!(
        client
            .message(b"Subject: to many\r\n\r\n")
            .starts_with("250")
    );
    assert_eq!(bystander.backend.taken()[0].recipients.len(), 200);
    bystander.assert_unharmed_after(1);
}

#[test]
fn headers_beyond_measure() {
    let bystander = Bystander::new();
    let many = b"X-Header: value\r\n".repeat(1_000);
    let one = [b"X-Long: ", "x".repeat(10 << 20).as_bytes(), b"\r\n"].concat();
    let folded = [b"X-Folded: x\r\n".to_vec(), b" more\r\n".repeat(200_000)].concat();
    for (head, expected) in [(many, "250"), (one, "55"), (folded, "55")] {
        let mut client = Client::greeted(bystander.gateway.address());
        client.envelope("mallory@client.example", &["bob@example.org"]);
        let reply = client.message(&[head.as_slice(), b"\r\nbody\r\n"].concat());
        assert!(reply.starts_with(expected), "{reply}");
        client.says("NOOP", "250");
    }
    // The thousand fields are no fault, and arrive.
    assert_eq!(bystander.backend.taken().len(), 1);
    bystander.assert_unharmed_after(1);
}

/// To the octet: what is listed is what is taken.
#[test]
fn messages_around_the_limit() {
    const LIMIT: usize = 1 << 20;
    let backend = Backend::working();
    let gateway = Setup::new()
        .backend(&backend.smtp())
        .set("limits.message-size = \"1MiB\"")
        .start();
    let mut client = Client::greeted(gateway.address());
    let head = b"Subject: x\r\n\r\n";
    for (size, expected) in [(LIMIT, "250"), (LIMIT + 1, "552 5.3.4"), (LIMIT, "250")] {
        client.envelope("alice@client.example", &["bob@example.org"]);
        let body = "x".repeat(size - head.len() - 2);
        let reply = client.message(&[head, body.as_bytes(), b"\r\n"].concat());
        assert!(reply.starts_with(expected), "{size}: {reply}");
    }
    assert_eq!(backend.taken().len(), 2);
}

#[test]
fn a_tls_hello() {
    let bystander = Bystander::new();
    let mut client = bystander.attack();
    client.write(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\0\0\0\0\0\0\r\n");
    client.expect("500 5.5.");
    bystander.assert_unharmed();
}

#[test]
fn clients_that_come_and_go() {
    let bystander = Bystander::new();
    for _ in 0..500 {
        drop(bystander.gateway.connect());
    }
    bystander.assert_unharmed();
}

#[test]
fn more_clients_than_allowed() {
    let gateway = Setup::new().set("limits.connections = 3").start();
    let mut clients: Vec<_> = (0..3).map(|_| Client::greeted(gateway.address())).collect();
    let mut last = gateway.connect();
    let reply = last.expect("421 4.3.2");
    assert!(reply.contains("Too busy"), "{reply}");
    last.expect_close();
    for client in &mut clients {
        client.says("NOOP", "250");
    }
    drop(clients.pop());
    // The place is free once the gateway has seen the client go.
    gateway
        .log()
        .wait_for("a disconnect", |line| line["message"] == "disconnected");
    Client::greeted(gateway.address());
}
