//! The child process as the gateway sees it.

use std::io::{self, ErrorKind};
use std::os::unix::process::ExitStatusExt as _;
use std::pin::Pin;
use std::process::{ExitStatus, Stdio};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;
use tokio::time::{Instant, timeout_at};

use super::error::CompilerError;
use super::report::Report;
use super::settings::CompilerSettings;

/// A child that compiles one file. Dropping it ends it.
pub(super) struct Child<'a> {
    process: tokio::process::Child,
    settings: &'a CompilerSettings,
    deadline: Instant,
    talk: Talk<'a>,
}

/// The exchange with a child: a future, so that it can go on after an interruption.
type Talk<'a> = Pin<Box<dyn Future<Output = io::Result<Heard>> + Send + 'a>>;

/// What a child has said.
struct Heard {
    /// Its standard output, up to one octet more than it may be.
    report: Vec<u8>,
    /// The end of its standard error.
    said: Vec<u8>,
}

impl<'a> Child<'a> {
    /// Starts a child for this file.
    ///
    /// # Errors
    ///
    /// Fails if the program cannot be started.
    pub(super) fn start(
        settings: &'a CompilerSettings,
        wasm: &'a [u8],
    ) -> Result<Self, CompilerError> {
        let limits = settings.limits;
        let mut process = Command::new(&settings.program)
            .args(&settings.arguments)
            .arg(format!("--memory={}", limits.memory))
            .arg(format!("--cpu={}", limits.cpu.as_secs()))
            .env_clear()
            // Each thread has stacks and memory of its own, which count.
            .env("RAYON_NUM_THREADS", THREADS)
            // The allocator would take its first gigabyte at once.
            .env("MIMALLOC_ARENA_EAGER_COMMIT", "0")
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(CompilerError::Io)?;
        let pipes = (
            process.stdin.take(),
            process.stdout.take(),
            process.stderr.take(),
        );
        let (Some(mut input), Some(output), Some(errors)) = pipes else {
            return Err(CompilerError::Io(ErrorKind::BrokenPipe.into()));
        };
        let talk = async move {
            let feed = async {
                // A child that ends early, whatever the reason, shows in what it reports.
                _ = input.write_all(wasm).await;
                drop(input);
            };
            let (report, said, ()) =
                tokio::join!(all_of(output, limits.memory), end_of(errors), feed);
            Ok(Heard {
                report: report?,
                said: said?,
            })
        };
        Ok(Self {
            process,
            settings,
            deadline: Instant::now() + limits.elapsed,
            talk: Box::pin(talk),
        })
    }

    /// Waits for the report. May be called again if it was interrupted.
    ///
    /// # Errors
    ///
    /// Fails if the child ends without a report, or exceeds a limit.
    pub(super) async fn report(&mut self) -> Result<Report, CompilerError> {
        let limits = self.settings.limits;
        let heard = timeout_at(self.deadline, &mut self.talk).await;
        let Ok(heard) = heard else {
            self.end().await;
            return Err(CompilerError::Time(limits.elapsed));
        };
        let Heard { report, said } = heard.map_err(CompilerError::Io)?;
        if report.len() as u64 > limits.memory {
            self.end().await;
            return Err(CompilerError::Report);
        }
        let status = match timeout_at(self.deadline, self.process.wait()).await {
            Ok(status) => status.map_err(CompilerError::Io)?,
            Err(_) => return Err(CompilerError::Time(limits.elapsed)),
        };
        match status.success() {
            true => Report::parse(&report).ok_or(CompilerError::Report),
            false => Err(self.failure(status, &said)),
        }
    }

    /// Ends the child, and waits until its place in the table of processes is free.
    pub(super) async fn end(&mut self) {
        // It fails if the child has ended already.
        _ = self.process.kill().await;
    }

    fn failure(&self, status: ExitStatus, said: &[u8]) -> CompilerError {
        let limits = self.settings.limits;
        let said = String::from_utf8_lossy(said).trim().to_owned();
        // The texts are those of the standard library, which ends a process that lacks memory or
        // stack by a signal that may have other causes.
        if said.contains("memory allocation of") {
            return CompilerError::Memory(limits.memory);
        }
        if said.contains("has overflowed its stack") {
            return CompilerError::Nested;
        }
        match status.signal() {
            Some(libc::SIGXCPU) => CompilerError::Cpu(limits.cpu),
            _ => CompilerError::Ended { status, said },
        }
    }
}

/// Reads to the end, up to one octet more than the limit.
async fn all_of(source: impl AsyncRead + Unpin, limit: u64) -> io::Result<Vec<u8>> {
    let mut octets = Vec::new();
    let mut bounded = source.take(limit.saturating_add(1));
    bounded.read_to_end(&mut octets).await?;
    Ok(octets)
}

/// Reads to the end, and keeps the last octets.
async fn end_of(mut source: impl AsyncRead + Unpin) -> io::Result<Vec<u8>> {
    let mut kept = Vec::new();
    let mut buffer = [0; MAX_SAID];
    loop {
        let count = source.read(&mut buffer).await?;
        if count == 0 {
            return Ok(kept);
        }
        kept.extend_from_slice(&buffer[..count]);
        let surplus = kept.len().saturating_sub(MAX_SAID);
        kept.drain(..surplus);
    }
}

/// How much of the standard error of a child is kept, in octets.
const MAX_SAID: usize = 512;

/// The number of threads of a child.
const THREADS: &str = "4";

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::compiler::error::ComponentError;
    use crate::compiler::settings::CompilerLimits;

    /// What becomes of a file whose compiler is this shell script.
    async fn outcome(script: &str) -> Result<Report, CompilerError> {
        let settings = CompilerSettings {
            program: "/bin/sh".into(),
            arguments: vec!["-c".into(), script.into(), "compiler".into()],
            limits: CompilerLimits {
                memory: 1 << 20,
                cpu: Duration::from_secs(1),
                elapsed: Duration::from_secs(1),
                cache: 0,
            },
        };
        let wasm = vec![0; 1 << 20];
        Child::start(&settings, &wasm)?.report().await
    }

    #[tokio::test]
    async fn a_report_is_taken() {
        let script = r"cat >/dev/null; printf 'PGCODE\0\1\3\0\0\0\0\0\0\0\0'";
        let report = outcome(script).await.unwrap();
        assert_eq!(report, Report::Refused(ComponentError::NotWasm));
    }

    #[tokio::test]
    async fn whatever_the_child_does_is_an_error() {
        type Check = fn(&CompilerError) -> bool;
        let table: [(&str, Check); 10] = [
            ("exit 0", |error| matches!(error, CompilerError::Report)),
            ("cat", |error| matches!(error, CompilerError::Report)),
            ("cat /dev/zero", |error| {
                matches!(error, CompilerError::Report)
            }),
            ("exec >&-; sleep 600", |error| {
                matches!(error, CompilerError::Time(_))
            }),
            ("sleep 600", |error| matches!(error, CompilerError::Time(_))),
            (
                "echo oops >&2; exit 3",
                |error| matches!(error, CompilerError::Ended { said, .. } if said == "oops"),
            ),
            (
                "kill -SEGV $$",
                |error| matches!(error, CompilerError::Ended { said, .. } if said.is_empty()),
            ),
            ("kill -XCPU $$", |error| {
                matches!(error, CompilerError::Cpu(_))
            }),
            (
                "echo memory allocation of 9 bytes failed >&2; kill -ABRT $$",
                |error| matches!(error, CompilerError::Memory(_)),
            ),
            // A report does not count if the end was none.
            (r"printf 'PGCODE\0\1\3\0\0\0\0\0\0\0\0'; exit 1", |error| {
                matches!(error, CompilerError::Ended { .. })
            }),
        ];
        for (script, check) in table {
            let error = outcome(script).await.unwrap_err();
            assert!(check(&error), "{script}: {error:?}");
        }
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_an_error() {
        let settings = CompilerSettings {
            program: "/nowhere/postgate".into(),
            arguments: Vec::new(),
            limits: CompilerLimits {
                memory: 1,
                cpu: Duration::from_secs(1),
                elapsed: Duration::from_secs(1),
                cache: 0,
            },
        };
        let error = Child::start(&settings, b"").err();
        assert!(matches!(error, Some(CompilerError::Io(_))), "{error:?}");
    }
}
