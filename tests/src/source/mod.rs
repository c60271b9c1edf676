//! The Rust source files of the crates in this repository: which file imports from which, circles
//! among them, and the lengths of functions.

mod circles;
mod edges;
mod files;
mod lengths;
mod references;
mod resolve;
mod tree;

pub use self::circles::{Circle, circles};
pub use self::edges::{Edges, edges};
pub use self::files::{Crate, Files, crates};
pub use self::lengths::{Function, functions};
pub use self::tree::Tree;
