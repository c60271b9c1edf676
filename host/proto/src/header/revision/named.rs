//! The fields of the names that edits look for.

use std::hash::RandomState;
use std::ops::{Index, IndexMut};

use crate::header::edit::HeaderEdit;
use crate::header::field::HeaderName;
use crate::header::line::{Line, Tagged};
use crate::header::ranks::Ranks;

/// The names that edits look for, each once in whatever letter case.
#[derive(Debug)]
pub(super) struct Names<'a> {
    /// Sorted by their tags.
    names: Vec<Named<'a>>,
    /// For each possible end of a tag, true if a name has it. Most lines of a block are passed over by it.
    has_tag: [bool; 256],
}

/// A name, and the lines of the block that have it.
#[derive(Debug)]
pub(super) struct Named<'a> {
    name: &'a HeaderName,
    tagged: Tagged<'a>,
    /// The lines, from the top, also those that were removed.
    lines: Vec<usize>,
    /// Which of these lines were not removed.
    left: Ranks,
}

impl<'a> Names<'a> {
    pub(super) fn of(edits: &[&'a HeaderEdit], hasher: &RandomState) -> Self {
        let wanted = edits.iter().filter_map(|edit| match edit {
            HeaderEdit::Append(..) | HeaderEdit::Insert { .. } | HeaderEdit::Prepend(..) => None,
            HeaderEdit::Remove { name, .. }
            | HeaderEdit::RemoveAll(name)
            | HeaderEdit::Replace { name, .. }
            | HeaderEdit::Set(name, _) => Some(name),
        });
        let mut names: Vec<_> = wanted.map(|name| Named::new(name, hasher)).collect();
        // The order of names with the same tag decides which of them are next to each other.
        names.sort_by_cached_key(|named| (named.tagged.tag(), lower(named.name)));
        names.dedup_by(|one, other| one.is_same(other.name));
        let mut has_tag = [false; 256];
        for named in &names {
            has_tag[end_of(named.tagged.tag())] = true;
        }
        Self { names, has_tag }
    }

    /// Adds a line of the block, which follows those that were added before.
    pub(super) fn add(&mut self, index: usize, line: &Line, buffer: &[u8]) {
        if !self.has_tag[end_of(line.tag())] {
            return;
        }
        let first = self
            .names
            .partition_point(|named| named.tagged.tag() < line.tag());
        let candidates = self.names[first..].iter_mut();
        let mut candidates = candidates.take_while(|named| named.tagged.tag() == line.tag());
        if let Some(named) = candidates.find(|named| line.is_named(buffer, named.tagged)) {
            named.lines.push(index);
            named.left.push(true);
        }
    }

    /// The index of a name. Returns `None` if no edit looks for it.
    pub(super) fn index_of(&self, name: &HeaderName) -> Option<usize> {
        self.names.iter().position(|named| named.is_same(name))
    }

    pub(super) fn get_mut(&mut self, name: &HeaderName) -> Option<&mut Named<'a>> {
        let index = self.index_of(name)?;
        self.names.get_mut(index)
    }
}

impl<'a> Index<usize> for Names<'a> {
    type Output = Named<'a>;

    fn index(&self, name: usize) -> &Named<'a> {
        &self.names[name]
    }
}

impl IndexMut<usize> for Names<'_> {
    fn index_mut(&mut self, name: usize) -> &mut Self::Output {
        &mut self.names[name]
    }
}

impl<'a> Named<'a> {
    fn new(name: &'a HeaderName, hasher: &RandomState) -> Self {
        Self {
            name,
            tagged: Tagged::new(name.as_str().as_bytes(), hasher),
            lines: Vec::new(),
            left: Ranks::default(),
        }
    }

    fn is_same(&self, name: &HeaderName) -> bool {
        self.name.as_str().eq_ignore_ascii_case(name.as_str())
    }

    /// The number of lines with this name before a line of the block.
    pub(super) fn before(&self, line: usize) -> usize {
        let lines = self.lines.partition_point(|named| *named < line);
        self.left.before(lines)
    }

    /// The line with this index among those with this name.
    pub(super) fn find(&self, index: usize) -> Option<usize> {
        Some(self.lines[self.left.find(index)?])
    }

    /// Leaves out a line that is there.
    pub(super) fn leave_out(&mut self, line: usize) {
        if let Ok(index) = self.lines.binary_search(&line) {
            self.left.leave_out(index);
        }
    }

    /// Leaves out all lines but one, and returns those that were there.
    pub(super) fn leave_only(&mut self, kept: Option<usize>) -> Vec<usize> {
        let left = (0..self.left.count()).filter_map(|index| self.find(index));
        let removed = left.filter(|line| Some(*line) != kept).collect();
        self.lines = kept.into_iter().collect();
        self.left = Ranks::default();
        self.lines.iter().for_each(|_| self.left.push(true));
        removed
    }
}

fn lower(name: &HeaderName) -> String {
    name.as_str().to_ascii_lowercase()
}

/// The lowest octet of a tag.
const fn end_of(tag: u32) -> usize {
    (tag & 0xFF) as usize
}
