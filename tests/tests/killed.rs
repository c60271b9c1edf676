//! The program is killed at random moments under load: what a client was told is what the store has.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use postgate_tests::PATIENCE;
use postgate_tests::backend::Backend;
use postgate_tests::gateway::Setup;
use postgate_tests::mail::maildir;
use tempfile::TempDir;

/// How often the program is killed with each backend: 501 times in all.
const KILLS: usize = 167;
const CLIENTS: usize = 6;
/// Killed between one and so many steps of clients after its start.
const MAX_STEPS: u64 = 80;
/// And so many microseconds later.
const MAX_MORE: u64 = 2_000;
const RECIPIENTS: [&str; 2] = ["bob@example.org", "carol@example.org"];

#[test]
fn nothing_is_lost_or_invented_with_an_smtp_backend() {
    let backend = Backend::working();
    let sent = kill_under_load(1, || Setup::new().backend(&backend.smtp()));
    assert_kept(&sent, &of_backend(&backend));
}

#[test]
fn nothing_is_lost_or_invented_with_an_lmtp_backend() {
    let backend = Backend::working();
    let sent = kill_under_load(2, || Setup::new().backend(&backend.lmtp()));
    assert_kept(&sent, &of_backend(&backend));
}

#[test]
fn nothing_is_lost_or_invented_with_a_maildir() {
    let store = TempDir::new().expect("a directory");
    let address = format!("maildir:{}", store.path().display());
    let sent = kill_under_load(3, || Setup::new().backend(&address));
    let mut stored = Stored::new();
    for content in maildir(store.path()) {
        stored
            .entry((name_of(&content), ""))
            .or_default()
            .push(content);
    }
    assert_kept(&sent, &stored);
}

/// The copies in a store by the name of the message and the recipient, who is empty in a Maildir.
type Stored<'a> = BTreeMap<(String, &'a str), Vec<Vec<u8>>>;

fn of_backend(backend: &Backend) -> Stored<'static> {
    let mut stored = Stored::new();
    for mail in backend.taken() {
        for recipient in RECIPIENTS {
            if mail.recipients.iter().any(|line| line.contains(recipient)) {
                let copies = stored.entry((name_of(&mail.content), recipient));
                copies.or_default().push(mail.content.clone());
            }
        }
    }
    stored
}

/// The name that the client has given to a message.
fn name_of(content: &[u8]) -> String {
    let text = String::from_utf8_lossy(content);
    let name = text.lines().find_map(|line| line.strip_prefix("X-Name: "));
    name.unwrap_or_else(|| panic!("nobody sent {text}"))
        .to_owned()
}

/// Each message is there, whole and unchanged, for each recipient. There is a second copy only where a
/// client had sent the end of the data and never heard the reply (RFC 1047).
fn assert_kept(sent: &BTreeMap<String, Sent>, stored: &Stored<'_>) {
    for ((name, _), copies) in stored {
        let sent = sent
            .get(name)
            .unwrap_or_else(|| panic!("nobody sent {name}"));
        for copy in copies {
            assert!(copy.ends_with(&message(name)), "{name} is another message");
        }
        let allowed = 1 + sent.in_doubt;
        assert!(
            copies.len() <= allowed,
            "{} of {allowed} of {name}",
            copies.len()
        );
    }
    let is_maildir = stored.keys().any(|(_, recipient)| recipient.is_empty());
    let recipients = if is_maildir { &[""][..] } else { &RECIPIENTS };
    for name in sent.keys() {
        for recipient in recipients {
            let key = (name.clone(), *recipient);
            assert!(
                stored.contains_key(&key),
                "{name} is lost for {recipient:?}"
            );
        }
    }
    let in_doubt: usize = sent.values().map(|sent| sent.in_doubt).sum();
    let broken: usize = sent.values().map(|sent| sent.broken).sum();
    println!(
        "{} messages, {in_doubt} times in doubt, {broken} times broken off",
        sent.len()
    );
    assert!(
        in_doubt > 0 && broken > 0,
        "no message was under way at any kill"
    );
}

/// What a client has learnt of a message that was accepted in the end.
#[derive(Default)]
struct Sent {
    /// How often the connection broke after the end of the data and before the reply.
    in_doubt: usize,
    /// How often it broke before the end of the data.
    broken: usize,
}

/// Kills one gateway after the other, while clients send until each of their messages is accepted.
fn kill_under_load(seed: u64, setup: impl Fn() -> Setup) -> BTreeMap<String, Sent> {
    let stage = Stage::default();
    let mut random = Random(seed);
    thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                scope.spawn({
                    let stage = &stage;
                    move || send_until_over(client, stage)
                })
            })
            .collect();
        // Clients end, and so does the scope, if this panics.
        let over = Over(&stage);
        for _ in 0..KILLS {
            let gateway = setup()
                .set("log.level = \"info\"\nlimits.spool-memory = \"64KiB\"")
                .start();
            stage.enter(gateway.address(), 1 + random.below(MAX_STEPS));
            stage.wait_for_steps();
            let end = Instant::now() + Duration::from_micros(random.below(MAX_MORE));
            while Instant::now() < end {
                std::hint::spin_loop();
            }
            // SIGKILL.
            drop(gateway);
        }
        let last = setup().start();
        stage.enter(last.address(), 0);
        drop(over);
        let sent = clients
            .into_iter()
            .map(|client| client.join().expect("a client"));
        sent.flatten().collect()
    })
}

/// Sends one message after the other, each until it is accepted.
fn send_until_over(client: usize, stage: &Stage) -> Vec<(String, Sent)> {
    let mut all = Vec::new();
    for number in 0.. {
        if stage.locked().is_over {
            break;
        }
        let name = format!("{client}-{number}");
        let mut sent = Sent::default();
        loop {
            let generation = stage.locked().generation;
            match attempt(&name, stage) {
                Attempt::Accepted => break,
                Attempt::Broken => sent.broken += 1,
                Attempt::InDoubt => sent.in_doubt += 1,
                Attempt::Nobody => {}
            }
            stage.wait_for_another(generation);
        }
        all.push((name, sent));
    }
    all
}

enum Attempt {
    Accepted,
    /// The connection ended before the end of the data was sent.
    Broken,
    /// It ended afterwards, without a reply.
    InDoubt,
    /// There was nobody to connect to.
    Nobody,
}

fn attempt(name: &str, stage: &Stage) -> Attempt {
    let Ok(stream) = TcpStream::connect(stage.address()) else {
        return Attempt::Nobody;
    };
    stage.step();
    stream
        .set_read_timeout(Some(PATIENCE))
        .expect("a time limit");
    let mut client = BufReader::new(stream);
    if begin(&mut client, name, stage).is_err() {
        return Attempt::Broken;
    }
    // From here on, the message may have arrived although nothing is heard.
    if client.get_mut().write_all(b".\r\n").is_err() {
        return Attempt::InDoubt;
    }
    stage.step();
    match reply(&mut client) {
        Ok(reply) if reply.starts_with("250 ") => Attempt::Accepted,
        Ok(reply) => panic!("{name}: {reply}"),
        Err(_) => Attempt::InDoubt,
    }
}

/// Sends everything but the dot.
fn begin(client: &mut BufReader<TcpStream>, name: &str, stage: &Stage) -> io::Result<()> {
    reply(client)?;
    let rcpt = RECIPIENTS.map(|recipient| format!("RCPT TO:<{recipient}>"));
    let commands = [
        "EHLO client.example",
        "MAIL FROM:<alice@client.example>",
        &rcpt[0],
        &rcpt[1],
        "DATA",
    ];
    for command in commands {
        client
            .get_mut()
            .write_all(format!("{command}\r\n").as_bytes())?;
        stage.step();
        let reply = reply(client)?;
        assert!(reply.starts_with(['2', '3']), "{command}: {reply}");
    }
    for piece in message(name).chunks(16 << 10) {
        client.get_mut().write_all(piece)?;
        stage.step();
    }
    Ok(())
}

/// Reads a reply, and returns its last line. An end in the middle of a line is an error.
fn reply(client: &mut BufReader<TcpStream>) -> io::Result<String> {
    loop {
        let mut line = String::new();
        client.read_line(&mut line)?;
        if !line.ends_with("\r\n") {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if line.as_bytes().get(3) != Some(&b'-') {
            return Ok(line);
        }
    }
}

/// One message in eight is larger than what stays in memory.
fn message(name: &str) -> Vec<u8> {
    let number: usize = name
        .split('-')
        .filter_map(|part| part.parse::<usize>().ok())
        .sum();
    let lines = if number.is_multiple_of(8) { 2_000 } else { 5 };
    let head = format!("X-Name: {name}\r\nSubject: a message\r\n\r\n");
    let line = format!("a line of {name}, of an ordinary length, more or less\r\n");
    [head, line.repeat(lines)].concat().into_bytes()
}

/// Where the gateway is, and how far the clients are.
#[derive(Default)]
struct Stage {
    scene: Mutex<Scene>,
    changed: Condvar,
}

#[derive(Default)]
struct Scene {
    address: Option<SocketAddr>,
    /// The number of gateways so far.
    generation: usize,
    /// The steps of clients until the gateway is killed.
    steps_left: u64,
    is_over: bool,
}

impl Stage {
    fn locked(&self) -> MutexGuard<'_, Scene> {
        self.scene.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new gateway, which is killed after so many steps.
    fn enter(&self, address: SocketAddr, steps: u64) {
        let mut scene = self.locked();
        scene.address = Some(address);
        scene.generation += 1;
        scene.steps_left = steps;
        self.changed.notify_all();
    }

    /// Waits for the first gateway.
    fn address(&self) -> SocketAddr {
        let mut scene = self.locked();
        loop {
            match scene.address {
                Some(address) => return address,
                None => scene = self.wait(scene),
            }
        }
    }

    fn step(&self) {
        let mut scene = self.locked();
        scene.steps_left = scene.steps_left.saturating_sub(1);
        if scene.steps_left == 0 {
            self.changed.notify_all();
        }
    }

    fn wait_for_steps(&self) {
        let mut scene = self.locked();
        while scene.steps_left > 0 {
            scene = self.wait(scene);
        }
    }

    /// Waits for a gateway after this one.
    fn wait_for_another(&self, generation: usize) {
        let mut scene = self.locked();
        while scene.generation == generation {
            scene = self.wait(scene);
        }
    }

    fn wait<'a>(&self, scene: MutexGuard<'a, Scene>) -> MutexGuard<'a, Scene> {
        let waited = self.changed.wait_timeout(scene, PATIENCE);
        let (scene, outcome) = waited.unwrap_or_else(PoisonError::into_inner);
        assert!(!outcome.timed_out(), "nothing happens any more");
        scene
    }
}

/// Tells the clients to end.
struct Over<'a>(&'a Stage);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.locked().is_over = true;
    }
}

/// The same moments in every run, as far as the machine lets it (xorshift64*).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % limit
    }
}
