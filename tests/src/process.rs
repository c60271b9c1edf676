//! What the system says about a running process.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::gateway::Gateway;

/// The most memory that the gateway has had so far, in octets.
pub fn peak_memory(gateway: &Gateway) -> usize {
    memory(gateway, "VmHWM:")
}

/// The memory that the gateway has now, in octets.
pub fn resident_memory(gateway: &Gateway) -> usize {
    memory(gateway, "VmRSS:")
}

/// How many files and sockets the gateway has open.
pub fn open_files(gateway: &Gateway) -> usize {
    let files = format!("/proc/{}/fd", gateway.process_id());
    fs::read_dir(files).expect("the gateway runs").count()
}

/// The processor time that the gateway has used up, in ticks of the system.
pub fn processor_time(gateway: &Gateway) -> u64 {
    let file = format!("/proc/{}/stat", gateway.process_id());
    ticks(Path::new(&file)).expect("the gateway runs")
}

/// The processor time of each thread of the gateway, in ticks of the system.
pub fn processor_time_of_threads(gateway: &Gateway) -> Vec<(String, u64)> {
    let threads = format!("/proc/{}/task", gateway.process_id());
    let threads = fs::read_dir(threads).expect("the gateway runs");
    // A thread that has ended since then has nothing more to say.
    let times = threads.filter_map(|thread| {
        let path = thread.ok()?.path();
        Some((path.display().to_string(), ticks(&path.join("stat"))?))
    });
    times.collect()
}

/// Lets this test have as many files open as it may at all.
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

/// User and system time, which are the 14th and 15th field; nothing of what has ended.
fn ticks(file: &Path) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    // The second field is a name in parentheses, which may hold anything.
    let (_, fields) = text.rsplit_once(')').expect("a name");
    let fields: Vec<_> = fields.split_whitespace().collect();
    let tick = |index: usize| fields[index].parse::<u64>().expect("a number of ticks");
    Some(tick(11) + tick(12))
}
