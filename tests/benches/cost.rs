//! What plugins cost: a call of one, and a whole session through three of them beside the same
//! session through none, in turns, so that both meet the same machine.

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use postgate_dns::Dns;
use postgate_proto::address::{Charset, ForwardPath, ReversePath};
use postgate_proto::envelope::{Envelope, Recipient};
use postgate_proto::parameters::MailParameters;
use postgate_runtime::context::{Context, SessionFacts, Transaction};
use postgate_runtime::metrics::PluginMetricsFamily;
use postgate_runtime::question::Question;
use postgate_runtime::{LoadedPlugin, Runtime, RuntimeSettings, load_file};
use postgate_tests::backend::Backend;
use postgate_tests::client::Client;
use postgate_tests::compiler::compiling;
use postgate_tests::gateway::{Gateway, Setup, guest_file};
use postgate_tests::samples::Samples;
use prometheus_client::registry::Registry;

fn main() -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(calls())?;
    sessions();
    Ok(())
}

/// One plugin, without any network around it.
async fn calls() -> Result<(), Box<dyn Error>> {
    let metrics = PluginMetricsFamily::register(&mut Registry::default());
    let runtime = Arc::new(Runtime::new(
        RuntimeSettings::of(&compiling()),
        Dns::default(),
        metrics,
    )?);
    let file = guest_file("examples/no-plus");
    let plugin = load_file(&runtime, &file, u64::MAX).await;
    let plugin = plugin.map_err(|errors| format!("{errors:?}; run scripts/build-guests"))?;
    let context = Arc::new(context());
    let passing = recipient("bob@example.org");
    let refused = recipient("bob+shop@example.org");

    let mut fresh = Samples::default();
    for _ in 0..2_000 {
        let start = Instant::now();
        call_fresh(&plugin, Question::Rcpt(&passing), &context).await?;
        fresh.push(start);
    }
    fresh.report("call, fresh instance");
    for (name, recipient) in [
        ("call, warm, passes", &passing),
        ("call, warm, refuses", &refused),
    ] {
        let mut warm = Samples::default();
        let mut instance = plugin.start(&context).await?;
        for _ in 0..20_000 {
            let start = Instant::now();
            instance.call(Question::Rcpt(recipient), &context).await?;
            warm.push(start);
        }
        warm.report(name);
    }
    Ok(())
}

/// Makes an instance, asks it once, and puts it away.
async fn call_fresh(
    plugin: &LoadedPlugin,
    question: Question<'_>,
    context: &Arc<Context>,
) -> Result<(), Box<dyn Error>> {
    plugin.start(context).await?.call(question, context).await?;
    Ok(())
}

fn recipient(path: &str) -> Recipient {
    ForwardPath::parse(path, Charset::Ascii)
        .expect("an address")
        .into()
}

fn context() -> Context {
    let nowhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 25));
    let facts = SessionFacts {
        id: "bench".into(),
        hostname: "mx.example.org".into(),
        ..SessionFacts::without_listener(nowhere)
    };
    let mut context = Context::new(Arc::new(facts));
    let envelope = Envelope::new(ReversePath::Null, MailParameters::default());
    let transaction = Transaction::new("bench".to_owned(), envelope);
    context.transaction = Some(Arc::new(transaction));
    context
}

/// A session with one message, from the connection to QUIT.
fn sessions() {
    let backend = Backend::working();
    let setup = || {
        Setup::new()
            .backend(&backend.smtp())
            .set("log.level = \"warn,postgate::server=info\"")
    };
    let bare = setup().start();
    let stock = ["access", "header-rules", "attachment-blocker"];
    let with_stock = |setup: Setup, name: &str| setup.plugin(name, name, "");
    let filtering = stock.into_iter().fold(setup(), with_stock).start();
    let mut without = Samples::default();
    let mut with = Samples::default();
    for _ in 0..1_000 {
        without.time(|| session(&bare));
        with.time(|| session(&filtering));
    }
    without.report("session, no plugins");
    with.report("session, three plugins");
    let ratio = with.median().as_secs_f64() / without.median().as_secs_f64();
    println!("session, three plugins to none: ratio {ratio:.2}");
}

fn session(gateway: &Gateway) {
    let mut client = Client::greeted(gateway.address());
    client.envelope("alice@client.example", &["bob@example.org"]);
    let reply = client.message(MESSAGE);
    assert!(reply.starts_with("250"), "{reply}");
    client.says("QUIT", "221");
}

const MESSAGE: &[u8] = b"From: alice@client.example\r\nTo: bob@example.org\r\nSubject: a bench\r\n\
    \r\nIt stands in the park.\r\n";
