//! What the same small policy costs in each language: the table of `plugins/README.md`.
//!
//! `target/languages/times` says how much processor time building took, where `scripts/build-languages`
//! was told to keep it: `make bench` does. Arguments name the only languages to measure.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use postgate_dns::Dns;
use postgate_proto::address::{Charset, ForwardPath, ReversePath};
use postgate_proto::envelope::{Envelope, Recipient};
use postgate_proto::header::HeaderBlock;
use postgate_proto::parameters::MailParameters;
use postgate_runtime::context::{Context, Message, SessionFacts, Transaction};
use postgate_runtime::metrics::PluginMetricsFamily;
use postgate_runtime::question::Question;
use postgate_runtime::{LoadedPlugin, Runtime, RuntimeSettings, load_file};
use postgate_spool::Content;
use postgate_tests::compiler::compiling;
use postgate_tests::gateway::{guest_file, repository};
use prometheus_client::registry::Registry;

const LANGUAGES: [(&str, &str, &str); 4] = [
    ("Rust", "rust", "02-rust"),
    ("C", "c", "03-c"),
    ("JavaScript (QuickJS)", "javascript", "05-javascript"),
    ("Python", "python", "04-python"),
];

fn main() -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    println!(
        "| language | size | build | compile | fresh instance | warm `rcpt` | warm `message` |"
    );
    println!("|---|---|---|---|---|---|---|");
    // Cargo gives an argument of its own, which begins with hyphens.
    let wanted: Vec<_> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with("--"))
        .collect();
    for (title, language, directory) in LANGUAGES {
        if !wanted.is_empty() && !wanted.iter().any(|name| name == language) {
            continue;
        }
        let row = runtime.block_on(measure(language, directory))?;
        println!("| [{title}](../examples/{directory}) | {row} |");
    }
    Ok(())
}

/// The cells of one row.
async fn measure(language: &str, directory: &str) -> Result<String, Box<dyn Error>> {
    let name = format!("caution-{language}");
    let beside = tempfile::tempdir()?;
    let file = beside.path().join("caution.wasm");
    let built = guest_file(&format!("examples/{name}"));
    let size = fs::copy(&built, &file)
        .map_err(|error| format!("{}: {error}; run scripts/build-languages", built.display()))?;
    let sidecar = repository().join("examples").join(directory);
    fs::copy(sidecar.join("caution.toml"), file.with_extension("toml"))?;

    let metrics = PluginMetricsFamily::register(&mut Registry::default());
    let runtime = Arc::new(Runtime::new(
        RuntimeSettings::of(&compiling()),
        Dns::default(),
        metrics,
    )?);
    let before = processor_time()?;
    let plugin = load_file(&runtime, &file, u64::MAX).await;
    let plugin = plugin.map_err(|errors| format!("{errors:?}"))?;
    let compile = processor_time()? - before;

    let context = Arc::new(context());
    let bob = Recipient::from(ForwardPath::parse("bob@example.org", Charset::Ascii)?);
    let fresh = fresh(&plugin, &context, Question::Rcpt(&bob)).await?;
    let rcpt = warm(&plugin, &context, Question::Rcpt(&bob)).await?;
    let message = warm(&plugin, &context, Question::Message).await?;
    Ok([
        octets(size),
        build_times()
            .get(&name)
            .map_or_else(|| "-".to_owned(), |time| time_of(*time)),
        time_of(compile),
        time_of(fresh),
        time_of(rcpt),
        time_of(message),
    ]
    .join(" | "))
}

/// What this process and its children that have ended have used, in user and system mode: four fields of
/// proc_pid_stat(5), in hundredths of a second. Unlike the time on the clock, it says something on a busy
/// machine too.
fn processor_time() -> Result<Duration, Box<dyn Error>> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = stat.rsplit_once(") ").ok_or("no name in /proc/self/stat")?;
    let fields: Vec<_> = fields.split(' ').skip(11).take(4).collect();
    let hundredths = fields.iter().map(|field| field.parse::<u64>());
    let hundredths = hundredths.sum::<Result<u64, _>>()?;
    Ok(Duration::from_millis(10 * hundredths))
}

/// Makes an instance, asks it once, and puts it away.
async fn fresh(
    plugin: &LoadedPlugin,
    context: &Arc<Context>,
    question: Question<'_>,
) -> Result<Duration, Box<dyn Error>> {
    let mut samples = Vec::new();
    for _ in 0..300 {
        let start = Instant::now();
        let mut instance = plugin.start(context).await?;
        instance.call(question, context).await?;
        drop(instance);
        samples.push(start.elapsed());
    }
    Ok(median(samples))
}

/// Asks the same instance again and again.
async fn warm(
    plugin: &LoadedPlugin,
    context: &Arc<Context>,
    question: Question<'_>,
) -> Result<Duration, Box<dyn Error>> {
    let mut samples = Vec::new();
    let mut instance = plugin.start(context).await?;
    for _ in 0..5_000 {
        let start = Instant::now();
        instance.call(question, context).await?;
        samples.push(start.elapsed());
    }
    Ok(median(samples))
}

fn median(mut samples: Vec<Duration>) -> Duration {
    samples.sort();
    samples[samples.len() / 2]
}

/// A transaction with one recipient, and a message of some 4 KiB that mentions nothing.
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
    let headers =
        HeaderBlock::parse(b"From: alice@client.example\r\nSubject: a bench\r\n".to_vec());
    context.message = Message::of_headers(headers, 0);
    let body = "It stands in the park.\r\n".repeat(170);
    context.message.set_body(Content::from(body.into_bytes()));
    context
}

/// The processor time that each component took to build.
fn build_times() -> BTreeMap<String, Duration> {
    let text = fs::read_to_string(repository().join("target/languages/times"));
    let mut times = BTreeMap::new();
    for line in text.unwrap_or_default().lines() {
        if let Some((name, milliseconds)) = line.split_once(' ') {
            let milliseconds = milliseconds.parse().unwrap_or(0);
            times.insert(name.to_owned(), Duration::from_millis(milliseconds));
        }
    }
    times
}

fn octets(octets: u64) -> String {
    match octets {
        octets if octets >= 1 << 20 => format!("{:.1} MiB", octets as f64 / f64::from(1 << 20)),
        octets => format!("{} KiB", octets.div_ceil(1 << 10)),
    }
}

fn time_of(time: Duration) -> String {
    match time.as_secs_f64() {
        seconds if seconds >= 1.0 => format!("{seconds:.1} s"),
        seconds if seconds >= 1e-3 => format!("{:.1} ms", seconds * 1e3),
        seconds => format!("{:.1} µs", seconds * 1e6),
    }
}
