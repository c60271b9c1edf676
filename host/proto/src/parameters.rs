//! The parser for the ESMTP parameters of MAIL and RCPT.

use crate::address::{BLANKS, Charset};
use crate::fault::Fault;

/// The extensions that a server offers. Parameters of other extensions are unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extensions {
    /// BINARYMIME (RFC 3030). Requires `chunking`.
    pub binarymime: bool,
    /// CHUNKING (RFC 3030).
    pub chunking: bool,
    /// DSN (RFC 3461).
    pub dsn: bool,
    /// 8BITMIME (RFC 6152).
    pub eight_bit_mime: bool,
    /// PIPELINING (RFC 2920).
    pub pipelining: bool,
    /// REQUIRETLS (RFC 8689). Sessions offer it on encrypted connections only.
    pub requiretls: bool,
    /// SMTPUTF8 (RFC 6531).
    pub smtputf8: bool,
    /// VRFY.
    pub vrfy: bool,
}

impl Extensions {
    /// All extensions.
    pub const ALL: Self = Self {
        binarymime: true,
        chunking: true,
        dsn: true,
        eight_bit_mime: true,
        pipelining: true,
        requiretls: true,
        smtputf8: true,
        vrfy: true,
    };

    /// The extensions that both have.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            binarymime: self.binarymime && other.binarymime,
            chunking: self.chunking && other.chunking,
            dsn: self.dsn && other.dsn,
            eight_bit_mime: self.eight_bit_mime && other.eight_bit_mime,
            pipelining: self.pipelining && other.pipelining,
            requiretls: self.requiretls && other.requiretls,
            smtputf8: self.smtputf8 && other.smtputf8,
            vrfy: self.vrfy && other.vrfy,
        }
    }
}

impl Default for Extensions {
    fn default() -> Self {
        Self::ALL
    }
}

/// A parameter whose value was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// The keyword in upper case.
    pub name: Box<str>,
    /// The value. Empty if there is none.
    pub value: Box<str>,
}

/// The parameters of MAIL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MailParameters {
    /// BODY (RFC 6152, RFC 3030).
    pub body: Option<Body>,
    /// SIZE in octets (RFC 1870).
    pub size: Option<u64>,
    /// True if SMTPUTF8 was given: addresses and header fields may hold UTF-8 (RFC 6531).
    pub smtputf8: bool,
    /// All parameters, in the order in which they were sent.
    pub all: Vec<Parameter>,
}

impl MailParameters {
    /// Parses the parameters after the reverse-path. `registered` holds the keywords of additional
    /// parameters, in upper case.
    ///
    /// # Errors
    ///
    /// Fails if a parameter is malformed, repeated or unknown.
    pub fn parse(
        text: &str,
        extensions: &Extensions,
        registered: &[Box<str>],
    ) -> Result<Self, Fault> {
        let mut parameters = Self::default();
        for parameter in split(text) {
            let parameter = parameter?;
            if parameters
                .all
                .iter()
                .any(|other| other.name == parameter.name)
            {
                return Err(Fault::ParameterValue);
            }
            let value = &*parameter.value;
            match &*parameter.name {
                "AUTH" => check(is_xtext(value))?,
                "BODY" if extensions.eight_bit_mime || extensions.binarymime => {
                    parameters.body = Some(Body::parse(value, extensions)?);
                }
                // RFC 3461 §4.3, §4.4.
                "RET" if extensions.dsn => check(is_one_of(value, &["FULL", "HDRS"]))?,
                "ENVID" if extensions.dsn => check(is_xtext(value) && value.len() <= 100)?,
                "REQUIRETLS" if extensions.requiretls => check(value.is_empty())?,
                "SIZE" => parameters.size = Some(size(value)?),
                "SMTPUTF8" if extensions.smtputf8 => {
                    check(value.is_empty())?;
                    parameters.smtputf8 = true;
                }
                name if registered.iter().any(|known| **known == *name) => {}
                _ => return Err(Fault::UnknownParameter),
            }
            parameters.all.push(parameter);
        }
        Ok(parameters)
    }

    /// The charset of the addresses in the transaction.
    pub const fn charset(&self) -> Charset {
        match self.smtputf8 {
            true => Charset::Utf8,
            false => Charset::Ascii,
        }
    }

    /// The value of a parameter, whose name is given in upper case.
    pub fn value(&self, name: &str) -> Option<&str> {
        value_of(&self.all, name)
    }
}

/// Parses the parameters after the forward-path. `registered` holds the keywords of additional
/// parameters, in upper case.
///
/// # Errors
///
/// Fails if a parameter is malformed, repeated or unknown.
pub fn parse_rcpt(
    text: &str,
    extensions: &Extensions,
    registered: &[Box<str>],
) -> Result<Vec<Parameter>, Fault> {
    let mut parameters: Vec<Parameter> = Vec::new();
    for parameter in split(text) {
        let parameter = parameter?;
        if parameters.iter().any(|other| other.name == parameter.name) {
            return Err(Fault::ParameterValue);
        }
        let value = &*parameter.value;
        match &*parameter.name {
            "NOTIFY" if extensions.dsn => check(is_notify(value))?,
            "ORCPT" if extensions.dsn => check(is_orcpt(value))?,
            name if registered.iter().any(|known| **known == *name) => {}
            _ => return Err(Fault::UnknownParameter),
        }
        parameters.push(parameter);
    }
    Ok(parameters)
}

/// The value of a parameter, whose name is given in upper case.
pub fn value_of<'a>(parameters: &'a [Parameter], name: &str) -> Option<&'a str> {
    let found = parameters.iter().find(|parameter| &*parameter.name == name);
    found.map(|parameter| &*parameter.value)
}

/// The value of BODY.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// Any octets, not divided into lines. Requires BDAT.
    BinaryMime,
    /// Lines of any octets.
    EightBitMime,
    /// Lines of octets below 128.
    SevenBit,
}

impl Body {
    fn parse(value: &str, extensions: &Extensions) -> Result<Self, Fault> {
        match value.to_ascii_uppercase().as_str() {
            "7BIT" => Ok(Self::SevenBit),
            "8BITMIME" if extensions.eight_bit_mime => Ok(Self::EightBitMime),
            "BINARYMIME" if extensions.binarymime && extensions.chunking => Ok(Self::BinaryMime),
            _ => Err(Fault::ParameterValue),
        }
    }
}

const fn check(valid: bool) -> Result<(), Fault> {
    match valid {
        true => Ok(()),
        false => Err(Fault::ParameterValue),
    }
}

/// `1*20DIGIT` (RFC 1870 §4).
fn size(value: &str) -> Result<u64, Fault> {
    match value.len() {
        1..=20 if value.bytes().all(|byte| byte.is_ascii_digit()) => {
            // Twenty digits may exceed 64 bits: u64::MAX exceeds every limit as well.
            Ok(value.parse().unwrap_or(u64::MAX))
        }
        _ => Err(Fault::ParameterValue),
    }
}

fn is_one_of(value: &str, allowed: &[&str]) -> bool {
    allowed.iter().any(|word| word.eq_ignore_ascii_case(value))
}

/// `NEVER`, or a list of `SUCCESS`, `FAILURE` and `DELAY` (RFC 3461 §4.1).
fn is_notify(value: &str) -> bool {
    value.eq_ignore_ascii_case("NEVER")
        || value
            .split(',')
            .all(|word| is_one_of(word, &["SUCCESS", "FAILURE", "DELAY"]))
}

/// `addr-type ";" xtext` (RFC 3461 §4.2); in UTF-8 for `utf-8` addresses (RFC 6533 §3).
fn is_orcpt(value: &str) -> bool {
    let Some((kind, address)) = value.split_once(';') else {
        return false;
    };
    let is_atom = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let is_address = match kind.eq_ignore_ascii_case("utf-8") {
        true => !address.is_empty(),
        false => is_xtext(address),
    };
    !kind.is_empty() && kind.chars().all(is_atom) && is_address && value.len() <= 500
}

/// Visible ASCII without `+` and `=`, or `+` and two upper-case hexadecimal digits (RFC 3461 §4).
fn is_xtext(value: &str) -> bool {
    let mut bytes = value.bytes();
    let is_hex = |byte: Option<u8>| matches!(byte, Some(b'0'..=b'9' | b'A'..=b'F'));
    while let Some(byte) = bytes.next() {
        let valid = match byte {
            b'+' => is_hex(bytes.next()) && is_hex(bytes.next()),
            b'=' => false,
            _ => byte.is_ascii_graphic(),
        };
        if !valid {
            return false;
        }
    }
    !value.is_empty()
}

/// `esmtp-keyword ["=" esmtp-value]`, separated by white space (RFC 5321 §4.1.2).
fn split(text: &str) -> impl Iterator<Item = Result<Parameter, Fault>> {
    text.split(BLANKS)
        .filter(|word| !word.is_empty())
        .map(|word| {
            let (name, value) = word.split_once('=').unwrap_or((word, ""));
            let is_name = name.starts_with(|c: char| c.is_ascii_alphanumeric())
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
            let is_value = value
                .chars()
                .all(|c| matches!(c, '!'..='<' | '>'..='~') || !c.is_ascii() && !c.is_control());
            match is_name && is_value && !word.ends_with('=') {
                true => Ok(Parameter {
                    name: name.to_ascii_uppercase().into(),
                    value: value.into(),
                }),
                false => Err(Fault::ParameterValue),
            }
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mail_parameters_good_and_bad() {
        let table = [
            ("", Ok((None, None, false))),
            (" SIZE=100", Ok((None, Some(100), false))),
            (
                " size=0  BODY=8bitmime",
                Ok((Some(Body::EightBitMime), Some(0), false)),
            ),
            (
                " BODY=7BIT SMTPUTF8",
                Ok((Some(Body::SevenBit), None, true)),
            ),
            (
                " BODY=BinaryMime",
                Ok((Some(Body::BinaryMime), None, false)),
            ),
            (
                " SIZE=99999999999999999999",
                Ok((None, Some(u64::MAX), false)),
            ),
            (" AUTH=<>", Ok((None, None, false))),
            (" AUTH=a+3Db@c", Ok((None, None, false))),
            (" RET=full ENVID=QQ314159", Ok((None, None, false))),
            (" XOWN=1 XOWN2", Ok((None, None, false))),
            (" SIZE=ABC", Err(Fault::ParameterValue)),
            (" SIZE=-1", Err(Fault::ParameterValue)),
            (" SIZE=", Err(Fault::ParameterValue)),
            (" SIZE", Err(Fault::ParameterValue)),
            (" SIZE=1 SIZE=1", Err(Fault::ParameterValue)),
            (" SIZE=999999999999999999999", Err(Fault::ParameterValue)),
            (" BODY=OTHER", Err(Fault::ParameterValue)),
            (" SMTPUTF8=1", Err(Fault::ParameterValue)),
            (" AUTH", Err(Fault::ParameterValue)),
            (" AUTH=a+3", Err(Fault::ParameterValue)),
            (" RET=HALF", Err(Fault::ParameterValue)),
            (" ENVID", Err(Fault::ParameterValue)),
            (" X=a=b", Err(Fault::ParameterValue)),
            (" -X=a", Err(Fault::ParameterValue)),
            (" XFOO=bar", Err(Fault::UnknownParameter)),
            (" ALT-ADDRESS=a@b", Err(Fault::UnknownParameter)),
        ];
        let registered = ["XOWN".into(), "XOWN2".into()];
        for (text, expected) in table {
            let parsed = MailParameters::parse(text, &Extensions::default(), &registered);
            let shown = parsed.map(|p| (p.body, p.size, p.smtputf8));
            assert_eq!(shown, expected, "{text}");
        }
    }

    #[test]
    fn what_is_not_offered_is_not_known() {
        let nothing = Extensions {
            binarymime: false,
            chunking: false,
            dsn: false,
            eight_bit_mime: false,
            pipelining: false,
            requiretls: false,
            smtputf8: false,
            vrfy: false,
        };
        for text in [
            "REQUIRETLS",
            "BODY=7BIT",
            "BODY=8BITMIME",
            "SMTPUTF8",
            "RET=FULL",
            "ENVID=x",
        ] {
            let parsed = MailParameters::parse(text, &nothing, &[]);
            assert_eq!(parsed, Err(Fault::UnknownParameter), "{text}");
        }
        for text in ["NOTIFY=NEVER", "ORCPT=rfc822;a@b"] {
            let parsed = parse_rcpt(text, &nothing, &[]);
            assert_eq!(parsed, Err(Fault::UnknownParameter), "{text}");
        }
        let encrypted = Extensions {
            requiretls: true,
            ..nothing
        };
        assert!(MailParameters::parse("REQUIRETLS", &encrypted, &[]).is_ok());
        assert!(MailParameters::parse("REQUIRETLS=1", &encrypted, &[]).is_err());
    }

    #[test]
    fn rcpt_parameters_good_and_bad() {
        let table = [
            (" ", Ok(0)),
            (" NOTIFY=NEVER", Ok(1)),
            (" NOTIFY=success,FAILURE,delay ORCPT=rfc822;a+2Bb@c", Ok(2)),
            (" ORCPT=utf-8;é@b", Ok(1)),
            (" NOTIFY=FAILURE,NEVER", Err(Fault::ParameterValue)),
            (" NOTIFY=", Err(Fault::ParameterValue)),
            (" NOTIFY=FAILURE,", Err(Fault::ParameterValue)),
            (" ORCPT=a@b", Err(Fault::ParameterValue)),
            (" ORCPT=rfc822;", Err(Fault::ParameterValue)),
            (" ORCPT=rfc822;a ORCPT=rfc822;a", Err(Fault::ParameterValue)),
            (" XFOO", Err(Fault::UnknownParameter)),
            (" X==", Err(Fault::ParameterValue)),
        ];
        for (text, expected) in table {
            let parsed = parse_rcpt(text, &Extensions::default(), &[]);
            assert_eq!(
                parsed.map(|parameters| parameters.len()),
                expected,
                "{text}"
            );
        }
    }
}
