//! File names, as the recipient's system interprets them.

/// The extension that decides what happens when the file is opened, in lower case: `exe` for
/// `Report.pdf.EXE`, `js` for `run.js.gz`.
pub(crate) fn extension(name: &str) -> Option<String> {
    // Windows drops trailing blanks and dots. Characters that only control the display can make a
    // name that ends in `.exe` appear to end in `.pdf`.
    let visible: String = name.chars().filter(|c| !is_invisible(*c)).collect();
    let file = visible.rsplit(['/', '\\']).next()?;
    let mut parts = file.trim_end_matches([' ', '.']).rsplit('.').map(str::trim);
    let last = parts.next()?.to_lowercase();
    let inner = parts.next()?;
    match COMPRESSION.contains(&last.as_str()) && parts.next().is_some() {
        true => Some(inner.to_lowercase()),
        false => Some(last),
    }
}

fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// Formats that compress one file and append their extension to its name.
const COMPRESSION: [&str; 6] = ["br", "bz2", "gz", "lz", "xz", "zst"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_extension_that_counts() {
        let table = [
            ("a.exe", Some("exe")),
            ("A.EXE", Some("exe")),
            ("invoice.pdf.exe", Some("exe")),
            ("invoice.pdf                 .exe", Some("exe")),
            ("invoice.exe. . ", Some("exe")),
            ("annex\u{202e}fdp.exe", Some("exe")),
            ("a.e\u{200b}xe", Some("exe")),
            ("folder.exe/readme.txt", Some("txt")),
            ("folder\\a.scr", Some("scr")),
            ("run.js.gz", Some("js")),
            ("archive.tar.gz", Some("tar")),
            ("archive.gz", Some("gz")),
            (".profile", Some("profile")),
            ("README", None),
            ("", None),
            ("...", None),
        ];
        for (name, expected) in table {
            assert_eq!(extension(name).as_deref(), expected, "{name:?}");
        }
    }
}
