//! An error with its causes, as one line of the log.

use std::error::Error;
use std::fmt;

/// Shows an error and the causes that its own text does not contain already: `outer: inner: root`.
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
    fn each_cause_is_shown_once() {
        let full = io::Error::new(io::ErrorKind::StorageFull, "no space left on /tmp");
        let error = SpoolError::from(full);
        let shown = Chain(&error).to_string();
        assert_eq!(shown, "no room for the message: no space left on /tmp");
        let flat = io::Error::other("one");
        assert_eq!(Chain(&flat).to_string(), "one");
    }
}
