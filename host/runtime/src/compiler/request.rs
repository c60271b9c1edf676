//! What the gateway hands over to a child before the file: the limits.
//!
//! A request is [`MAGIC`], and the limits of memory in octets, of processor time in seconds, and of
//! elapsed time in milliseconds, each in eight octets, most significant first. The file follows.

use std::time::Duration;

use super::settings::CompilerLimits;

/// The first octets of a request. They change with the format.
const MAGIC: &[u8; 8] = b"PGFILE\0\x01";

/// The length of a request in octets, without the file.
pub(super) const LENGTH: usize = MAGIC.len() + 3 * size_of::<u64>();

/// Returns the octets of a request.
pub(super) fn request(limits: &CompilerLimits) -> [u8; LENGTH] {
    let milliseconds = u64::try_from(limits.elapsed.as_millis()).unwrap_or(u64::MAX);
    let numbers = [limits.memory, limits.cpu.as_secs(), milliseconds].map(u64::to_be_bytes);
    let mut octets = [0; LENGTH];
    let (magic, rest) = octets.split_at_mut(MAGIC.len());
    magic.copy_from_slice(MAGIC);
    rest.copy_from_slice(numbers.as_flattened());
    octets
}

/// Reads a request. Returns `None` if the octets are something else.
pub(super) fn parse(octets: &[u8; LENGTH]) -> Option<CompilerLimits> {
    let (numbers, _) = octets.strip_prefix(MAGIC)?.as_chunks();
    let &[memory, seconds, milliseconds] = numbers else {
        return None;
    };
    Some(CompilerLimits {
        memory: u64::from_be_bytes(memory),
        cpu: Duration::from_secs(u64::from_be_bytes(seconds)),
        elapsed: Duration::from_millis(u64::from_be_bytes(milliseconds)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_as_it_was_written() {
        let limits = CompilerLimits {
            memory: 1 << 31,
            cpu: Duration::from_secs(7),
            elapsed: Duration::from_millis(1_500),
        };
        let mut octets = request(&limits);
        assert_eq!(parse(&octets), Some(limits));
        octets[0] ^= 1;
        assert_eq!(parse(&octets), None);
    }
}
