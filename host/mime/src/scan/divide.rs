//! The lines that divide a message into parts, and those that do for some programs.

use super::{NextLine, Scanner, State};
use crate::boundary::{boundary, divides_otherwise, resembles};
use crate::line_end::LineEnd;

impl Scanner {
    /// Begins or ends parts if the line is a boundary. `text` may be cut; `length` is that of the whole
    /// line.
    pub(super) fn take_boundary(&mut self, text: &[u8], length: u64) -> bool {
        if let Some(part) = divides_otherwise(&self.open, &self.closed, text) {
            self.doubt(part);
        }
        let Some((index, is_last)) = boundary(&self.open, text) else {
            if let Some(part) = resembles(&self.open, &self.closed, text) {
                self.doubt(part);
            }
            return false;
        };
        let parent = self.open[index].part;
        let is_divided = self.line_ends.divide(parent);
        if !is_divided || text.len() as u64 != length {
            self.doubt(parent);
        }
        if let State::Head(head) = &self.state
            && !head.is_empty()
            && self
                .parent_of_last()
                .is_some_and(|parent| parent.kind.is_multipart())
        {
            self.doubt(self.scan.parts.len() - 1);
        }
        if self.begins_head_in(parent) {
            // Boundaries in a row are one, because a part has at least a blank line.
            self.next_line = NextLine::Head;
            return true;
        }
        let before = self.text_end;
        self.end_last(self.start, before);
        match is_last {
            true => {
                self.close(index, before);
                self.state = State::Outside;
            }
            false => {
                self.close(index + 1, before);
                self.closed.clear();
                self.begin_part(Some(parent));
            }
        }
        true
    }

    /// True if a part of this parent begins with the current line.
    fn begins_head_in(&self, parent: usize) -> bool {
        let part = self.scan.parts.last();
        let is_in_head = matches!(self.state, State::Head(_));
        is_in_head
            && part.is_some_and(|part| part.parent == parent && part.head.start == self.start)
    }

    /// Ends a line in this way.
    pub(super) fn end_line(&mut self, end: LineEnd) {
        if let Some(part) = self.line_ends.add(end) {
            self.doubt(part);
        }
    }

    /// Notes that programs may find other parts in this one.
    pub(super) fn doubt(&mut self, part: usize) {
        self.scan.parts[part].is_ambiguous = true;
    }
}
