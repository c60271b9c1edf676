use proptest::prelude::*;

use super::*;
use crate::header::block::tests::{any_block, any_edit, name, rendered, value};

fn revised(block: &HeaderBlock, edits: &[HeaderEdit]) -> HeaderBlock {
    let mut edited = block.clone();
    edited.take_over(block.revise(edits).finish());
    edited
}

/// What a reader of the block can see.
fn seen(block: &HeaderBlock) -> (Vec<u8>, usize, Vec<(String, Vec<u8>)>) {
    let fields = (0..block.len()).map(|index| {
        let field = block.field(index).unwrap();
        (field.name().to_owned(), field.value().to_vec())
    });
    let mut out = Vec::new();
    block.render(&mut out);
    (out, block.len(), fields.collect())
}

/// The number of steps that edits take.
fn steps(block: &HeaderBlock, edits: &[HeaderEdit]) -> usize {
    let mut revision = block.revise(edits);
    let mut steps = 1;
    while !revision.step() {
        steps += 1;
    }
    steps
}

#[test]
fn nothing_changes_before_it_is_taken_over() {
    let given = b"A: 1\r\nB: 2\r\n\r\n";
    let block = HeaderBlock::parse(given.to_vec());
    let edits = [HeaderEdit::RemoveAll(name("A"))];
    let mut revision = block.revise(&edits);
    while !revision.step() {}
    assert_eq!(rendered(&block).as_bytes(), given);
    assert_eq!(rendered(&revised(&block, &edits)), "B: 2\r\n\r\n");
}

/// Edits do not each go through the block.
#[test]
fn work_is_that_of_the_block_and_the_edits() {
    let lines = 20 * STEP;
    let block = HeaderBlock::parse(b"A:\r\n".repeat(lines));
    let edits: Vec<_> = (0..256)
        .map(|number| HeaderEdit::Remove {
            name: name("a"),
            index: lines / 257 * number,
        })
        .collect();
    assert!(steps(&block, &edits) <= 2 * (20 + 1) + edits.len() + 1);
    assert_eq!(revised(&block, &edits).len(), lines - 256);
    // Fields at the ends need no look at the others.
    let at_the_ends = [
        HeaderEdit::Prepend(name("X"), value("y")),
        HeaderEdit::Append(name("X"), value("y")),
    ];
    assert_eq!(steps(&block, &at_the_ends), at_the_ends.len() + 1);
}

proptest! {
    #[test]
    fn edits_together_are_edits_one_after_another(
        octets in any_block(),
        edits in prop::collection::vec(any_edit(), 0..24),
        more in prop::collection::vec(any_edit(), 0..24),
    ) {
        let (mut block, _) = HeaderBlock::split(octets);
        let mut one_by_one = block.clone();
        for edits in [&edits, &more] {
            edits.iter().for_each(|edit| one_by_one.apply(edit));
            block.take_over(block.revise(edits).finish());
            prop_assert_eq!(seen(&block), seen(&one_by_one));
        }
    }

    /// Blocks of many fields with few names, in which edits meet each other.
    #[test]
    fn edits_of_the_same_fields_meet(
        given in prop::collection::vec(prop::sample::select(vec!["A: 1\r\n", "b: 2\r\n", "x\r\n"]), 0..40),
        edits in prop::collection::vec(any_edit(), 0..64),
    ) {
        let mut block = HeaderBlock::parse(given.concat().into_bytes());
        let mut one_by_one = block.clone();
        edits.iter().for_each(|edit| one_by_one.apply(edit));
        block.take_over(block.revise(&edits).finish());
        prop_assert_eq!(seen(&block), seen(&one_by_one));
    }
}
