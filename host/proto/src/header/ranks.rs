//! Which elements of a sequence count, and how many of them come before each.

/// The elements of a sequence, each of which counts or does not. Counting those before an element, finding
/// one by its number and leaving one out take a time that grows with the logarithm of the length.
#[derive(Debug, Default)]
pub(super) struct Ranks {
    /// A Fenwick tree. The node with the index `i - 1` has the number of elements that count among the last
    /// `2^z` of the first `i`, where `z` is the number of zeros at the end of `i` in binary.
    nodes: Vec<u32>,
    count: usize,
}

impl Ranks {
    /// Adds an element at the end.
    pub(super) fn push(&mut self, counts: bool) {
        let index = self.nodes.len() + 1;
        let mut node = u32::from(counts);
        let mut step = 1;
        while step < lowest_bit(index) {
            node += self.nodes[index - step - 1];
            step <<= 1;
        }
        self.nodes.push(node);
        self.count += usize::from(counts);
    }

    /// Leaves out an element that counts.
    pub(super) fn leave_out(&mut self, element: usize) {
        let mut index = element + 1;
        while index <= self.nodes.len() {
            self.nodes[index - 1] -= 1;
            index += lowest_bit(index);
        }
        self.count -= 1;
    }

    /// The number of elements that count.
    pub(super) const fn count(&self) -> usize {
        self.count
    }

    /// The number of elements that count before this one.
    pub(super) fn before(&self, element: usize) -> usize {
        let mut index = element;
        let mut count = 0;
        while index > 0 {
            count += self.nodes[index - 1] as usize;
            index -= lowest_bit(index);
        }
        count
    }

    /// The element that counts and has so many of them before it. Returns `None` if there is none.
    pub(super) fn find(&self, number: usize) -> Option<usize> {
        if number >= self.count {
            return None;
        }
        let mut left = number;
        let mut element = 0;
        let mut step = self.nodes.len().next_power_of_two();
        while step > 0 {
            if let Some(node) = self.nodes.get(element + step - 1)
                && *node as usize <= left
            {
                left -= *node as usize;
                element += step;
            }
            step >>= 1;
        }
        Some(element)
    }
}

const fn lowest_bit(index: usize) -> usize {
    index & index.wrapping_neg()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn ranks_are_those_of_a_list(
            mut counting in prop::collection::vec(any::<bool>(), 0..70),
            left_out in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
        ) {
            let mut ranks = Ranks::default();
            counting.iter().for_each(|counts| ranks.push(*counts));
            let check = |counting: &[bool], ranks: &Ranks| {
                let elements = (0..counting.len()).filter(|element| counting[*element]);
                let elements: Vec<_> = elements.collect();
                prop_assert_eq!(ranks.count(), elements.len());
                for (number, element) in elements.iter().enumerate() {
                    prop_assert_eq!(ranks.find(number), Some(*element));
                }
                prop_assert_eq!(ranks.find(elements.len()), None);
                for element in 0..=counting.len() {
                    let before = elements.iter().filter(|other| **other < element);
                    prop_assert_eq!(ranks.before(element), before.count());
                }
                Ok(())
            };
            check(&counting, &ranks)?;
            for index in left_out {
                if ranks.count() > 0 {
                    let element = ranks.find(index.index(ranks.count())).unwrap();
                    ranks.leave_out(element);
                    counting[element] = false;
                    check(&counting, &ranks)?;
                }
            }
        }
    }
}
