//! Whatever octets a plugin leaves where its answer should be: the call fails, or the answer keeps the rules
//! of the contract. `FUZZ_SECONDS` makes the run longer.

use std::cell::Cell;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use postgate_contract::Event;
use postgate_dns::Dns;
use postgate_proto::address::{Charset, ForwardPath, ReversePath};
use postgate_proto::auth::{Credentials, Mechanism, Proof};
use postgate_proto::envelope::{Envelope, Recipient};
use postgate_proto::header::HeaderBlock;
use postgate_proto::parameters::MailParameters;
use postgate_proto::relay::RelayDomains;
use postgate_proto::reply::Reply;
use postgate_proto::session::{Helo, Settings};
use postgate_runtime::context::{Context, Introduction, Message, SessionFacts, Transaction};
use postgate_runtime::metrics::PluginMetricsFamily;
use postgate_runtime::pipeline::{Outcome, Pipeline, Subject};
use postgate_runtime::question::{BodyChunk, CommandLine, Question};
use postgate_runtime::verdict::Verdict;
use postgate_runtime::{LoadedPlugin, Runtime, RuntimeSettings, load_file};
use postgate_tests::compiler::compiling;
use postgate_tests::fuzz::end_of_run;
use postgate_tests::gateway::repository;
use prometheus_client::registry::Registry;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestRunner;
use wit_component::{StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// Where the answer begins: what the plugin was given at `body-chunk`.
const BASE: u32 = 131_072;
/// The longest answer, in octets.
const LENGTH: usize = 1_024;

/// The events, with the number of values by which the contract passes their facts.
const EVENTS: [(Event, usize); 15] = [
    (Event::Proxy, 0),
    (Event::Connect, 0),
    (Event::Helo, 2),
    (Event::StartTls, 0),
    (Event::AuthKeys, 2),
    (Event::Auth, 11),
    (Event::Mail, 2),
    (Event::Rcpt, 4),
    (Event::Data, 0),
    (Event::Headers, 0),
    (Event::Message, 0),
    (Event::Vrfy, 2),
    (Event::Expn, 2),
    (Event::Help, 2),
    (Event::Command, 7),
];

/// A plugin that answers at `body-chunk` with `next`, and keeps the chunk as its answer to everything else.
fn parrot() -> Vec<u8> {
    let mut functions = String::new();
    let mut exports = String::new();
    for (event, parameters) in EVENTS {
        let name = format!("on-{}", event.name());
        let parameters = "i32 ".repeat(parameters);
        writeln!(exports, "export postgate:plugin/{name}@0.1.0;").expect("a string");
        writeln!(
            functions,
            "(func (export \"postgate:plugin/{name}@0.1.0#{name}\") (param {parameters}) (result i32) \
             (i32.const {BASE}))"
        )
        .expect("a string");
    }
    let text = format!(
        r#"(module
            (memory (export "memory") 8)
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 65536))
            (func (export "postgate:plugin/on-body-chunk@0.1.0#on-body-chunk")
                (param $offset i32) (param $data i32) (param $length i32) (result i32)
                (memory.copy (i32.const {BASE}) (local.get $data) (local.get $length))
                (i32.const 1024))
            {functions}
        )"#
    );
    let mut module = wat::parse_str(text).expect("a module");
    let mut resolve = Resolve::default();
    let contract = repository().join("wit");
    resolve.push_dir(contract).expect("the contract");
    let world = format!(
        "package tests:fuzz; world parrot {{ export postgate:plugin/on-body-chunk@0.1.0; {exports} }}"
    );
    let package = resolve.push_str("world.wit", &world).expect("a world");
    let world = resolve.select_world(&[package], None);
    let world = world.expect("the only world");
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)
        .expect("a description");
    module
}

/// A piece of an answer.
#[derive(Clone, Debug)]
enum Piece {
    Octet(u8),
    Word(u32),
    /// An address within the answer, as an offset.
    Address(u32),
    Text(&'static str),
}

fn piece() -> impl Strategy<Value = Piece> {
    prop_oneof![
        2 => any::<u8>().prop_map(Piece::Octet),
        6 => (0_u32..30).prop_map(Piece::Word),
        1 => any::<u32>().prop_map(Piece::Word),
        1 => select(vec![250, 421, 451, 550, 554, 599, 600, u32::MAX]).prop_map(Piece::Word),
        4 => (0_u32..64).prop_map(|word| Piece::Address(word * 4)),
        1 => any::<u16>().prop_map(|offset| Piece::Address(offset.into())),
        3 => select(TEXTS).prop_map(Piece::Text),
    ]
}

const TEXTS: &[&str] = &[
    "Subject",
    "X-Field",
    "no\r\nRCPT TO:<a@b>\r\n",
    "a@example.org",
    "<b@example.org>",
    "c@elsewhere.example",
    "d@[192.0.2.1]",
    "5.7.1",
    "PLAIN",
    "mx.example.net",
    "192.0.2.7",
    "üñí",
    "\0\u{7f}\u{85}",
    "=?utf-8?q?x?=",
    "\r\n.\r\n",
    "\r\n\r\nbody",
    "",
];

/// Writes pieces one behind the other. Words begin where the contract expects them, at multiples of four.
fn octets_of(pieces: &[Piece]) -> Vec<u8> {
    let mut octets = Vec::new();
    for piece in pieces {
        let word = match piece {
            Piece::Octet(octet) => {
                octets.push(*octet);
                continue;
            }
            Piece::Text(text) => {
                octets.extend_from_slice(text.as_bytes());
                continue;
            }
            Piece::Word(word) => *word,
            Piece::Address(offset) => BASE + offset,
        };
        octets.resize(octets.len().next_multiple_of(4), 0);
        octets.extend_from_slice(&word.to_le_bytes());
    }
    octets.resize(LENGTH, 0);
    octets
}

struct Answers {
    tokio: tokio::runtime::Runtime,
    plugin: Arc<LoadedPlugin>,
    settings: Arc<Settings>,
}

impl Answers {
    fn new() -> Self {
        let tokio = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("parrot.wasm");
        std::fs::write(&file, parrot()).expect("a plugin");
        let sidecar = "breaker.failures = 0\nlimits.delay = \"1h\"";
        std::fs::write(file.with_extension("toml"), sidecar).expect("a sidecar");
        let metrics = PluginMetricsFamily::register(&mut Registry::default());
        let runtime = Runtime::new(RuntimeSettings::of(&compiling()), Dns::default(), metrics);
        let runtime = Arc::new(runtime.expect("an engine"));
        let plugin = tokio.block_on(load_file(&runtime, &file, u64::MAX));
        Self {
            tokio,
            plugin: Arc::new(plugin.expect("the plugin is valid")),
            settings: Arc::new(Settings {
                relay: RelayDomains::new(["example.org".into()]),
                ..Settings::default()
            }),
        }
    }

    /// Lets the plugin answer with these octets at each event, in a session. Returns how many of the calls have
    /// not failed.
    fn answer(&self, octets: Vec<u8>) -> usize {
        self.tokio.block_on(async {
            let mut valid = 0;
            let plugins = [Arc::clone(&self.plugin)];
            let mut pipeline = Pipeline::new(plugins, "main", Arc::clone(&self.settings));
            let chunk = BodyChunk { offset: 0, octets };
            for (event, _) in EVENTS {
                let mut context = Arc::new(context());
                let question = Question::BodyChunk(&chunk);
                let outcome = pipeline.ask(question, &mut context).await;
                assert_eq!(outcome.verdict, Verdict::Next);
                let outcome = ask(&mut pipeline, event, &mut context).await;
                check(event, &outcome, &context);
                valid += usize::from(!pipeline.verdict_log().contains("failed"));
                // A failure at `body-chunk` would end the questions about it.
                pipeline.begin_transaction();
            }
            valid
        })
    }
}

fn context() -> Context {
    let nowhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 25));
    let mut context = Context::new(Arc::new(SessionFacts {
        id: "fuzz".into(),
        hostname: "mx.example.org".into(),
        ..SessionFacts::without_listener(nowhere)
    }));
    let mut envelope = Envelope::new(ReversePath::Null, MailParameters::default());
    envelope.recipients = vec![path("a@example.org").into()];
    context.transaction = Some(Arc::new(Transaction::new("t".into(), envelope)));
    let headers = b"Subject: x\r\nX-Field: a\r\n b\r\nX-Field: c\r\n\r\n".to_vec();
    context.message = Message::of_headers(HeaderBlock::parse(headers), 0);
    context.message.set_body(b"Hello\r\n".to_vec().into());
    context
}

fn path(text: &str) -> ForwardPath {
    ForwardPath::parse(text, Charset::Ascii).expect("an address")
}

async fn ask(
    pipeline: &mut Pipeline<LoadedPlugin>,
    event: Event,
    context: &mut Arc<Context>,
) -> Outcome {
    let question = match event {
        Event::Proxy => Question::Proxy,
        Event::Connect => Question::Connect,
        Event::Helo => {
            let introduction = Introduction {
                kind: Helo::Ehlo,
                name: "client.example".into(),
            };
            return pipeline.ask(Question::Helo(&introduction), context).await;
        }
        Event::StartTls => Question::StartTls,
        Event::AuthKeys => Question::AuthKeys("bob"),
        Event::Auth => {
            let credentials = Credentials {
                mechanism: Mechanism::Plain,
                identity: "bob".into(),
                act_as: String::new(),
                proof: Proof::Password("p".to_owned().into()),
            };
            return pipeline.ask(Question::Auth(&credentials), context).await;
        }
        Event::Mail => {
            let mut transaction = context.transaction.clone().expect("there is one");
            let subject = Subject::Transaction(&mut transaction);
            let outcome = pipeline.ask(subject, context).await;
            Arc::make_mut(context).transaction = Some(transaction);
            return outcome;
        }
        Event::Rcpt => {
            let mut recipient = Recipient::from(path("b@example.org"));
            let subject = Subject::Recipient(&mut recipient);
            let outcome = pipeline.ask(subject, context).await;
            assert_eq!(path(recipient.path.as_str()), recipient.path);
            return outcome;
        }
        Event::Data => Question::Data,
        Event::Headers => Question::Headers,
        Event::Message => Question::Message,
        Event::Vrfy => Question::Vrfy("bob"),
        Event::Expn => Question::Expn("list"),
        Event::Help => Question::Help(""),
        Event::Command => {
            let line = CommandLine {
                verb: "NOOP".into(),
                argument: "".into(),
                line: b"NOOP".as_slice().into(),
                known: true,
            };
            return pipeline.ask(Question::Command(&line), context).await;
        }
        other => panic!("no answer to {other}"),
    };
    let outcome = pipeline.ask(question, context).await;
    pipeline.apply_deferred_headers(context);
    outcome
}

/// What always holds, after whatever answer.
fn check(event: Event, outcome: &Outcome, context: &Context) {
    assert!(outcome.delay <= Duration::from_hours(1));
    match &outcome.verdict {
        Verdict::Answer(acceptance) => check_reply(event, acceptance.reply(), 2),
        Verdict::Defer(refused) | Verdict::Disconnect(refused) | Verdict::Refuse(refused) => {
            let reply = refused.refusal.reply();
            let class = reply.code() / 100;
            assert!(matches!(class, 4 | 5), "{event}: {reply}");
            check_reply(event, reply, class);
        }
        Verdict::Accept => panic!("{event}: a pipeline does not accept"),
        _ => {}
    }
    let mut headers = Vec::new();
    context.message.headers.render(&mut headers);
    let (again, rest) = HeaderBlock::split(headers.clone());
    assert!(
        rest.is_empty(),
        "{event}: the header block ends before its end"
    );
    let mut rendered = Vec::new();
    again.render(&mut rendered);
    assert_eq!(rendered, headers, "{event}");
    assert_eq!(
        again.fields().count(),
        context.message.headers.fields().count()
    );
    let transaction = context.transaction.as_ref().expect("there is one");
    for recipient in transaction.envelope.paths() {
        assert_eq!(path(recipient.as_str()), *recipient, "{event}");
    }
    let is_relayed = |path: &ForwardPath| path.as_str().ends_with("@example.org");
    assert!(transaction.envelope.paths().all(is_relayed), "{event}");
    assert!(context.tags.len() <= 256, "{event}");
}

fn check_reply(event: Event, reply: &Reply, class: u16) {
    let mut octets = Vec::new();
    reply.write(Charset::Ascii, &mut octets);
    let text = String::from_utf8(octets).unwrap_or_else(|error| panic!("{event}: {error}"));
    let lines: Vec<_> = text.split_inclusive("\r\n").collect();
    for (index, line) in lines.iter().enumerate() {
        let separator = match index + 1 == lines.len() {
            true => " ",
            false => "-",
        };
        let content = line
            .strip_suffix("\r\n")
            .unwrap_or_else(|| panic!("{event}: {line:?}"));
        let begins = format!("{}{separator}", reply.code());
        assert!(content.starts_with(&begins), "{event}: {line:?}");
        assert!(
            line.len() <= 512 && !content.contains(char::is_control),
            "{event}: {line:?}"
        );
    }
    assert_eq!(reply.code() / 100, class, "{event}");
    let enhanced = reply.enhanced();
    assert!(
        enhanced.is_none_or(|code| u16::from(code.class()) == class),
        "{event}"
    );
}

#[test]
fn any_octets_are_an_answer_or_a_failure() {
    let answers = Answers::new();
    let end = end_of_run();
    let (mut cases, valid) = (0, Cell::new(0));
    loop {
        let config = ProptestConfig {
            cases: CASES,
            failure_persistence: None,
            ..ProptestConfig::default()
        };
        let answer = |pieces: Vec<Piece>| {
            valid.set(valid.get() + answers.answer(octets_of(&pieces)));
            Ok(())
        };
        let pieces = prop::collection::vec(piece(), 0..80);
        let result = TestRunner::new(config).run(&pieces, answer);
        result.unwrap_or_else(|failure| panic!("{failure}"));
        cases += CASES as usize;
        if Instant::now() >= end {
            break;
        }
    }
    let all = cases * EVENTS.len();
    println!("{all} answers, {} of them valid", valid.get());
    assert!(
        valid.get() > all / 100 && valid.get() < all,
        "of one kind only"
    );
}

/// The number of answers, for each event, before the time is looked at.
const CASES: u32 = 2_000;
