//! Misbehaves as the name of the listener says: `spin@rcpt` loops forever at `rcpt`. Elsewhere it has
//! no objection to anything, so that others can be seen to be served meanwhile.

use std::hint::black_box;
use std::time::Duration;

use postgate_plugin::prelude::*;
use postgate_plugin::{clock, dns, random, store};

struct Rogue {
    kept: Vec<Vec<u8>>,
}

impl Plugin for Rogue {
    type Config = NoConfig;

    fn new(NoConfig {}: NoConfig) -> Result<Self, String> {
        let mut rogue = Self { kept: Vec::new() };
        match session::listener().as_str() {
            "refuse@init" => Err("no\r\nlevel=ERROR forged ".repeat(100_000)),
            _ => {
                rogue.misbehave("init");
                Ok(rogue)
            }
        }
    }
}

#[derive(serde::Deserialize)]
struct NoConfig {}

impl Rogue {
    /// Does what the listener is named for, where that is for this event.
    fn misbehave(&mut self, event: &str) {
        let listener = session::listener();
        let Some((how, at)) = listener.split_once('@') else {
            return;
        };
        if at != event {
            return;
        }
        match how {
            "spin" => loop {
                black_box(0);
            },
            "trap" => panic!("this plugin was asked to trap"),
            "recurse" => _ = black_box(recurse(black_box(1))),
            "hoard" => loop {
                self.kept.push(black_box(vec![1; 1 << 20]));
            },
            "drip" => drip(),
            "log-flood" => (0..10_000).for_each(|line| log::info(format!("line {line}"))),
            "long-log" => log::error("x\n".repeat(500_000)),
            "huge-call" => log::info("x".repeat(5 << 20)),
            "host-calls" => loop {
                black_box(session::id());
            },
            "dns-flood" => loop {
                _ = black_box(dns::txt("flood.example"));
            },
            "dns-wait" => _ = dns::txt("slow.example"),
            "store-flood" => flood_the_store(),
            "random-flood" => assert_eq!(random::octets(u32::MAX).len(), 4_096),
            "read-beyond" => read_beyond(),
            "trap-after-wait" => {
                _ = dns::txt("missing.example");
                panic!("this plugin was asked to trap after it had waited");
            }
            _ => {}
        }
    }
}

fn recurse(depth: u64) -> u64 {
    if black_box(depth) == 0 {
        return 0;
    }
    // What happens after the call keeps it from being made a loop.
    black_box(recurse(black_box(depth + 1))).wrapping_mul(depth)
}

/// Works for much of the time that it has, by a clock that shows at least as much.
fn drip() {
    let start = clock::now();
    let is_early = || {
        let passed = clock::now().duration_since(start).unwrap_or_default();
        passed < Duration::from_millis(DRIP)
    };
    while is_early() {}
}

/// In milliseconds; the tests give a plugin 500.
const DRIP: u64 = 250;

fn flood_the_store() {
    let mut taken = 0;
    for number in 0..1_000 {
        taken += usize::from(store::set(&format!("{number}"), &[0; 1_024]).is_ok());
    }
    assert_eq!(taken, 64, "the store takes 64 KiB");
}

/// Asks for what is not there, at the limits of every type.
fn read_beyond() {
    let size = message::body_size();
    assert!(size > 0);
    for offset in [size, size + 1, u32::MAX - 1, u32::MAX] {
        for length in [0, 1, u32::MAX] {
            assert!(message::read_body(offset, length).is_empty());
            assert!(message::read_part(0, offset, length).is_empty());
            assert!(message::read_part(u32::MAX, offset, length).is_empty());
            assert!(message::read_text(0, offset, length).is_none_or(|text| text.is_empty()));
        }
    }
    assert_eq!(message::read_body(0, u32::MAX).len(), size as usize);
    assert_eq!(message::read_body(size - 1, u32::MAX).len(), 1);
    assert!(message::header_at(u32::MAX).is_none());
    assert!(message::part_at(u32::MAX).is_none());
    assert!(message::part_headers(u32::MAX).is_empty());
    assert!(message::headers_named("").is_empty());
    assert!(message::headers_named(&"x".repeat(1 << 20)).is_empty());
}

fn is(behaviour: &str) -> bool {
    session::listener() == behaviour
}

impl OnProxy for Rogue {
    fn on_proxy(&mut self) -> ProxyAnswer {
        self.misbehave("proxy");
        ProxyAnswer::next()
    }
}

impl OnConnect for Rogue {
    fn on_connect(&mut self) -> ConnectAnswer {
        self.misbehave("connect");
        ConnectAnswer::next()
    }
}

impl OnHelo for Rogue {
    fn on_helo(&mut self, _name: &str) -> HeloAnswer {
        self.misbehave("helo");
        HeloAnswer::next()
    }
}

impl OnStarttls for Rogue {
    fn on_starttls(&mut self) -> StarttlsAnswer {
        self.misbehave("starttls");
        StarttlsAnswer::next()
    }
}

impl OnAuthKeys for Rogue {
    fn on_auth_keys(&mut self, _identity: &str) -> Option<ScramKeys> {
        self.misbehave("auth-keys");
        None
    }
}

impl OnAuth for Rogue {
    fn on_auth(&mut self, _credentials: &Credentials) -> AuthAnswer {
        self.misbehave("auth");
        AuthAnswer::next()
    }
}

impl OnMail for Rogue {
    fn on_mail(&mut self, _sender: &Sender) -> MailAnswer {
        self.misbehave("mail");
        MailAnswer::next()
    }
}

impl OnRcpt for Rogue {
    fn on_rcpt(&mut self, _recipient: &Recipient) -> RcptAnswer {
        self.misbehave("rcpt");
        if is("long-reply@rcpt") {
            return RcptAnswer::refuse(Refusal::new(550, "5.7.1", "x".repeat(5 << 20)));
        }
        if is("many-lines@rcpt") {
            let refusal = Refusal::new(550, "5.7.1", "no");
            return RcptAnswer::refuse((0..500_000).fold(refusal, |refusal, _| refusal.line("")));
        }
        if is("many-edits@rcpt") {
            return (0..1_000).fold(RcptAnswer::next(), |answer, _| answer.tag("a", "b"));
        }
        RcptAnswer::next()
    }
}

impl OnData for Rogue {
    fn on_data(&mut self) -> DataAnswer {
        self.misbehave("data");
        DataAnswer::next()
    }
}

impl OnHeaders for Rogue {
    fn on_headers(&mut self) -> HeadersAnswer {
        self.misbehave("headers");
        HeadersAnswer::next()
    }
}

impl OnBodyChunk for Rogue {
    fn on_body_chunk(&mut self, _chunk: &BodyChunk) -> BodyChunkAnswer {
        self.misbehave("body-chunk");
        BodyChunkAnswer::next()
    }
}

impl OnMessage for Rogue {
    fn on_message(&mut self) -> MessageAnswer {
        self.misbehave("message");
        MessageAnswer::next()
    }
}

impl OnOutcome for Rogue {
    fn on_outcome(&mut self, _outcome: &Outcome) {
        self.misbehave("outcome");
    }
}

impl OnReset for Rogue {
    fn on_reset(&mut self, _cause: Cause) {
        self.misbehave("reset");
    }
}

impl OnVrfy for Rogue {
    fn on_vrfy(&mut self, _user: &str) -> QueryAnswer {
        self.misbehave("vrfy");
        QueryAnswer::next()
    }
}

impl OnExpn for Rogue {
    fn on_expn(&mut self, _name: &str) -> QueryAnswer {
        self.misbehave("expn");
        QueryAnswer::next()
    }
}

impl OnHelp for Rogue {
    fn on_help(&mut self, _topic: &str) -> QueryAnswer {
        self.misbehave("help");
        QueryAnswer::next()
    }
}

impl OnCommand for Rogue {
    fn on_command(&mut self, _command: &Command) -> QueryAnswer {
        self.misbehave("command");
        QueryAnswer::next()
    }
}

impl OnDisconnect for Rogue {
    fn on_disconnect(&mut self, _summary: &Summary) {
        self.misbehave("disconnect");
    }
}

postgate_plugin::export!(
    Rogue: OnProxy, OnConnect, OnHelo, OnStarttls, OnAuthKeys, OnAuth, OnMail, OnRcpt, OnData,
        OnHeaders, OnBodyChunk, OnMessage, OnOutcome, OnReset, OnVrfy, OnExpn, OnHelp, OnCommand,
        OnDisconnect
);
