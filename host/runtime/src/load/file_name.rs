//! The names of plugin files.

use std::path::Path;

use super::error::LoadError;
use crate::printable::printable_path;

/// Returns the name of the plugin in a file: the name of the file without its extension. In the name of a
/// file that is refused for its name, what cannot be shown is escaped.
pub(crate) fn plugin_name(file: &Path) -> String {
    let stem = file.file_stem().unwrap_or_default();
    printable_path(Path::new(stem)).to_string()
}

/// Checks that the name of a plugin is its name wherever it is shown, and that of no other plugin.
///
/// # Errors
///
/// Fails if the name is not UTF-8, or contains control characters or others that nobody sees.
pub(super) fn check_name(file: &Path) -> Result<(), LoadError> {
    let stem = file.file_stem().unwrap_or_default();
    match stem.to_str() == Some(&plugin_name(file)) {
        true => Ok(()),
        false => Err(LoadError::Name(file.to_owned())),
    }
}

/// True if a file has this extension and is not hidden. Editors and copying programs hide files that
/// are not yet complete.
pub(crate) fn is_visible(file: &Path, extension: &str) -> bool {
    let name = file.file_name().unwrap_or_default();
    !name.as_encoded_bytes().starts_with(b".")
        && file.extension().is_some_and(|found| found == extension)
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;

    use super::*;

    #[test]
    fn a_name_can_be_shown() {
        let table: [(&[u8], &str, bool); 6] = [
            (b"plugins/10-greylist.wasm", "10-greylist", true),
            (
                "20-caf\u{e9} cafe\u{301}.wasm".as_bytes(),
                "20-caf\u{e9} cafe\u{301}",
                true,
            ),
            (b"30-\xFF.wasm", r"30-\xFF", false),
            (b"30-\xFE.wasm", r"30-\xFE", false),
            (b"40-a\nb.wasm", r"40-a\nb", false),
            ("50-\u{202e}a.wasm".as_bytes(), r"50-\u{202e}a", false),
        ];
        for (file, name, is_good) in table {
            let file = Path::new(OsStr::from_bytes(file));
            assert_eq!(plugin_name(file), name);
            assert_eq!(check_name(file).is_ok(), is_good, "{name}");
        }
    }
}
