//! The types of values in a configuration file.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use postgate_proto::address::{Charset, Mailbox};
use toml::de::DeValue;

/// A type of values.
pub(super) trait Setting: Sized {
    /// The allowed values, after "expected" in a message.
    const ALLOWED: &'static str;

    /// Converts a value. Returns `None` if it is not allowed.
    fn read(value: &DeValue<'_>) -> Option<Self>;
}

impl Setting for bool {
    const ALLOWED: &'static str = "true or false";

    fn read(value: &DeValue<'_>) -> Option<Self> {
        value.as_bool()
    }
}

impl Setting for u32 {
    const ALLOWED: &'static str = "a whole number";

    fn read(value: &DeValue<'_>) -> Option<Self> {
        let integer = value.as_integer()?;
        Self::from_str_radix(integer.as_str(), integer.radix()).ok()
    }
}

impl Setting for NonZeroU32 {
    const ALLOWED: &'static str = "a whole number above 0";

    fn read(value: &DeValue<'_>) -> Option<Self> {
        Self::new(u32::read(value)?)
    }
}

impl Setting for String {
    const ALLOWED: &'static str = "a string that is not empty";

    fn read(value: &DeValue<'_>) -> Option<Self> {
        let text = value.as_str()?;
        (!text.is_empty()).then(|| text.to_owned())
    }
}

impl Setting for PathBuf {
    const ALLOWED: &'static str = "a path";

    fn read(value: &DeValue<'_>) -> Option<Self> {
        String::read(value).map(Self::from)
    }
}

/// A name of the operator's choice, for logs and other settings.
pub(super) struct Name(pub(super) String);

impl Setting for Name {
    const ALLOWED: &'static str = "a name without control characters that is not empty";

    fn read(value: &DeValue<'_>) -> Option<Self> {
        let name = String::read(value)?;
        (!name.contains(char::is_control)).then_some(Self(name))
    }
}

/// A text in a reply to clients.
pub(super) struct PrintableText(pub(super) String);

impl Setting for PrintableText {
    const ALLOWED: &'static str = "a string of printable ASCII characters that is not empty";

    fn read(value: &DeValue<'_>) -> Option<Self> {
        let text = value.as_str()?;
        (!text.is_empty() && is_printable(text)).then(|| Self(text.to_owned()))
    }
}

/// A size in octets.
#[derive(Clone, Copy)]
pub(super) struct Octets(pub(super) u32);

impl Setting for Octets {
    const ALLOWED: &'static str =
        r#"a size such as "25MiB", "512KiB" or "10MB", or a number of octets, below 4 GiB"#;

    fn read(value: &DeValue<'_>) -> Option<Self> {
        u32::try_from(octets(value)?).ok().map(Self)
    }
}

/// A size above 0, of what can be larger than a file or a message.
#[derive(Clone, Copy)]
pub(super) struct LargeOctets(pub(super) u64);

impl Setting for LargeOctets {
    const ALLOWED: &'static str =
        r#"a size above 0, such as "8GiB" or "512MiB", or a number of octets, below 4 EiB"#;

    fn read(value: &DeValue<'_>) -> Option<Self> {
        let size = octets(value)?;
        (1..1 << 62).contains(&size).then_some(Self(size))
    }
}

/// Returns a size in octets.
fn octets(value: &DeValue<'_>) -> Option<u64> {
    let Some(text) = value.as_str() else {
        let integer = value.as_integer()?;
        return u64::from_str_radix(integer.as_str(), integer.radix()).ok();
    };
    let (number, unit) = number_and_unit(text)?;
    let factor = match unit {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "kB" | "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        _ => return None,
    };
    u64::from(number).checked_mul(factor)
}

/// A size above 0.
#[derive(Clone, Copy)]
pub(super) struct NonZeroOctets(pub(super) u32);

impl Setting for NonZeroOctets {
    const ALLOWED: &'static str =
        r#"a size above 0, such as "1MiB" or "512KiB", or a number of octets, below 4 GiB"#;

    fn read(value: &DeValue<'_>) -> Option<Self> {
        let Octets(size) = Octets::read(value)?;
        (size > 0).then_some(Self(size))
    }
}

impl Setting for Duration {
    const ALLOWED: &'static str = r#"a time such as "500ms", "30s", "5m" or "1h""#;

    fn read(value: &DeValue<'_>) -> Option<Self> {
        let (number, unit) = number_and_unit(value.as_str()?)?;
        let milliseconds = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return None,
        };
        Some(Self::from_millis(u64::from(number) * milliseconds))
    }
}

/// A time limit, above 0.
#[derive(Clone, Copy)]
pub(super) struct Timeout(pub(super) Duration);

impl Setting for Timeout {
    const ALLOWED: &'static str = r#"a time above 0, such as "500ms", "30s", "5m" or "1h""#;

    fn read(value: &DeValue<'_>) -> Option<Self> {
        Duration::read(value)
            .filter(|time| !time.is_zero())
            .map(Self)
    }
}

/// The name of this host.
pub(super) struct Hostname(pub(super) String);

impl Setting for Hostname {
    const ALLOWED: &'static str =
        r#"a domain such as "mx.example.org", or an address literal such as "[192.0.2.1]""#;

    fn read(value: &DeValue<'_>) -> Option<Self> {
        let name = value.as_str()?;
        is_domain(name, Charset::Ascii).then(|| Self(name.to_owned()))
    }
}

/// The meaning of a word. Returns `None` if it is not in the list.
pub(super) fn one_of<T: Copy>(value: &DeValue<'_>, words: &[(&str, T)]) -> Option<T> {
    let text = value.as_str()?;
    let (_, meaning) = words.iter().find(|(word, _)| *word == text)?;
    Some(*meaning)
}

/// True if a text is printable ASCII, so that it can be part of a reply (RFC 5321 §4.2,
/// `textstring`).
pub(super) fn is_printable(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

/// True if a text is valid after the `@` of an address (RFC 5321 §4.1.2).
pub(super) fn is_domain(name: &str, charset: Charset) -> bool {
    Mailbox::parse(&format!("x@{name}"), charset).is_ok_and(|mailbox| mailbox.domain() == name)
}

fn number_and_unit(text: &str) -> Option<(u32, &str)> {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    Some((number.parse().ok()?, unit))
}
