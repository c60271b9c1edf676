//! The guide for authors of plugins says what the contract says, and its code works.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use postgate_tests::certificate::Authority;
use postgate_tests::client::Client;
use postgate_tests::dialog::Dialog;
use postgate_tests::document::{blocks, blocks_of, documents, read};
use postgate_tests::gateway::{Setup, repository};
use postgate_tests::peer::run;
use serde_json::Value;
use wit_parser::{Resolve, TypeDefKind, WorldItem, WorldKey};

fn guide() -> PathBuf {
    repository().join("docs/plugins")
}

fn pages() -> Vec<PathBuf> {
    let pages = documents().into_iter();
    pages.filter(|page| page.starts_with(guide())).collect()
}

/// The text of all pages.
fn guide_text() -> String {
    pages().iter().map(|page| read(page)).collect()
}

/// The contract as its parser understands it.
struct Contract(Resolve);

impl Contract {
    fn read() -> Self {
        let mut resolve = Resolve::default();
        resolve
            .push_dir(repository().join("wit"))
            .expect("the contract");
        Self(resolve)
    }

    /// The interfaces on one side of a world: imported, or exported.
    fn interfaces(&self, world: &str, is_exported: bool) -> Vec<String> {
        let (_, world) = self
            .0
            .worlds
            .iter()
            .find(|(_, it)| it.name == world)
            .expect("the world");
        let items = if is_exported {
            &world.exports
        } else {
            &world.imports
        };
        let name = |(key, item): (&WorldKey, &WorldItem)| match (key, item) {
            (WorldKey::Interface(id), WorldItem::Interface { .. }) => {
                self.0.interfaces[*id].name.clone()
            }
            _ => None,
        };
        items.iter().filter_map(name).collect()
    }

    fn functions(&self, interface: &str) -> Vec<String> {
        let named = |it: &wit_parser::Interface| it.name.as_deref() == Some(interface);
        let (_, interface) = self
            .0
            .interfaces
            .iter()
            .find(|(_, it)| named(it))
            .expect("the interface");
        interface.functions.keys().cloned().collect()
    }

    /// The cases of all verdicts and edits, but for those that hold the cases of another edit.
    fn cases(&self) -> BTreeSet<String> {
        let mut cases = BTreeSet::new();
        for (_, definition) in self.0.types.iter() {
            let name = definition.name.as_deref().unwrap_or_default();
            let TypeDefKind::Variant(variant) = &definition.kind else {
                continue;
            };
            if name.ends_with("verdict") || name.ends_with("edit") {
                cases.extend(variant.cases.iter().map(|case| case.name.clone()));
            }
        }
        cases.retain(|case| !["header", "session"].contains(&case.as_str()));
        cases
    }
}

#[test]
fn every_part_of_the_contract_is_in_the_guide() {
    let (contract, text) = (Contract::read(), guide_text());
    let imports = contract.interfaces("imports", false);
    let functions = imports.iter().flat_map(|name| contract.functions(name));
    let cases = contract.cases();
    assert!(
        cases.contains("defer") && cases.contains("replace-body"),
        "{cases:?}"
    );
    let offered: Vec<_> = imports
        .iter()
        .filter(|name| *name != "types")
        .cloned()
        .collect();
    assert!(offered.contains(&"files".to_owned()), "{offered:?}");
    // `log.write` and `write` are both its name.
    let is_mentioned =
        |name: &String| text.contains(&format!("`{name}`")) || text.contains(&format!(".{name}`"));
    let missing: Vec<_> = functions
        .chain(cases)
        .chain(
            offered
                .into_iter()
                .filter(|name| !["log", "config"].contains(&name.as_str())),
        )
        .filter(|name| !is_mentioned(name))
        .collect();
    assert!(missing.is_empty(), "not in docs/plugins: {missing:?}");
}

/// What is written like the name of an event is one.
#[test]
fn the_guide_knows_no_event_that_there_is_not() {
    let events = Contract::read().interfaces("all-events", true);
    for page in pages() {
        let text = read(&page);
        for span in text.split('`').skip(1).step_by(2) {
            let is_event = span.starts_with("on-") && span != "on-failure";
            let is_name = |c: char| c.is_ascii_lowercase() || c == '-';
            if is_event && span.chars().all(is_name) {
                assert!(
                    events.iter().any(|event| event == span),
                    "{}: {span}",
                    page.display()
                );
            }
        }
    }
}

/// The rows of the table in `events.md` which shows a session: the events of each.
fn documented_session() -> Vec<String> {
    let page = read(&guide().join("events.md"));
    let (_, rest) = page
        .split_once("| the client | events |")
        .expect("the table of a session");
    let rows = rest
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    let events = |row: &str| {
        let names = row.split('`').filter_map(|span| span.strip_prefix("on-"));
        names.map(str::to_owned).collect::<Vec<_>>()
    };
    rows.flat_map(|row| events(row.rsplit(" | ").next().unwrap_or_default()))
        .collect()
}

/// What the recorder says of a session: the first word of each line.
fn event_of(line: &Value) -> Option<String> {
    if line["plugin"] != "10-recorder" || line["session"] == "load" {
        return None;
    }
    let says = line["says"].as_str()?.trim_matches('"');
    says.split(' ').next().map(str::to_owned)
}

#[test]
fn a_session_has_the_events_that_the_guide_shows() {
    let authority = Authority::new("tests");
    let setup = Setup::new().listener("tls = \"optional\"\nauth = \"optional\"");
    let issued = authority.issue(&["mx.example.org"]);
    let (chain, key) = issued.write(setup.directory(), "mx");
    let certificate =
        format!("certificate = [{{ name = \"mx\", chain = {chain:?}, key = {key:?} }}]");
    let setup = setup
        .set(&certificate)
        .plugin("10-recorder", "guests/recorder", "");
    let gateway = setup.start();
    let mut client = Client::greeted(gateway.address());
    client.says("STARTTLS", "220");
    client
        .handshake(&authority.client(), "mx.example.org")
        .unwrap();
    client.says("EHLO client.example", "250");
    client.says("AUTH PLAIN AGJvYgBzZWNyZXQ=", "535");
    client.says("MAIL FROM:<alice@client.example>", "250");
    client.says("RCPT TO:<bob@example.org>", "250");
    client.says("RCPT TO:<carol@example.org>", "250");
    assert!(
        client
            .message(b"Subject: hello\r\n\r\nat noon?\r\n")
            .starts_with("250")
    );
    client.says("QUIT", "221");
    let is_over = |line: &Value| event_of(line).as_deref() == Some("disconnect");
    gateway.log().wait_for("a disconnect", is_over);
    let lines = gateway.log().find(|line| event_of(line).is_some());
    let recorded: Vec<_> = lines.iter().filter_map(event_of).collect();
    assert_eq!(recorded, documented_session());
}

/// The plugin of the first page is the one that `postgate plugin new no-nobody` writes.
#[test]
fn the_first_plugin_of_the_guide_is_the_template() {
    let template = repository().join("host/cli/templates/rust/lib.rs");
    let template = read(&template)
        .replace("new-plugin", "no-nobody")
        .replace("NewPlugin", "NoNobody");
    let blocks = blocks_of(&guide().join("first.md"));
    let shown = blocks.iter().find(|block| block.language == "rust");
    assert_eq!(
        shown.map(|block| block.text.as_str()),
        Some(template.as_str())
    );
}

/// Code in Rust is compiled by the doctests of the SDK, which name the pages.
#[test]
fn code_in_the_guide_is_compiled() {
    let sdk = read(&repository().join("plugins/sdk/src/lib.rs"));
    for page in pages() {
        let name = page
            .file_name()
            .and_then(|name| name.to_str())
            .expect("a name");
        let has_code = blocks_of(&page)
            .iter()
            .any(|block| block.language == "rust");
        assert!(
            !has_code || sdk.contains(&format!("docs/plugins/{name}\"")),
            "{name}"
        );
    }
}

#[test]
fn conversations_in_the_guide_can_be_read() {
    let mut read = 0;
    for page in pages() {
        for block in blocks_of(&page)
            .iter()
            .filter(|block| block.language == "text")
        {
            let dialogs = Dialog::parse(Path::new("guide.smtp"), &block.text);
            let dialogs = dialogs.unwrap_or_else(|error| panic!("{}: {error}", block.place()));
            read += dialogs.len();
        }
    }
    assert!(read > 0, "the guide shows no conversation");
}

#[test]
fn scripts_in_documents_can_be_read_by_a_shell() {
    for block in blocks().iter().filter(|block| block.language == "sh") {
        let output = run(Command::new("sh").args(["-n", "-c", &block.text]));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {said}", block.place());
    }
}

/// Nothing stands in the guide that no test looks at.
#[test]
fn every_block_of_the_guide_is_of_a_kind_that_is_tried() {
    for page in pages() {
        for block in blocks_of(&page) {
            let tried = ["console", "eml", "rust", "sh", "text", "toml"];
            let language = block.language.as_str();
            assert!(tried.contains(&language), "{}: {language:?}", block.place());
            // Transcripts are played by `author.rs`, which knows the first page.
            let is_played = !["console", "eml"].contains(&language) || page.ends_with("first.md");
            assert!(is_played, "{}", block.place());
        }
    }
}
