//! A scanner for the textual encodings of RFC 7468 that accounts for every `BEGIN` and `END`: a
//! section is read, or the file is refused with the line.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use zeroize::Zeroizing;

/// A section of a PEM file, from `-----BEGIN KIND-----` to `-----END KIND-----`.
pub(crate) struct Section {
    /// What stands after `BEGIN`, such as `CERTIFICATE`.
    pub(crate) label: String,
    /// The number of the line with `BEGIN`, from 1.
    pub(crate) line: usize,
    /// What the base64 stands for. It may be a key.
    pub(crate) content: Zeroizing<Vec<u8>>,
    /// True if a header says that the content is encrypted (RFC 1421 section 4.6.1.1).
    pub(crate) is_encrypted: bool,
}

/// A line of a PEM file that cannot be accounted for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {fault}")]
pub struct PemError {
    /// The number of the line, from 1.
    pub line: usize,
    /// What is wrong with it.
    #[source]
    pub fault: PemFault,
}

/// What is wrong with a line. It quotes no content, which may be a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PemFault {
    /// The line has a character that base64 has not.
    #[error("this is no base64; the section was damaged, get it anew")]
    Base64,
    /// The octets before the line are not a whole number of base64 groups.
    #[error("characters are missing or left over in the base64 before; get the section anew")]
    Cut,
    /// The file has the byte order mark of another encoding.
    #[error("the file is UTF-16 or UTF-32; save it as UTF-8")]
    Encoding,
    /// The line has a `BEGIN` or `END` that cannot be read.
    #[error(
        "what marks a section is `-----BEGIN KIND-----` or `-----END KIND-----`, with five hyphens, \
         on a line of its own"
    )]
    Marker,
    /// An `END` comes without a `BEGIN`.
    #[error("`-----END {0}-----` without `-----BEGIN {0}-----`; a line is lost, get the file anew")]
    NoBegin(String),
    /// A `BEGIN` has no `END` before the next one, or before the end of the file.
    #[error("`-----BEGIN {0}-----` without `-----END {0}-----`; the file is cut, get it anew")]
    NoEnd(String),
    /// The `END` is of another kind than the `BEGIN`.
    #[error("`-----END {end}-----` behind `-----BEGIN {begin}-----`; get the file anew")]
    OtherEnd {
        /// The kind that has begun.
        begin: String,
        /// The kind that ends.
        end: String,
    },
}

/// Reads the sections of a text, in their order. Text between sections, blanks around lines, all line
/// ends and byte order marks of UTF-8 are skipped.
///
/// # Errors
///
/// Fails with the first line that cannot be accounted for.
pub(crate) fn sections(text: &[u8]) -> Result<Vec<Section>, PemError> {
    if matches!(
        text,
        [0xfe, 0xff, ..] | [0xff, 0xfe, ..] | [0, 0, 0xfe, 0xff, ..]
    ) {
        return Err(PemFault::Encoding.at(1));
    }
    let mut sections = Vec::new();
    let mut open: Option<OpenSection> = None;
    for (line, number) in lines(text).zip(1..) {
        let line = String::from_utf8_lossy(line);
        let line = line.trim_matches(|c: char| c.is_whitespace() || c == BYTE_ORDER_MARK);
        if !has_marker(line) {
            if let Some(open) = &mut open {
                open.push(line, number)?;
            }
            continue;
        }
        for marker in markers(line).ok_or_else(|| PemFault::Marker.at(number))? {
            open = match (marker, open) {
                (Marker::Begin(label), None) => Some(OpenSection::new(label, number, text.len())),
                (Marker::Begin(_), Some(open)) => return Err(open.without_end()),
                (Marker::End(label), Some(open)) if label == open.label => {
                    sections.push(open.close(number)?);
                    None
                }
                (Marker::End(end), Some(OpenSection { label: begin, .. })) => {
                    let end = end.to_owned();
                    return Err(PemFault::OtherEnd { begin, end }.at(number));
                }
                (Marker::End(label), None) => {
                    return Err(PemFault::NoBegin(label.to_owned()).at(number));
                }
            };
        }
    }
    match open {
        Some(open) => Err(open.without_end()),
        None => Ok(sections),
    }
}

impl PemFault {
    const fn at(self, line: usize) -> PemError {
        PemError { line, fault: self }
    }
}

/// A section whose `END` has not come yet.
struct OpenSection {
    label: String,
    line: usize,
    /// Wiped when dropped; its capacity suffices, so that it leaves no copies.
    base64: Zeroizing<String>,
    is_encrypted: bool,
}

impl OpenSection {
    fn new(label: &str, line: usize, capacity: usize) -> Self {
        Self {
            label: label.to_owned(),
            line,
            base64: Zeroizing::new(String::with_capacity(capacity)),
            is_encrypted: false,
        }
    }

    /// Takes a header (RFC 1421 section 4.6) or a line of base64.
    fn push(&mut self, line: &str, number: usize) -> Result<(), PemError> {
        if self.base64.is_empty()
            && let Some((name, value)) = line.split_once(':')
        {
            self.is_encrypted |= name == "Proc-Type" && value.contains("ENCRYPTED");
            return Ok(());
        }
        for c in line.chars().filter(|c| !c.is_ascii_whitespace()) {
            let is_behind_padding = c != '=' && self.base64.ends_with('=');
            if is_behind_padding || !(c.is_ascii_alphanumeric() || "+/=".contains(c)) {
                return Err(PemFault::Base64.at(number));
            }
            self.base64.push(c);
        }
        Ok(())
    }

    /// Decodes the section, whose `END` is in this line.
    fn close(self, line: usize) -> Result<Section, PemError> {
        let content = BASE64_STANDARD.decode(&*self.base64);
        Ok(Section {
            content: Zeroizing::new(content.map_err(|_| PemFault::Cut.at(line))?),
            label: self.label,
            line: self.line,
            is_encrypted: self.is_encrypted,
        })
    }

    fn without_end(self) -> PemError {
        PemFault::NoEnd(self.label).at(self.line)
    }
}

enum Marker<'a> {
    Begin(&'a str),
    End(&'a str),
}

/// The markers of a line that has nothing else. There are several if files were joined whose last line
/// does not end: `-----END CERTIFICATE----------BEGIN CERTIFICATE-----`.
fn markers(line: &str) -> Option<Vec<Marker<'_>>> {
    let mut markers = Vec::new();
    let mut rest = line;
    while !rest.is_empty() {
        let marker = rest.strip_prefix(HYPHENS)?;
        let (label, after) = marker.split_once(HYPHENS)?;
        let (word, label) = label.split_once(' ')?;
        let is_label = |c: char| c.is_ascii_graphic() || c == ' ';
        if label != label.trim() || label.len() > MAX_LABEL || !label.chars().all(is_label) {
            return None;
        }
        markers.push(match word {
            "BEGIN" => Marker::Begin(label),
            "END" => Marker::End(label),
            _ => return None,
        });
        rest = after.trim_start();
    }
    Some(markers)
}

/// True if a line has `BEGIN` or `END` behind hyphens or what editors make of them, in any case.
fn has_marker(line: &str) -> bool {
    let dashes = line.match_indices(is_dash);
    let mut ends = dashes.map(|(at, dash)| (at, &line[at + dash.len()..]));
    ends.any(|(at, after)| {
        let after = after.trim_start();
        let is_word = |word: &str| {
            let (begin, end) = after.split_at_checked(word.len()).unwrap_or_default();
            begin.eq_ignore_ascii_case(word) && !end.starts_with(|c: char| c.is_alphanumeric())
        };
        line[..at].ends_with(is_dash) && (is_word("BEGIN") || is_word("END"))
    })
}

const fn is_dash(c: char) -> bool {
    matches!(
        c,
        '-' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fe58}' | '\u{ff0d}'
    )
}

/// The lines of a text, which end in LF, CRLF or CR, without their ends.
fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let Some(end) = text.iter().position(|octet| matches!(octet, b'\r' | b'\n')) else {
            rest = None;
            return Some(text);
        };
        let after = &text[end..];
        rest = Some(after.strip_prefix(b"\r\n").unwrap_or_else(|| &after[1..]));
        Some(&text[..end])
    })
}

const HYPHENS: &str = "-----";
/// The longest kind of a section, in octets. Those of RFC 7468 have at most 21.
const MAX_LABEL: usize = 64;
const BYTE_ORDER_MARK: char = '\u{feff}';

#[cfg(test)]
mod tests {
    use super::*;

    /// The sections of a text as `KIND LINE CONTENT`, or its error.
    fn scanned(text: &[u8]) -> String {
        let shown = |section: &Section| {
            let content = String::from_utf8_lossy(&section.content);
            let encrypted = if section.is_encrypted { "!" } else { "" };
            format!("{} {} {content}{encrypted}", section.label, section.line)
        };
        match sections(text) {
            Ok(sections) => sections.iter().map(shown).collect::<Vec<_>>().join("; "),
            Err(error) => error.to_string().split(';').next().unwrap().to_owned(),
        }
    }

    #[test]
    fn what_is_harmless_is_read() {
        for text in [
            "-----BEGIN A-----\naGVs\nbG8=\n-----END A-----\n",
            "-----BEGIN A-----\r\naGVs\r\nbG8=\r\n-----END A-----",
            "-----BEGIN A-----\raGVs\rbG8=\r-----END A-----\r",
            "\u{feff}-----BEGIN A-----\naGVsbG8=\n-----END A-----\n\n",
            "  -----BEGIN A-----  \n\taGVs\t\n\n  bG8= \n -----END A----- \n",
            "-----BEGIN A-----\nComment: x\nX-y: z\n\naGVs bG8=\n-----END A-----",
            "-----BEGIN A-----\naGVsbG8=\n-----END A-----\nBegin and end - or so\n== end ==\n",
            "-----BEGIN A-----\naGVsbG8=\n-----END A-----\nCN=x-end--x\n-- endless --\n",
            "-----BEGIN A-----\n\u{a0}aGVsbG8=\u{b}\n-----END A-----\n\u{feff}\n",
        ] {
            assert_eq!(scanned(text.as_bytes()), "A 1 hello", "{text:?}");
        }
        let text = "Bag Attributes\n    friendlyName: caf\u{e9}\nKey Attributes: <No Attributes>\n\
             -----BEGIN A-----\nMQ==\n-----END A----------BEGIN A B-----\nMg==\n-----END A B-----\n\
             \u{feff}-----BEGIN A-----\nMw==\n-----END A----- -----BEGIN C-----\n-----END C-----";
        assert_eq!(scanned(text.as_bytes()), "A 4 1; A B 6 2; A 9 3; C 11 ");
        let latin1 = b"caf\xe9\n-----BEGIN A-----\nMQ==\n-----END A-----\n";
        assert_eq!(scanned(latin1), "A 2 1");
        let locked =
            "-----BEGIN A-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: X,00\n\nMQ==\n-----END A-----";
        assert_eq!(scanned(locked.as_bytes()), "A 1 1!");
        assert_eq!(scanned(b""), "");
    }

    #[test]
    fn what_cannot_be_accounted_for_is_refused_with_its_line() {
        let marker = "what marks a section is `-----BEGIN KIND-----` or `-----END KIND-----`, with \
             five hyphens, on a line of its own";
        let no_end = "`-----BEGIN A-----` without `-----END A-----`";
        let base64 = "this is no base64";
        for (text, line, fault) in [
            ("-----BEGIN A-----\nMQ==\n", 1, no_end),
            (
                "x\n-----BEGIN A-----\n-----BEGIN A-----\nMQ==\n-----END A-----",
                2,
                no_end,
            ),
            (
                "MQ==\n-----END A-----\n",
                2,
                "`-----END A-----` without `-----BEGIN A-----`",
            ),
            (
                "-----BEGIN A-----\nMQ==\n-----END B-----",
                3,
                "`-----END B-----` behind `-----BEGIN A-----`",
            ),
            ("-----BEGIN A-----\nM?==\n-----END A-----", 2, base64),
            ("-----BEGIN A-----\nMQ==\nMQ==\n-----END A-----", 3, base64),
            ("-----BEGIN A-----\nMQ==\nx: y\n-----END A-----", 3, base64),
            ("-----BEGIN A-----\nMQ-_\n-----END A-----", 2, base64),
            (
                "-----BEGIN A-----\nMQ=\n-----END A-----",
                3,
                "characters are missing or left over in the base64 before",
            ),
            (
                "-----BEGIN A-----\nMR==\n-----END A-----",
                3,
                "characters are missing or left over in the base64 before",
            ),
            ("-----BEGIN A-----MQ==-----END A-----", 1, marker),
            ("-----BEGIN A-----\\nMQ==\\n-----END A-----", 1, marker),
            ("-----BEGIN A-----\nMQ==-----END A-----", 2, marker),
            ("# -----BEGIN A-----\nMQ==\n-----END A-----", 1, marker),
            (
                "-----BEGIN A-----\nMQ==\n-----END A-----BEGIN A-----\nMQ==\n-----END A-----",
                3,
                marker,
            ),
            ("----BEGIN A-----\nMQ==\n-----END A-----", 1, marker),
            ("-----BEGIN A----\nMQ==\n-----END A-----", 1, marker),
            ("------BEGIN A-----\nMQ==\n-----END A-----", 1, marker),
            ("-----begin A-----\nMQ==\n-----END A-----", 1, marker),
            ("-----BEGIN  A-----\nMQ==\n-----END A-----", 1, marker),
            ("---- BEGIN A ----\nMQ==\n---- END A ----", 1, marker),
            (
                "\u{2014}\u{2013}-BEGIN A\u{2014}\u{2013}-\nMQ==\n",
                1,
                marker,
            ),
            ("-----BEGIN Ä-----\nMQ==\n-----END Ä-----", 1, marker),
        ] {
            assert_eq!(
                scanned(text.as_bytes()),
                format!("line {line}: {fault}"),
                "{text:?}"
            );
        }
        let utf16: Vec<u8> = "\u{feff}-----BEGIN A-----"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        assert_eq!(scanned(&utf16), "line 1: the file is UTF-16 or UTF-32");
    }
}
