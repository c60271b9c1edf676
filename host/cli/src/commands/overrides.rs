//! Flags and environment variables that override the configuration file.

use std::ffi::OsString;

use clap::Args;
use postgate_config::Overrides;

/// The flags that override settings of the configuration file.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "In place of what the configuration file says")]
pub(super) struct Flags {
    /// The name of the gateway (or POSTGATE_HOSTNAME).
    #[arg(long, value_name = "NAME")]
    hostname: Option<String>,
    /// The addresses to listen on, with the settings of the first listener (or POSTGATE_LISTEN).
    #[arg(long, value_name = "ADDRESS,...")]
    listen: Option<String>,
    /// The backend for accepted mail (or POSTGATE_BACKEND).
    #[arg(long, value_name = "ADDRESS")]
    backend: Option<String>,
    /// The domains for which clients may send mail without authentication (or POSTGATE_RELAY_DOMAINS).
    #[arg(long, value_name = "DOMAIN,...")]
    relay_domains: Option<String>,
    /// The directory of plugins (or POSTGATE_PLUGINS).
    #[arg(long, value_name = "DIRECTORY")]
    plugins: Option<String>,
    /// The log level (or POSTGATE_LOG_LEVEL).
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
    /// The log format: text or json (or POSTGATE_LOG_FORMAT).
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
}

/// A setting that a flag or an environment variable can override.
struct Setting<'a> {
    key: &'static str,
    variable: &'static str,
    flag: &'static str,
    given: &'a Option<String>,
}

impl Flags {
    /// Returns the overrides of the file. A flag takes precedence over a variable. An empty variable
    /// counts as unset.
    pub(super) fn overrides(&self, variable: impl Fn(&str) -> Option<OsString>) -> Overrides {
        let mut overrides = Overrides::default();
        for setting in self.settings() {
            if let Some(value) = setting.given {
                overrides.set(setting.key, setting.flag, value);
            } else if let Some(value) = variable(setting.variable).filter(|v| !v.is_empty()) {
                // A value that is not Unicode is invalid for all of these settings, and so is the
                // converted one.
                overrides.set(setting.key, setting.variable, &value.to_string_lossy());
            }
        }
        overrides
    }

    fn settings(&self) -> [Setting<'_>; 7] {
        let setting = |key, variable, flag, given| Setting {
            key,
            variable,
            flag,
            given,
        };
        [
            setting(
                "hostname",
                "POSTGATE_HOSTNAME",
                "--hostname",
                &self.hostname,
            ),
            setting(
                "listener.address",
                "POSTGATE_LISTEN",
                "--listen",
                &self.listen,
            ),
            setting(
                "backend.address",
                "POSTGATE_BACKEND",
                "--backend",
                &self.backend,
            ),
            setting(
                "relay.domains",
                "POSTGATE_RELAY_DOMAINS",
                "--relay-domains",
                &self.relay_domains,
            ),
            setting(
                "plugins.directory",
                "POSTGATE_PLUGINS",
                "--plugins",
                &self.plugins,
            ),
            setting(
                "log.level",
                "POSTGATE_LOG_LEVEL",
                "--log-level",
                &self.log_level,
            ),
            setting(
                "log.format",
                "POSTGATE_LOG_FORMAT",
                "--log-format",
                &self.log_format,
            ),
        ]
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use postgate_config::Config;

    use super::*;

    const FILE: &str = "hostname = \"file.example\"\n";

    fn hostname(flag: Option<&str>, variable: Option<&str>) -> String {
        let flags = Flags {
            hostname: flag.map(str::to_owned),
            ..Flags::default()
        };
        let value = |name: &str| variable.filter(|_| name == "POSTGATE_HOSTNAME");
        let overrides = flags.overrides(|name| value(name).map(OsString::from));
        Config::parse(FILE, Path::new("postgate.toml"), &overrides)
            .unwrap()
            .hostname
    }

    #[test]
    fn a_flag_goes_before_a_variable_and_that_before_the_file() {
        let (flag, variable) = (Some("flag.example"), Some("variable.example"));
        assert_eq!(hostname(flag, variable), "flag.example");
        assert_eq!(hostname(flag, None), "flag.example");
        assert_eq!(hostname(None, variable), "variable.example");
        assert_eq!(hostname(None, Some("")), "file.example");
        assert_eq!(hostname(None, None), "file.example");
    }

    /// An override with an unknown key would have no effect and give no error.
    #[test]
    fn every_setting_has_an_effect() {
        let overrides = Flags::default().overrides(|_| Some("\n".into()));
        let errors = Config::parse("", Path::new("postgate.toml"), &overrides).unwrap_err();
        let is_reported = |name| errors.iter().any(|error| error.file == Path::new(name));
        for setting in Flags::default().settings() {
            assert!(is_reported(setting.variable), "{}", setting.variable);
        }
    }

    #[test]
    fn every_setting_is_documented() {
        let page = include_str!("../../../../docs/configuration.md");
        for Setting {
            key,
            variable,
            flag,
            ..
        } in Flags::default().settings()
        {
            let row = format!("| `{key}` | `{variable}` | `{flag}` |");
            assert!(page.contains(&row), "{row}");
        }
    }
}
