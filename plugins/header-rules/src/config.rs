//! The rules, as written by the operator and as used.

use postgate_plugin::{EmptyPattern, Pattern, Refusal};
use serde::Deserialize;

use crate::visible::{Readings, normalized};

/// The `[config]` table.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Config {
    pub(crate) rules: Vec<Rule>,
}

/// One rule.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Written")]
pub(crate) struct Rule {
    /// The name of the rule in the log.
    pub(crate) name: Option<String>,
    /// The name of the fields that the rule checks.
    pub(crate) header: FieldName,
    pub(crate) when: Match,
    pub(crate) action: Action,
}

/// When a rule applies. Letter case does not matter.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Match {
    /// There is no field with the name.
    Absent,
    /// There are at least this many fields with the name.
    AtLeast(u32),
    /// A value contains the text.
    Contains(Text),
    /// A value equals the text.
    Equals(Text),
    /// A value matches the pattern.
    Glob(Glob),
    /// A value begins with the text.
    Prefix(Text),
    /// There is a field with the name.
    Present,
    /// A value ends with the text.
    Suffix(Text),
    /// A value is one that programs may read in ways that are not known.
    Unreadable,
}

impl Match {
    /// True if a value is one that the rule is about.
    pub(crate) fn matches(&self, value: &Readings) -> bool {
        let any = |matches: &dyn Fn(&str) -> bool| value.texts.iter().any(|text| matches(text));
        match self {
            Self::Absent | Self::AtLeast(_) | Self::Present => true,
            Self::Contains(text) => any(&|value| value.contains(&text.0)),
            Self::Equals(text) => any(&|value| value == text.0),
            Self::Glob(pattern) => any(&|value| pattern.0.matches(value)),
            Self::Prefix(text) => any(&|value| value.starts_with(&text.0)),
            Self::Suffix(text) => any(&|value| value.ends_with(&text.0)),
            Self::Unreadable => !value.is_sound,
        }
    }
}

/// What a rule does.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Action {
    /// Adds a field below all others.
    Append(Field),
    /// Adds a field above all others.
    Prepend(Field),
    /// Refuses the message.
    Refuse(Refuse),
    /// Removes the fields that matched.
    Remove,
    /// Replaces the values of the fields that matched.
    Replace(String),
    /// Tags the session.
    Tag(Tag),
}

/// A field to add.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Field {
    pub(crate) name: FieldName,
    pub(crate) value: String,
}

/// A tag to set.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tag {
    pub(crate) name: String,
    pub(crate) value: String,
}

/// A normalized text. Blanks at its ends stay: `contains = "win "` is not about winners.
#[derive(Debug, Deserialize)]
#[serde(from = "String")]
pub(crate) struct Text(String);

impl From<String> for Text {
    fn from(text: String) -> Self {
        let blank = |found: bool| if found { " " } else { "" };
        let inner = normalized(&text);
        match inner.is_empty() {
            true => Self(inner),
            false => Self(format!(
                "{}{inner}{}",
                blank(text.starts_with(char::is_whitespace)),
                blank(text.ends_with(char::is_whitespace))
            )),
        }
    }
}

/// A pattern for normalized values.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Glob(Pattern);

impl TryFrom<String> for Glob {
    type Error = EmptyPattern;

    fn try_from(text: String) -> Result<Self, EmptyPattern> {
        Pattern::new(&Text::from(text).0).map(Self)
    }
}

/// The name of a header field (RFC 5322 §2.2).
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct FieldName(pub(crate) String);

impl TryFrom<String> for FieldName {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        let is_valid = (1..=77).contains(&name.len())
            && name
                .bytes()
                .all(|byte| matches!(byte, b'!'..=b'~') && byte != b':');
        match is_valid {
            true => Ok(Self(name)),
            false => Err(format!("{name:?} is no name of a header field")),
        }
    }
}

/// A validated refusal.
#[derive(Debug, Deserialize)]
#[serde(try_from = "WrittenRefusal")]
pub(crate) struct Refuse(pub(crate) Refusal);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenRefusal {
    #[serde(default = "default_code")]
    code: u16,
    enhanced: Option<String>,
    text: String,
}

impl TryFrom<WrittenRefusal> for Refuse {
    type Error = postgate_plugin::InvalidReply;

    fn try_from(written: WrittenRefusal) -> Result<Self, Self::Error> {
        let enhanced = match written.enhanced {
            Some(enhanced) => enhanced,
            None => format!("{}.7.1", written.code / 100),
        };
        Refusal::checked(written.code, &enhanced, written.text).map(Self)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: Option<String>,
    header: FieldName,
    r#match: Match,
    action: Action,
}

impl TryFrom<Written> for Rule {
    type Error = &'static str;

    fn try_from(written: Written) -> Result<Self, Self::Error> {
        match (&written.r#match, &written.action) {
            (Match::Absent, Action::Remove) => Err("a field that is absent cannot be removed"),
            (Match::Absent, Action::Replace(_)) => {
                Err("a field that is absent cannot be replaced; prepend or append it")
            }
            (Match::AtLeast(0), _) => Err("at-least: every message has at least 0 fields"),
            _ => Ok(Self {
                name: written.name,
                header: written.header,
                when: written.r#match,
                action: written.action,
            }),
        }
    }
}

const fn default_code() -> u16 {
    550
}
