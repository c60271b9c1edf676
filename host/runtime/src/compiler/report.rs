//! What a child reports to the gateway, as octets.
//!
//! A report is [`MAGIC`], an octet that says how far the child is not confined, a kind in one octet, a
//! text and, if the file was compiled, the code. Text and code follow their lengths of eight octets, most
//! significant first. Nothing follows.

use std::ops::Range;

use super::confinement::Missing;
use super::error::ComponentError;
use super::version::is_version;

/// What a child has to say, if it was not cut short.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Report {
    /// What the kernel did not offer to confine the child.
    pub(super) missing: Missing,
    /// What became of the file.
    pub(super) outcome: Outcome,
}

/// The end of a compilation.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The file was compiled.
    Compiled(Compiled),
    /// The machine lacks something, and the file was not looked at.
    Failed(String),
    /// The file is no component.
    Refused(ComponentError),
}

/// What was compiled.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Compiled {
    /// The version according to the author.
    pub(super) version: Option<String>,
    /// The code, as the engine serializes it.
    pub(super) code: Vec<u8>,
}

/// The first octets of a report. They change with the format.
const MAGIC: &[u8; 8] = b"PGCODE\0\x02";

/// The longest text in octets.
const MAX_TEXT: usize = 16 << 10;

/// The most octets of a report beside the code: the magic number, two octets, two lengths and a text.
pub(super) const MAX_HEAD: usize = MAGIC.len() + 2 + 2 * size_of::<u64>() + MAX_TEXT;

impl Report {
    /// The octets up to the code.
    pub(super) fn head(&self) -> Vec<u8> {
        let (kind, text) = match &self.outcome {
            Outcome::Compiled(compiled) => (0, compiled.version.as_deref().unwrap_or_default()),
            Outcome::Refused(ComponentError::CoreModule(text)) => (1, text.as_str()),
            Outcome::Refused(ComponentError::Invalid(text)) => (2, text.as_str()),
            Outcome::Refused(ComponentError::NotWasm) => (3, ""),
            Outcome::Refused(ComponentError::Precompiled) => (4, ""),
            Outcome::Refused(ComponentError::TooShort) => (5, ""),
            Outcome::Failed(text) => (6, text.as_str()),
        };
        let missing = u8::from(self.missing.landlock) | u8::from(self.missing.seccomp) << 1;
        let text = &text.as_bytes()[..text.floor_char_boundary(MAX_TEXT)];
        let mut octets = [MAGIC.as_slice(), &[missing, kind], &length(text), text].concat();
        if let Outcome::Compiled(compiled) = &self.outcome {
            octets.extend(length(&compiled.code));
        }
        octets
    }

    /// The code, which follows the head.
    pub(super) fn code(&self) -> &[u8] {
        match &self.outcome {
            Outcome::Compiled(compiled) => &compiled.code,
            Outcome::Failed(_) | Outcome::Refused(_) => &[],
        }
    }

    /// Reads a report. Returns `None` if the octets are something else.
    pub(super) fn parse(mut octets: Vec<u8>) -> Option<Self> {
        let mut report = Self::parse_head(&octets)?;
        if let Outcome::Compiled(compiled) = &mut report.outcome {
            let Range { start, end } = code_range(&octets)?;
            if end != octets.len() {
                return None;
            }
            octets.drain(..start);
            compiled.code = octets;
        }
        Some(report)
    }

    /// Reads a report without its code.
    fn parse_head(octets: &[u8]) -> Option<Self> {
        let (&[missing, kind], rest) = octets.strip_prefix(MAGIC)?.split_first_chunk()?;
        let (text, rest) = field(rest)?;
        if text.len() > MAX_TEXT || missing > 3 {
            return None;
        }
        let text = str::from_utf8(text).ok()?.to_owned();
        let outcome = match (kind, rest.is_empty(), text.is_empty()) {
            (0, false, is_empty) if is_empty || is_version(&text) => Outcome::Compiled(Compiled {
                version: (!is_empty).then_some(text),
                code: Vec::new(),
            }),
            (1, true, _) => Outcome::Refused(ComponentError::CoreModule(text)),
            (2, true, _) => Outcome::Refused(ComponentError::Invalid(text)),
            (3, true, true) => Outcome::Refused(ComponentError::NotWasm),
            (4, true, true) => Outcome::Refused(ComponentError::Precompiled),
            (5, true, true) => Outcome::Refused(ComponentError::TooShort),
            (6, true, _) => Outcome::Failed(text),
            _ => return None,
        };
        let missing = Missing {
            landlock: missing & 1 != 0,
            seccomp: missing & 2 != 0,
        };
        Some(Self { missing, outcome })
    }
}

/// Where the code is in a report of which the head was read.
fn code_range(octets: &[u8]) -> Option<Range<usize>> {
    let (_, rest) = field(octets.get(MAGIC.len() + 2..)?)?;
    let (code, after) = field(rest)?;
    let end = octets.len() - after.len();
    Some(end - code.len()..end)
}

fn length(octets: &[u8]) -> [u8; 8] {
    (octets.len() as u64).to_be_bytes()
}

/// Splits off octets that follow their length.
fn field(octets: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = octets.split_first_chunk()?;
    let length = usize::try_from(u64::from_be_bytes(*length)).ok()?;
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(outcome: Outcome) -> Report {
        Report {
            missing: Missing {
                landlock: true,
                seccomp: false,
            },
            outcome,
        }
    }

    fn reports() -> Vec<Report> {
        let compiled = |version: Option<&str>, code: &[u8]| {
            Outcome::Compiled(Compiled {
                version: version.map(str::to_owned),
                code: code.to_vec(),
            })
        };
        let outcomes = [
            compiled(None, b""),
            compiled(Some("1.0.0"), b"code"),
            Outcome::Refused(ComponentError::CoreModule("why".into())),
            Outcome::Refused(ComponentError::Invalid("why é".into())),
            Outcome::Refused(ComponentError::NotWasm),
            Outcome::Refused(ComponentError::Precompiled),
            Outcome::Refused(ComponentError::TooShort),
            Outcome::Failed("no threads".into()),
        ];
        outcomes.map(report).into()
    }

    fn octets_of(report: &Report) -> Vec<u8> {
        [report.head().as_slice(), report.code()].concat()
    }

    #[test]
    fn a_report_is_read_as_it_was_written() {
        for report in reports() {
            assert_eq!(Report::parse(octets_of(&report)), Some(report));
        }
    }

    #[test]
    fn what_is_cut_or_goes_on_is_no_report() {
        for report in reports() {
            let mut octets = octets_of(&report);
            for end in 0..octets.len() {
                assert_eq!(
                    Report::parse(octets[..end].to_vec()),
                    None,
                    "{report:?} {end}"
                );
            }
            octets.push(0);
            assert_eq!(Report::parse(octets), None, "{report:?}");
        }
        let length = [MAGIC.as_slice(), &[0, 0], &[0xFF; 8], b"text"].concat();
        assert_eq!(Report::parse(length), None);
    }

    #[test]
    fn any_octet_may_be_wrong() {
        for report in reports() {
            let octets = octets_of(&report);
            for index in 0..octets.len() {
                for value in 0..=u8::MAX {
                    let mut changed = octets.clone();
                    changed[index] = value;
                    if let Some(read) = Report::parse(changed.clone()) {
                        assert_eq!(octets_of(&read), changed);
                    }
                }
            }
        }
    }

    #[test]
    fn a_version_is_one_that_an_author_can_have() {
        for text in ["1.0\n2.0", "1 0", &"1".repeat(65)] {
            let report = report(Outcome::Compiled(Compiled {
                version: Some(text.to_owned()),
                code: Vec::new(),
            }));
            assert_eq!(Report::parse(octets_of(&report)), None, "{text:?}");
        }
    }

    #[test]
    fn a_long_text_is_cut() {
        let long = report(Outcome::Refused(ComponentError::Invalid(
            "é".repeat(MAX_TEXT),
        )));
        let octets = long.head();
        assert!(octets.len() <= MAX_HEAD);
        let read = Report::parse(octets).map(|report| report.outcome);
        let Some(Outcome::Refused(ComponentError::Invalid(text))) = read else {
            panic!("a report");
        };
        assert_eq!(text.len(), MAX_TEXT);
    }
}
