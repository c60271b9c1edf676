//! Conversion of the configuration to the settings of the protocol.

use postgate_config::{AuthMode, Backend, BackendAddress, Config, Listener, TlsMode};
use postgate_proto::data::LineEndings;
use postgate_proto::relay::RelayDomains;
use postgate_proto::session::{Auth, Settings};

/// Returns the settings for the sessions of a listener.
pub fn session_settings(listener: &Listener, config: &Config) -> Settings {
    let limits = &listener.limits;
    Settings {
        hostname: config.hostname.clone(),
        auth: match listener.auth {
            AuthMode::Off => Auth::Off,
            AuthMode::Optional => Auth::Optional,
            AuthMode::Required => Auth::Required,
        },
        auth_in_clear: listener.auth_in_clear,
        banner: listener.banner.clone(),
        command_timeout: limits.command_timeout,
        default_domain: listener.default_domain.clone(),
        extensions: listener.extensions,
        line_endings: line_endings(listener.line_endings, config.backend.as_ref()),
        lenient_commands: listener.lenient_commands,
        max_discarded: limits.endless_line as usize,
        max_errors: limits.errors,
        max_header_size: limits.header_size,
        max_idle_commands: limits.idle_commands,
        max_refusals: limits.refusals,
        max_message_size: limits.message_size,
        max_recipients: limits.recipients,
        max_text_line: limits.text_line as usize,
        mechanisms: listener.auth_mechanisms.clone(),
        message_timeout: limits.message_timeout,
        more_keywords: listener.more_keywords.clone(),
        only_keywords: listener.only_keywords.clone(),
        relay: RelayDomains::new(config.relay.domains.iter().map(ToString::to_string))
            .with_routing(config.relay.sender_routing),
        replies: config.replies.clone(),
        strict_mail: listener.strict_mail,
        strict_rcpt: listener.strict_rcpt,
        tls_required: listener.tls == TlsMode::Required,
    }
}

/// A server gets the message in lines, which cannot hold a lone CR or LF (RFC 5321 §2.3.8). What would be
/// left to it is refused: a change would be one that plugins do not see.
fn line_endings(configured: LineEndings, backend: Option<&Backend>) -> LineEndings {
    let has_lines = backend.is_some_and(|backend| match backend.address {
        BackendAddress::Lmtp(_)
        | BackendAddress::LmtpUnix(_)
        | BackendAddress::Smtp(_)
        | BackendAddress::SmtpUnix(_) => true,
        BackendAddress::Maildir(_) => false,
    });
    match configured {
        LineEndings::Leave if has_lines => LineEndings::Strict,
        configured => configured,
    }
}
