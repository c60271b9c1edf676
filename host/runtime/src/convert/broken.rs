//! What is wrong with an answer.

/// An answer breaks this rule of the contract.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Broken(pub(crate) String);
