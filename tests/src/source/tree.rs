//! The modules of a crate, without those that only tests have.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use syn::ext::IdentExt as _;
use syn::{Attribute, Item, ItemMod, Meta};

use super::files::Files;

/// The modules of a crate. Items under `#[cfg(test)]` are left out.
#[derive(Default)]
pub struct Tree {
    pub(super) modules: Vec<Module>,
    /// The macros that `#[macro_export]` puts into a root module: root, name and defining module.
    pub(super) exported_macros: BTreeMap<(usize, String), usize>,
}

/// A module: a file, or `mod name { … }` in a file. Modules refer to each other by index.
pub(super) struct Module {
    pub(super) file: PathBuf,
    pub(super) root: usize,
    /// `None` in a root module.
    pub(super) parent: Option<usize>,
    pub(super) children: BTreeMap<String, usize>,
    pub(super) items: Vec<Item>,
}

impl Tree {
    /// Reads the modules of a library, of a program and of the programs in `bin`.
    ///
    /// # Panics
    ///
    /// Panics if a file is missing or is not Rust.
    pub fn read(files: &Files) -> Self {
        let mut tree = Self::default();
        let is_root = |file: &&PathBuf| {
            let is_main = ["lib.rs", "main.rs"]
                .iter()
                .any(|root| file.ends_with(root));
            let depth = file.components().count();
            (is_main && depth == 1) || (file.starts_with("bin") && depth == 2)
        };
        for file in files.keys().filter(is_root) {
            tree.add_file(None, file, files);
        }
        tree
    }

    /// Returns the files of all modules.
    pub fn files(&self) -> BTreeSet<&Path> {
        self.modules.iter().map(|it| it.file.as_path()).collect()
    }

    fn add_file(&mut self, parent: Option<usize>, file: &Path, files: &Files) -> usize {
        let text = files
            .get(file)
            .unwrap_or_else(|| panic!("there is no module file {}", file.display()));
        let parsed = syn::parse_file(text);
        let parsed = parsed.unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let directory = file.parent().unwrap_or_else(|| Path::new(""));
        let name = file.file_stem().unwrap_or_default();
        let has_own_directory = parent.is_none() || name == "mod";
        let directory = match has_own_directory {
            true => directory.to_owned(),
            false => directory.join(name),
        };
        self.add(parent, file, &directory, parsed.items, files)
    }

    /// Adds a module and its children, whose files are in `directory`.
    fn add(
        &mut self,
        parent: Option<usize>,
        file: &Path,
        directory: &Path,
        items: Vec<Item>,
        files: &Files,
    ) -> usize {
        let id = self.modules.len();
        let root = parent.map_or(id, |parent| self.modules[parent].root);
        self.modules.push(Module {
            file: file.to_owned(),
            root,
            parent,
            children: BTreeMap::new(),
            items: Vec::new(),
        });
        let mut own = Vec::new();
        for item in items {
            match item {
                item if is_for_tests(attributes(&item)) => {}
                Item::Mod(child) => {
                    let name = child.ident.unraw().to_string();
                    let child = self.add_child(id, child, directory, files);
                    self.modules[id].children.insert(name, child);
                }
                item => own.push(item),
            }
        }
        let exported = own.iter().filter_map(exported_macro);
        self.exported_macros
            .extend(exported.map(|name| ((root, name), id)));
        self.modules[id].items = own;
        id
    }

    fn add_child(
        &mut self,
        parent: usize,
        child: ItemMod,
        directory: &Path,
        files: &Files,
    ) -> usize {
        let name = child.ident.unraw().to_string();
        match child.content {
            Some((_, items)) => {
                let file = self.modules[parent].file.clone();
                self.add(Some(parent), &file, &directory.join(name), items, files)
            }
            None => {
                let own = directory.join(format!("{name}.rs"));
                let file = match files.contains_key(&own) {
                    true => own,
                    false => directory.join(name).join("mod.rs"),
                };
                self.add_file(Some(parent), &file, files)
            }
        }
    }
}

fn exported_macro(item: &Item) -> Option<String> {
    let Item::Macro(item) = item else { return None };
    let is_exported = item
        .attrs
        .iter()
        .any(|it| it.path().is_ident("macro_export"));
    let name = item.ident.as_ref().filter(|_| is_exported)?;
    Some(name.to_string())
}

/// True if the attributes leave the item out of everything but tests.
pub(super) fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let is_cfg = attribute.path().is_ident("cfg");
        is_cfg && attribute.parse_args().is_ok_and(|it| requires_test(&it))
    })
}

fn requires_test(condition: &Meta) -> bool {
    match condition {
        Meta::Path(path) => path.is_ident("test"),
        Meta::List(list) if list.path.is_ident("all") => {
            let parser = syn::punctuated::Punctuated::<Meta, syn::Token![,]>::parse_terminated;
            let conditions = list.parse_args_with(parser);
            conditions.is_ok_and(|all| all.iter().any(requires_test))
        }
        _ => false,
    }
}

/// Returns the attributes of an item.
pub(super) fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::ForeignMod(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::TraitAlias(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}
