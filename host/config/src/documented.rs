//! Checks that the documentation and the built-in configuration match the code.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use postgate_proto::fault::Fault;
use postgate_proto::reply::Reply;

use super::sidecar::Sidecar;
use super::*;

#[test]
fn the_built_in_configuration_names_every_key() {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir_all(directory.path().join("run/plugins")).unwrap();
    let file = directory.path().join("postgate.toml");
    // A line "# key = value" or "# [[table]]" is commented out; a sentence never has " = " after
    // its first word.
    let is_key = |line: &&str| {
        if line.starts_with("# [[") {
            return true;
        }
        line.strip_prefix("# ")
            .and_then(|line| line.split_once(" = "))
            .is_some_and(|(key, _)| {
                key.bytes()
                    .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
            })
    };
    let whole: String = BUILT_IN
        .lines()
        .map(|line| if is_key(&line) { &line[2..] } else { line })
        .flat_map(|line| [line, "\n"])
        .collect();
    parse(BUILT_IN, &file);
    // The keys for TLS conflict with a Maildir.
    let (before, backend) = whole.split_once("[[backend]]").unwrap();
    let backend = backend
        .replacen("maildir:run/maildir", "smtp://mail.example.org:25", 1)
        .replacen("tls = \"off\"", "tls = \"starttls\"", 1);
    let whole = format!("{before}[[backend]]{backend}");
    parse(&whole, &file);
    let known = document::known_keys(&whole, read::config);
    assert_eq!(summarized(&written_keys(&whole)), summarized(&known));
}

#[test]
fn a_listener_can_override_every_limit_except_global_ones() {
    let known = document::known_keys("", read::config);
    let below = |table: &str| -> BTreeSet<&str> {
        known
            .iter()
            .filter_map(|key| key.strip_prefix(table))
            .collect()
    };
    let mut limits = below("limits.");
    let of_all = [
        "auth-failure-window",
        "auth-failures-per-account",
        "auth-failures-per-address",
        "plugin-cpu-per-client",
        "shutdown-grace",
        "spool-memory",
    ];
    assert!(of_all.iter().all(|key| limits.remove(key)));
    assert_eq!(below("listener.limits."), limits);
}

#[test]
fn the_documentation_has_every_default_reply() {
    let documented: BTreeMap<_, _> = table("## Replies", "| Fault |")
        .map(|cells| (code(cells[0]).unwrap(), code(cells[1]).unwrap()))
        .collect();
    let faults = Fault::ALL.map(|fault| (fault.name().to_owned(), Reply::from(fault).to_string()));
    assert_eq!(documented, faults.into());
}

#[test]
fn the_examples_have_no_mistakes() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/configurations");
    let mut count = 0;
    for entry in fs::read_dir(directory).unwrap() {
        let file = entry.unwrap().path();
        if file
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            Config::load(&file, &Overrides::default()).unwrap();
            count += 1;
        }
    }
    assert_ne!(count, 0);
}

#[test]
fn the_documentation_has_the_keys_and_defaults_of_the_code() {
    let rows = documented("## The configuration file");
    let text = toml_of(
        &rows,
        &[
            ("", "hostname = \"mx.example.org\""),
            ("backend", "address = \"maildir:mail\""),
            ("certificate", "chain = \"mx.pem\""),
        ],
    );
    let file = Path::new("postgate.toml");
    assert_eq!(parse(&text, file), parse(MINIMAL, file));
    let keys: BTreeSet<String> = rows.into_iter().map(|(key, _)| key).collect();
    let known = document::known_keys(&text, read::config);
    assert_eq!(keys, summarized(&known));

    let rows = documented("## The sidecar of a plugin");
    let text = toml_of(&rows, &[]);
    assert_eq!(
        Sidecar::parse(&text, Path::new("x")),
        Ok(Sidecar::default())
    );
    let keys: BTreeSet<String> = rows.into_iter().map(|(key, _)| key).collect();
    assert_eq!(
        keys,
        document::known_keys(&text, |root| Some(sidecar::read(root)))
    );
}

/// The host name alone is a configuration, in which every option has the documented default.
#[test]
fn a_minimal_configuration_has_the_documented_defaults() {
    let file = Path::new("postgate.toml");
    let minimal = "hostname = \"mx.example.org\"\n";
    let config = parse(minimal, file);
    let rows = documented("## The configuration file");
    let is_there = |key: &str| !key.starts_with("backend.") && !key.starts_with("certificate.");
    let (values, described): (Vec<_>, Vec<_>) = rows
        .into_iter()
        .filter(|(key, _)| is_there(key))
        .partition(|(_, default)| default.is_some());
    let text = toml_of(&values, &[("", minimal.trim_end())]);
    assert_eq!(parse(&text, file), config);

    // Defaults that are no value of the key, in the words of the table.
    let listener = &config.listeners[0];
    let defaults = [
        (
            "hostname",
            Config::parse("", file, &Overrides::default()).is_ok(),
        ),
        ("auth-secret-file", config.auth_secret_file.is_none()),
        (
            "listener.name",
            listener.name == listener.address.to_string(),
        ),
        ("listener.certificates", listener.certificates.is_none()),
        ("listener.client-ca", listener.client_ca.is_none()),
        ("listener.default-domain", listener.default_domain.is_none()),
        ("listener.only-keywords", listener.only_keywords.is_none()),
        (
            "listener.extensions.binarymime",
            listener.extensions.binarymime,
        ),
        ("listener.limits", listener.limits == config.limits),
        (
            "tls.self-signed-names",
            config.tls.self_signed_names.is_empty(),
        ),
        ("replies", config.replies.is_empty()),
        ("quarantine.maildir", config.quarantine.is_none()),
        ("plugins.directory", config.plugins.directory.is_none()),
        ("plugins.cache", config.plugins.cache.is_none()),
        ("plugins.memory", config.plugins.memory.is_none()),
        ("plugins.instances", config.plugins.instances.is_none()),
        ("control.socket", config.control_socket.is_none()),
        ("runtime.workers", config.runtime.workers.is_none()),
    ];
    for (key, is_default) in defaults {
        assert!(is_default, "{key}");
    }
    let described: Vec<_> = described.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(described, defaults.map(|(key, _)| key));
    assert!(config.backend.is_none() && config.certificates.is_empty());
    assert_eq!(config.listeners.len(), 1);
}

fn parse(text: &str, file: &Path) -> Config {
    Config::parse(text, file, &Overrides::default()).unwrap()
}

/// Replaces the keys of tables that are documented as a whole, or by an example, with the table.
fn summarized(keys: &BTreeSet<String>) -> BTreeSet<String> {
    let whole = |key: &String| {
        let tables = ["listener.limits", "replies"];
        let table = tables
            .into_iter()
            .find(|table| key.starts_with(&format!("{table}.")));
        table.map_or_else(|| key.clone(), str::to_owned)
    };
    keys.iter().map(whole).collect()
}

/// The keys of the first table of keys below a heading, each with its default if that is a value
/// and not a description.
fn documented(heading: &str) -> Vec<(String, Option<String>)> {
    table(heading, "| Key |")
        .map(|cells| (code(cells[0]).unwrap(), code(cells[2])))
        .collect()
}

/// The rows of the first table below a heading that begins with the line `first`.
fn table(heading: &str, first: &str) -> impl Iterator<Item = Vec<&'static str>> {
    let page = include_str!("../../../docs/configuration.md");
    let (_, section) = page.split_once(&format!("{heading}\n")).unwrap();
    section
        .lines()
        .skip_while(move |line| !line.starts_with(first))
        .skip(2)
        .map_while(|line| line.strip_prefix("| "))
        .map(|row| row.split(" | ").collect())
}

fn code(cell: &str) -> Option<String> {
    Some(cell.strip_prefix('`')?.strip_suffix('`')?.to_owned())
}

/// A document with every default.
fn toml_of(rows: &[(String, Option<String>)], more: &[(&str, &str)]) -> String {
    let mut tables: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (key, default) in rows {
        let (table, key) = key.rsplit_once('.').unwrap_or(("", key));
        let lines = tables.entry(table).or_default();
        lines.extend(default.as_ref().map(|default| format!("{key} = {default}")));
    }
    for (table, line) in more {
        tables.entry(table).or_default().push((*line).to_owned());
    }
    let heading = |table| match table {
        "" => String::new(),
        "listener" | "backend" | "certificate" => format!("[[{table}]]\n"),
        table => format!("[{table}]\n"),
    };
    tables
        .iter()
        .map(|(table, lines)| format!("{}{}\n", heading(*table), lines.join("\n")))
        .collect()
}

/// The keys in a document, without indices.
fn written_keys(text: &str) -> BTreeSet<String> {
    let mut table = "";
    let mut keys = BTreeSet::new();
    for line in text.lines() {
        if let Some(heading) = line.strip_prefix('[') {
            table = heading.trim_matches(['[', ']']);
        } else if let Some((key, _)) = line.split_once(" = ")
            && !line.starts_with('#')
        {
            keys.insert(if table.is_empty() {
                key.to_owned()
            } else {
                format!("{table}.{key}")
            });
        }
    }
    keys
}

const MINIMAL: &str = "hostname = \"mx.example.org\"\n[[backend]]\naddress = \"maildir:mail\"\n\
                       [[certificate]]\nchain = \"mx.pem\"\n";
