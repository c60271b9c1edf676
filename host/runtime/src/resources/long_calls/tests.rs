use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::task::{JoinSet, yield_now};
use wasmtime::Engine;

use super::*;

fn long_calls() -> Arc<LongCalls> {
    let ticker = Ticker::start(&Engine::default()).unwrap();
    Arc::new(LongCalls::new(ticker))
}

fn client(number: u8) -> IpAddr {
    Ipv4Addr::new(192, 0, 2, number).into()
}

/// Computes for longer than a short call, and yields.
async fn compute() {
    let start = std::time::Instant::now();
    // Time counts as work until the clock of the thread is read.
    while start.elapsed() < SHORT * 3 {
        std::hint::spin_loop();
    }
    yield_now().await;
}

fn thread_name() -> String {
    thread::current().name().unwrap_or_default().to_owned()
}

/// Runs a call that is expected to be short.
async fn run<F>(
    calls: &LongCalls,
    client: IpAddr,
    wall: Duration,
    call: F,
) -> Result<F::Output, Stopped>
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    let ended = calls.run(client, wall, Expected::Short, call, |_| None);
    ended.await.map(|ended| ended.output)
}

const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_short_call_stays_where_it_is() {
    let calls = long_calls();
    let here = thread::current().id();
    let call = async move {
        yield_now().await;
        thread::current().id() == here
    };
    let charged = AtomicU32::new(0);
    let charge = |_| {
        charged.fetch_add(1, Ordering::Relaxed);
        None
    };
    let ended = calls.run(client(1), PATIENCE, Expected::Short, call, charge);
    assert_eq!(ended.await.map(|ended| ended.output), Ok(true));
    assert_eq!(charged.into_inner(), 1);
}

#[tokio::test]
async fn a_long_call_goes_on_elsewhere_and_can_wait_there() {
    let calls = long_calls();
    let call = async {
        compute().await;
        // Timers and tasks work as in a session.
        sleep(Duration::from_millis(1)).await;
        tokio::spawn(async {}).await.unwrap();
        let blocking = tokio::task::spawn_blocking(|| ());
        blocking.await.unwrap();
        thread_name()
    };
    let total = Mutex::new(Duration::ZERO);
    let charge = |time| {
        *total.lock().unwrap() += time;
        None
    };
    let ended = calls.run(client(1), PATIENCE, Expected::Short, call, charge);
    assert_eq!(ended.await.unwrap().output, "long-calls");
    assert!(total.into_inner().unwrap() >= SHORT);
}

#[tokio::test]
async fn what_is_expected_to_be_long_begins_elsewhere() {
    let calls = long_calls();
    let call = async { thread_name() };
    let ended = calls.run(client(1), PATIENCE, Expected::Long, call, |_| None);
    assert_eq!(ended.await.unwrap().output, "long-calls");
}

/// One of two clients has come first, with many calls.
#[tokio::test]
async fn clients_take_turns() {
    let calls = long_calls();
    calls.shared.lock().max_threads = 1;
    let mut sessions = JoinSet::new();
    for number in 0..9 {
        let calls = Arc::clone(&calls);
        let client = client(u8::from(number == 8));
        sessions.spawn(async move {
            let call = async {
                for _ in 0..3 {
                    compute().await;
                }
            };
            let ended = run(&calls, client, PATIENCE, call).await;
            assert_eq!(ended, Ok(()));
            number
        });
    }
    let ended = sessions.join_all().await;
    let place = ended.iter().position(|number| *number == 8).unwrap();
    // It has waited for one slice of the others before each of its own.
    assert!(place <= 3, "{ended:?}");
}

#[tokio::test]
async fn what_waits_for_ever_ends_with_its_time() {
    let calls = long_calls();
    let limit = Duration::from_millis(50);
    let at_once = run(&calls, client(1), limit, std::future::pending::<()>());
    assert_eq!(at_once.await, Err(Stopped::Elapsed));
    let call = async {
        compute().await;
        std::future::pending::<()>().await;
    };
    assert_eq!(
        run(&calls, client(1), limit, call).await,
        Err(Stopped::Elapsed)
    );
}

/// The time in which others have their turn is not that of the plugin, neither now nor for the work that follows.
#[tokio::test]
async fn waiting_for_a_turn_does_not_count() {
    let calls = long_calls();
    calls.shared.lock().max_threads = 1;
    let (release, held) = std::sync::mpsc::channel::<()>();
    let hold = async move {
        compute().await;
        held.recv().unwrap();
    };
    let other = {
        let calls = Arc::clone(&calls);
        tokio::spawn(async move { run(&calls, client(1), PATIENCE, hold).await })
    };
    let limit = Duration::from_millis(100);
    let call = {
        let calls = Arc::clone(&calls);
        let work = async {
            compute().await;
        };
        tokio::spawn(async move {
            calls
                .run(client(2), limit, Expected::Short, work, |_| None)
                .await
        })
    };
    let begin = Instant::now();
    sleep(limit * 3).await;
    release.send(()).unwrap();
    assert_eq!(other.await.unwrap(), Ok(()));
    assert!(call.await.unwrap().unwrap().end > begin + limit * 3);
}

#[tokio::test]
async fn a_call_ends_when_its_client_may_have_no_more() {
    let calls = long_calls();
    let call = async {
        loop {
            compute().await;
        }
    };
    let total = Mutex::new(Duration::ZERO);
    let limit = SHORT * 10;
    let charge = |time| {
        let mut total = total.lock().unwrap();
        *total += time;
        (*total > limit).then_some(limit)
    };
    let ended = calls.run(client(1), PATIENCE, Expected::Short, call, charge);
    let stopped: Result<Ended<()>, Stopped> = ended.await;
    assert_eq!(stopped.unwrap_err(), Stopped::Exhausted(limit));
}

#[tokio::test]
async fn a_call_ends_with_its_session() {
    let calls = long_calls();
    let alive = Arc::new(());
    let of_call = Arc::clone(&alive);
    let call = async move {
        let _alive = of_call;
        loop {
            compute().await;
        }
    };
    let ran = tokio::time::timeout(
        Duration::from_millis(50),
        run(&calls, client(1), PATIENCE, call),
    );
    assert!(ran.await.is_err());
    while Arc::strong_count(&alive) > 1 {
        yield_now().await;
    }
}

#[tokio::test]
async fn a_panic_is_that_of_the_session() {
    let calls = long_calls();
    let session = {
        let calls = Arc::clone(&calls);
        tokio::spawn(async move {
            let call = async {
                compute().await;
                panic!("a test");
            };
            run(&calls, client(1), PATIENCE, call).await
        })
    };
    assert!(session.await.unwrap_err().is_panic());
    // The thread is there for others.
    let next = run(&calls, client(1), PATIENCE, compute());
    assert_eq!(next.await, Ok(()));
}
