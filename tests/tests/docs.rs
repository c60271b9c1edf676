//! What the documents say is true: configurations load, code is that of the examples, transcripts
//! happen, links lead somewhere.

use std::fs;
use std::path::Path;

use postgate_tests::certificate::Authority;
use postgate_tests::document::{Block, blocks, documents};
use postgate_tests::gateway::{Setup, program, repository};
use postgate_tests::peer::{program as peer, run};

/// Whether this stands beside a plugin, and not on its own.
fn is_sidecar(table: &toml::Table) -> bool {
    [
        "config",
        "on-failure",
        "grants",
        "events",
        "listeners",
        "files",
    ]
    .iter()
    .any(|key| table.contains_key(*key))
}

#[test]
fn configurations_in_documents_load() {
    let blocks = blocks();
    let tomls: Vec<_> = blocks
        .iter()
        .filter(|block| block.language == "toml")
        .collect();
    assert!(!tomls.is_empty(), "no document shows a configuration");
    for block in tomls {
        let table: toml::Table = block
            .text
            .parse()
            .unwrap_or_else(|error| panic!("{}: {error}", block.place()));
        // A part of a manifest is no configuration of the gateway.
        if table.contains_key("dependencies") || table.contains_key("package") {
            continue;
        }
        let setup = match is_sidecar(&table) {
            true => Setup::new().plugin("10-shown", &shown_plugin(block), &block.text),
            false => Setup::new(),
        };
        let config = setup.write();
        if !is_sidecar(&table) {
            let text = with_files(&block.text, setup.directory());
            fs::write(&config, text).expect("the configuration");
            for directory in ["plugins", "plugins.d"] {
                fs::create_dir_all(setup.directory().join(directory)).expect("a directory");
            }
        }
        let output = run(program().args(["check", "--config"]).arg(&config));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}:\n{said}", block.place());
    }
}

/// A configuration whose files are there, in this directory.
fn with_files(text: &str, directory: &Path) -> String {
    let authority = Authority::new("documents");
    let (issued, trusted) = (authority.issue(&["mx.example.org"]), authority.pem());
    let text = text.replace("\"/etc/", &format!("\"{}/", directory.display()));
    for line in text.lines() {
        let Some((key, value)) = line.split_once(" = ") else {
            continue;
        };
        let content = match key {
            "chain" => issued.certificate.as_str(),
            "key" => issued.key.as_str(),
            "client-ca" => trusted.as_str(),
            "password-file" => "secret",
            _ => continue,
        };
        let file = directory.join(value.trim_matches('"'));
        fs::create_dir_all(file.parent().expect("a file has a directory")).expect("a directory");
        fs::write(file, content).expect("a file");
    }
    text
}

/// The plugin beside which a block stands: the one whose document shows it, or else one
/// that handles every event.
fn shown_plugin(block: &Block) -> String {
    let stock = ["access", "header-rules", "attachment-blocker"];
    let directory = block
        .file
        .parent()
        .and_then(Path::file_name)
        .unwrap_or_default();
    let shown = stock.iter().find(|name| directory == **name);
    shown.map_or_else(|| "guests/recorder".to_owned(), |name| (*name).to_owned())
}

#[test]
fn the_first_plugin_of_the_readme_is_the_example() {
    let readme = repository().join("README.md");
    let blocks = blocks();
    let code = blocks
        .iter()
        .find(|block| block.file == readme && block.language == "rust");
    let example = repository().join("examples/01-no-plus/src/lib.rs");
    let example = fs::read_to_string(example).expect("the example");
    assert_eq!(
        code.map(|block| block.text.as_str()),
        Some(shown_part(&example))
    );
}

/// An example may have tests at its end that a document leaves out.
fn shown_part(source: &str) -> &str {
    match source.find("\n#[cfg(test)]") {
        Some(end) => &source[..end],
        None => source,
    }
}

/// Each `$ swaks …` of the README is run against a gateway as the README sets it up, and says what
/// the README says.
#[test]
fn the_transcript_of_the_readme_happens() {
    let readme = repository().join("README.md");
    let gateway = Setup::new()
        .plugin("10-no-plus", "examples/no-plus", "")
        .start();
    let blocks = blocks();
    let consoles = blocks.iter().filter(|block| {
        block.file == readme && block.language == "console" && block.text.contains("$ swaks")
    });
    let mut played = 0;
    for block in consoles {
        let mut said = String::new();
        for line in block.text.lines() {
            if let Some(arguments) = line.strip_prefix("$ swaks ") {
                let address = gateway.address().to_string();
                let arguments = arguments.replace("127.0.0.1:2525", &address);
                let output = run(peer("swaks").args(arguments.split_whitespace()));
                said = String::from_utf8_lossy(&output.stdout).into_owned();
                played += 1;
            } else if line.starts_with('<') {
                assert!(
                    said.lines().any(|heard| heard == line),
                    "no \"{line}\" in:\n{said}"
                );
            }
        }
    }
    assert!(played > 0, "the README shows no swaks");
}

/// What contributors are told, and what authors of plugins can rely on.
#[test]
fn contributors_and_authors_have_their_documents() {
    for (file, headings) in [
        (
            "CONTRIBUTING.md",
            &["## Build and test", "## Tests", "## Commits"][..],
        ),
        ("docs/plugins/publishing.md", &["## What stays compatible"]),
    ] {
        let text = fs::read_to_string(repository().join(file)).expect("the document");
        for heading in headings {
            let (_, section) = text
                .split_once(heading)
                .unwrap_or_else(|| panic!("{file}: no {heading}"));
            let section = section.split("\n## ").next().unwrap_or_default();
            assert!(
                section.split_whitespace().count() > 50,
                "{file}: {heading} says nothing"
            );
        }
    }
    let readme = fs::read_to_string(repository().join("README.md")).expect("the readme");
    assert!(
        readme.contains("CONTRIBUTING.md"),
        "nobody finds CONTRIBUTING.md"
    );
}

#[test]
fn links_lead_somewhere() {
    let mut broken = Vec::new();
    for file in documents() {
        let text = fs::read_to_string(&file).expect("a document can be read");
        for target in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            let path = target.split('#').next().unwrap_or_default();
            if path.is_empty() || path.contains("://") {
                continue;
            }
            let place = file.parent().expect("a file has a directory").join(path);
            if !place.exists() {
                broken.push(format!("{}: {target}", file.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// The configurations among the examples are whole: they load as they are.
#[test]
fn configurations_among_the_examples_load() {
    let directory = repository().join("examples/configurations");
    let entries = fs::read_dir(&directory).expect("there are examples");
    let files = entries.map(|entry| entry.expect("an entry").path());
    let files: Vec<_> = files
        .filter(|path| path.extension().is_some_and(|e| e == "toml"))
        .collect();
    assert!(!files.is_empty());
    for file in files {
        let text = fs::read_to_string(&file).expect("an example can be read");
        let setup = Setup::new();
        let config = setup.write();
        fs::create_dir_all(setup.directory().join("plugins.d")).expect("a directory");
        fs::write(&config, with_files(&text, setup.directory())).expect("a copy");
        let output = run(program().args(["check", "--config"]).arg(&config));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}:\n{said}", file.display());
    }
}
