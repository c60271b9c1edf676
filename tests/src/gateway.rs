//! The program under test as a child process with its own directory, log and ports.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Instant;

use tempfile::TempDir;

use crate::PATIENCE;
use crate::certificate::Authority;
use crate::client::Client;
use crate::dialog::ScriptedAnswer;
use crate::log::Log;
use crate::player::script::sidecar;

/// The name of the plugin that gives scripted answers.
pub const SCRIPTED: &str = "10-scripted";

/// The configuration and the plugins of a gateway. By default, it relays `example.org` to a Maildir.
pub struct Setup {
    directory: TempDir,
    config: toml::Table,
    wrapper: Vec<String>,
}

impl Default for Setup {
    fn default() -> Self {
        Self::new()
    }
}

impl Setup {
    /// A gateway without plugins, with one listener on a free loopback port.
    pub fn new() -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        fs::create_dir(directory.path().join("plugins")).expect("the plugin directory");
        let mut setup = Self {
            directory,
            config: toml::Table::new(),
            wrapper: Vec::new(),
        };
        setup.merge(BASE);
        // Each plugin is compiled once for all tests.
        let cache = target_directory().join("plugin-cache");
        setup.set(&format!("plugins.cache = {cache:?}"))
    }

    /// Relays to this backend instead of the Maildir.
    #[must_use]
    pub fn backend(self, address: &str) -> Self {
        self.set(&format!(
            "backend = [{{ name = \"store\", address = \"{address}\" }}]"
        ))
    }

    /// Changes the configuration. The settings are TOML; tables are merged into existing ones.
    #[must_use]
    pub fn set(mut self, settings: &str) -> Self {
        self.merge(settings);
        self
    }

    /// Changes settings of the first listener. The settings are TOML.
    #[must_use]
    pub fn listener(mut self, settings: &str) -> Self {
        self.merge_listener(parsed(settings));
        self
    }

    /// Adds a certificate for `mx.example.org` of this authority, and the file `ca.pem` with the
    /// certificate of the authority.
    #[must_use]
    pub fn certified_by(self, authority: &Authority) -> Self {
        let issued = authority.issue(&["mx.example.org"]);
        issued.write(self.directory(), "mx");
        fs::write(self.directory().join("ca.pem"), authority.pem()).expect("the authority");
        self.set("certificate = [{ name = \"mx\", chain = \"mx.pem\", key = \"mx.key\" }]")
    }

    /// Applies the settings of a dialog. `listener` is the first listener. `plugin` is a stock plugin,
    /// with its `example.toml` as its sidecar, or a guest such as `guests/verbs` without a sidecar.
    #[must_use]
    pub fn dialog_settings(mut self, settings: &toml::Table) -> Self {
        let mut settings = settings.clone();
        if let Some(toml::Value::String(plugin)) = settings.remove("plugin") {
            let example = match plugin.starts_with("guests/") {
                true => String::new(),
                false => example_of(&plugin),
            };
            self = self.plugin("10-plugin", &plugin, &example);
        }
        if let Some(toml::Value::Table(listener)) = settings.remove("listener") {
            self.merge_listener(listener);
        }
        self.set(&settings.to_string())
    }

    /// Copies a built plugin into the plugin directory, with its sidecar.
    ///
    /// # Panics
    ///
    /// Panics if the plugin has not been built.
    #[must_use]
    pub fn plugin(self, name: &str, guest: &str, sidecar: &str) -> Self {
        let built = guest_file(guest);
        let contents = fs::read(&built).unwrap_or_else(|error| {
            panic!(
                "{}: {error}; run scripts/build-guests or make test",
                built.display()
            )
        });
        self.plugin_file(name, &contents, sidecar)
    }

    /// Copies several plugins: name, guest and sidecar of each.
    #[must_use]
    pub fn plugins(self, plugins: &[(&str, &str, &str)]) -> Self {
        plugins.iter().fold(self, |setup, (name, guest, sidecar)| {
            setup.plugin(name, guest, sidecar)
        })
    }

    /// Adds the guest `scripted` with these answers, each as in a `P:` line of a dialog.
    ///
    /// # Panics
    ///
    /// Panics if an answer is malformed.
    #[must_use]
    pub fn scripted(self, answers: &[&str]) -> Self {
        let parsed = answers.iter().map(|answer| answer.parse());
        let answers: Vec<ScriptedAnswer> = parsed.collect::<Result<_, _>>().expect("answers");
        self.plugin(SCRIPTED, "guests/scripted", &sidecar(&answers))
    }

    /// Writes a file into the plugin directory as a plugin.
    #[must_use]
    pub fn plugin_file(self, name: &str, contents: &[u8], sidecar: &str) -> Self {
        let plugins = self.directory.path().join("plugins");
        fs::write(plugins.join(format!("{name}.wasm")), contents).expect("the plugin");
        if !sidecar.is_empty() {
            fs::write(plugins.join(format!("{name}.toml")), sidecar).expect("the sidecar");
        }
        self
    }

    /// Starts the gateway through a program that takes a command as its arguments, such as
    /// `prlimit --nofile=64`.
    #[must_use]
    pub fn under(mut self, wrapper: &[&str]) -> Self {
        self.wrapper = wrapper.iter().map(ToString::to_string).collect();
        self
    }

    /// Writes the configuration, and returns its path.
    pub fn write(&self) -> PathBuf {
        let file = self.directory.path().join("postgate.toml");
        fs::write(&file, self.config.to_string()).expect("the configuration");
        file
    }

    /// Returns the directory of the configuration.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Starts the gateway and waits until it listens.
    pub fn start(self) -> Gateway {
        Gateway::start(self)
    }

    fn program(&self) -> Command {
        let Some((wrapper, arguments)) = self.wrapper.split_first() else {
            return program();
        };
        let mut command = Command::new(wrapper);
        command.args(arguments).arg(program().get_program());
        command.env_remove("RUST_LOG");
        command
    }

    fn merge_listener(&mut self, settings: toml::Table) {
        let listeners = self
            .config
            .get_mut("listener")
            .and_then(|l| l.as_array_mut());
        let listener = listeners
            .and_then(|l| l[0].as_table_mut())
            .expect("a listener");
        listener.extend(settings);
    }

    fn merge(&mut self, settings: &str) {
        for (key, value) in parsed(settings) {
            match (self.config.get_mut(&key), value) {
                (Some(toml::Value::Table(into)), toml::Value::Table(from)) => into.extend(from),
                (_, value) => {
                    self.config.insert(key, value);
                }
            }
        }
    }
}

fn example_of(plugin: &str) -> String {
    let directory = repository().join("plugins").join(plugin);
    fs::read_to_string(directory.join("example.toml")).expect("a stock plugin has an example")
}

fn parsed(settings: &str) -> toml::Table {
    settings
        .parse()
        .unwrap_or_else(|error| panic!("{settings}: {error}"))
}

const BASE: &str = r#"
hostname = "mx.example.org"

[[listener]]
name = "main"
address = "127.0.0.1:0"

[relay]
domains = ["example.org"]

[[backend]]
name = "store"
address = "maildir:maildir"

[plugins]
directory = "plugins"

[log]
level = "debug"
format = "json"
"#;

/// A running gateway. It is killed when this is dropped.
pub struct Gateway {
    child: Child,
    log: Log,
    setup: Setup,
    address: SocketAddr,
}

impl Gateway {
    fn start(setup: Setup) -> Self {
        let config = setup.write();
        let mut child = setup
            .program()
            .arg("serve")
            .arg("--config")
            .arg(config)
            .current_dir(setup.directory())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the gateway starts");
        let log = Log::collect(child.stderr.take().expect("stderr is piped"));
        // From here on, the process is killed if the test fails.
        let mut gateway = Self {
            child,
            log,
            setup,
            address: SocketAddr::from(([0, 0, 0, 0], 0)),
        };
        let listening = gateway.log.wait_for_message("listening");
        let address = listening["address"].as_str().unwrap_or_default();
        gateway.address = address
            .parse()
            .unwrap_or_else(|_| panic!("no address in {listening}"));
        gateway
    }

    /// Returns the address of the first listener.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the address of the listener with this name.
    pub fn address_of(&self, name: &str) -> SocketAddr {
        let line = self.log.wait_for(name, |line| {
            line["message"] == "listening" && line["listener"] == name
        });
        let address = line["address"].as_str().unwrap_or_default();
        address
            .parse()
            .unwrap_or_else(|_| panic!("no address in {line}"))
    }

    /// Connects a client, which has not yet read the banner.
    pub fn connect(&self) -> Client {
        Client::connect(self.address)
    }

    /// Returns the log.
    pub const fn log(&self) -> &Log {
        &self.log
    }

    /// Returns the process id.
    pub fn process_id(&self) -> u32 {
        self.child.id()
    }

    /// Returns the Maildir of the default backend.
    pub fn maildir(&self) -> PathBuf {
        self.setup.directory().join("maildir")
    }

    /// Returns the directory of the configuration.
    pub fn directory(&self) -> &Path {
        self.setup.directory()
    }

    /// Returns the plugin directory.
    pub fn plugins(&self) -> PathBuf {
        self.setup.directory().join("plugins")
    }

    /// Sends SIGTERM: the gateway shuts down.
    pub fn terminate(&self) {
        self.signal("TERM");
    }

    /// Sends SIGHUP: the gateway reloads.
    pub fn hang_up(&self) {
        self.signal("HUP");
    }

    fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .args([&format!("-{name}"), &self.child.id().to_string()])
            .status()
            .expect("kill is there");
        assert!(
            status.success(),
            "the gateway is gone already:\n{}",
            self.log.text()
        );
    }

    /// Waits for the process to end.
    ///
    /// # Panics
    ///
    /// Panics if the process does not end in time.
    pub fn wait(&mut self) -> ExitStatus {
        wait(&mut self.child)
    }

    /// True if the process still runs.
    pub fn is_up(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the log of the gateway:\n{}", self.log.text());
        }
        // It fails if the process has already ended.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// Returns a command that runs the program, without arguments.
///
/// # Panics
///
/// Panics if the program has not been built in the profile of the tests.
pub fn program() -> Command {
    let program = build_directory().join("postgate");
    assert!(
        program.exists(),
        "{} is not built; run make test",
        program.display()
    );
    let mut command = Command::new(program);
    command.env_remove("RUST_LOG");
    command
}

/// Returns the path of a built plugin by its name below `target/plugins`, such as `access` or
/// `guests/trap`.
pub fn guest_file(guest: &str) -> PathBuf {
    let target = build_directory()
        .parent()
        .expect("a target directory")
        .to_owned();
    target.join("plugins").join(format!("{guest}.wasm"))
}

/// Returns the root of the repository.
pub fn repository() -> &'static Path {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().expect("the tests stand below the root")
}

fn target_directory() -> PathBuf {
    build_directory()
        .parent()
        .expect("a target directory")
        .to_owned()
}

/// Returns the directory of the program: `target/release`.
fn build_directory() -> PathBuf {
    let test = std::env::current_exe().expect("a test has a path");
    let profile = test.ancestors().nth(2).expect("tests stand in deps");
    profile.to_owned()
}

/// Waits for a child process to end.
///
/// # Panics
///
/// Panics if the process does not end in time.
pub fn wait(child: &mut Child) -> ExitStatus {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match child.try_wait().expect("a child can be waited for") {
            Some(status) => return status,
            None if Instant::now() > deadline => panic!("the process does not end"),
            None => crate::peer::pause(),
        }
    }
}
