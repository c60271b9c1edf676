//! Which servers a dialog is for.

/// The servers for which a dialog is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The protocol core only, because the dialog scripts answers that no plugin can give.
    Core,
    /// The protocol core and the program.
    Everywhere,
    /// The program only, because the dialog depends on more than the protocol core.
    Wire,
}
