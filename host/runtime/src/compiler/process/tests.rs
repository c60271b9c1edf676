use super::*;
use crate::compiler::error::ComponentError;
use crate::compiler::report::Outcome;
use crate::compiler::settings::CompilerLimits;

/// What becomes of a file whose compiler is this shell script.
async fn outcome(script: &str, elapsed: Duration) -> Result<Report, CompilerError> {
    let settings = settings("/bin/sh", &["-c", script, "compiler"], elapsed);
    let wasm = vec![0; 1 << 20];
    Child::start(&settings, &wasm)?.report().await
}

fn settings(program: &str, arguments: &[&str], elapsed: Duration) -> CompilerSettings {
    CompilerSettings {
        program: program.into(),
        arguments: arguments.iter().map(Into::into).collect(),
        limits: CompilerLimits {
            memory: 1 << 20,
            cpu: Duration::from_secs(1),
            elapsed,
        },
    }
}

/// Much longer than anything takes that is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// What ends because of its time.
const SHORT: Duration = Duration::from_millis(200);

#[tokio::test]
async fn a_report_is_taken() {
    let script = r"cat >/dev/null; printf 'PGCODE\0\2\1\3\0\0\0\0\0\0\0\0'";
    let report = outcome(script, PATIENCE).await.unwrap();
    assert!(report.missing.landlock && !report.missing.seccomp);
    assert_eq!(report.outcome, Outcome::Refused(ComponentError::NotWasm));
}

#[tokio::test]
async fn whatever_the_child_does_is_an_error() {
    type Check = fn(&CompilerError) -> bool;
    let table: [(&str, Check); 9] = [
        ("exit 0", |error| matches!(error, CompilerError::Report)),
        // What it was handed over is no report.
        ("cat", |error| matches!(error, CompilerError::Report)),
        ("cat /dev/zero", |error| {
            matches!(error, CompilerError::TooLarge(_))
        }),
        (
            "head -c 10000000 /dev/zero >&2; echo oops >&2; exit 3",
            |error| matches!(error, CompilerError::Ended { said, .. } if said.ends_with("oops") && said.len() <= MAX_SAID),
        ),
        (
            "kill -SEGV $$",
            |error| matches!(error, CompilerError::Ended { said, .. } if said.is_empty()),
        ),
        ("kill -KILL $$", |error| {
            error.host_cause() == Some("compiler")
        }),
        ("kill -XCPU $$", |error| {
            matches!(error, CompilerError::Cpu(_))
        }),
        (
            "echo memory allocation of 9 bytes failed >&2; kill -ABRT $$",
            |error| matches!(error, CompilerError::Memory(_)),
        ),
        // A report does not count if the end was none.
        (
            r"printf 'PGCODE\0\2\1\3\0\0\0\0\0\0\0\0'; exit 1",
            |error| matches!(error, CompilerError::Ended { .. }),
        ),
    ];
    for (script, check) in table {
        let error = outcome(script, PATIENCE).await.unwrap_err();
        assert!(check(&error), "{script}: {error:?}");
    }
}

#[tokio::test]
async fn silence_ends_with_its_time() {
    for script in [
        "exec sleep 600",
        "exec >&- 2>&-; exec sleep 600",
        "cat /dev/zero >&2",
        // A process that outlives the child holds its standard output.
        "sleep 600 & exit 0",
    ] {
        let error = outcome(script, SHORT).await.unwrap_err();
        assert!(
            matches!(error, CompilerError::Time(_)),
            "{script}: {error:?}"
        );
    }
}

#[tokio::test]
async fn a_child_can_be_waited_for_again() {
    let script = r"printf 'PGCODE\0\2\0\3\0\0\0\0\0\0\0\0'; exec >&- 2>&-; read -r line";
    let settings = settings("/bin/sh", &["-c", script], PATIENCE);
    let mut child = Child::start(&settings, b"\n").unwrap();
    // However far it has come, the next call goes on from there.
    for _ in 0..1_000 {
        let now = timeout(Duration::ZERO, child.report()).await;
        if let Ok(report) = now {
            assert!(report.is_ok(), "{report:?}");
            return;
        }
    }
    assert!(child.report().await.is_ok());
}

#[tokio::test]
async fn a_program_that_is_not_there_is_an_error_of_the_host() {
    let settings = settings("/nowhere/postgate", &[], PATIENCE);
    let error = Child::start(&settings, b"").err();
    let cause = error.as_ref().and_then(CompilerError::host_cause);
    assert_eq!(cause, Some("compiler"), "{error:?}");
}
