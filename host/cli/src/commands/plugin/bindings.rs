//! `postgate plugin bindings`: writes the contract or bindings for a plugin as files.

use std::fs;
use std::path::{Path, PathBuf};

use crate::devkit::bindings::{self, BindingsFormat, World};
use clap::{Args, ValueEnum};

use crate::commands::failure::Failure;

/// Write the files that a plugin is compiled against: the contract, or bindings for C.
#[derive(Args, Debug)]
pub(in crate::commands) struct Arguments {
    /// The language of the bindings.
    #[arg(long, value_enum)]
    language: Language,
    /// An event that the plugin handles, such as `rcpt`, `init` or `self-test`. Can be given several
    /// times, or as a list with commas.
    #[arg(
        long = "event",
        value_name = "EVENT",
        required = true,
        value_delimiter = ','
    )]
    events: Vec<String>,
    /// A grant that the plugin needs, such as `dns`. Can be given several times, or as a list with
    /// commas.
    #[arg(long = "grant", value_name = "GRANT", value_delimiter = ',')]
    grants: Vec<String>,
    /// The directory for the files. It is created if it does not exist.
    #[arg(long, value_name = "DIRECTORY")]
    out: PathBuf,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Language {
    /// plugin.h, plugin.c and plugin_component_type.o, to be compiled and linked with the plugin.
    C,
    /// The contract and a world for the plugin, which the tools of all other languages read.
    Wit,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let format = match arguments.language {
        Language::C => BindingsFormat::C,
        Language::Wit => BindingsFormat::Wit,
    };
    let world = World {
        events: arguments.events.clone(),
        grants: arguments.grants.clone(),
    };
    let files = bindings::bindings(format, &world);
    for file in files.map_err(|error| Failure::input(vec![error]))? {
        write(&arguments.out.join(&file.path), &file.contents)?;
    }
    Ok(())
}

/// Writes a file. Does not touch a file with the same contents, so that build tools see no change.
fn write(path: &Path, contents: &[u8]) -> Result<(), Failure> {
    if fs::read(path).is_ok_and(|existing| existing == contents) {
        return Ok(());
    }
    let directory = path.parent().unwrap_or_else(|| Path::new("."));
    let written = fs::create_dir_all(directory).and_then(|()| fs::write(path, contents));
    written.map_err(|error| Failure::file(path, error))
}
