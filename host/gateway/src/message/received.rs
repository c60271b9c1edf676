//! The Received field (RFC 5321 §4.4).

use std::net::IpAddr;

use jiff::ZonedDateTime;
use postgate_proto::header::{HeaderEdit, HeaderName, HeaderValue};

use postgate_runtime::context::Context;

/// Returns the edit that adds the field to the message of the current transaction. Returns `None` if
/// there is no transaction.
pub(crate) fn field(context: &Context) -> Option<HeaderEdit> {
    let session = &context.session;
    let introduction = context.introduction.as_ref();
    let helo = introduction.map_or("unknown", |client| &client.name);
    let date = jiff::fmt::rfc2822::to_string(&ZonedDateTime::now()).ok()?;
    let transaction = context.transaction.as_ref()?;
    // The clause FOR must not disclose recipients to each other (RFC 5321 §7.2).
    let recipient = match transaction.envelope.recipients.as_slice() {
        [only] => format!(" for <{}>", only.path.as_str()),
        _ => String::new(),
    };
    // A comment (RFC 5322 section 3.2.2) in the format of Postfix.
    let encryption = match &context.tls {
        Some(tls) => format!(" (using {} with cipher {})", tls.version, tls.cipher),
        None => String::new(),
    };
    let line = format!(
        "from {} ({}[{}]){encryption} by {} with {} id {}{recipient}; {date}",
        sanitized(helo),
        session
            .remote_host
            .name()
            .map(|name| sanitized(name) + " ")
            .unwrap_or_default(),
        literal(session.remote.ip()),
        session.hostname,
        context.protocol(introduction),
        context.message_id(),
    );
    let name = HeaderName::new("Received").ok()?;
    let value = HeaderValue::new(line.as_bytes()).ok()?;
    Some(HeaderEdit::Prepend(name, value))
}

/// Formats an address literal (RFC 5321 §4.1.3) without brackets.
fn literal(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("IPv6:{address}"),
    }
}

/// Replaces characters in the name of a client that could end the word or begin a comment, and truncates
/// it to 255 characters.
fn sanitized(name: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-._[]:".contains(c);
    name.chars()
        .take(255)
        .map(|c| if allowed(c) { c } else { '?' })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_one_word() {
        assert_eq!(sanitized("mx.example.org"), "mx.example.org");
        assert_eq!(sanitized("[IPv6:::1]"), "[IPv6:::1]");
        assert_eq!(sanitized("it's (me); now"), "it?s??me???now");
    }

    #[test]
    fn addresses_are_formatted_as_literals() {
        assert_eq!(literal("192.0.2.1".parse().unwrap()), "192.0.2.1");
        assert_eq!(literal("::1".parse().unwrap()), "IPv6:::1");
        assert_eq!(literal("::ffff:192.0.2.1".parse().unwrap()), "192.0.2.1");
    }
}
