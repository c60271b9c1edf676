//! Identifiers of sessions and transactions.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Returns a new identifier of digits and lower-case letters. Identifiers are unique for a gateway,
/// also across restarts: the counter starts with the microseconds of the clock, and no gateway serves
/// a million sessions a second.
pub fn next() -> String {
    static COUNTER: LazyLock<AtomicU64> = LazyLock::new(|| {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        AtomicU64::new(u64::try_from(since.as_micros()).unwrap_or_default())
    });
    base32(COUNTER.fetch_add(1, Ordering::Relaxed))
}

/// Crockford's base 32 in lower case, without the letters that look like digits.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

fn base32(mut number: u64) -> String {
    let mut digits = Vec::new();
    while number > 0 || digits.is_empty() {
        digits.push(char::from(ALPHABET[(number % 32) as usize]));
        number /= 32;
    }
    digits.into_iter().rev().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_unique_and_in_base_32() {
        assert_ne!(next(), next());
        assert_eq!(base32(0), "0");
        assert_eq!(base32(33), "11");
    }
}
