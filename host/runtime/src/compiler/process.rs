//! The child process as the gateway sees it.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::process::ExitStatusExt as _;
use std::pin::Pin;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Resource, Signal, getrlimit, kill_process_group, setpriority_pgrp};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{ChildStdin, Command};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, timeout, timeout_at};

use super::error::CompilerError;
use super::report::{MAX_HEAD, Report};
use super::request::request;
use super::settings::CompilerSettings;

/// A child that compiles one file. Dropping it ends it.
pub(super) struct Child<'a> {
    process: tokio::process::Child,
    settings: &'a CompilerSettings,
    deadline: Instant,
    talk: Talk<'a>,
    heard: Option<Heard>,
}

/// The exchange with a child: a future, so that it can go on after an interruption.
type Talk<'a> = Pin<Box<dyn Future<Output = Result<Heard, CompilerError>> + Send + 'a>>;

/// What a child has said.
#[derive(Default)]
struct Heard {
    /// Its standard output.
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
        // Whoever started the gateway may have left SIGCHLD ignored, and the system would then forget how
        // a child has ended. A handler ends that, and stays.
        drop(signal(SignalKind::child()).map_err(CompilerError::Io)?);
        let mut process = Command::new(&settings.program)
            .args(&settings.arguments)
            .env_clear()
            // The allocator would take its first gigabyte at once.
            .env("MIMALLOC_ARENA_EAGER_COMMIT", "0")
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| CompilerError::Start(settings.program.clone(), error))?;
        let pipes = (
            process.stdin.take(),
            process.stdout.take(),
            process.stderr.take(),
        );
        let (Some(input), Some(output), Some(errors)) = pipes else {
            return Err(CompilerError::Io(ErrorKind::BrokenPipe.into()));
        };
        let head = request(&settings.limits);
        let talk = async move {
            let (report, said, ()) = tokio::try_join!(
                all_of(output, max_code(wasm)),
                end_of(errors),
                feed(input, head.as_slice(), wasm)
            )?;
            Ok(Heard { report, said })
        };
        Ok(Self {
            process,
            settings,
            deadline: Instant::now() + settings.limits.elapsed,
            talk: Box::pin(talk),
            heard: None,
        })
    }

    /// Waits for the report. May be called again if it was interrupted.
    ///
    /// # Errors
    ///
    /// Fails if the child ends without a report, or exceeds a limit.
    pub(super) async fn report(&mut self) -> Result<Report, CompilerError> {
        let end = timeout_at(self.deadline, async {
            if self.heard.is_none() {
                self.heard = Some(self.talk.as_mut().await?);
            }
            self.process.wait().await.map_err(CompilerError::Io)
        });
        let status = match end.await {
            Ok(status) => status?,
            Err(_) => return Err(CompilerError::Time(self.settings.limits.elapsed)),
        };
        let Heard { report, said } = self.heard.take().unwrap_or_default();
        match status.success() {
            true => Report::parse(report).ok_or(CompilerError::Report),
            false => Err(self.failure(status, &said)),
        }
    }

    /// Waits for the report as long as the compilation can be called quick, by the processor time that it
    /// has used: a machine with much to do makes nobody slow. Returns `None` when it no longer can; the
    /// child goes on.
    pub(super) async fn quick_report(&mut self) -> Option<Result<Report, CompilerError>> {
        let end = Instant::now() + QUICK_TIME;
        loop {
            if let Ok(report) = timeout(LOOK_INTERVAL, self.report()).await {
                return Some(report);
            }
            if self.cpu_used() >= QUICK_CPU || Instant::now() >= end {
                return None;
            }
        }
    }

    /// Lets quick compilations go first at the processor.
    pub(super) fn make_way(&self) {
        if let Some(group) = self.group() {
            // It fails only if the child has ended.
            _ = setpriority_pgrp(Some(group), SLOW_NICENESS);
        }
    }

    /// The processor time that the child has used so far, or all that it may use to be quick if the
    /// system does not tell.
    fn cpu_used(&self) -> Duration {
        let stat = self.process.id().and_then(|id| {
            let stat = fs::read_to_string(format!("/proc/{id}/stat"));
            cpu_ticks(&stat.ok()?)
        });
        match stat {
            Some(ticks) => Duration::from_secs(ticks) / TICKS_PER_SECOND,
            None => QUICK_CPU,
        }
    }

    /// The process group of the child, or `None` if it has ended.
    fn group(&self) -> Option<Pid> {
        let id = i32::try_from(self.process.id()?).ok()?;
        Pid::from_raw(id)
    }

    fn failure(&self, status: ExitStatus, said: &[u8]) -> CompilerError {
        let limits = self.settings.limits;
        let said = String::from_utf8_lossy(said).trim().to_owned();
        // The texts are those of the standard library, which ends a process that lacks memory or
        // stack by a signal that may have other causes.
        if ["memory allocation of", "out of memory"]
            .iter()
            .any(|text| said.contains(text))
        {
            return lack_of_memory(limits.memory);
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

impl Drop for Child<'_> {
    /// Ends the child with everything that it has started. The runtime waits for its end.
    fn drop(&mut self) {
        if let Some(group) = self.group() {
            // It fails if all of them have ended already.
            _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// The error of a child that got no more memory: of the file if it had as much as it may have, or else of the
/// machine.
fn lack_of_memory(limit: u64) -> CompilerError {
    let inherited = [Resource::As, Resource::Data].map(|resource| getrlimit(resource).current);
    match inherited.into_iter().flatten().min() {
        Some(less) if less < limit => CompilerError::Failed(format!(
            "the system allows the gateway {less} octets of memory (ulimit -v, -d), \
             less than plugins.load-memory of {limit} octets"
        )),
        _ => CompilerError::Memory(limit),
    }
}

/// The ticks of the clock that a process has used, in user mode and in the kernel, according to its `stat`
/// (proc_pid_stat(5)).
fn cpu_ticks(stat: &str) -> Option<u64> {
    // The name of the process comes second, in parentheses, and may contain anything.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let (user, system) = (fields.next()?, fields.next()?);
    Some(user.parse::<u64>().ok()? + system.parse::<u64>().ok()?)
}

/// The most octets of the code of a file. Code is two to four times as large as the file.
const fn max_code(wasm: &[u8]) -> u64 {
    (16 << 20) + 16 * wasm.len() as u64
}

/// Writes the request and the file.
async fn feed(mut input: ChildStdin, request: &[u8], wasm: &[u8]) -> Result<(), CompilerError> {
    // A child that ends early, whatever the reason, shows in what it reports.
    if input.write_all(request).await.is_ok() {
        _ = input.write_all(wasm).await;
    }
    Ok(())
}

/// Reads a report to the end, with at most so many octets of code.
async fn all_of(source: impl AsyncRead + Unpin, max_code: u64) -> Result<Vec<u8>, CompilerError> {
    let most = max_code + MAX_HEAD as u64;
    let mut octets = Vec::new();
    let mut bounded = source.take(most + 1);
    let count = bounded.read_to_end(&mut octets).await;
    match count.map_err(CompilerError::Io)? as u64 {
        count if count > most => Err(CompilerError::TooLarge(max_code)),
        _ => Ok(octets),
    }
}

/// Reads to the end, and keeps the last octets.
async fn end_of(mut source: impl AsyncRead + Unpin) -> Result<Vec<u8>, CompilerError> {
    let mut kept = Vec::new();
    let mut buffer = [0; MAX_SAID];
    loop {
        let count = source.read(&mut buffer).await.map_err(CompilerError::Io)?;
        if count == 0 {
            return Ok(kept);
        }
        kept.extend_from_slice(&buffer[..count]);
        let surplus = kept.len().saturating_sub(MAX_SAID);
        kept.drain(..surplus);
    }
}

/// The unit in which Linux tells processor times (`USER_HZ`), on every architecture that runs plugins.
const TICKS_PER_SECOND: u32 = 100;

/// The processor time up to which a compilation is quick. A plugin in Rust takes a tenth of a second.
const QUICK_CPU: Duration = Duration::from_millis(500);

/// The elapsed time up to which a compilation can be quick.
const QUICK_TIME: Duration = Duration::from_secs(5);

/// How often the processor time of a quick compilation is looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// The priority of a slow compilation, from -20, the highest, to 19.
const SLOW_NICENESS: i32 = 15;

/// How much of the standard error of a child is kept, in octets.
const MAX_SAID: usize = 512;

#[cfg(test)]
mod tests;
