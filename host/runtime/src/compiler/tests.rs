use std::fs;
use std::path::Path;
use std::time::Duration;

use tokio::task::{JoinSet, yield_now};
use wasmtime::Config;

use super::*;

/// An empty component.
const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

/// A compiler that writes the content of this file, whatever it is given.
fn compiler(report: &Path) -> Compiler {
    script("cat >/dev/null; exec cat \"$0\"", report)
}

/// A compiler that is this shell script, which knows the file as `$0`.
fn script(script: &str, report: &Path) -> Compiler {
    let engine = Engine::new(&code_config()).unwrap();
    let settings = CompilerSettings {
        program: "/bin/sh".into(),
        arguments: ["-c", script]
            .into_iter()
            .map(Into::into)
            .chain([report.into()])
            .collect(),
        limits: CompilerLimits {
            memory: 1 << 30,
            cpu: Duration::from_secs(60),
            elapsed: Duration::from_secs(60),
        },
    };
    Compiler::new(engine, Some(settings), None).unwrap()
}

fn write_report(file: &Path, outcome: Outcome) {
    let missing = Missing::default();
    let report = Report { missing, outcome };
    fs::write(file, [report.head().as_slice(), report.code()].concat()).unwrap();
}

#[tokio::test]
async fn code_of_another_program_is_an_error() {
    let code = |config: &Config| {
        let engine = Engine::new(config).unwrap();
        engine.precompile_component(EMPTY).unwrap()
    };
    let own = code(&code_config());
    let cut = own[..own.len() / 2].to_vec();
    let table = [
        (own, true),
        (code(&Config::new()), false),
        (cut, false),
        (b"\x7fELF".repeat(1_000), false),
        (EMPTY.to_vec(), false),
        (Vec::new(), false),
    ];
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("report");
    for (index, (code, is_good)) in table.into_iter().enumerate() {
        let version = None;
        write_report(&file, Outcome::Compiled(Compiled { version, code }));
        let outcome = compiler(&file).compile(EMPTY, "").await;
        match outcome {
            Ok(_) => assert!(is_good, "{index}"),
            Err(CompilerError::Code(_)) => assert!(!is_good, "{index}"),
            Err(error) => panic!("{index}: {error}"),
        }
    }
}

#[tokio::test]
async fn what_the_machine_lacks_is_told_by_the_child() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("report");
    write_report(&file, Outcome::Failed("no thread can be started".into()));
    let error = compiler(&file).compile(EMPTY, "").await.err().unwrap();
    assert_eq!(error.host_cause(), Some("compiler"), "{error}");
}

/// Each waits until the other one is there, too.
#[tokio::test]
async fn files_are_compiled_at_the_same_time() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("report");
    write_report(&file, Outcome::Refused(ComponentError::NotWasm));
    let meet = "cat >/dev/null; mkdir \"$0.$$\"; while set -- \"$0\".*; [ $# -lt 2 ]; \
                do sleep 0.01; done; exec cat \"$0\"";
    let compiler = script(meet, &file);
    let large = [EMPTY, &[0; QUICK_SIZE]].concat();
    for wasm in [EMPTY, &large] {
        let both = tokio::join!(compiler.compile(wasm, ""), compiler.compile(wasm, ""));
        for outcome in [both.0, both.1] {
            assert!(matches!(outcome, Err(CompilerError::Component(_))));
        }
        for entry in fs::read_dir(directory.path()).unwrap() {
            // It fails for the report, which stays.
            _ = fs::remove_dir(entry.unwrap().path());
        }
    }
}

/// However many take long, and though they are smaller: what is quick is done. Without a bound on the time of
/// quick work, this test would never end.
#[tokio::test]
async fn who_is_slow_holds_up_nobody_who_is_quick() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("report");
    write_report(&file, Outcome::Refused(ComponentError::NotWasm));
    let spin = "if [ \"$(tail -c 4)\" = spin ]; then while :; do :; done; fi; exec cat \"$0\"";
    let compiler = Arc::new(script(spin, &file));
    let mut slow = JoinSet::new();
    for _ in 0..6 {
        let compiler = Arc::clone(&compiler);
        slow.spawn(async move { compiler.compile(b"spin", "").await.err() });
    }
    // They come first.
    yield_now().await;
    let quick = [EMPTY, EMPTY].concat();
    tokio::select! {
        biased;
        ended = slow.join_next() => panic!("{ended:?}"),
        outcome = compiler.compile(&quick, "") => {
            assert!(matches!(outcome, Err(CompilerError::Component(_))));
        }
    }
}
