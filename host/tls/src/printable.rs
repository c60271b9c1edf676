//! Texts from certificates, for the log.

/// Limits a text from a certificate, and replaces its control characters, which could begin a new
/// line in the log.
pub(crate) fn printable(text: &str) -> String {
    let shown = |c: char| if c.is_control() { '?' } else { c };
    text.chars().take(MAX_TEXT).map(shown).collect()
}

/// The most characters of a name that are kept.
const MAX_TEXT: usize = 1024;
