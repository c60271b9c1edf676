//! The parameters of a field in every reading: with and without its rules for quotes, blanks and
//! separators, since senders and mail programs keep them differently.

/// A parameter as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Parameter {
    /// The name in lower case, without the marks of RFC 2231.
    pub(super) name: String,
    /// The number of this piece of a value in several pieces (RFC 2231 §3).
    pub(super) section: Option<u32>,
    /// True if the value is marked as encoded (RFC 2231 §4).
    pub(super) is_extended: bool,
    /// What programs take for the value, without repetitions; never empty.
    pub(super) readings: Vec<String>,
}

impl Parameter {
    /// True if the value is neither in pieces nor encoded.
    pub(super) const fn is_plain(&self) -> bool {
        self.section.is_none() && !self.is_extended
    }
}

/// The parameters in a field whose names, in lower case, are `wanted`. Any name before an equals
/// sign is one, wherever it is: some programs look no further than that.
pub(super) fn parameters(field: &str, wanted: impl Fn(&str) -> bool) -> Vec<Parameter> {
    let mut found = Vec::new();
    for (at, _) in field.match_indices('=') {
        let before = field[..at].trim_end_matches(['"', '\t', ' ']);
        let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '*' | '-' | '_');
        let begin = before
            .char_indices()
            .rev()
            .take_while(|(_, c)| is_part(*c))
            .last();
        let Some((begin, _)) = begin else {
            continue;
        };
        let mut marks = before[begin..].split('*');
        let name = marks.next().unwrap_or_default().to_ascii_lowercase();
        if !wanted(&name) {
            continue;
        }
        let marks: Vec<_> = marks.collect();
        found.push(Parameter {
            name,
            section: marks.iter().find_map(|mark| mark.parse().ok()),
            is_extended: marks.last() == Some(&""),
            readings: readings(&field[at + 1..]),
        });
        if found.len() == MAX_PARAMETERS {
            break;
        }
    }
    found
}

/// What programs take for the value that begins here.
fn readings(rest: &str) -> Vec<String> {
    let rest = cut(rest.trim_start());
    let to_separator = |text: &str| {
        text[..text.find(';').unwrap_or(text.len())]
            .trim()
            .to_owned()
    };
    let mut found = Vec::new();
    match rest.strip_prefix('"') {
        Some(quoted) => {
            let (unescaped, escaped, after) = unquote(quoted);
            let after = to_separator(after);
            found.push(unescaped);
            found.push(escaped.to_owned());
            let first_quote = quoted.find('"').unwrap_or(quoted.len());
            found.push(quoted[..first_quote].to_owned());
            if !after.is_empty() {
                found.push(format!("{}{}", found[0], after.replace('"', "")));
            }
        }
        None => {
            found.push(to_separator(rest));
            let end = rest.find([' ', '\t', ';', ',']).unwrap_or(rest.len());
            found.push(rest[..end].to_owned());
        }
    }
    let mut distinct = Vec::with_capacity(found.len());
    for reading in found {
        if !distinct.contains(&reading) {
            distinct.push(reading);
        }
    }
    distinct
}

/// The content of a quoted string (RFC 5322 §3.2.4) with and without its backslashes applied, and
/// what follows it. Without its closing quote, it extends to the end.
fn unquote(quoted: &str) -> (String, &str, &str) {
    let mut unescaped = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (unescaped, &quoted[..at], &quoted[at + 1..]),
            '\\' => unescaped.extend(characters.next().map(|(_, next)| next)),
            other => unescaped.push(other),
        }
    }
    (unescaped, quoted, "")
}

/// The beginning of a text, at most [`MAX_VALUE`] octets.
fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_VALUE)]
}

/// The most parameters that are looked at in one field.
pub(super) const MAX_PARAMETERS: usize = 64;
/// The part of a value that is looked at, in octets.
const MAX_VALUE: usize = 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_has_all_its_readings() {
        let table: [(&str, &[&str]); 14] = [
            ("x; filename=a.exe", &["a.exe"]),
            ("filename = \"a.exe\" ; b=c", &["a.exe"]),
            ("x, FileName=a.exe", &["a.exe"]),
            ("x; filename=a b.exe; y=z", &["a b.exe", "a"]),
            ("x; filename=\"a;b.exe\"", &["a;b.exe"]),
            ("x; filename=\"a.exe", &["a.exe"]),
            ("x; filename=\"a.exe\"x.txt", &["a.exe", "a.exex.txt"]),
            ("x; filename=\"a.e\\xe\"", &["a.exe", "a.e\\xe"]),
            ("x; filename=\"a\\\"b\"", &["a\"b", "a\\\"b", "a\\"]),
            ("x; filename=\" \"", &[" "]),
            ("x; filename=", &[""]),
            ("x; \"filename\"=a", &["a"]),
            ("x; other=a", &[]),
            ("filename", &[]),
        ];
        for (field, expected) in table {
            let found = parameters(field, |name| name == "filename");
            let readings = found.first().map(|found| found.readings.as_slice());
            assert_eq!(readings.unwrap_or_default(), expected, "{field}");
        }
    }

    #[test]
    fn names_have_the_marks_of_rfc_2231() {
        let table = [
            ("name=a", (None, false)),
            ("name*=a", (None, true)),
            ("name*0=a", (Some(0), false)),
            ("name*12*=a", (Some(12), true)),
            ("name*01=a", (Some(1), false)),
            ("name*x=a", (None, false)),
        ];
        for (field, expected) in table {
            let found = parameters(field, |name| name == "name");
            assert_eq!(
                (found[0].section, found[0].is_extended),
                expected,
                "{field}"
            );
        }
        let many = "name=a;".repeat(1_000);
        assert_eq!(parameters(&many, |_| true).len(), MAX_PARAMETERS);
    }
}
