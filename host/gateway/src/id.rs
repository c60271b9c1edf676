//! Identifiers of sessions and transactions, and the clock beside them.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// A new identifier, of digits and lower-case letters. It differs from all others of this gateway, also
/// over restarts: the count begins with the microseconds of the clock, and no gateway takes a million
/// sessions a second.
pub fn next() -> String {
    static COUNT: LazyLock<AtomicU64> = LazyLock::new(|| {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        AtomicU64::new(u64::try_from(since.as_micros()).unwrap_or_default())
    });
    spelled(COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Seconds since 1970-01-01 UTC.
pub fn now() -> u32 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u32::try_from(since.as_secs()).unwrap_or(u32::MAX)
}

/// Digits and letters that nobody takes for one another.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

fn spelled(mut number: u64) -> String {
    let mut letters = Vec::new();
    while number > 0 || letters.is_empty() {
        letters.push(char::from(ALPHABET[(number % 32) as usize]));
        number /= 32;
    }
    letters.into_iter().rev().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_differ() {
        assert_ne!(next(), next());
        assert_eq!(spelled(0), "0");
        assert_eq!(spelled(33), "11");
    }
}
