//! XCLIENT: a trusted client names the client for which it speaks (Postfix XCLIENT_README).

use std::net::IpAddr;

use crate::fault::Fault;

/// The attributes of another client. Attributes that are `None` do not change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Xclient {
    /// The client's address.
    pub address: Option<IpAddr>,
    /// The client's port.
    pub port: Option<u16>,
    /// The client's name from reverse DNS. Empty if it has none.
    pub name: Option<String>,
    /// The argument of the client's HELO or EHLO.
    pub helo: Option<String>,
    /// The identity that the client has authenticated. Empty if it has not.
    pub login: Option<String>,
    /// The address that the client connected to.
    pub local_address: Option<IpAddr>,
    /// The port that the client connected to.
    pub local_port: Option<u16>,
}

impl Xclient {
    /// The keyword for the reply to EHLO, with the supported attributes.
    pub const KEYWORD: &'static str = "XCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT";

    /// Parses `NAME=value …`, with values in xtext (RFC 3461 §4).
    ///
    /// # Errors
    ///
    /// Fails if an attribute is unknown or malformed.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let mut xclient = Self::default();
        for word in text.split(' ').filter(|word| !word.is_empty()) {
            let (name, value) = word.split_once('=').ok_or(Fault::Argument)?;
            let value = decoded(value).ok_or(Fault::Argument)?;
            let known = match value.to_ascii_uppercase().as_str() {
                "[UNAVAILABLE]" | "[TEMPUNAVAIL]" => None,
                _ => Some(value),
            };
            match name.to_ascii_uppercase().as_str() {
                "ADDR" => xclient.address = known.map(|text| address(&text)).transpose()?,
                "DESTADDR" => {
                    xclient.local_address = known.map(|text| address(&text)).transpose()?;
                }
                "DESTPORT" => xclient.local_port = known.map(|text| port(&text)).transpose()?,
                "HELO" => xclient.helo = known,
                "LOGIN" => xclient.login = Some(known.unwrap_or_default()),
                "NAME" => xclient.name = Some(known.unwrap_or_default()),
                "PORT" => xclient.port = known.map(|text| port(&text)).transpose()?,
                // SMTP or ESMTP: the HELO or EHLO that follows decides.
                "PROTO" => {}
                _ => return Err(Fault::Argument),
            }
        }
        Ok(xclient)
    }
}

fn address(text: &str) -> Result<IpAddr, Fault> {
    let is_v6 = text
        .get(..5)
        .is_some_and(|tag| tag.eq_ignore_ascii_case("IPV6:"));
    let text = if is_v6 { &text[5..] } else { text };
    text.parse().map_err(|_| Fault::Argument)
}

fn port(text: &str) -> Result<u16, Fault> {
    text.parse().map_err(|_| Fault::Argument)
}

/// Decodes xtext (RFC 3461 §4). Returns `None` if it is malformed or holds control characters.
fn decoded(text: &str) -> Option<String> {
    let mut octets = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        octets.push(match byte {
            b'+' => {
                let digits = [bytes.next()?, bytes.next()?];
                u8::from_str_radix(str::from_utf8(&digits).ok()?, 16).ok()?
            }
            _ => byte,
        });
    }
    let text = String::from_utf8(octets).ok()?;
    (!text.chars().any(char::is_control)).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_good_and_bad() {
        let xclient = Xclient::parse(
            "ADDR=IPV6:2001:db8::1 PORT=25 NAME=[UNAVAILABLE] HELO=a+2Bb LOGIN=user PROTO=ESMTP \
             DESTADDR=192.0.2.1 DESTPORT=587",
        );
        let expected = Xclient {
            address: Some("2001:db8::1".parse().unwrap()),
            port: Some(25),
            name: Some(String::new()),
            helo: Some("a+b".into()),
            login: Some("user".into()),
            local_address: Some("192.0.2.1".parse().unwrap()),
            local_port: Some(587),
        };
        assert_eq!(xclient, Ok(expected));
        for text in [
            "ADDR",
            "ADDR=1.2.3",
            "PORT=65536",
            "HELO=a+0Db",
            "HELO=a+2",
            "HELO=a+zz",
            "WHAT=x",
        ] {
            assert_eq!(Xclient::parse(text), Err(Fault::Argument), "{text}");
        }
        assert_eq!(Xclient::parse("ADDR=[unavailable]"), Ok(Xclient::default()));
    }
}
