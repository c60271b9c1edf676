//! `postgate plugin new`: creates a plugin from a template.

use std::path::PathBuf;

use crate::devkit::scaffold::{self, Language};
use clap::Args;

use crate::commands::failure::Failure;
use crate::commands::output::print;

/// Create a plugin: source, configuration, contract, and a conversation that tests it.
#[derive(Args, Debug)]
pub(in crate::commands) struct Arguments {
    /// The name: lower-case letters, digits and hyphens.
    name: String,
    /// The language: rust, c, python or javascript.
    #[arg(long, short, value_name = "LANGUAGE", default_value = "rust", value_parser = language)]
    language: Language,
    /// The new directory. The default is the name of the plugin.
    #[arg(long, value_name = "DIRECTORY")]
    directory: Option<PathBuf>,
}

fn language(name: &str) -> Result<Language, String> {
    let names = Language::ALL.map(Language::name);
    Language::ALL
        .into_iter()
        .find(|language| language.name() == name)
        .ok_or_else(|| format!("there are templates for {}", names.join(", ")))
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let name = &arguments.name;
    let directory = arguments
        .directory
        .clone()
        .unwrap_or_else(|| PathBuf::from(name));
    let files = scaffold::new(name, arguments.language, &directory)
        .map_err(|error| Failure::input(vec![error]))?;
    for file in files.iter().filter(|file| is_own(file, &directory)) {
        print(format_args!("  {}\n", file.display()))?;
    }
    print(format_args!(
        "\nNow:\n  cd {}\n  ./build\n  postgate plugin test {name}.wasm tests\n",
        directory.display()
    ))
}

/// Returns true for the files that the author changes: all except the contract and the SDK.
fn is_own(file: &std::path::Path, directory: &std::path::Path) -> bool {
    ["wit", "vendor"]
        .iter()
        .all(|other| !file.starts_with(directory.join(other)))
}
