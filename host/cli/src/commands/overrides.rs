//! Flags and environment variables that hold in place of what the configuration file says.

use std::ffi::OsString;

use clap::Args;
use postgate_config::Overrides;

/// Settings that can come from the command line.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "In place of what the configuration file says")]
pub(super) struct Flags {
    /// The name of the gateway (or POSTGATE_HOSTNAME).
    #[arg(long, value_name = "NAME")]
    hostname: Option<String>,
    /// Where clients connect, with the settings of the first listener (or POSTGATE_LISTEN).
    #[arg(long, value_name = "ADDRESS,...")]
    listen: Option<String>,
    /// Where accepted mail goes (or POSTGATE_BACKEND).
    #[arg(long, value_name = "ADDRESS")]
    backend: Option<String>,
    /// The domains that strangers may send to (or POSTGATE_RELAY_DOMAINS).
    #[arg(long, value_name = "DOMAIN,...")]
    relay_domains: Option<String>,
    /// The directory of plugins (or POSTGATE_PLUGINS).
    #[arg(long, value_name = "DIRECTORY")]
    plugins: Option<String>,
    /// What is logged (or POSTGATE_LOG_LEVEL).
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
    /// How a line of the log looks: text or json (or POSTGATE_LOG_FORMAT).
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
}

/// A setting that can come from outside the file.
struct Setting<'a> {
    key: &'static str,
    variable: &'static str,
    flag: &'static str,
    given: &'a Option<String>,
}

impl Flags {
    /// What holds in place of the file: what a flag says, and else what a variable says that is not
    /// empty.
    pub(super) fn overrides(&self, variable: impl Fn(&str) -> Option<OsString>) -> Overrides {
        let mut overrides = Overrides::default();
        for setting in self.settings() {
            if let Some(value) = setting.given {
                overrides.set(setting.key, setting.flag, value);
            } else if let Some(value) = variable(setting.variable).filter(|v| !v.is_empty()) {
                // What is not Unicode is no value of these settings, and stays none this way.
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

    /// A key that the configuration does not know would have no effect, and make no mistake.
    #[test]
    fn every_setting_has_an_effect() {
        let overrides = Flags::default().overrides(|_| Some("\n".into()));
        let mistakes = Config::parse("", Path::new("postgate.toml"), &overrides).unwrap_err();
        let told = |name| {
            mistakes
                .iter()
                .any(|mistake| mistake.file == Path::new(name))
        };
        for setting in Flags::default().settings() {
            assert!(told(setting.variable), "{}", setting.variable);
        }
    }

    #[test]
    fn the_documentation_has_every_setting() {
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
