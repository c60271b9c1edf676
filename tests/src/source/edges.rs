//! Which file refers to items of which other file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::resolve::{Resolver, Target};
use super::tree::Tree;

/// For each file, the files to whose items it refers, with the paths by which it does.
pub type Edges = BTreeMap<PathBuf, BTreeMap<PathBuf, BTreeSet<String>>>;

/// Finds the references between the files of a crate. A module that only declares or re-exports what
/// another file defines is not part of the way to it.
pub fn edges(tree: &Tree) -> Edges {
    let resolver = Resolver::new(tree);
    let mut edges = Edges::new();
    for (id, module) in tree.modules.iter().enumerate() {
        let mut add = |definer: usize, path: String| {
            let file = &tree.modules[definer].file;
            if *file != module.file {
                let from = edges.entry(module.file.clone()).or_default();
                from.entry(file.clone()).or_default().insert(path);
            }
        };
        let names = &resolver.names[id];
        for path in &names.references {
            for target in resolver.resolve(id, path) {
                if let Target::Item(definer) = target {
                    add(definer, path.join("::"));
                }
            }
        }
        for import in names.imports.iter().filter(|import| import.name.is_none()) {
            for target in resolver.resolve(id, &import.path) {
                let definers = match target {
                    Target::Item(definer) => [definer].into(),
                    Target::Module(module) => resolver.exporters(module),
                };
                for definer in definers {
                    add(definer, format!("{}::*", import.path.join("::")));
                }
            }
        }
    }
    edges
}
