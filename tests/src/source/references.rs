//! The names that a module defines, imports and refers to.

use std::collections::BTreeSet;

use proc_macro2::{TokenStream, TokenTree};
use syn::ext::IdentExt as _;
use syn::visit::{self, Visit};
use syn::{
    Arm, Attribute, Expr, Field, FieldValue, ImplItem, Item, ItemUse, Local, Macro, StmtMacro,
    TraitItem, UseTree, Visibility,
};

use super::tree::{attributes, is_for_tests};

/// A path as it is written, such as `crate`, `a`, `X`.
pub(super) type Path = Vec<String>;

/// The names of a module.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// Items that the module itself defines.
    pub(super) definitions: BTreeSet<String>,
    pub(super) imports: Vec<Import>,
    /// Paths in code, and those of imports.
    pub(super) references: BTreeSet<Path>,
    /// True if a macro may define further items.
    pub(super) has_generated_items: bool,
}

/// A name that `use` brings into a module.
#[derive(Debug)]
pub(super) struct Import {
    pub(super) path: Path,
    /// `None` in a glob import.
    pub(super) name: Option<String>,
    pub(super) is_reexport: bool,
}

impl Names {
    pub(super) fn of(items: &[Item]) -> Self {
        let mut names = Self::default();
        for item in items {
            names.definitions.extend(definition(item));
            names.has_generated_items |= matches!(item, Item::Macro(it) if it.ident.is_none());
            names.visit_item(item);
        }
        names
    }

    fn add_import(&mut self, tree: &UseTree, prefix: &Path, is_reexport: bool) {
        let (name, alias) = match tree {
            UseTree::Path(tree) => {
                let prefix = joined(prefix, &tree.ident);
                return self.add_import(&tree.tree, &prefix, is_reexport);
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.add_import(tree, prefix, is_reexport);
                }
                return;
            }
            UseTree::Glob(_) => {
                return self.imports.push(Import {
                    path: prefix.clone(),
                    name: None,
                    is_reexport,
                });
            }
            UseTree::Name(tree) => (&tree.ident, None),
            UseTree::Rename(tree) => (&tree.ident, Some(tree.rename.unraw().to_string())),
        };
        let path = match name == "self" {
            true => prefix.clone(),
            false => joined(prefix, name),
        };
        self.references.insert(path.clone());
        self.imports.push(Import {
            name: alias.or_else(|| path.last().cloned()),
            path,
            is_reexport,
        });
    }

    /// Finds paths in the arguments of a macro, which are not parsed.
    fn add_tokens(&mut self, tokens: TokenStream) {
        let tokens: Vec<_> = tokens.into_iter().collect();
        let is_colon =
            |at: usize| matches!(tokens.get(at), Some(TokenTree::Punct(it)) if it.as_char() == ':');
        let mut at = 0;
        while at < tokens.len() {
            let before = at.checked_sub(1).and_then(|before| tokens.get(before));
            let (mut path, start) = (Path::new(), at);
            while let Some(TokenTree::Ident(ident)) = tokens.get(at) {
                path.push(ident.unraw().to_string());
                at += 1;
                match (is_colon(at) && is_colon(at + 1), tokens.get(at + 2)) {
                    (true, Some(TokenTree::Ident(_))) => at += 2,
                    _ => break,
                }
            }
            if path.is_empty() {
                if let TokenTree::Group(group) = &tokens[at] {
                    self.add_tokens(group.stream());
                }
                at += 1;
                continue;
            }
            let is_variable = matches!(before, Some(TokenTree::Punct(it)) if it.as_char() == '$');
            let is_global = start >= 2 && is_colon(start - 1) && is_colon(start - 2);
            if path.len() > 1 && !is_global && (!is_variable || path[0] == "crate") {
                self.references.insert(path);
            }
        }
    }
}

/// Declares visitors that skip what is only compiled for tests.
macro_rules! skip_tests {
    ($($visit:ident: $node:ty, |$it:ident| $attributes:expr;)+) => {
        $(fn $visit(&mut self, $it: &'ast $node) {
            let attributes: &[Attribute] = $attributes;
            if !is_for_tests(attributes) {
                visit::$visit(self, $it);
            }
        })+
    };
}

impl<'ast> Visit<'ast> for Names {
    skip_tests! {
        visit_arm: Arm, |it| &it.attrs;
        visit_expr: Expr, |it| match it {
            Expr::Assign(it) => &it.attrs,
            Expr::Block(it) => &it.attrs,
            Expr::Call(it) => &it.attrs,
            Expr::If(it) => &it.attrs,
            Expr::Macro(it) => &it.attrs,
            Expr::Match(it) => &it.attrs,
            Expr::MethodCall(it) => &it.attrs,
            _ => &[],
        };
        visit_field: Field, |it| &it.attrs;
        visit_field_value: FieldValue, |it| &it.attrs;
        visit_impl_item: ImplItem, |it| match it {
            ImplItem::Const(it) => &it.attrs,
            ImplItem::Fn(it) => &it.attrs,
            ImplItem::Type(it) => &it.attrs,
            _ => &[],
        };
        visit_item: Item, |it| attributes(it);
        visit_local: Local, |it| &it.attrs;
        visit_stmt_macro: StmtMacro, |it| &it.attrs;
        visit_trait_item: TraitItem, |it| match it {
            TraitItem::Fn(it) => &it.attrs,
            _ => &[],
        };
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        let is_reexport = !matches!(item.vis, Visibility::Inherited);
        if item.leading_colon.is_none() {
            self.add_import(&item.tree, &Path::new(), is_reexport);
        }
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        self.add_tokens(call.tokens.clone());
        visit::visit_macro(self, call);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.leading_colon.is_none() && path.segments.len() > 1 {
            let segments = path.segments.iter();
            let path = segments.map(|segment| segment.ident.unraw().to_string());
            self.references.insert(path.collect());
        }
        visit::visit_path(self, path);
    }

    /// `pub(in path)` is no use of what the path names.
    fn visit_visibility(&mut self, _: &'ast Visibility) {}
}

fn joined(prefix: &Path, name: &syn::Ident) -> Path {
    let mut path = prefix.clone();
    path.push(name.unraw().to_string());
    path
}

/// Returns the name that an item defines, or `None` if it has none.
fn definition(item: &Item) -> Option<String> {
    let name = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::TraitAlias(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(name.unraw().to_string())
}
