//! Formats an error and its causes for a log line.

use std::error::Error;
use std::fmt;

/// Formats an error and its causes as `outer: inner: root`. Omits a cause whose text is already part of
/// the text of the error before it.
pub(crate) struct Chain<'a, E: ?Sized>(pub(crate) &'a E);

impl<E: Error + ?Sized> fmt::Display for Chain<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = self.0.to_string();
        f.write_str(&shown)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            let text = error.to_string();
            if !shown.contains(&text) {
                write!(f, ": {text}")?;
            }
            shown = text;
            cause = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use postgate_spool::SpoolError;

    use super::*;

    #[test]
    fn each_cause_is_formatted_once() {
        let full = io::Error::new(io::ErrorKind::StorageFull, "no space left on /tmp");
        let error = SpoolError::from(full);
        let shown = Chain(&error).to_string();
        assert_eq!(shown, "no room for the message: no space left on /tmp");
        let flat = io::Error::other("one");
        assert_eq!(Chain(&flat).to_string(), "one");
    }
}
