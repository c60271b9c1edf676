//! Several edits of a header block, applied together.

mod named;

use std::collections::{HashMap, VecDeque};

use self::named::{Named, Names};
use crate::header::block::HeaderBlock;
use crate::header::edit::HeaderEdit;
use crate::header::field::{HeaderName, HeaderValue, write_field};
use crate::header::line::Line;
use crate::header::ranks::Ranks;

/// Edits of a header block that are worked out together. The result is that of the edits one after another,
/// but the work grows with the number of lines plus that of edits, and not with their product.
///
/// The block is not changed before [`HeaderBlock::take_over`]. Until then the work can be given up at any
/// step.
#[derive(Debug)]
pub struct Revision<'a> {
    block: &'a HeaderBlock,
    edits: Vec<&'a HeaderEdit>,
    stage: Stage,
    /// The names that edits look for.
    names: Names<'a>,
    /// Which lines of the block are fields that no edit has removed.
    fields: Ranks,
    /// The lines of the block that an edit has removed.
    is_removed: Vec<bool>,
    /// The lines of the block whose value an edit has replaced.
    replaced: HashMap<usize, Line>,
    /// The new fields, in their order.
    added: Vec<Added>,
    /// What follows the buffer of the block: the fields that edits have written.
    written: Vec<u8>,
    lines: VecDeque<Line>,
}

/// The lines of a header block after its edits, for [`HeaderBlock::take_over`].
#[derive(Debug)]
pub struct Revised {
    /// The size of the buffer of the block that was revised.
    given: usize,
    written: Vec<u8>,
    lines: Lines,
}

/// The lines of an edited block.
#[derive(Debug)]
enum Lines {
    /// Those of the block, between others from the top.
    Around(Vec<Line>, Vec<Line>),
    /// These.
    New(VecDeque<Line>),
}

/// What is done at the next step.
#[derive(Clone, Copy, Debug)]
enum Stage {
    /// Look at the lines of the block from this one on.
    Index(usize),
    /// Apply this edit.
    Edit(usize),
    /// Collect the lines of the result, from this line of the block and this new field on.
    Collect(usize, usize),
    /// Nothing.
    Done,
}

/// A new field.
#[derive(Debug)]
struct Added {
    /// The line of the block before which it is.
    place: usize,
    line: Line,
    /// The name, if edits look for it.
    name: Option<usize>,
}

/// A field that an edit looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    /// The new field with this index.
    Added(usize),
    /// A line of the block.
    Given(usize),
}

impl HeaderBlock {
    /// Begins to apply edits together.
    pub fn revise<'a>(&'a self, edits: impl IntoIterator<Item = &'a HeaderEdit>) -> Revision<'a> {
        let edits: Vec<_> = edits.into_iter().collect();
        let has_to_search = |edit: &&HeaderEdit| {
            let is_at_an_end = matches!(
                edit,
                HeaderEdit::Prepend(..)
                    | HeaderEdit::Append(..)
                    | HeaderEdit::Insert { index: 0, .. }
            );
            !is_at_an_end
        };
        let stage = match edits.iter().any(has_to_search) {
            true => Stage::Index(0),
            false => Stage::Edit(0),
        };
        Revision {
            block: self,
            names: Names::of(&edits, &self.hasher),
            edits,
            stage,
            fields: Ranks::default(),
            is_removed: Vec::new(),
            replaced: HashMap::new(),
            added: Vec::new(),
            written: Vec::new(),
            lines: VecDeque::new(),
        }
    }

    /// Takes the result of edits of this block over.
    pub fn take_over(&mut self, revised: Revised) {
        // A revision borrows the block, and only its caller could have changed it since.
        debug_assert_eq!(revised.given, self.buffer.len(), "the block has changed");
        self.buffer.extend_from_slice(&revised.written);
        match revised.lines {
            Lines::Around(before, after) => {
                self.fields += before.len() + after.len();
                before
                    .into_iter()
                    .rev()
                    .for_each(|line| self.lines.push_front(line));
                self.lines.extend(after);
            }
            Lines::New(lines) => {
                self.fields = lines.iter().filter(|line| line.is_field()).count();
                self.lines = lines;
            }
        }
        self.forget();
    }
}

impl Revision<'_> {
    /// Does a part of the work, which is bounded but for the work of a single edit. Returns true once
    /// everything is done.
    pub fn step(&mut self) -> bool {
        match self.stage {
            Stage::Index(line) => self.index(line),
            Stage::Edit(edit) => match self.edits.get(edit) {
                Some(edit_now) => {
                    self.apply(edit_now);
                    self.stage = Stage::Edit(edit + 1);
                }
                None if self.is_around() => self.stage = Stage::Done,
                None => self.stage = Stage::Collect(0, 0),
            },
            Stage::Collect(line, added) => self.collect(line, added),
            Stage::Done => return true,
        }
        matches!(self.stage, Stage::Done)
    }

    /// Does the rest of the work, and returns the result.
    pub fn finish(mut self) -> Revised {
        while !self.step() {}
        let lines = match self.is_around() {
            true => {
                let first_after = self.added.partition_point(|added| added.place == 0);
                let after = self.added.split_off(first_after);
                let lines = |added: Vec<Added>| added.into_iter().map(|added| added.line);
                Lines::Around(lines(self.added).collect(), lines(after).collect())
            }
            false => Lines::New(self.lines),
        };
        Revised {
            given: self.block.buffer.len(),
            written: self.written,
            lines,
        }
    }

    /// True if the lines of the block are unchanged and next to each other. An empty block has no lines
    /// that others could be around.
    fn is_around(&self) -> bool {
        let end = self.block.lines.len();
        let is_at_an_end = |added: &Added| added.place == 0 || added.place == end;
        self.replaced.is_empty()
            && !self.is_removed.contains(&true)
            && self.added.iter().all(is_at_an_end)
    }

    /// Looks at some lines of the block.
    fn index(&mut self, from: usize) {
        let end = self.block.lines.len().min(from + STEP);
        for (offset, line) in self.block.lines.range(from..end).enumerate() {
            self.fields.push(line.is_field());
            self.is_removed.push(false);
            self.names.add(from + offset, line, &self.block.buffer);
        }
        self.stage = match end == self.block.lines.len() {
            true => Stage::Edit(0),
            false => Stage::Index(end),
        };
    }

    /// Collects some lines of the result.
    fn collect(&mut self, from: usize, mut next: usize) {
        let all = self.block.lines.len();
        let end = all.min(from + STEP);
        for line in from..=end {
            while let Some(added) = self.added.get(next).filter(|added| added.place == line) {
                self.lines.push_back(added.line.clone());
                next += 1;
            }
            if line < end && !self.is_removed[line] {
                let replaced = self.replaced.get(&line);
                let line = replaced.unwrap_or(&self.block.lines[line]);
                self.lines.push_back(line.clone());
            }
        }
        self.stage = match end == all {
            true => Stage::Done,
            false => Stage::Collect(end, next),
        };
    }

    fn apply(&mut self, edit: &HeaderEdit) {
        match edit {
            HeaderEdit::Prepend(name, value) => self.add(0, 0, name, value),
            HeaderEdit::Append(name, value) => self.append(name, value),
            HeaderEdit::Insert { index, name, value } => {
                let (place, position) = self.before(*index);
                self.add(place, position, name, value);
            }
            HeaderEdit::Replace { name, index, value } => {
                if let Some(found) = self.find(name, *index) {
                    self.replace(found, value);
                }
            }
            HeaderEdit::Set(name, value) => match self.find(name, 0) {
                None => self.append(name, value),
                Some(found) => {
                    self.replace(found, value);
                    self.remove_all_but(Some(found), name);
                }
            },
            HeaderEdit::Remove { name, index } => match self.find(name, *index) {
                None => {}
                Some(Found::Added(position)) => _ = self.added.remove(position),
                Some(Found::Given(line)) => {
                    self.remove(line);
                    if let Some(named) = self.names.get_mut(name) {
                        named.leave_out(line);
                    }
                }
            },
            HeaderEdit::RemoveAll(name) => self.remove_all_but(None, name),
        }
    }

    fn append(&mut self, name: &HeaderName, value: &HeaderValue) {
        self.add(self.block.lines.len(), self.added.len(), name, value);
    }

    fn add(&mut self, place: usize, position: usize, name: &HeaderName, value: &HeaderValue) {
        let line = self.write(name.as_str().as_bytes(), value);
        let name = self.names.index_of(name);
        self.added.insert(position, Added { place, line, name });
    }

    /// Replaces the value of a field. Its name stays as it is written.
    fn replace(&mut self, found: Found, value: &HeaderValue) {
        let name = match found {
            Found::Added(position) => {
                let range = &self.added[position].line.range;
                let base = self.block.buffer.len();
                let written = &self.written[range.start - base..range.end - base];
                written.split(|octet| *octet == b':').next()
            }
            Found::Given(line) => {
                let field = self.block.lines[line].field(&self.block.buffer);
                field.map(|field| field.name)
            }
        };
        let name = name.unwrap_or_default().to_vec();
        let line = self.write(&name, value);
        match found {
            Found::Added(position) => self.added[position].line = line,
            Found::Given(given) => _ = self.replaced.insert(given, line),
        }
    }

    /// Removes a field of the block that is there.
    fn remove(&mut self, line: usize) {
        self.is_removed[line] = true;
        self.fields.leave_out(line);
    }

    fn remove_all_but(&mut self, kept: Option<Found>, name: &HeaderName) {
        let Some(index) = self.names.index_of(name) else {
            return;
        };
        let kept_line = match kept {
            Some(Found::Given(line)) => Some(line),
            Some(Found::Added(_)) | None => None,
        };
        for line in self.names[index].leave_only(kept_line) {
            self.remove(line);
        }
        let mut position = 0;
        self.added.retain(|added| {
            let stays = added.name != Some(index) || kept == Some(Found::Added(position));
            position += 1;
            stays
        });
    }

    /// The line of the block, and the index among the new fields, of a field that is to be before the one
    /// with this index.
    fn before(&self, field: usize) -> (usize, usize) {
        if field == 0 {
            return (0, 0);
        }
        for (position, added) in self.added.iter().enumerate() {
            let fields = self.fields.before(added.place) + position;
            if field == fields {
                return (added.place, position);
            }
            if field < fields {
                let line = self.fields.find(field - position);
                return (line.unwrap_or(added.place), position);
            }
        }
        let end = self.added.len();
        let line = self.fields.find(field - end);
        (line.unwrap_or(self.block.lines.len()), end)
    }

    /// The field with this name and this index among those that have it.
    fn find(&self, name: &HeaderName, index: usize) -> Option<Found> {
        let name = self.names.index_of(name)?;
        let named: &Named<'_> = &self.names[name];
        let mut seen = 0;
        for (position, added) in self.added.iter().enumerate() {
            if added.name != Some(name) {
                continue;
            }
            let fields = named.before(added.place) + seen;
            if index == fields {
                return Some(Found::Added(position));
            }
            if index < fields {
                break;
            }
            seen += 1;
        }
        named.find(index - seen).map(Found::Given)
    }

    /// Writes a field, and returns its line.
    fn write(&mut self, name: &[u8], value: &HeaderValue) -> Line {
        let start = self.written.len();
        write_field(name, value, &mut self.written);
        let line = Line::of_field(&self.written, start..self.written.len(), &self.block.hasher);
        line.moved_by(self.block.buffer.len())
    }
}

/// The number of lines in one step.
const STEP: usize = 4_096;

#[cfg(test)]
mod tests;
