//! What a child reports to the gateway, as octets.
//!
//! A report is [`MAGIC`], a kind in one octet, a text and, if the file was compiled, the code. Text and
//! code follow their lengths of eight octets, most significant first. Nothing follows.

use super::error::ComponentError;

/// The end of a compilation that was not cut short.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Report {
    /// The file was compiled.
    Compiled(Compiled),
    /// The file is no component.
    Refused(ComponentError),
}

/// What was compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Compiled {
    /// The version according to the author.
    pub(super) version: Option<String>,
    /// The code, as the engine serializes it.
    pub(super) code: Vec<u8>,
}

/// The first octets of a report. They change with the format.
const MAGIC: &[u8; 8] = b"PGCODE\0\x01";

/// The longest text in octets.
const MAX_TEXT: usize = 16 << 10;

impl Report {
    /// The octets up to the code.
    pub(super) fn head(&self) -> Vec<u8> {
        let (kind, text) = match self {
            Self::Compiled(compiled) => (0, compiled.version.as_deref().unwrap_or_default()),
            Self::Refused(ComponentError::CoreModule(text)) => (1, text.as_str()),
            Self::Refused(ComponentError::Invalid(text)) => (2, text.as_str()),
            Self::Refused(ComponentError::NotWasm) => (3, ""),
            Self::Refused(ComponentError::Precompiled) => (4, ""),
            Self::Refused(ComponentError::TooShort) => (5, ""),
        };
        let text = &text.as_bytes()[..text.floor_char_boundary(MAX_TEXT)];
        let mut octets = [MAGIC.as_slice(), &[kind], &length(text), text].concat();
        if let Self::Compiled(compiled) = self {
            octets.extend(length(&compiled.code));
        }
        octets
    }

    /// The code, which follows the head.
    pub(super) fn code(&self) -> &[u8] {
        match self {
            Self::Compiled(compiled) => &compiled.code,
            Self::Refused(_) => &[],
        }
    }

    /// Reads a report. Returns `None` if the octets are something else.
    pub(super) fn parse(octets: &[u8]) -> Option<Self> {
        let rest = octets.strip_prefix(MAGIC)?;
        let (kind, rest) = rest.split_first()?;
        let (text, rest) = field(rest)?;
        if text.len() > MAX_TEXT {
            return None;
        }
        let text = str::from_utf8(text).ok()?;
        let error = match (kind, rest.is_empty()) {
            (0, _) => {
                let (code, rest) = field(rest)?;
                return rest.is_empty().then(|| {
                    Self::Compiled(Compiled {
                        version: (!text.is_empty()).then(|| text.to_owned()),
                        code: code.to_vec(),
                    })
                });
            }
            (1, true) => ComponentError::CoreModule(text.to_owned()),
            (2, true) => ComponentError::Invalid(text.to_owned()),
            (3, true) => ComponentError::NotWasm,
            (4, true) => ComponentError::Precompiled,
            (5, true) => ComponentError::TooShort,
            _ => return None,
        };
        Some(Self::Refused(error))
    }
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

    fn reports() -> Vec<Report> {
        let compiled = |version: Option<&str>, code: &[u8]| {
            Report::Compiled(Compiled {
                version: version.map(str::to_owned),
                code: code.to_vec(),
            })
        };
        vec![
            compiled(None, b""),
            compiled(Some("1.0.0"), b"code"),
            Report::Refused(ComponentError::CoreModule("why".into())),
            Report::Refused(ComponentError::Invalid("why é".into())),
            Report::Refused(ComponentError::NotWasm),
            Report::Refused(ComponentError::Precompiled),
            Report::Refused(ComponentError::TooShort),
        ]
    }

    #[test]
    fn a_report_is_read_as_it_was_written() {
        for report in reports() {
            let octets = [report.head().as_slice(), report.code()].concat();
            assert_eq!(Report::parse(&octets), Some(report));
        }
    }

    #[test]
    fn what_is_cut_or_goes_on_is_no_report() {
        for report in reports() {
            let mut octets = [report.head().as_slice(), report.code()].concat();
            for end in 0..octets.len() {
                assert_eq!(Report::parse(&octets[..end]), None, "{report:?} {end}");
            }
            octets.push(0);
            assert_eq!(Report::parse(&octets), None, "{report:?}");
        }
        let length = [MAGIC.as_slice(), &[0], &[0xFF; 8], b"text"].concat();
        assert_eq!(Report::parse(&length), None);
    }

    #[test]
    fn a_long_text_is_cut() {
        let long = Report::Refused(ComponentError::Invalid("é".repeat(MAX_TEXT)));
        let Some(Report::Refused(ComponentError::Invalid(text))) = Report::parse(&long.head())
        else {
            panic!("a report");
        };
        assert_eq!(text.len(), MAX_TEXT);
    }
}
