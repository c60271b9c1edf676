//! The crates of the repository and their source files.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The text of each source file of a crate, by its path below `src`.
pub type Files = BTreeMap<PathBuf, String>;

/// A crate of the repository.
#[derive(Debug)]
pub struct Crate {
    /// The directory of the manifest, relative to the root of the repository.
    pub directory: PathBuf,
    /// The source files.
    pub files: Files,
}

/// Returns the crates below `host`, the SDK and the crate of the tests.
///
/// # Panics
///
/// Panics if a directory or a file cannot be read.
pub fn crates(repository: &Path) -> Vec<Crate> {
    let mut directories = entries(&repository.join("host"));
    directories.extend(["plugins/sdk", "tests"].map(|path| repository.join(path)));
    directories.retain(|directory| directory.join("Cargo.toml").is_file());
    let read = |directory: PathBuf| {
        let source = directory.join("src");
        let mut files = Files::new();
        collect(&source, &source, &mut files);
        Crate {
            directory: below(repository, &directory),
            files,
        }
    };
    directories.into_iter().map(read).collect()
}

fn collect(source: &Path, directory: &Path, files: &mut Files) {
    for path in entries(directory) {
        if path.is_dir() {
            collect(source, &path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("a source file can be read");
            files.insert(below(source, &path), text);
        }
    }
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    let entries =
        fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mut paths: Vec<_> = entries
        .map(|entry| entry.expect("a directory entry").path())
        .collect();
    paths.sort();
    paths
}

fn below(directory: &Path, path: &Path) -> PathBuf {
    path.strip_prefix(directory)
        .expect("a path below the directory")
        .to_owned()
}
