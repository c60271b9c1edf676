//! The interface `log`, and the log lines of what a guest prints.

use tracing::{debug, error, info, warn};

use super::state::HostState;
use crate::bindings::host::log;

impl log::Host for HostState {
    fn write(&mut self, level: log::Level, text: String) -> wasmtime::Result<()> {
        // Keeps the order of the guest: what it printed before this line is logged before it.
        self.log_printed(false);
        self.log(level, &text);
        Ok(())
    }
}

impl HostState {
    /// Logs what the guest has printed to its standard output and standard error. An incomplete last
    /// line is kept back unless `all` is true.
    pub(super) fn log_printed(&mut self, all: bool) {
        let printed = self.take_printed(all);
        for line in printed.stdout {
            self.log(log::Level::Info, &line);
        }
        for line in printed.stderr {
            self.log(log::Level::Warn, &line);
        }
    }

    /// Logs a line, unless the call has logged `limits.log-lines` already.
    fn log(&mut self, level: log::Level, text: &str) {
        self.log_lines = self.log_lines.saturating_add(1);
        if self.log_lines > self.plugin.limits.log_lines {
            return;
        }
        let plugin = self.plugin.name.as_str();
        let session = self
            .context()
            .map_or("", |context| context.session.id.as_str());
        let text = &text[..text.floor_char_boundary(MAX_LINE)];
        // The Debug format of a string escapes control characters, so that a plugin cannot forge a line.
        match level {
            log::Level::Debug => debug!(session, plugin, says = ?text, "plugin"),
            log::Level::Info => info!(session, plugin, says = ?text, "plugin"),
            log::Level::Warn => warn!(session, plugin, says = ?text, "plugin"),
            log::Level::Error => error!(session, plugin, says = ?text, "plugin"),
        }
    }
}

/// The greatest length of a logged line in octets. A longer line is cut.
const MAX_LINE: usize = 2_048;
