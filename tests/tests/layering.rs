//! The structure of the code: no file imports from another in a circle, crates depend on each other
//! in one direction, and functions and files stay short.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use postgate_tests::gateway::repository;
use postgate_tests::source::{Crate, Files, Tree, circles, crates, edges, functions};

/// The number of lines that a function may have.
const MAX_FUNCTION: usize = 60;
/// The number of lines that a file may have.
const MAX_FILE: usize = 450;

#[test]
fn files_do_not_import_in_circles() {
    let mut faults = Vec::new();
    for Crate { directory, files } in crates(repository()) {
        let mut found = circles(&edges(&Tree::read(&files)));
        if directory.ends_with("plugins/sdk") {
            // Outside of a component, the SDK calls this stand-in for the host, which is written with
            // the types of the SDK.
            let is_stand_in = |file: &PathBuf| file.starts_with("testing");
            found.retain(|circle| !circle.files.iter().any(is_stand_in));
        }
        let source = directory.join("src");
        faults.extend(found.iter().map(|it| format!("{}/{it}", source.display())));
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

/// A made-up crate: its files, and the circles in it as lists of files.
struct Example {
    title: &'static str,
    files: &'static [(&'static str, &'static str)],
    circles: &'static [&'static str],
}

const EXAMPLES: &[Example] = &[
    Example {
        title: "siblings, by super",
        files: &[
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", "use super::b::B; pub struct A;"),
            ("b.rs", "pub struct B; fn f(_: super::a::A) {}"),
        ],
        circles: &["a.rs b.rs"],
    },
    Example {
        title: "a re-export leads to the file of the definition",
        files: &[
            ("lib.rs", "mod a; mod c;"),
            (
                "a/mod.rs",
                "mod b; pub(crate) use self::b::{B as Renamed, Other};",
            ),
            ("a/b.rs", "use crate::c::C; pub struct B; pub struct Other;"),
            (
                "c.rs",
                "use crate::{a::{self, Renamed}}; pub struct C(Renamed);",
            ),
        ],
        circles: &["a/b.rs c.rs"],
    },
    Example {
        title: "a child imports a type of its parent, which uses the child",
        files: &[
            ("lib.rs", "pub mod a;"),
            (
                "a.rs",
                "mod child; pub struct Parent; fn f() { child::g(); }",
            ),
            ("a/child.rs", "use super::Parent; pub(super) fn g() {}"),
        ],
        circles: &["a/child.rs a.rs"],
    },
    Example {
        title: "a child imports a type of its parent, which only declares the child",
        files: &[
            ("lib.rs", "pub mod a;"),
            ("a.rs", "mod child; pub struct Parent;"),
            ("a/child.rs", "use super::Parent;"),
        ],
        circles: &[],
    },
    Example {
        title: "a child imports what its parent re-exports from a sibling",
        files: &[
            ("lib.rs", "pub mod a;"),
            ("a/mod.rs", "mod b; mod c; pub use self::{b::B, c::C};"),
            ("a/b.rs", "use super::C; pub struct B(C);"),
            ("a/c.rs", "pub struct C;"),
        ],
        circles: &[],
    },
    Example {
        title: "three files, by a module name, a macro argument and a glob",
        files: &[
            ("main.rs", "mod a; mod b; mod c;"),
            ("a.rs", "use crate::b; fn f() { b::g(); }"),
            ("b.rs", "pub fn g() { assert!(crate::c::IS_SET); }"),
            ("c.rs", "use crate::a::*; pub const IS_SET: bool = true;"),
        ],
        circles: &["a.rs b.rs c.rs"],
    },
    Example {
        title: "tests may import from all files",
        files: &[
            ("lib.rs", "mod a; mod b; #[cfg(test)] mod tests;"),
            (
                "a.rs",
                "use crate::b::B; pub struct A; pub mod x { pub fn g() {} }",
            ),
            (
                "b.rs",
                "pub struct B; #[cfg(test)] mod tests { use crate::a::A; } \
                 fn f() { #[cfg(test)] crate::a::x::g(); #[cfg(all(test, unix))] let _ = crate::a::A; }",
            ),
            ("tests.rs", "use crate::a::A; this is not parsed"),
        ],
        circles: &[],
    },
    Example {
        title: "an exported macro is in the file that defines it",
        files: &[
            ("lib.rs", "mod a; mod b; use b::B;"),
            ("a.rs", "#[macro_export] macro_rules! make { () => {} }"),
            ("b.rs", "pub struct B; crate::make!();"),
        ],
        circles: &[],
    },
];

#[test]
fn circles_are_found_in_examples() {
    for example in EXAMPLES {
        let files = example.files.iter();
        let files: Files = files
            .map(|(file, text)| (file.into(), (*text).into()))
            .collect();
        let found = circles(&edges(&Tree::read(&files)));
        let found = found.iter().map(|circle| {
            let files: Vec<_> = circle.files.iter().map(|it| it.to_string_lossy()).collect();
            files.join(" ")
        });
        assert_eq!(
            found.collect::<Vec<_>>(),
            example.circles,
            "{}",
            example.title
        );
    }
}

/// For each crate, the packages on which it must not depend, neither itself nor through another
/// crate of the workspace. Of packages from a registry, only those in manifests of the workspace
/// count.
const FORBIDDEN: &[(&str, &[&str])] = &[
    (
        "postgate-address",
        &["postgate-proto", "serde", "tokio", "tracing"],
    ),
    ("postgate-proto", &["serde", "tokio", "tracing"]),
    ("postgate-contract", &["tokio", "wasmtime"]),
    ("postgate-config", &["tokio", "wasmtime"]),
    ("postgate-mime", &["tokio", "wasmtime"]),
    ("postgate-spool", &["wasmtime"]),
    ("postgate-delivery", &["postgate-runtime", "wasmtime"]),
    (
        "postgate-runtime",
        &["clap", "postgate", "postgate-delivery"],
    ),
    (
        "postgate",
        &[
            "clap",
            "rpassword",
            "similar",
            "tracing-subscriber",
            "wit-bindgen-c",
            "wit-bindgen-core",
        ],
    ),
];

#[test]
fn crates_depend_in_one_direction() {
    let dependencies = dependencies();
    let mut faults = Vec::new();
    for (package, forbidden) in FORBIDDEN {
        let all = transitive(package, &dependencies);
        let found = forbidden.iter().filter(|it| all.contains(**it));
        faults.extend(found.map(|it| format!("{package} depends on {it}")));
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

/// The names of direct dependencies, by package.
type Dependencies = BTreeMap<String, BTreeSet<String>>;

/// Reads the manifests of all members of the workspace.
fn dependencies() -> Dependencies {
    let workspace = manifest("Cargo.toml");
    let members = workspace["workspace"]["members"].as_array();
    let members = members.expect("the workspace has members").iter();
    let read = |member: &toml::Value| {
        let member = member.as_str().expect("a path");
        let manifest = manifest(&format!("{member}/Cargo.toml"));
        let name = manifest["package"]["name"].as_str().expect("a name");
        (name.to_owned(), direct(&manifest))
    };
    members.map(read).collect()
}

fn manifest(path: &str) -> toml::Table {
    let text = fs::read_to_string(repository().join(path)).expect("a manifest can be read");
    text.parse()
        .unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Returns the names in all tables of dependencies but those of tests.
fn direct(manifest: &toml::Table) -> BTreeSet<String> {
    let targets = manifest.get("target").and_then(toml::Value::as_table);
    let targets = targets.into_iter().flatten();
    let targets = targets.filter_map(|(_, table)| table.as_table());
    let tables = std::iter::once(manifest).chain(targets);
    let kinds = ["dependencies", "build-dependencies"];
    let dependencies = tables.flat_map(|table| kinds.map(|kind| table.get(kind)));
    let names = dependencies.flatten().filter_map(toml::Value::as_table);
    names.flat_map(toml::Table::keys).cloned().collect()
}

fn transitive(package: &str, dependencies: &Dependencies) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    let mut pending = vec![package.to_owned()];
    assert!(dependencies.contains_key(package), "there is no {package}");
    while let Some(package) = pending.pop() {
        for name in dependencies.get(&package).into_iter().flatten() {
            if all.insert(name.clone()) {
                pending.push(name.clone());
            }
        }
    }
    all
}

#[test]
fn functions_and_files_are_short() {
    let mut faults = Vec::new();
    for Crate { directory, files } in crates(repository()) {
        let tree = Tree::read(&files);
        for (file, text) in &files {
            let place: PathBuf = directory.join("src").join(file);
            let lines = text.lines().count();
            if lines > MAX_FILE {
                faults.push(format!("{}: {lines} lines", place.display()));
            }
            if !tree.files().contains(file.as_path()) {
                continue;
            }
            for function in functions(text) {
                if function.length > MAX_FUNCTION {
                    let (place, line) = (place.display(), function.line);
                    let (name, length) = (function.name, function.length);
                    faults.push(format!("{place}:{line}: {name} has {length} lines"));
                }
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}
