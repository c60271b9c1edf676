//! The Markdown files of the repository and their fenced code blocks.

use std::fs;
use std::path::{Path, PathBuf};

use crate::gateway::repository;

/// A fenced code block of a document.
#[derive(Debug)]
pub struct Block {
    /// The document.
    pub file: PathBuf,
    /// The line of the opening fence, counted from 1.
    pub line: usize,
    /// The info string of the fence, such as `rust`.
    pub language: String,
    /// The text between the fences.
    pub text: String,
}

impl Block {
    /// Returns `FILE:LINE`, for error messages.
    pub fn place(&self) -> String {
        format!("{}:{}", self.file.display(), self.line)
    }
}

/// Returns the paths of all documents, sorted.
pub fn documents() -> Vec<PathBuf> {
    let root = repository();
    let mut files = Vec::new();
    for directory in [".", "docs", "examples", "plugins"] {
        collect(&root.join(directory), directory == ".", &mut files);
    }
    files.sort();
    files
}

fn collect(directory: &Path, only_here: bool, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(directory) else {
        return;
    };
    for path in entries.map(|entry| entry.expect("an entry").path()) {
        if path.is_dir() && !only_here {
            collect(&path, false, files);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            files.push(path);
        }
    }
}

/// Reads a document.
///
/// # Panics
///
/// Panics if the file cannot be read.
pub fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// Returns the blocks of all documents.
pub fn blocks() -> Vec<Block> {
    documents()
        .iter()
        .flat_map(|file| blocks_of(file))
        .collect()
}

/// Returns the blocks of a document in order.
pub fn blocks_of(file: &Path) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (index, line) in read(file).lines().enumerate() {
        match (line.strip_prefix("```"), open.as_mut()) {
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(language), None) => {
                open = Some(Block {
                    file: file.to_owned(),
                    line: index + 1,
                    language: language.to_owned(),
                    text: String::new(),
                });
            }
            (None, Some(block)) => block.text.push_str(&format!("{line}\n")),
            (None, None) => {}
        }
    }
    blocks
}
