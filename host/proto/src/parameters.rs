//! ESMTP parameters of MAIL and RCPT, each with the grammar of its own RFC.

use crate::fault::Fault;

/// A parameter as the client gave it, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// The keyword in capitals.
    pub name: Box<str>,
    /// The value, empty where there is none.
    pub value: Box<str>,
}

/// The parameters of MAIL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MailParameters {
    /// What kind of data the body is (RFC 6152).
    pub body: Option<Body>,
    /// The size that the client announces, in octets (RFC 1870).
    pub size: Option<u64>,
    /// Whether addresses and headers may hold UTF-8 (RFC 6531).
    pub smtputf8: bool,
    /// All of them, in the client's order.
    pub all: Vec<Parameter>,
}

impl MailParameters {
    /// Reads the parameters behind the reverse-path.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let mut parameters = Self::default();
        for parameter in split(text) {
            let parameter = parameter?;
            let value = &*parameter.value;
            match &*parameter.name {
                "AUTH" if !value.is_empty() => {}
                "BODY" => parameters.body = Some(Body::parse(value)?),
                "SIZE" => parameters.size = Some(size(value)?),
                "SMTPUTF8" if value.is_empty() => parameters.smtputf8 = true,
                "AUTH" | "SMTPUTF8" => return Err(Fault::ParameterValue),
                _ => return Err(Fault::UnknownParameter),
            }
            parameters.all.push(parameter);
        }
        Ok(parameters)
    }
}

/// The parameters of RCPT. None is known yet.
pub fn parse_rcpt(text: &str) -> Result<Vec<Parameter>, Fault> {
    match split(text).next() {
        None => Ok(Vec::new()),
        Some(parameter) => parameter.and(Err(Fault::UnknownParameter)),
    }
}

/// The value of BODY.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// Octets below 128 in lines.
    SevenBit,
    /// Any octets in lines.
    EightBitMime,
}

impl Body {
    fn parse(value: &str) -> Result<Self, Fault> {
        match value {
            _ if value.eq_ignore_ascii_case("7BIT") => Ok(Self::SevenBit),
            _ if value.eq_ignore_ascii_case("8BITMIME") => Ok(Self::EightBitMime),
            _ => Err(Fault::ParameterValue),
        }
    }
}

/// `1*20DIGIT` (RFC 1870 §4).
fn size(value: &str) -> Result<u64, Fault> {
    match value.len() {
        1..=20 if value.bytes().all(|byte| byte.is_ascii_digit()) => {
            // Twenty digits may exceed 64 bits; such a message exceeds every limit just as well.
            Ok(value.parse().unwrap_or(u64::MAX))
        }
        _ => Err(Fault::ParameterValue),
    }
}

/// `esmtp-keyword ["=" esmtp-value]`, separated by blanks (RFC 5321 §4.1.2).
fn split(text: &str) -> impl Iterator<Item = Result<Parameter, Fault>> {
    text.split(' ').filter(|word| !word.is_empty()).map(|word| {
        let (name, value) = word.split_once('=').unwrap_or((word, ""));
        let is_name = name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        let is_value = value
            .chars()
            .all(|c| matches!(c, '!'..='<' | '>'..='~') || !c.is_ascii());
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
                " SIZE=99999999999999999999",
                Ok((None, Some(u64::MAX), false)),
            ),
            (" AUTH=<>", Ok((None, None, false))),
            (" SIZE=ABC", Err(Fault::ParameterValue)),
            (" SIZE=-1", Err(Fault::ParameterValue)),
            (" SIZE=", Err(Fault::ParameterValue)),
            (" SIZE", Err(Fault::ParameterValue)),
            (" SIZE=999999999999999999999", Err(Fault::ParameterValue)),
            (" BODY=OTHER", Err(Fault::ParameterValue)),
            (" SMTPUTF8=1", Err(Fault::ParameterValue)),
            (" AUTH", Err(Fault::ParameterValue)),
            (" X=a=b", Err(Fault::ParameterValue)),
            (" -X=a", Err(Fault::ParameterValue)),
            (" XFOO=bar", Err(Fault::UnknownParameter)),
        ];
        for (text, expected) in table {
            let parsed = MailParameters::parse(text);
            let shown = parsed.map(|p| (p.body, p.size, p.smtputf8));
            assert_eq!(shown, expected, "{text}");
        }
    }

    #[test]
    fn recipients_have_no_parameters_yet() {
        assert_eq!(parse_rcpt(" "), Ok(vec![]));
        assert_eq!(parse_rcpt(" XFOO"), Err(Fault::UnknownParameter));
        assert_eq!(parse_rcpt(" X=="), Err(Fault::ParameterValue));
    }
}
