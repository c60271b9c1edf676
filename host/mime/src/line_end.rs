//! How the lines end that divide a message into parts.

/// The end of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LineEnd {
    Cr,
    CrLf,
    Lf,
}

/// The ends of the lines that divide a message. Programs agree on them if all are CRLF, or all LF: to
/// some, the other one and a lone CR end no line.
#[derive(Debug)]
pub(super) struct LineEnds {
    /// The end of the last line.
    last: Option<LineEnd>,
    /// The part for which the end of the current line matters.
    part: Option<usize>,
    /// The end of the first line that matters, unless it is a lone CR.
    usual: Option<LineEnd>,
}

impl LineEnds {
    pub(super) const fn new() -> Self {
        Self {
            last: None,
            part: None,
            usual: None,
        }
    }

    /// Says that the end of the current line matters to this part.
    pub(super) const fn matter_to(&mut self, part: usize) {
        self.part = Some(part);
    }

    /// Says that the current line is a boundary in this part. Returns false if it does not begin a line
    /// to all programs.
    pub(super) fn divide(&mut self, part: usize) -> bool {
        self.part = Some(part);
        self.last.is_none_or(|end| self.is_usual(end))
    }

    /// Ends the current line. Returns the part for which that matters, if programs disagree on it.
    pub(super) fn add(&mut self, end: LineEnd) -> Option<usize> {
        self.last = Some(end);
        let part = self.part.take()?;
        (!self.is_usual(end)).then_some(part)
    }

    fn is_usual(&mut self, end: LineEnd) -> bool {
        end != LineEnd::Cr && *self.usual.get_or_insert(end) == end
    }
}
