//! A file.

/// A file.
#[derive(Clone, Debug)]
pub struct File {
    /// The name.
    pub name: String,
    /// The octets.
    pub content: Vec<u8>,
}

impl File {
    /// A file.
    pub fn new(name: &str, content: impl Into<Vec<u8>>) -> Self {
        Self {
            name: name.into(),
            content: content.into(),
        }
    }
}
