//! What is written about the configuration is what the code does.

use std::collections::{BTreeMap, BTreeSet};

use super::sidecar::Sidecar;
use super::*;

#[test]
fn the_built_in_configuration_names_every_key() {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir_all(directory.path().join("run/plugins")).unwrap();
    let file = directory.path().join("postgate.toml");
    // A key that is commented out follows "# " at once; a sentence has no " = " after one word.
    let is_key = |line: &&str| {
        line.strip_prefix("# ")
            .and_then(|line| line.split_once(" = "))
            .is_some_and(|(key, _)| {
                key.bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte == b'-')
            })
    };
    let whole: String = BUILT_IN
        .lines()
        .map(|line| if is_key(&line) { &line[2..] } else { line })
        .flat_map(|line| [line, "\n"])
        .collect();
    Config::parse(BUILT_IN, &file).unwrap();
    Config::parse(&whole, &file).unwrap();
    let (written, known) = (
        written_keys(&whole),
        document::known_keys(&whole, read::config),
    );
    assert_eq!(written, known);
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
            Config::load(&file).unwrap();
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
        ],
    );
    let file = Path::new("postgate.toml");
    assert_eq!(Config::parse(&text, file), Config::parse(MINIMAL, file));
    let keys: BTreeSet<String> = rows.into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys, document::known_keys(&text, read::config));

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

/// The keys of the first table below a heading that has them, each with its default where that is
/// a value and not a description.
fn documented(heading: &str) -> Vec<(String, Option<String>)> {
    let page = include_str!("../../../../docs/configuration.md");
    let (_, section) = page.split_once(heading).unwrap();
    section
        .lines()
        .skip_while(|line| !line.starts_with("| Key |"))
        .skip(2)
        .map_while(|line| line.strip_prefix("| "))
        .map(|row| {
            let cells: Vec<&str> = row.split(" | ").collect();
            (code(cells[0]).unwrap(), code(cells[2]))
        })
        .collect()
}

fn code(cell: &str) -> Option<String> {
    Some(cell.strip_prefix('`')?.strip_suffix('`')?.to_owned())
}

/// A text that writes out every default.
fn toml_of(rows: &[(String, Option<String>)], more: &[(&str, &str)]) -> String {
    let mut tables: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (key, default) in rows {
        let (table, key) = key.rsplit_once('.').unwrap_or(("", key));
        let lines = tables.entry(table).or_default();
        lines.extend(default.as_ref().map(|default| format!("{key} = {default}")));
    }
    for (table, line) in more {
        tables.get_mut(table).unwrap().push((*line).to_owned());
    }
    let heading = |table| match table {
        "" => String::new(),
        "listener" | "backend" => format!("[[{table}]]\n"),
        table => format!("[{table}]\n"),
    };
    tables
        .iter()
        .map(|(table, lines)| format!("{}{}\n", heading(*table), lines.join("\n")))
        .collect()
}

/// The keys that a text sets, without indices.
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

const MINIMAL: &str = "hostname = \"mx.example.org\"\n[[backend]]\naddress = \"maildir:mail\"\n";
