//! File names, as the recipient's system interprets them.

/// The extensions that may decide what happens when the file is opened, in lower case: `exe` for
/// `Report.pdf.EXE`, `js` and `gz` for `run.js.gz`. Systems end a name at different characters, so a
/// name may have several.
pub(crate) fn extensions(name: &str) -> Vec<String> {
    // Characters that only control the display can make a name that ends in `.exe` appear to end in
    // `.pdf`.
    let visible: String = name
        .chars()
        .filter(|c| !is_invisible(*c))
        .map(plain)
        .collect();
    let mut found = Vec::new();
    add(&visible, &mut found);
    // A program in C ends at NUL, Windows at the colon of an alternate data stream, and some mail
    // programs at quotes, separators and line ends.
    let marks = name.match_indices(['\0', ':', ';', '"', '\r', '\n', '?', '<', '>', '|']);
    for (at, mark) in marks.take(MAX_CUTS) {
        for piece in [&name[..at], &name[at + mark.len()..]] {
            let piece: String = piece
                .chars()
                .filter(|c| !is_invisible(*c))
                .map(plain)
                .collect();
            add(&piece, &mut found);
        }
    }
    found
}

/// A name from the message, shortened and in ASCII, because it goes into a reply.
pub(crate) fn shown(name: &str) -> String {
    name.escape_default().take(80).collect()
}

fn add(name: &str, found: &mut Vec<String>) {
    let blank = |c: char| c.is_whitespace() || matches!(c, '.' | '\'' | '"');
    // A program may skip what names no file: `a.exe/`, `a.exe/.`.
    let mut steps = name.rsplit(['/', '\\']);
    let file = steps.find(|step| !step.trim_matches(blank).is_empty());
    let mut parts = file
        .unwrap_or_default()
        .trim_end_matches(blank)
        .rsplit('.')
        .map(str::trim);
    let Some(last) = parts.next().map(str::to_lowercase) else {
        return;
    };
    let Some(inner) = parts.next() else {
        return;
    };
    if COMPRESSION.contains(&last.as_str()) && parts.next().is_some() {
        found.push(inner.to_lowercase());
    }
    found.push(last);
}

/// The character that a system takes this one for.
fn plain(character: char) -> char {
    match character {
        '\u{ff01}'..='\u{ff5e}' => {
            char::from_u32(u32::from(character) - 0xfee0).unwrap_or(character)
        }
        '\u{2024}' | '\u{3002}' => '.',
        other => other,
    }
}

fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{feff}'
        )
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}')
        || matches!(c, '\u{fe00}'..='\u{fe0f}' | '\u{e0000}'..='\u{e007f}')
}

/// The most places at which a name is cut.
const MAX_CUTS: usize = 4;
/// Formats that compress one file and append their extension to its name.
const COMPRESSION: [&str; 6] = ["br", "bz2", "gz", "lz", "xz", "zst"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_extension_that_counts() {
        let table: [(&str, &[&str]); 32] = [
            ("a.exe", &["exe"]),
            ("A.EXE", &["exe"]),
            ("invoice.pdf.exe", &["exe"]),
            ("invoice.pdf                 .exe", &["exe"]),
            ("invoice.exe. . ", &["exe"]),
            ("invoice.exe\u{a0}", &["exe"]),
            ("invoice.exe\"", &["exe", "exe"]),
            ("annex\u{202e}fdp.exe", &["exe"]),
            ("a.e\u{200b}xe", &["exe"]),
            ("a\u{ff0e}exe", &["exe"]),
            ("folder.exe/readme.txt", &["txt"]),
            ("folder\\a.scr", &["scr"]),
            ("..\\..\\a.scr", &["scr"]),
            ("a.exe/", &["exe"]),
            ("a.exe\\", &["exe"]),
            ("a.exe/.", &["exe"]),
            ("a.exe/..", &["exe"]),
            ("a.exe\\. \\/", &["exe"]),
            ("folder.com/README", &[]),
            ("run.js.gz", &["js", "gz"]),
            ("archive.tar.gz", &["tar", "gz"]),
            ("archive.gz", &["gz"]),
            ("a.exe::$DATA", &["exe", "exe"]),
            ("a.exe:b.txt", &["txt", "exe", "txt"]),
            ("a.txt:b.exe", &["exe", "txt", "exe"]),
            ("a.exe\0.txt", &["txt", "exe", "txt"]),
            ("a.exe;1", &["exe;1", "exe"]),
            (".profile", &["profile"]),
            ("README", &[]),
            ("", &[]),
            ("...", &[]),
            ("a.exe\r\n.txt", &["txt", "exe", "txt", "exe", "txt"]),
        ];
        for (name, expected) in table {
            let found = extensions(name);
            assert!(
                expected
                    .iter()
                    .all(|it| found.iter().any(|found| found == it)),
                "{name:?}: {found:?}"
            );
            assert_eq!(found.is_empty(), expected.is_empty(), "{name:?}: {found:?}");
        }
    }
}
