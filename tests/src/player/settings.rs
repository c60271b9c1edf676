//! Converts the settings of a dialog for the protocol core, as the program converts its configuration.

use std::fmt::Display;

use postgate_proto::auth::Mechanism;
use postgate_proto::data::LineEndings;
use postgate_proto::parameters::Extensions;
use postgate_proto::relay::RelayDomains;
use postgate_proto::session::{Auth, Channel, ClientTrust, Offers, Settings, Tls};
use toml::{Table, Value};

use super::reply::reply;

/// Converts the settings of a dialog.
///
/// # Panics
///
/// Panics if the core does not know a setting.
pub(super) fn settings(dialog: &impl Display, table: &Table) -> (Settings, Offers) {
    let mut settings = Settings {
        hostname: "mx.example.org".to_owned(),
        relay: RelayDomains::new(["example.org".to_owned()]),
        ..Settings::default()
    };
    let mut offers = Offers::default();
    for (key, value) in table {
        let known = match (key.as_str(), value) {
            ("limits", Value::Table(limits)) => each(limits, |k, v| limit(&mut settings, k, v)),
            ("listener", Value::Table(listener)) => each(listener, |key, value| match key {
                "xclient-from" => {
                    offers.client = ClientTrust::NamesClients;
                    Some(())
                }
                "tls" => {
                    offers.tls = tls(value)?;
                    settings.tls_required = value.as_str() == Some("required");
                    Some(())
                }
                _ => listen(&mut settings, key, value),
            }),
            ("replies", Value::Table(replies)) => each(replies, |key, value| {
                let text = value.as_str()?.parse().ok()?;
                settings.replies.insert(key.to_owned(), reply(&text));
                Some(())
            }),
            _ => None,
        };
        assert!(
            known.is_some(),
            "{dialog}: the core has no setting {key} = {value}"
        );
    }
    (settings, offers)
}

/// Applies all settings of a table. Returns `None` if one of them is unknown.
fn each<'a>(
    table: &'a Table,
    mut apply: impl FnMut(&'a str, &'a Value) -> Option<()>,
) -> Option<()> {
    table.iter().try_for_each(|(key, value)| apply(key, value))
}

fn limit(settings: &mut Settings, key: &str, value: &Value) -> Option<()> {
    let number = || value.as_integer().and_then(|number| number.try_into().ok());
    match key {
        "endless-line" => settings.max_discarded = number()? as usize,
        "errors" => settings.max_errors = number()?,
        "header-size" => settings.max_header_size = number()?,
        "idle-commands" => settings.max_idle_commands = number()?,
        "refusals" => settings.max_refusals = number()?,
        "message-size" => settings.max_message_size = number()?,
        "recipients" => settings.max_recipients = number()?,
        "text-line" => settings.max_text_line = number()? as usize,
        // The core has no clock.
        "command-timeout" | "message-timeout" => {}
        _ => return None,
    }
    Some(())
}

fn listen(settings: &mut Settings, key: &str, value: &Value) -> Option<()> {
    match key {
        "add-keywords" => settings.more_keywords = words(value)?,
        "auth" => settings.auth = auth(value),
        "auth-mechanisms" => settings.mechanisms = mechanisms(value)?,
        "auth-in-clear" => settings.auth_in_clear = value.as_bool()?,
        "banner" => value.as_str()?.clone_into(&mut settings.banner),
        "default-domain" => settings.default_domain = Some(value.as_str()?.to_owned()),
        "extensions" => {
            return each(value.as_table()?, |key, value| {
                extension(&mut settings.extensions, key, value.as_bool()?)
            });
        }
        "lenient-commands" => settings.lenient_commands = value.as_bool()?,
        "limits" => return each(value.as_table()?, |k, v| limit(settings, k, v)),
        "line-endings" => settings.line_endings = line_endings(value)?,
        "only-keywords" => settings.only_keywords = Some(words(value)?),
        "strict-mail" => settings.strict_mail = value.as_bool()?,
        "strict-rcpt" => settings.strict_rcpt = value.as_bool()?,
        _ => return None,
    }
    Some(())
}

fn words(value: &Value) -> Option<Vec<String>> {
    let words = value.as_array()?.iter();
    words.map(|word| word.as_str().map(str::to_owned)).collect()
}

fn mechanisms(value: &Value) -> Option<Vec<Mechanism>> {
    words(value)?
        .iter()
        .map(|name| Mechanism::parse(name))
        .collect()
}

fn tls(value: &Value) -> Option<Tls> {
    Some(match value.as_str()? {
        "implicit" => Tls::Active(Channel {
            exporter: Some(EXPORTER),
            client_certificate: false,
        }),
        "off" => Tls::Off,
        "optional" | "required" => Tls::Offered,
        _ => return None,
    })
}

/// The channel binding of all encrypted connections of the core.
pub(super) const EXPORTER: [u8; 32] = [0x45; 32];

fn auth(value: &Value) -> Auth {
    match value.as_str() {
        Some("optional") => Auth::Optional,
        Some("required") => Auth::Required,
        _ => Auth::Off,
    }
}

fn extension(extensions: &mut Extensions, key: &str, is_on: bool) -> Option<()> {
    match key {
        "binarymime" => extensions.binarymime = is_on,
        "chunking" => {
            extensions.chunking = is_on;
            extensions.binarymime &= is_on;
        }
        "dsn" => extensions.dsn = is_on,
        "eight-bit-mime" => extensions.eight_bit_mime = is_on,
        "requiretls" => extensions.requiretls = is_on,
        "pipelining" => extensions.pipelining = is_on,
        "smtputf8" => extensions.smtputf8 = is_on,
        "vrfy" => extensions.vrfy = is_on,
        _ => return None,
    }
    Some(())
}

fn line_endings(value: &Value) -> Option<LineEndings> {
    Some(match value.as_str()? {
        "ensure" => LineEndings::Ensure,
        "ensure-legacy" => LineEndings::EnsureLegacy,
        "leave" => LineEndings::Leave,
        "strict" => LineEndings::Strict,
        _ => return None,
    })
}
