//! Every row of the acceptance list is shown by a test that exists, or is open with a reason.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use postgate_tests::dialog::Dialog;
use postgate_tests::gateway::repository;

#[test]
fn every_row_is_shown_or_open() {
    let list = List::read();
    let mut faults = Vec::new();
    for row in list.all_rows() {
        match (list.shown.contains_key(&row), list.is_open(&row)) {
            (true, true) => faults.push(format!("{row} is shown and open")),
            (false, false) => faults.push(format!("{row} is neither shown nor open")),
            _ => {}
        }
    }
    report(&faults);
}

#[test]
fn every_entry_is_a_row() {
    let list = List::read();
    let rows = list.all_rows();
    let is_known = |key: &String| rows.contains(key) || list.rows.contains_key(key);
    let mut faults = Vec::new();
    faults.extend(list.shown.keys().filter(|key| !rows.contains(*key)));
    faults.extend(list.open.keys().filter(|key| !is_known(key)));
    let faults = faults.iter().map(|key| format!("{key} is no row"));
    report(&faults.collect::<Vec<_>>());
}

#[test]
fn every_proof_is_there() {
    let list = List::read();
    let mut faults = Vec::new();
    for (row, proofs) in &list.shown {
        if proofs.is_empty() {
            faults.push(format!("{row} has no proof"));
        }
        let missing = proofs.iter().filter(|proof| !is_there(proof));
        faults.extend(missing.map(|proof| format!("{row}: there is no {proof}")));
    }
    report(&faults);
}

/// The groups that are about the protocol have a conversation for each of their rows.
#[test]
fn every_row_of_the_protocol_has_a_dialog() {
    const GROUPS: [&str; 9] = ["H", "K", "MA", "RC", "DA", "B", "TL", "AU", "V"];
    let list = List::read();
    let is_dialog = |proof: &String| proof.starts_with("dialogs/");
    let mut faults = Vec::new();
    for (row, proofs) in &list.shown {
        let has_dialog = proofs.iter().any(is_dialog);
        let is_needed = GROUPS.contains(&group_of(row));
        match list.without_dialog.get(row) {
            None if is_needed && !has_dialog => faults.push(format!("{row} has no dialog")),
            Some(_) if has_dialog => faults.push(format!("{row} has a dialog")),
            Some(why) if why.trim().is_empty() => faults.push(format!("{row}: no reason")),
            _ => {}
        }
    }
    let unknown = list
        .without_dialog
        .keys()
        .filter(|row| !list.shown.contains_key(*row));
    faults.extend(unknown.map(|row| format!("{row} is not shown at all")));
    report(&faults);
}

#[test]
fn every_open_row_says_why() {
    let list = List::read();
    let silent = list.open.iter().filter(|(_, why)| why.trim().is_empty());
    let faults = silent.map(|(row, _)| format!("{row} is open without a reason"));
    report(&faults.collect::<Vec<_>>());
}

/// Every fault at once, so that one run says all.
fn report(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

/// What stands in `acceptance.toml`.
struct List {
    /// How many rows each group has.
    rows: BTreeMap<String, usize>,
    /// The groups and rows that nothing shows yet, and why.
    open: BTreeMap<String, String>,
    /// The rows of the protocol that no dialog can show, and why.
    without_dialog: BTreeMap<String, String>,
    /// The proofs of each row.
    shown: BTreeMap<String, Vec<String>>,
}

impl List {
    fn read() -> Self {
        let text = fs::read_to_string(repository().join("tests/acceptance.toml"));
        let table: toml::Table = text.expect("the list").parse().expect("TOML");
        let part = |name: &str| table.get(name).cloned().expect("a table");
        Self {
            rows: part("rows").try_into().expect("numbers"),
            open: part("open").try_into().expect("reasons"),
            without_dialog: part("without-dialog").try_into().expect("reasons"),
            shown: part("shown").try_into().expect("lists of proofs"),
        }
    }

    fn all_rows(&self) -> BTreeSet<String> {
        let numbers = self
            .rows
            .iter()
            .flat_map(|(group, count)| (1..=*count).map(move |number| (group, number)));
        numbers
            .map(|(group, number)| format!("{group}{number:02}"))
            .collect()
    }

    fn is_open(&self, row: &str) -> bool {
        self.open.contains_key(row) || self.open.contains_key(group_of(row))
    }
}

/// The letters of a row: `MA` of `MA10`.
fn group_of(row: &str) -> &str {
    row.trim_end_matches(|c: char| c.is_ascii_digit())
}

/// Whether this test or dialog exists: `FILE::function` or `FILE: title`, the file below `tests`.
fn is_there(proof: &str) -> bool {
    if let Some((file, function)) = proof.split_once("::") {
        let source = fs::read_to_string(repository().join("tests").join(file));
        if file.starts_with("benches/") {
            // A benchmark says what it has measured, beside the tests of what does not depend on time.
            let is_run = fs::read_to_string(repository().join("Makefile"));
            let name = file.trim_start_matches("benches/").trim_end_matches(".rs");
            let is_run = is_run.is_ok_and(|make| make.contains(&format!("--bench {name}")));
            return is_run
                && source.is_ok_and(|source| source.contains(&format!("fn {function}(")));
        }
        return source.is_ok_and(|source| has_test(&source, function));
    }
    let Some((file, title)) = proof.split_once(": ") else {
        return false;
    };
    let dialogs = Dialog::load(&repository().join("tests").join(file));
    dialogs.is_ok_and(|dialogs| dialogs.iter().any(|dialog| dialog.name == title))
}

/// Whether a source holds this function with the attribute of a test.
fn has_test(source: &str, function: &str) -> bool {
    let lines: Vec<_> = source.lines().map(str::trim).collect();
    let head = format!("fn {function}(");
    let is_head = |line: &&str| line.trim_start_matches("async ").starts_with(&head);
    let Some(at) = lines.iter().position(is_head) else {
        return false;
    };
    let above = lines[..at].iter().rev();
    above
        .take_while(|line| line.starts_with("#[") || line.starts_with("//"))
        .any(|line| *line == "#[test]" || line.starts_with("#[tokio::test"))
}

#[test]
fn a_function_is_a_test_by_its_attribute() {
    let source =
        "#[test]\n/// Why.\nfn one() {}\n\nfn two() {}\n    #[test]\n    fn three(a in b) {}";
    assert!(has_test(source, "one"));
    assert!(!has_test(source, "two"));
    assert!(has_test(source, "three"));
    assert!(!has_test(source, "thre"));
}
