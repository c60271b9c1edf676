//! Lines for the operator's log. Each has the session id and the plugin's name.

use crate::host;

/// For the author of the plugin.
pub fn debug(text: impl AsRef<str>) {
    host::log::write(host::log::Level::Debug, text.as_ref());
}

/// For the operator: normal operation.
pub fn info(text: impl AsRef<str>) {
    host::log::write(host::log::Level::Info, text.as_ref());
}

/// For the operator: something unexpected.
pub fn warn(text: impl AsRef<str>) {
    host::log::write(host::log::Level::Warn, text.as_ref());
}

/// For the operator: the plugin cannot do its work.
pub fn error(text: impl AsRef<str>) {
    host::log::write(host::log::Level::Error, text.as_ref());
}
