//! Which module defines the item that a path names. Re-exports are followed to the definition.

use std::collections::BTreeSet;

use super::references::{Import, Names};
use super::tree::Tree;

/// What a path names. A path can name several things: a module and a function can have the same
/// name, and so can imports under different conditions (`cfg`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Target {
    /// An item of this module.
    Item(usize),
    /// This module.
    Module(usize),
}

pub(super) struct Resolver<'a> {
    tree: &'a Tree,
    pub(super) names: Vec<Names>,
}

/// The names whose imports are being followed, with their modules. Imports can refer to each other
/// in a circle.
type Pending = Vec<(usize, String)>;

impl<'a> Resolver<'a> {
    pub(super) fn new(tree: &'a Tree) -> Self {
        let modules = tree.modules.iter();
        Self {
            tree,
            names: modules.map(|module| Names::of(&module.items)).collect(),
        }
    }

    /// Returns what a path in a module names; nothing if it leads to another crate.
    pub(super) fn resolve(&self, from: usize, path: &[String]) -> BTreeSet<Target> {
        self.follow(from, path, &mut Pending::new())
    }

    /// Returns the modules that define what a glob import of a module brings.
    pub(super) fn exporters(&self, module: usize) -> BTreeSet<usize> {
        let names = &self.names[module];
        let mut exporters = BTreeSet::new();
        if names.has_generated_items || !names.definitions.is_empty() {
            exporters.insert(module);
        }
        for import in names.imports.iter().filter(|import| import.is_reexport) {
            let targets = self.resolve(module, &import.path).into_iter();
            exporters.extend(targets.filter_map(|target| match target {
                Target::Item(module) => Some(module),
                Target::Module(_) => None,
            }));
        }
        exporters
    }

    fn follow(&self, from: usize, path: &[String], pending: &mut Pending) -> BTreeSet<Target> {
        let Some((first, rest)) = path.split_first() else {
            return BTreeSet::new();
        };
        let mut targets = match first.as_str() {
            "crate" => [Target::Module(self.tree.modules[from].root)].into(),
            "self" | "super" => self.step(Target::Module(from), first, pending),
            _ => self.named(from, first, pending),
        };
        for name in rest {
            let step = |target| self.step(target, name, pending);
            targets = targets.into_iter().flat_map(step).collect();
        }
        targets
    }

    fn step(&self, target: Target, name: &str, pending: &mut Pending) -> BTreeSet<Target> {
        let Target::Module(module) = target else {
            return [target].into();
        };
        match name {
            "self" => [target].into(),
            "super" => {
                let parent = self.tree.modules[module].parent;
                parent.map(Target::Module).into_iter().collect()
            }
            _ => {
                let targets = self.named(module, name, pending);
                match targets.is_empty() {
                    // A macro may have defined it, or it is of another crate.
                    true => [Target::Item(module)].into(),
                    false => targets,
                }
            }
        }
    }

    /// Returns what a name stands for in a module.
    fn named(&self, module: usize, name: &str, pending: &mut Pending) -> BTreeSet<Target> {
        let (tree, names) = (&self.tree.modules[module], &self.names[module]);
        let mut targets = BTreeSet::new();
        targets.extend(tree.children.get(name).copied().map(Target::Module));
        if names.definitions.contains(name) {
            targets.insert(Target::Item(module));
        }
        let key = (module, name.to_owned());
        if pending.contains(&key) {
            return targets;
        }
        let exported = self.tree.exported_macros.get(&key);
        targets.extend(exported.copied().map(Target::Item));
        pending.push(key);
        let has_name = |import: &&Import| import.name.as_deref() == Some(name);
        for import in names.imports.iter().filter(has_name) {
            targets.extend(self.follow(module, &import.path, pending));
        }
        if targets.is_empty() {
            targets = self.glob_imported(module, name, pending);
        }
        pending.pop();
        targets
    }

    fn glob_imported(&self, module: usize, name: &str, pending: &mut Pending) -> BTreeSet<Target> {
        let mut targets = BTreeSet::new();
        let imports = self.names[module].imports.iter();
        for import in imports.filter(|import| import.name.is_none()) {
            for target in self.follow(module, &import.path, pending) {
                if let Target::Module(module) = target {
                    targets.extend(self.named(module, name, pending));
                }
            }
        }
        targets
    }
}
