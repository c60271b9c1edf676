//! What the host does for plugins, by the guest `burden`. First the call alone: its processor time with what
//! its answer has the host do, and the longest time for which nothing else runs on its thread. Then how long
//! another client waits for its replies while there are twenty such sessions.

use std::error::Error;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use postgate_dns::Dns;
use postgate_proto::address::{Charset, ForwardPath, ReversePath};
use postgate_proto::envelope::{Envelope, Recipient};
use postgate_proto::header::HeaderBlock;
use postgate_proto::parameters::MailParameters;
use postgate_proto::relay::RelayDomains;
use postgate_proto::session::Settings;
use postgate_runtime::context::{Context, Message, SessionFacts, Transaction};
use postgate_runtime::metrics::PluginMetricsFamily;
use postgate_runtime::pipeline::{Pipeline, Subject};
use postgate_runtime::question::Question;
use postgate_runtime::{LoadedPlugin, Runtime, RuntimeSettings, load_file};
use postgate_tests::Over;
use postgate_tests::backend::Backend;
use postgate_tests::burden::{self, TASKS, Task};
use postgate_tests::client::Client;
use postgate_tests::compiler::compiling;
use postgate_tests::gateway::{Gateway, guest_file};
use postgate_tests::process::processor_time;
use prometheus_client::registry::Registry;
use tempfile::TempDir;

/// The sessions at the same time.
const SESSIONS: usize = 20;

fn main() -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(calls())?;
    sessions();
    Ok(())
}

async fn calls() -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let plugin = plugin(&directory).await?;
    println!("call        verdicts                  processor    longest stretch");
    for task in TASKS {
        let settings = Settings {
            relay: RelayDomains::new(["example.org".into()]),
            ..Settings::default()
        };
        let mut pipeline = Pipeline::new([Arc::clone(&plugin)], "main", Arc::new(settings));
        let mut context = Arc::new(context(task));
        let (is_over, longest) = (Arc::new(AtomicBool::new(false)), Arc::default());
        let witness = tokio::spawn(witness(Arc::clone(&is_over), Arc::clone(&longest)));
        tokio::task::yield_now().await;
        let before = processor_time_of_this();
        ask(&mut pipeline, task, &mut context).await;
        let used = processor_time_of_this() - before;
        is_over.store(true, Ordering::Relaxed);
        witness.await?;
        let longest = *longest.lock().unwrap_or_else(PoisonError::into_inner);
        let verdicts = pipeline.verdict_log();
        println!(
            "{:<10}  {verdicts:<24}  {used:>9.1?}  {longest:>14.1?}",
            task.name
        );
    }
    Ok(())
}

/// Runs whenever it can, and measures the processor time for which it could not.
async fn witness(is_over: Arc<AtomicBool>, longest: Arc<Mutex<Duration>>) {
    let this_thread = Path::new("/proc/thread-self");
    let mut last = time_of(this_thread);
    while !is_over.load(Ordering::Relaxed) {
        tokio::task::yield_now().await;
        let now = time_of(this_thread);
        let stretch = now - last;
        last = now;
        let mut longest = longest.lock().unwrap_or_else(PoisonError::into_inner);
        *longest = stretch.max(*longest);
    }
}

async fn ask(pipeline: &mut Pipeline<LoadedPlugin>, task: &Task, context: &mut Arc<Context>) {
    match task.event {
        "rcpt" => {
            let path = ForwardPath::parse("bob@example.org", Charset::Ascii);
            let mut recipient = Recipient::from(path.expect("an address"));
            let subject = Subject::Recipient(&mut recipient);
            pipeline.ask(subject, context).await
        }
        "data" => pipeline.ask(Question::Data, context).await,
        "headers" => pipeline.ask(Question::Headers, context).await,
        _ => pipeline.ask(Question::Message, context).await,
    };
}

async fn plugin(directory: &TempDir) -> Result<Arc<LoadedPlugin>, Box<dyn Error>> {
    let metrics = PluginMetricsFamily::register(&mut Registry::default());
    let plugins = compiling();
    let settings = RuntimeSettings::of(&plugins);
    let runtime = Arc::new(Runtime::new(settings, Dns::default(), metrics)?);
    let file = directory.path().join("burden.wasm");
    fs::copy(guest_file("guests/burden"), &file)?;
    let sidecar = burden::sidecar(
        directory.path(),
        "breaker.failures = 0\nlimits.cpu = \"10s\"",
    );
    fs::write(file.with_extension("toml"), sidecar)?;
    let plugin = load_file(&runtime, &file, u64::MAX).await;
    Ok(plugin
        .map_err(|errors| format!("{errors:?}; run scripts/build-guests"))?
        .into())
}

/// A session at the event of a task.
fn context(task: &Task) -> Context {
    let nowhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 25));
    let mut context = Context::new(Arc::new(SessionFacts {
        id: "bench".into(),
        hostname: "mx.example.org".into(),
        ..SessionFacts::without_listener(nowhere)
    }));
    let sender = format!("{}@client.example", task.name);
    let sender = ReversePath::parse(&sender, Charset::Ascii).expect("an address");
    let mut envelope = Envelope::new(sender, MailParameters::default());
    envelope.recipients = (0..200)
        .map(|number| {
            let path = format!("user{number}@example.org");
            ForwardPath::parse(&path, Charset::Ascii)
                .expect("an address")
                .into()
        })
        .collect();
    context.transaction = Some(Arc::new(Transaction::new("bench".to_owned(), envelope)));
    let (headers, body) = HeaderBlock::split((task.message)());
    context.message = Message::of_headers(headers, 0);
    context.message.set_body(body.into());
    context
}

/// The processor time of the threads of this process.
fn processor_time_of_this() -> Duration {
    let threads = fs::read_dir("/proc/self/task").expect("the system shows its threads");
    threads
        .map(|thread| time_of(&thread.expect("a thread").path()))
        .sum()
}

/// The processor time of a thread.
fn time_of(thread: &Path) -> Duration {
    let text = fs::read_to_string(thread.join("schedstat")).unwrap_or_default();
    let time = text.split(' ').next();
    Duration::from_nanos(time.and_then(|time| time.parse().ok()).unwrap_or_default())
}

fn sessions() {
    let backend = Backend::working();
    println!("session     reply   processor    witness: median     99 %    longest");
    for task in TASKS {
        let gateway = burden::gateway(&backend, "breaker.failures = 0\n").start();
        // What is cached from then on is cached.
        burden::session(&gateway, task);
        let (replies, ticks, waits) = measure(&gateway, task);
        let quantile = |percent: usize| waits[(waits.len() - 1) * percent / 100];
        println!(
            "{:<10}  {replies}   {:>6} ms   {:>16.1?} {:>9.1?} {:>9.1?}",
            task.name,
            ticks * 10 / SESSIONS as u64,
            quantile(50),
            quantile(99),
            quantile(100),
        );
    }
}

/// The code of the replies, the processor time in ticks, and how long the other client waited, sorted.
fn measure(gateway: &Gateway, task: &Task) -> (String, u64, Vec<Duration>) {
    let is_over = AtomicBool::new(false);
    let before = processor_time(gateway);
    let (mut replies, mut waits) = std::thread::scope(|scope| {
        let witness = scope.spawn(|| {
            let mut client = Client::greeted(gateway.address());
            let mut waits = Vec::new();
            while !is_over.load(Ordering::Relaxed) || waits.is_empty() {
                let start = Instant::now();
                client.says("NOOP", "250");
                waits.push(start.elapsed());
                std::thread::sleep(Duration::from_millis(1));
            }
            waits
        });
        let over = Over(&is_over);
        let sessions = [(); SESSIONS].map(|()| scope.spawn(|| burden::session(gateway, task)));
        let replies = sessions.map(|session| session.join().expect("the session ends"));
        drop(over);
        let waits = witness.join().expect("the other client is served");
        (replies.map(|reply| reply[..3].to_owned()).to_vec(), waits)
    });
    replies.sort();
    replies.dedup();
    waits.sort_unstable();
    (replies.join("/"), processor_time(gateway) - before, waits)
}
