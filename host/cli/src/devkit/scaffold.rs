//! `postgate plugin new`: a plugin that builds and passes its test at once.

mod embedded;

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// A language that there is a template for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// C, with clang.
    C,
    /// JavaScript, with jco.
    JavaScript,
    /// Python, with componentize-py.
    Python,
    /// Rust, with cargo and the SDK.
    Rust,
}

impl Language {
    /// Every language.
    pub const ALL: [Self; 4] = [Self::Rust, Self::C, Self::Python, Self::JavaScript];

    /// The name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::C => "c",
            Self::JavaScript => "javascript",
            Self::Python => "python",
            Self::Rust => "rust",
        }
    }

    fn template(self) -> &'static [Embedded] {
        match self {
            Self::C => embedded::C,
            Self::JavaScript => embedded::JAVASCRIPT,
            Self::Python => embedded::PYTHON,
            Self::Rust => embedded::RUST,
        }
    }

    /// The contract to be read. Where the tools of a language read it too, the build puts it there in
    /// the way that they want it.
    const fn contract(self) -> &'static [Embedded] {
        match self {
            Self::C | Self::Rust => embedded::WIT,
            Self::JavaScript | Self::Python => &[],
        }
    }

    const fn sdk(self) -> &'static [Embedded] {
        match self {
            Self::Rust => embedded::SDK,
            Self::C | Self::JavaScript | Self::Python => &[],
        }
    }
}

/// A file of a template: its path in the new directory, and its text.
type Embedded = (&'static str, &'static str);

/// Why there is no new plugin.
#[derive(Debug, thiserror::Error)]
pub enum ScaffoldError {
    /// Something is there already.
    #[error("{}: is there already; choose another name, or remove it", .0.display())]
    Exists(PathBuf),
    /// A file cannot be written.
    #[error("{file}: {error}", file = file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The name would not do in every language, as a file, and as a package.
    #[error(
        "{0:?} cannot be the name of a plugin: write lower-case letters, digits and hyphens, a letter \
         first, such as \"greylist\" or \"no-spam\""
    )]
    Name(String),
}

/// Writes a new plugin into a directory that is not there yet, and gives the files in their order.
///
/// # Errors
///
/// Where the name will not do, the directory exists, or it cannot be written. What was written until
/// then stays.
pub fn new(
    name: &str,
    language: Language,
    directory: &Path,
) -> Result<Vec<PathBuf>, ScaffoldError> {
    if !is_name(name) {
        return Err(ScaffoldError::Name(name.to_owned()));
    }
    if directory.exists() {
        return Err(ScaffoldError::Exists(directory.to_owned()));
    }
    let mut files = Vec::new();
    let below = |place: &'static str, files: &'static [Embedded]| {
        files
            .iter()
            .map(move |(file, text)| (format!("{place}{file}"), *text))
    };
    let template = below("", language.template());
    let contract = below("wit/", language.contract());
    let sdk = below("vendor/postgate-plugin/src/", language.sdk());
    for (file, text) in template.chain(contract).chain(sdk) {
        let file = named(&file, name);
        let path = directory.join(&file);
        write(&path, &named(text, name)).map_err(|error| ScaffoldError::Io {
            file: path.clone(),
            error,
        })?;
        files.push(path);
    }
    Ok(files)
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    fs::write(path, text)?;
    // A script is to be run.
    match text.starts_with("#!") {
        true => fs::set_permissions(path, fs::Permissions::from_mode(0o755)),
        false => Ok(()),
    }
}

/// The text of a template, where `new-plugin` and `new_plugin` and `NewPlugin` stand for the name.
fn named(text: &str, name: &str) -> String {
    let camel: String = name.split('-').map(capitalised).collect();
    text.replace("new-plugin", name)
        .replace("new_plugin", &name.replace('-', "_"))
        .replace("NewPlugin", &camel)
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    match letters.next() {
        Some(first) => first.to_ascii_uppercase().to_string() + letters.as_str(),
        None => String::new(),
    }
}

fn is_name(name: &str) -> bool {
    let is_part = |part: &str| {
        let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        !part.is_empty() && part.bytes().all(is_inner)
    };
    name.len() <= 64
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.split('-').all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_good_and_bad() {
        for name in ["a", "greylist", "no-spam-2"] {
            assert!(is_name(name), "{name}");
        }
        for name in [
            "", "-a", "a-", "a--b", "2nd", "Grey", "a_b", "a/b", "é", "..",
        ] {
            assert!(!is_name(name), "{name}");
        }
    }

    #[test]
    fn a_name_takes_every_form() {
        assert_eq!(
            named("new-plugin new_plugin NewPlugin", "no-spam"),
            "no-spam no_spam NoSpam"
        );
    }

    #[test]
    fn nothing_is_overwritten() {
        let place = tempfile::tempdir().unwrap();
        let there = new("x", Language::Rust, place.path()).unwrap_err();
        assert!(matches!(there, ScaffoldError::Exists(_)), "{there}");
        let directory = place.path().join("x");
        for file in new("x", Language::Rust, &directory).unwrap() {
            assert!(file.is_file(), "{}", file.display());
        }
    }
}
