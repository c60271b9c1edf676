//! Every fact of the session and the message, by its name.

use postgate_plugin::prelude::*;
use postgate_plugin::session::HeloKind;

/// The protocol by the other facts (RFC 3848).
pub(super) fn protocol() -> String {
    let secured = match (session::encrypted(), session::authenticated_as().is_some()) {
        (true, true) => "SA",
        (true, false) => "S",
        (false, true) => "A",
        (false, false) => "",
    };
    match session::helo() {
        HeloKind::Ehlo => format!("ESMTP{secured}"),
        HeloKind::Lhlo => format!("LMTP{secured}"),
        HeloKind::Helo | HeloKind::None => "SMTP".into(),
    }
}

/// Every fact that there is.
pub(super) fn facts() -> Vec<(&'static str, String)> {
    let optional = |text: Option<String>| text.unwrap_or_else(|| "-".into());
    let authentication = session::authentication();
    let tls = session::tls();
    let errors = session::errors();
    let errors: Vec<_> = errors.iter().map(|error| error.fault.as_str()).collect();
    let recipients = session::recipients();
    let recipients: Vec<_> = recipients.iter().map(ToString::to_string).collect();
    vec![
        ("id", session::id()),
        ("transaction-id", session::transaction_id()),
        ("connected-at", session::connected_at().to_string()),
        ("listener", session::listener()),
        ("hostname", session::hostname()),
        (
            "local-ip",
            optional(session::local_ip().map(|ip| ip.to_string())),
        ),
        ("local-port", session::local_port().to_string()),
        (
            "remote-ip",
            optional(session::remote_ip().map(|ip| ip.to_string())),
        ),
        ("remote-port", session::remote_port().to_string()),
        ("remote-host", session::remote_host()),
        (
            "remote-host-check",
            format!("{:?}", session::remote_host_check()),
        ),
        (
            "proxy",
            format!("{:?}", session::proxy().map(|proxy| proxy.source_port)),
        ),
        ("helo", format!("{:?}", session::helo())),
        ("helo-name", session::helo_name()),
        ("protocol", session::protocol()),
        ("line-endings", format!("{:?}", session::line_endings())),
        ("banner", session::banner()),
        ("greeting", session::greeting()),
        ("encrypted", session::encrypted().to_string()),
        (
            "tls-version",
            optional(tls.as_ref().map(|tls| tls.version.clone())),
        ),
        (
            "tls-cipher",
            optional(tls.as_ref().map(|tls| tls.cipher.clone())),
        ),
        (
            "tls-since",
            tls.as_ref().map_or(0, |tls| tls.since.min(1)).to_string(),
        ),
        (
            "tls-server-name",
            optional(tls.and_then(|tls| tls.server_name)),
        ),
        ("authenticated-as", optional(session::authenticated_as())),
        (
            "auth-mechanism",
            optional(authentication.as_ref().map(|auth| auth.mechanism.clone())),
        ),
        (
            "auth-identity",
            optional(authentication.as_ref().map(|auth| auth.identity.clone())),
        ),
        (
            "auth-since",
            authentication
                .map_or(0, |auth| auth.since.min(1))
                .to_string(),
        ),
        (
            "sender",
            optional(session::sender().map(|sender| sender.to_string())),
        ),
        (
            "mail-parameters",
            format!("{:?}", session::mail_parameters()),
        ),
        ("recipients", recipients.join(" ")),
        (
            "recipient-parameters",
            format!("{:?}", session::recipient_parameters(0)),
        ),
        ("error-count", session::error_count().to_string()),
        ("errors", errors.join(" ")),
        ("tags", format!("{:?}", session::tags())),
        ("message-id", message::id()),
        (
            "started-at",
            message::started_at()
                .map_or(0, |time| time.min(1))
                .to_string(),
        ),
        (
            "completed-at",
            message::completed_at()
                .map_or(0, |time| time.min(1))
                .to_string(),
        ),
        ("headers-complete", message::headers_complete().to_string()),
        ("header-count", message::header_count().to_string()),
        ("subject", optional(message::header_text("subject"))),
        ("size", message::size().to_string()),
        ("body-size", message::body_size().to_string()),
        ("mime-version", format!("{:?}", message::mime_version())),
    ]
}
