//! Resources that a running gateway uses, from `/proc`.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

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

/// Returns the time for which threads of the gateway ran or waited for a processor, summed up.
pub fn demand(gateway: &Gateway) -> Duration {
    let threads = format!("/proc/{}/task", gateway.process_id());
    let threads = fs::read_dir(threads).expect("the gateway runs");
    // A thread may have ended since the directory was read.
    let times = threads.filter_map(|thread| {
        let text = fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
        let times = text.split(' ').take(2).map(str::parse::<u64>);
        times.sum::<Result<u64, _>>().ok()
    });
    Duration::from_nanos(times.sum())
}

/// Returns the sockets on which a process listens or, without connections, receives: its protocol and its
/// address, or the path of a Unix socket; sorted.
///
/// # Panics
///
/// Panics if the process does not run.
pub fn listening_sockets(process: u32) -> Vec<String> {
    let files = format!("/proc/{process}/fd");
    let links = fs::read_dir(files).expect("the process runs");
    // A file may have been closed since the directory was read.
    let own: Vec<_> = links
        .filter_map(|link| fs::read_link(link.ok()?.path()).ok())
        .filter_map(|target| {
            let target = target.to_str()?.strip_prefix("socket:[")?;
            Some(target.strip_suffix(']')?.to_owned())
        })
        .collect();
    let mut sockets = Vec::new();
    for protocol in ["tcp", "tcp6", "udp", "udp6", "unix"] {
        let table = fs::read_to_string(format!("/proc/{process}/net/{protocol}"));
        for row in table.expect("the system shows its sockets").lines().skip(1) {
            let columns: Vec<_> = row.split_whitespace().collect();
            let (inode, address) = match protocol {
                // The flag `__SO_ACCEPTCON` marks a socket that listens.
                "unix" if columns[3] != "00010000" => continue,
                "unix" => (
                    columns[6],
                    columns.get(7).copied().unwrap_or_default().to_owned(),
                ),
                // The state TCP_LISTEN.
                "tcp" | "tcp6" if columns[3] != "0A" => continue,
                _ => (columns[9], shown(columns[1])),
            };
            if own.iter().any(|own| own == inode) {
                sockets.push(format!("{protocol} {address}"));
            }
        }
    }
    sockets.sort();
    sockets
}

/// Makes an IPv4 address of the kernel's hexadecimal digits readable.
fn shown(address: &str) -> String {
    let Some((ip, port)) = address.split_once(':') else {
        return address.to_owned();
    };
    match (u32::from_str_radix(ip, 16), u16::from_str_radix(port, 16)) {
        // The kernel prints the address as a number in the byte order of the machine.
        (Ok(ip), Ok(port)) if address.len() == 13 => {
            let octets = ip.to_ne_bytes();
            format!("{}:{port}", std::net::Ipv4Addr::from(octets))
        }
        _ => address.to_owned(),
    }
}

/// Raises the limit of open files of the test process.
pub fn raise_own_limit_of_files() {
    limit_own_files(20_000);
}

/// Sets the soft limit of open files of the test process. With a limit of 1, it can open none.
pub fn limit_own_files(limit: usize) {
    set_limit(std::process::id(), &format!("--nofile={limit}:"));
}

/// Sets the soft limit of open files of the gateway. With a limit of 1, it can open none.
pub fn limit_files(gateway: &Gateway, limit: usize) {
    set_limit(gateway.process_id(), &format!("--nofile={limit}:"));
}

/// Lets the gateway have so many octets of memory for data beyond those that it has now.
pub fn limit_more_memory(gateway: &Gateway, octets: usize) {
    let limit = memory(gateway, "VmData:") + octets;
    set_limit(gateway.process_id(), &format!("--data={limit}:"));
}

fn set_limit(process: u32, limit: &str) {
    let status = Command::new("prlimit")
        .args(["--pid", &process.to_string(), limit])
        .status()
        .expect("prlimit is there");
    assert!(status.success(), "{limit} is not allowed here");
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
