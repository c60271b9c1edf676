//! Resources that a running gateway uses, from `/proc`.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::gateway::Gateway;

/// Returns the peak resident memory of the gateway in octets.
pub fn peak_memory(gateway: &Gateway) -> usize {
    memory(gateway, "VmHWM:")
}

/// Returns the resident memory of the gateway in octets.
pub fn resident_memory(gateway: &Gateway) -> usize {
    memory(gateway, "VmRSS:")
}

/// Returns the number of open file descriptors of the gateway.
pub fn open_files(gateway: &Gateway) -> usize {
    let files = format!("/proc/{}/fd", gateway.process_id());
    fs::read_dir(files).expect("the gateway runs").count()
}

/// Returns the CPU time that the gateway has used, in clock ticks.
pub fn processor_time(gateway: &Gateway) -> u64 {
    let file = format!("/proc/{}/stat", gateway.process_id());
    ticks(Path::new(&file)).expect("the gateway runs")
}

/// Returns the CPU time of each thread of the gateway, in clock ticks.
pub fn processor_time_of_threads(gateway: &Gateway) -> Vec<(String, u64)> {
    let threads = format!("/proc/{}/task", gateway.process_id());
    let threads = fs::read_dir(threads).expect("the gateway runs");
    // A thread may have ended since the directory was read.
    let times = threads.filter_map(|thread| {
        let path = thread.ok()?.path();
        Some((path.display().to_string(), ticks(&path.join("stat"))?))
    });
    times.collect()
}

/// Raises the limit of open files of the test process.
pub fn raise_own_limit_of_files() {
    let own = std::process::id().to_string();
    let status = Command::new("prlimit")
        .args(["--pid", &own, "--nofile=20000:"])
        .status()
        .expect("prlimit is there");
    assert!(status.success(), "20000 open files are not allowed here");
}

fn memory(gateway: &Gateway, key: &str) -> usize {
    let status = format!("/proc/{}/status", gateway.process_id());
    let status = fs::read_to_string(status).expect("the gateway runs");
    let value = status.lines().find_map(|line| line.strip_prefix(key));
    let kib = value.and_then(|value| value.split_whitespace().next());
    kib.and_then(|kib| kib.parse::<usize>().ok())
        .expect("a number of KiB")
        << 10
}

/// Returns the sum of user and system time, the 14th and 15th field, or `None` if the process or thread
/// has ended.
fn ticks(file: &Path) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    // The second field is the name in parentheses, which may contain blanks and parentheses.
    let (_, fields) = text.rsplit_once(')').expect("a name");
    let fields: Vec<_> = fields.split_whitespace().collect();
    let tick = |index: usize| fields[index].parse::<u64>().expect("a number of ticks");
    Some(tick(11) + tick(12))
}
