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
    /// What follows the equals sign, up to a limit.
    pub(super) written: String,
}

impl Parameter {
    /// True if the value is neither in pieces nor encoded.
    pub(super) const fn is_plain(&self) -> bool {
        self.section.is_none() && !self.is_extended
    }
}

/// The parameters in a field whose names, in lower case, are `wanted`. Any name before an equals
/// sign is one, wherever it is: some programs look no further than that. Neither do all agree on what
/// white space is.
pub(super) fn parameters(field: &str, wanted: impl Fn(&str) -> bool) -> Vec<Parameter> {
    let mut found = Vec::new();
    for (at, _) in field.match_indices('=') {
        let before = field[..at].trim_end_matches(|c| c == '"' || is_blank(c));
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
        let is_extended = marks.last() == Some(&"");
        found.push(Parameter {
            name,
            section: marks.iter().find_map(|mark| mark.parse().ok()),
            is_extended,
            readings: readings(cut(&field[at + 1..]), is_extended),
            written: cut(field[at + 1..].trim_start_matches([' ', '\t'])).to_owned(),
        });
        if found.len() == MAX_PARAMETERS {
            break;
        }
    }
    found
}

/// What programs take for the value that begins here.
fn readings(rest: &str, is_extended: bool) -> Vec<String> {
    let mut found = Vec::new();
    let rest = rest.trim_start_matches([' ', '\t']);
    add_readings(rest, is_extended, &mut found);
    let after_blanks = rest.trim_start_matches(is_blank);
    if after_blanks.len() < rest.len() {
        add_readings(after_blanks, is_extended, &mut found);
    }
    let mut distinct = Vec::with_capacity(found.len());
    let inner = found.first().and_then(|usual| in_brackets(usual));
    let inner = inner.map(str::to_owned);
    for reading in found.into_iter().chain(inner) {
        if !distinct.contains(&reading) {
            distinct.push(reading);
        }
    }
    distinct
}

fn add_readings(rest: &str, is_extended: bool, found: &mut Vec<String>) {
    match rest.strip_prefix('"') {
        Some(quoted) => {
            let (unescaped, escaped, after) = unquote(quoted);
            let after = to_separator(after.unwrap_or_default());
            let first_quote = quoted.find('"').unwrap_or(quoted.len());
            let with_rest = format!("{unescaped}{}", after.replace('"', ""));
            found.extend([unescaped, escaped.into(), quoted[..first_quote].into()]);
            if !after.is_empty() {
                found.push(with_rest);
            }
        }
        None => {
            found.push(to_separator(rest).to_owned());
            // An encoded value has all of the last ones.
            let cuts = cuts(rest).take(if is_extended { 2 } else { 3 });
            found.extend(cuts.map(str::to_owned));
        }
    }
}

/// A value without quotes up to the characters that cannot occur in it, to some programs (RFC 2045 §5.1,
/// RFC 2231 §7).
pub(super) fn cuts(rest: &str) -> impl Iterator<Item = &str> {
    let to = |is_end: fn(char) -> bool| &rest[..rest.find(is_end).unwrap_or(rest.len())];
    [
        to(|c| matches!(c, ' ' | '\t' | ';' | ',')),
        to(is_special),
        to(|c| is_special(c) || matches!(c, '*' | '\'' | '%')),
    ]
    .into_iter()
}

/// A value without the angle brackets that some programs take for quotes.
pub(super) fn in_brackets(value: &str) -> Option<&str> {
    value.strip_prefix('<')?.strip_suffix('>')
}

/// The text up to the next parameter.
pub(super) fn to_separator(text: &str) -> &str {
    text[..text.find(';').unwrap_or(text.len())].trim_matches([' ', '\t'])
}

/// True for what ends a token (RFC 2045 §5.1).
fn is_special(character: char) -> bool {
    is_blank(character) || "()<>@,;:\\\"/[]?=".contains(character)
}

/// True for what is white space to some program. An octet that is not valid UTF-8 may be a no-break
/// space.
pub(super) fn is_blank(character: char) -> bool {
    character.is_whitespace() || character.is_control() || character == '\u{fffd}'
}

/// The content of a quoted string (RFC 5322 §3.2.4) with and without its backslashes applied, and
/// what follows it. Without its closing quote, it extends to the end, and nothing follows.
pub(super) fn unquote(quoted: &str) -> (String, &str, Option<&str>) {
    let mut unescaped = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (unescaped, &quoted[..at], Some(&quoted[at + 1..])),
            '\\' => unescaped.extend(characters.next().map(|(_, next)| next)),
            other => unescaped.push(other),
        }
    }
    (unescaped, quoted, None)
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
