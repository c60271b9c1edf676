//! Each kind of mistake that a client can make counts towards the limit on errors.

use std::collections::BTreeSet;
use std::fs;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use postgate_proto::fault::Fault;
use postgate_proto::reply::Reply;
use postgate_tests::certificate::Authority;
use postgate_tests::client::Client;
use postgate_tests::gateway::{Gateway, Setup};

/// A mistake, and how a client comes to make it.
struct Mistake {
    /// The name of the fault in the configuration.
    fault: &'static str,
    listener: &'static str,
    opening: Opening,
    /// Commands that are accepted.
    before: &'static [&'static str],
    /// What is sent each time: the last write is the mistake, and those before it are continued.
    writes: Vec<Vec<u8>>,
}

/// How a session begins.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Opening {
    /// With EHLO.
    Ehlo,
    /// With a PROXY header, then EHLO.
    Proxy,
    /// With EHLO, STARTTLS and EHLO.
    Tls,
}

fn mistake(fault: &'static str, write: impl Into<Vec<u8>>) -> Mistake {
    let mut write = write.into();
    write.extend_from_slice(b"\r\n");
    Mistake {
        fault,
        listener: "",
        opening: Opening::Ehlo,
        before: &[],
        writes: vec![write],
    }
}

impl Mistake {
    fn listener(self, listener: &'static str) -> Self {
        Self { listener, ..self }
    }

    fn opening(self, opening: Opening) -> Self {
        Self { opening, ..self }
    }

    fn before(self, before: &'static [&'static str]) -> Self {
        Self { before, ..self }
    }

    /// The client sends this first, and is asked for more.
    fn continuing(mut self, line: &str) -> Self {
        self.writes.insert(0, format!("{line}\r\n").into());
        self
    }

    /// Starts a gateway, all of whose replies to mistakes name them.
    fn gateway(&self, authority: &Authority) -> Gateway {
        let replies: String = Fault::ALL
            .iter()
            .map(|fault| {
                let code = Reply::from(*fault).code();
                format!("{} = \"{code} {}\"\n", fault.name(), fault.name())
            })
            .collect();
        let setup = Setup::new()
            .set(&format!("limits.errors = {ERRORS}"))
            .set(&format!("[replies]\n{replies}"))
            .certified_by(authority)
            .listener(self.listener)
            .plugin("10-auth-file", "auth-file", SIDECAR);
        fs::write(setup.directory().join("users"), "").expect("the users");
        setup.start()
    }

    fn open(&self, gateway: &Gateway, authority: &Authority) -> Client {
        let mut client = match self.opening {
            Opening::Tls => {
                return Client::start_tls(gateway.address(), &authority.client(), "mx.example.org");
            }
            Opening::Ehlo | Opening::Proxy => gateway.connect(),
        };
        if self.opening == Opening::Proxy {
            client.write(PROXY);
        }
        client.expect("220 ");
        client.says("EHLO client.example", "250");
        client
    }

    /// Makes the mistake, and reads the reply that names it.
    fn make(&self, client: &mut Client) {
        let (last, first) = self.writes.split_last().expect("at least one");
        for write in first {
            client.write(write);
            client.expect("334 ");
        }
        client.write(last);
        let mut reply = client.reply();
        if reply.starts_with('2') {
            // The mistake came together with a command that is none.
            reply = client.reply();
        }
        let is_named = reply.ends_with(&format!(" {}", self.fault));
        assert!(is_named, "{}: {reply}", self.fault);
    }
}

/// How many mistakes a client may make in these tests. The default is another number.
const ERRORS: usize = 3;
const SIDECAR: &str = "grants = [\"files\"]\n[files]\nusers = \"../users\"\n[limits]\ncpu = \"20s\"\n\
                       wall = \"60s\"\n";
const PROXY: &[u8] = b"PROXY TCP4 192.0.2.1 192.0.2.2 1111 2222\r\n";
const CLEAR: &str = "auth = \"optional\"\nauth-in-clear = true\n\
    auth-mechanisms = [\"PLAIN\", \"CRAM-MD5\"]";
const SENDER: &[&str] = &["MAIL FROM:<alice@client.example>"];
const BINARY: &[&str] = &[
    "MAIL FROM:<alice@client.example> BODY=BINARYMIME",
    "RCPT TO:<bob@example.org>",
];

/// Mistakes in commands other than AUTH.
fn mistakes_in_commands() -> Vec<Mistake> {
    vec![
        mistake("unknown-verb", "OINK"),
        mistake("unknown-verb", "GET / HTTP/1.1"),
        mistake("not-implemented", "ETRN example.org"),
        mistake("argument-not-allowed", "RSET now"),
        mistake("bad-argument", "EHLO"),
        mistake("bad-argument", "MAIL oink"),
        mistake("bad-sequence", "RCPT TO:<bob@example.org>"),
        mistake("bad-sender", "MAIL FROM:<a..b@client.example>"),
        mistake("bad-recipient", "RCPT TO:<@example.org>").before(SENDER),
        mistake("sender-needs-smtputf8", "MAIL FROM:<é@client.example>"),
        mistake("recipient-needs-smtputf8", "RCPT TO:<é@example.org>").before(SENDER),
        mistake("relay-denied", "RCPT TO:<bob@elsewhere.example>").before(SENDER),
        mistake("nested-mail", "MAIL FROM:<alice@client.example>").before(SENDER),
        mistake("no-recipients", "DATA").before(SENDER),
        mistake("data-for-binary", "DATA").before(BINARY),
        mistake("chunk-without-transaction", "BDAT 2\r\n"),
        mistake(
            "unknown-parameter",
            "MAIL FROM:<alice@client.example> ODD=1",
        ),
        mistake(
            "parameter-value",
            "MAIL FROM:<alice@client.example> SIZE=ABC",
        ),
        mistake(
            "message-too-large",
            "MAIL FROM:<alice@client.example> SIZE=99999999999",
        ),
        mistake("command-encoding", "NOOP a\rb"),
        mistake("line-too-long", format!("NOOP {}", "x".repeat(5_000))),
        mistake("pipelining", "NOOP\r\nNOOP").listener("extensions = { pipelining = false }"),
        mistake("proxy-twice", "PROXY UNKNOWN")
            .opening(Opening::Proxy)
            .listener("proxy = \"required\"\nproxy-from = [\"127.0.0.1\"]"),
        mistake("tls-required", "MAIL FROM:<alice@client.example>").listener("tls = \"required\""),
        mistake("not-implemented", "STARTTLS"),
        mistake("bad-sequence", "STARTTLS")
            .opening(Opening::Tls)
            .listener("tls = \"optional\""),
    ]
}

/// Mistakes in AUTH, and of those who leave it out.
fn mistakes_in_auth() -> Vec<Mistake> {
    let plain = |text: &str| format!("AUTH PLAIN {}", BASE64_STANDARD.encode(text));
    let bare = BASE64_STANDARD.encode("y,,n=bob,r=abc");
    vec![
        mistake("auth-not-offered", plain("\0bob\0x")),
        mistake("auth-mechanism", "AUTH NTLM").listener(CLEAR),
        mistake("auth-encoding", "AUTH PLAIN !").listener(CLEAR),
        mistake("auth-encoding", "!")
            .continuing("AUTH PLAIN")
            .listener(CLEAR),
        mistake("auth-cancelled", "*")
            .continuing("AUTH PLAIN")
            .listener(CLEAR),
        mistake("auth-line-too-long", "x".repeat(50_000))
            .continuing("AUTH PLAIN")
            .listener(CLEAR),
        mistake("auth-initial-response", "AUTH CRAM-MD5 eA==").listener(CLEAR),
        mistake("auth-rejected", plain("\0bob\0wrong")).listener(CLEAR),
        mistake("auth-required", "MAIL FROM:<alice@client.example>")
            .listener("auth = \"required\"\nauth-in-clear = true"),
        mistake("auth-needs-tls", plain("\0bob\0x"))
            .listener("auth = \"optional\"\ntls = \"optional\""),
        mistake("channel-binding", format!("AUTH SCRAM-SHA-256 {bare}"))
            .opening(Opening::Tls)
            .listener("auth = \"optional\"\ntls = \"optional\""),
    ]
}

#[test]
fn each_mistake_counts() {
    let authority = Authority::new("root");
    let mut kinds = BTreeSet::new();
    for mistake in mistakes_in_commands().into_iter().chain(mistakes_in_auth()) {
        kinds.insert(mistake.fault);
        let gateway = mistake.gateway(&authority);
        let mut client = mistake.open(&gateway, &authority);
        for line in mistake.before {
            client.says(line, "250");
        }
        for _ in 0..ERRORS {
            mistake.make(&mut client);
        }
        client.expect("421 4.7.0");
        client.expect_close();
    }
    let errors = Fault::ALL.iter().filter(|fault| fault.is_error());
    let expected = errors.map(|fault| fault.name());
    // It can be made once on a connection only, and has no reply of its own.
    let once = "plaintext-behind-starttls";
    let expected: BTreeSet<_> = expected.filter(|name| *name != once).collect();
    assert_eq!(kinds, expected);
}

#[test]
fn ten_mistakes_are_the_default() {
    let gateway = Setup::new().start();
    let mut client = Client::greeted(gateway.address());
    for _ in 0..10 {
        client.says("OINK", "500 5.5.1");
    }
    client.expect("421 4.7.0");
    client.expect_close();
}
