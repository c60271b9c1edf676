//! The header block with the edits of the rules so far.

use postgate_plugin::{HeadersAnswer, message};

use crate::config::{Field, Match};
use crate::visible::Readings;

/// A header block, and the edits that have led to it from the received one.
pub(crate) struct Block {
    /// Names, and the readings of the values.
    fields: Vec<(String, Readings)>,
    answer: HeadersAnswer,
}

impl Block {
    /// The block of the current message.
    pub(crate) fn of_message() -> Self {
        let fields = message::headers().map(|field| (field.name, Readings::of(&field.value)));
        Self {
            fields: fields.collect(),
            answer: HeadersAnswer::next(),
        }
    }

    /// The edits.
    pub(crate) fn into_answer(self) -> HeadersAnswer {
        self.answer
    }

    /// The positions of the matching fields among the fields with this name; `None` if the rule
    /// does not apply at all.
    pub(crate) fn matching(&self, name: &str, when: &Match) -> Option<Vec<u32>> {
        let named = self
            .fields
            .iter()
            .filter(|(field, _)| field.eq_ignore_ascii_case(name));
        let values = (0_u32..).zip(named.map(|(_, readings)| readings));
        let positions: Vec<u32> = values
            .filter(|(_, readings)| when.matches(readings))
            .map(|(position, _)| position)
            .collect();
        let applies = match when {
            Match::Absent => positions.is_empty(),
            Match::AtLeast(count) => positions.len() >= *count as usize,
            _ => !positions.is_empty(),
        };
        applies.then_some(positions)
    }

    /// Adds a field above all others.
    pub(crate) fn prepend(&mut self, field: &Field) {
        self.fields
            .insert(0, (field.name.0.clone(), Readings::of_text(&field.value)));
        self.edit(|answer| answer.prepend_header(&field.name.0, &field.value));
    }

    /// Adds a field below all others.
    pub(crate) fn append(&mut self, field: &Field) {
        self.fields
            .push((field.name.0.clone(), Readings::of_text(&field.value)));
        self.edit(|answer| answer.append_header(&field.name.0, &field.value));
    }

    /// Replaces the values of the fields with this name at these positions.
    pub(crate) fn replace(&mut self, name: &str, positions: &[u32], value: &str) {
        for &position in positions {
            if let Some(index) = self.index(name, position) {
                self.fields[index].1 = Readings::of_text(value);
            }
            self.edit(|answer| answer.replace_header(name, position, value));
        }
    }

    /// Removes the fields with this name at these positions.
    pub(crate) fn remove(&mut self, name: &str, positions: &[u32]) {
        // From the last one up, so that the positions of the others stay valid.
        for &position in positions.iter().rev() {
            if let Some(index) = self.index(name, position) {
                self.fields.remove(index);
            }
            self.edit(|answer| answer.remove_header(name, position));
        }
    }

    /// Tags the session.
    pub(crate) fn tag(&mut self, name: &str, value: &str) {
        self.edit(|answer| answer.tag(name, value));
    }

    fn edit(&mut self, edit: impl FnOnce(HeadersAnswer) -> HeadersAnswer) {
        let answer = std::mem::replace(&mut self.answer, HeadersAnswer::next());
        self.answer = edit(answer);
    }

    fn index(&self, name: &str, position: u32) -> Option<usize> {
        let fields = self.fields.iter().enumerate();
        let mut named = fields.filter(|(_, (field, _))| field.eq_ignore_ascii_case(name));
        named.nth(position as usize).map(|(index, _)| index)
    }
}
