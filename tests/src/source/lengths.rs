//! The lengths of functions.

use proc_macro2::Span;
use syn::visit::{self, Visit};
use syn::{Attribute, Block, ImplItem, Item, Signature, TraitItem};

use super::tree::{attributes, is_for_tests};

/// A function in a source file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// The name.
    pub name: String,
    /// The line of `fn`, counted from 1.
    pub line: usize,
    /// The number of lines from `fn` to the closing brace.
    pub length: usize,
}

/// Returns the functions of a source file, without those that only tests have.
///
/// # Panics
///
/// Panics if the text is not Rust.
pub fn functions(text: &str) -> Vec<Function> {
    let file = syn::parse_file(text).unwrap_or_else(|error| panic!("{error}"));
    let mut functions = Functions(Vec::new());
    functions.visit_file(&file);
    functions.0
}

struct Functions(Vec<Function>);

impl Functions {
    /// Adds a function, unless it is only for tests. Returns true if it was added.
    fn add(&mut self, attributes: &[Attribute], signature: &Signature, block: &Block) -> bool {
        let is_test = |it: &Attribute| it.path().is_ident("test");
        if is_for_tests(attributes) || attributes.iter().any(is_test) {
            return false;
        }
        let line = |span: Span| span.start().line;
        let start = line(signature.fn_token.span);
        self.0.push(Function {
            name: signature.ident.to_string(),
            line: start,
            length: line(block.brace_token.span.close()) + 1 - start,
        });
        true
    }
}

impl<'ast> Visit<'ast> for Functions {
    fn visit_item(&mut self, item: &'ast Item) {
        let is_included = match item {
            Item::Fn(item) => self.add(&item.attrs, &item.sig, &item.block),
            item => !is_for_tests(attributes(item)),
        };
        if is_included {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        if let ImplItem::Fn(item) = item {
            self.add(&item.attrs, &item.sig, &item.block);
        }
        visit::visit_impl_item(self, item);
    }

    fn visit_trait_item(&mut self, item: &'ast TraitItem) {
        if let TraitItem::Fn(item) = item
            && let Some(block) = &item.default
        {
            self.add(&item.attrs, &item.sig, block);
        }
        visit::visit_trait_item(self, item);
    }
}
