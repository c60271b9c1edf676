//! The names of plugin files.

use std::path::Path;

/// Returns the name of the plugin in a file: the name of the file without its extension.
pub(crate) fn plugin_name(file: &Path) -> String {
    let stem = file.file_stem().unwrap_or_default();
    stem.to_string_lossy().into_owned()
}

/// True if a file has this extension and is not hidden. Editors and copying programs hide files that
/// are not yet complete.
pub(crate) fn is_visible(file: &Path, extension: &str) -> bool {
    let name = file.file_name().unwrap_or_default();
    !name.as_encoded_bytes().starts_with(b".")
        && file.extension().is_some_and(|found| found == extension)
}
