//! Creates plugins from templates.

mod embedded;

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use self::embedded::Embedded;

/// A language with a template.
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
    /// All languages.
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

    /// The contract, for authors to read. For the other languages, the build script of the plugin writes
    /// it with `postgate plugin bindings`.
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

    /// The crate that the SDK compares addresses with.
    const fn address(self) -> &'static [Embedded] {
        match self {
            Self::Rust => embedded::ADDRESS,
            Self::C | Self::JavaScript | Self::Python => &[],
        }
    }
}

/// Why a plugin cannot be created.
#[derive(Debug, thiserror::Error)]
pub enum ScaffoldError {
    /// The directory exists already.
    #[error("{}: is there already; choose another name, or remove it", .0.display())]
    Exists(PathBuf),
    /// A file cannot be written.
    #[error("{file}: {error}", file = file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// The error of the system.
        #[source]
        error: io::Error,
    },
    /// The name is not valid as an identifier, a file name and a package name in all languages.
    #[error(
        "{0:?} cannot be the name of a plugin: write lower-case letters, digits and hyphens, a letter \
         first, such as \"greylist\" or \"no-spam\""
    )]
    Name(String),
}

/// Writes a new plugin into a new directory. Returns the paths of its files.
///
/// # Errors
///
/// Fails if the name is invalid, the directory exists, or a file cannot be written. Does not remove the
/// files before the error.
pub fn new(
    name: &str,
    language: Language,
    directory: &Path,
) -> Result<Vec<PathBuf>, ScaffoldError> {
    if !is_valid_name(name) {
        return Err(ScaffoldError::Name(name.to_owned()));
    }
    if directory.exists() {
        return Err(ScaffoldError::Exists(directory.to_owned()));
    }
    let mut files = Vec::new();
    let prefixed = |prefix: &'static str, files: &'static [Embedded]| {
        files
            .iter()
            .map(move |(file, text)| (format!("{prefix}{file}"), *text))
    };
    let template = prefixed("", language.template());
    let contract = prefixed("wit/", language.contract());
    let sdk = prefixed("vendor/postgate-plugin/src/", language.sdk());
    let address = prefixed("vendor/postgate-address/src/", language.address());
    for (file, text) in template.chain(contract).chain(sdk).chain(address) {
        let file = with_name(&file, name);
        let path = directory.join(&file);
        write(&path, &with_name(text, name)).map_err(|error| ScaffoldError::Io {
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
    // Scripts must be executable.
    match text.starts_with("#!") {
        true => fs::set_permissions(path, fs::Permissions::from_mode(0o755)),
        false => Ok(()),
    }
}

/// Replaces the placeholders `new-plugin`, `new_plugin` and `NewPlugin` of a template with the name.
fn with_name(text: &str, name: &str) -> String {
    let camel_case: String = name.split('-').map(capitalized).collect();
    text.replace("new-plugin", name)
        .replace("new_plugin", &name.replace('-', "_"))
        .replace("NewPlugin", &camel_case)
}

fn capitalized(word: &str) -> String {
    let mut letters = word.chars();
    match letters.next() {
        Some(first) => first.to_ascii_uppercase().to_string() + letters.as_str(),
        None => String::new(),
    }
}

fn is_valid_name(name: &str) -> bool {
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
    fn names_are_validated() {
        for name in ["a", "greylist", "no-spam-2"] {
            assert!(is_valid_name(name), "{name}");
        }
        for name in [
            "", "-a", "a-", "a--b", "2nd", "Grey", "a_b", "a/b", "é", "..",
        ] {
            assert!(!is_valid_name(name), "{name}");
        }
    }

    #[test]
    fn placeholders_are_replaced_in_each_case_style() {
        assert_eq!(
            with_name("new-plugin new_plugin NewPlugin", "no-spam"),
            "no-spam no_spam NoSpam"
        );
    }

    #[test]
    fn an_existing_directory_is_not_changed() {
        let parent = tempfile::tempdir().unwrap();
        let error = new("x", Language::Rust, parent.path()).unwrap_err();
        assert!(matches!(error, ScaffoldError::Exists(_)), "{error}");
        let directory = parent.path().join("x");
        for file in new("x", Language::Rust, &directory).unwrap() {
            assert!(file.is_file(), "{}", file.display());
        }
    }
}
