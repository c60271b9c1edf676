//! A bounded queue between the lines of the log and the file or pipe that takes them.
//!
//! A reader that stalls must stop neither the mail nor the end of the program. Lines for which the queue
//! has no room are dropped and counted.

use std::fmt;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

/// The queue. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct LogQueue(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<Queue>,
    /// Notified when there are lines, and when all of them are written.
    changed: Condvar,
}

#[derive(Default)]
struct Queue {
    /// Whole lines, at most [`CAPACITY`] octets.
    lines: Vec<u8>,
    /// The number of lines that were dropped since the last report.
    dropped: u64,
    /// The number of lines that were dropped before there was somebody to count them.
    uncounted: u64,
    /// Counts lines that are dropped.
    counter: Option<Box<dyn Fn(u64) + Send>>,
    /// True while lines are being written.
    is_writing: bool,
}

impl LogQueue {
    /// Starts a thread that writes the lines to `sink`. `report` makes the line that says how many lines
    /// were dropped, which is written in their place.
    pub(crate) fn start(
        sink: impl Write + Send + 'static,
        report: impl Fn(u64) -> Vec<u8> + Send + 'static,
    ) -> io::Result<Self> {
        let queue = Self(Arc::default());
        let shared = Arc::clone(&queue.0);
        thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || shared.write_all(sink, report))?;
        Ok(queue)
    }

    /// Passes the number of lines that were dropped so far to `counter`, and from now on that of further
    /// ones. `counter` must neither wait nor write to the log.
    pub(crate) fn count_dropped(&self, counter: impl Fn(u64) + Send + 'static) {
        let mut queue = self.0.lock();
        counter(std::mem::take(&mut queue.uncounted));
        queue.counter = Some(Box::new(counter));
    }

    /// Waits until all lines are written, at most `limit`.
    pub(crate) fn flush(&self, limit: Duration) {
        let queue = self.0.lock();
        let is_busy =
            |queue: &mut Queue| queue.is_writing || !queue.lines.is_empty() || queue.dropped > 0;
        // If it takes longer, the lines are lost.
        _ = self.0.changed.wait_timeout_while(queue, limit, is_busy);
    }
}

impl Shared {
    fn push(&self, line: &[u8]) {
        let mut queue = self.lock();
        match queue.lines.len() + line.len() <= CAPACITY {
            true => queue.lines.extend_from_slice(line),
            false => queue.drop_line(),
        }
        drop(queue);
        self.changed.notify_all();
    }

    fn write_all(&self, mut sink: impl Write, report: impl Fn(u64) -> Vec<u8>) {
        let mut lines = Vec::new();
        loop {
            let dropped = self.take(&mut lines);
            // Nobody can be told about a log that cannot be written.
            _ = sink.write_all(&lines);
            if dropped > 0 {
                _ = sink.write_all(&report(dropped));
            }
            self.lock().is_writing = false;
            self.changed.notify_all();
        }
    }

    /// Waits for lines, and takes them into `lines`. Returns the number of lines that were dropped after
    /// them.
    fn take(&self, lines: &mut Vec<u8>) -> u64 {
        lines.clear();
        let queue = self.lock();
        let is_idle = |queue: &mut Queue| queue.lines.is_empty() && queue.dropped == 0;
        let waited = self.changed.wait_while(queue, is_idle);
        let mut queue = waited.unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(&mut queue.lines, lines);
        queue.is_writing = true;
        std::mem::take(&mut queue.dropped)
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // A poisoned lock is usable: no change of the queue can panic half-way.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn drop_line(&mut self) {
        self.dropped = self.dropped.saturating_add(1);
        match &self.counter {
            Some(counter) => counter(1),
            None => self.uncounted = self.uncounted.saturating_add(1),
        }
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue")
            .field("octets", &self.lines.len())
            .field("dropped", &self.dropped)
            .finish_non_exhaustive()
    }
}

/// Passes whole lines to a queue, and never waits or fails.
impl Write for LogQueue {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for LogQueue {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// The most octets of lines that wait to be written.
const CAPACITY: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::sync::mpsc;

    use super::*;

    /// Passes on what is written, and waits for each permission to go on.
    struct Stalling {
        permits: mpsc::Receiver<()>,
        written: mpsc::Sender<Vec<u8>>,
    }

    impl Write for Stalling {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            self.permits.recv().map_err(io::Error::other)?;
            self.written
                .send(octets.to_vec())
                .map_err(io::Error::other)?;
            Ok(octets.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_that_nobody_reads_are_dropped_and_counted() {
        let (permit, permits) = mpsc::channel();
        let (written, reads) = mpsc::channel();
        let report = |dropped| format!("{dropped} dropped\n").into_bytes();
        let queue = LogQueue::start(Stalling { permits, written }, report).unwrap();
        let mut writer = queue.clone();
        let line = [b'x'; CAPACITY / 4];
        // One to four lines wait in the thread, four in the queue; nothing here blocks.
        for _ in 0..10 {
            writer.write_all(&line).unwrap();
        }
        let counted = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&counted);
        queue.count_dropped(move |count| _ = counter.fetch_add(count, Ordering::Relaxed));
        for _ in 0..10 {
            writer.write_all(&line).unwrap();
        }
        queue.flush(Duration::ZERO);
        for _ in 0..4 {
            permit.send(()).unwrap();
        }
        queue.flush(Duration::from_secs(60));
        drop(permit);
        let all: Vec<u8> = reads.try_iter().flatten().collect();
        let text = String::from_utf8_lossy(&all);
        let kept = text.matches('x').count() / line.len();
        assert!(text.contains(&format!("{} dropped\n", 20 - kept)), "{kept}");
        assert!((4..=8).contains(&kept), "{kept}");
        assert_eq!(counted.load(Ordering::Relaxed), 20 - kept as u64);
    }
}
