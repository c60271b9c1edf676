//! The Received line (RFC 5321 §4.4): what this gateway says about how a message came.

use std::net::IpAddr;

use jiff::ZonedDateTime;
use postgate_proto::header::{HeaderEdit, HeaderName, HeaderValue};

use postgate_runtime::context::Context;

/// The line for the message of the current transaction.
pub(crate) fn field(context: &Context) -> Option<HeaderEdit> {
    let session = &context.session;
    let introduction = context.introduction.as_ref();
    let helo = introduction.map_or("unknown", |client| &client.name);
    let date = jiff::fmt::rfc2822::to_string(&ZonedDateTime::now()).ok()?;
    let transaction = context.transaction.as_ref()?;
    // With several recipients, naming them would tell one of the others.
    let recipient = match transaction.envelope.recipients.as_slice() {
        [only] => format!(" for <{}>", only.path.as_str()),
        _ => String::new(),
    };
    // As a comment (RFC 5322 section 3.2.2), in the words that Postfix uses.
    let encryption = match &context.tls {
        Some(tls) => format!(" (using {} with cipher {})", tls.version, tls.cipher),
        None => String::new(),
    };
    let line = format!(
        "from {} ({}[{}]){encryption} by {} with {} id {}{recipient}; {date}",
        harmless(helo),
        session
            .remote_host
            .name()
            .map(|name| harmless(name) + " ")
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

/// The address as RFC 5321 §4.1.3 writes it, without brackets.
fn literal(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("IPv6:{address}"),
    }
}

/// A client may call itself anything; in the line it must stay one word.
fn harmless(name: &str) -> String {
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
        assert_eq!(harmless("mx.example.org"), "mx.example.org");
        assert_eq!(harmless("[IPv6:::1]"), "[IPv6:::1]");
        assert_eq!(harmless("it's (me); now"), "it?s??me???now");
    }

    #[test]
    fn addresses_are_literals() {
        assert_eq!(literal("192.0.2.1".parse().unwrap()), "192.0.2.1");
        assert_eq!(literal("::1".parse().unwrap()), "IPv6:::1");
        assert_eq!(literal("::ffff:192.0.2.1".parse().unwrap()), "192.0.2.1");
    }
}
