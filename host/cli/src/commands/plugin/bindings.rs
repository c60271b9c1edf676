//! `postgate plugin bindings`: what a plugin is written against, as files.

use std::fs;
use std::path::{Path, PathBuf};

use crate::devkit::bindings::{self, Language, World};
use clap::{Args, ValueEnum};

use crate::commands::Failure;

/// What to write, and where to.
#[derive(Args, Debug)]
pub(in crate::commands) struct Bindings {
    /// What the bindings are for.
    #[arg(long, value_enum)]
    language: For,
    /// An event that the plugin handles, such as `rcpt`; `init` and `self-test` are among them. Can be
    /// given several times, or as a list with commas.
    #[arg(
        long = "event",
        value_name = "EVENT",
        required = true,
        value_delimiter = ','
    )]
    events: Vec<String>,
    /// Something that the plugin may use only where it is granted, such as `dns`. Can be given
    /// several times, or as a list with commas.
    #[arg(long = "grant", value_name = "GRANT", value_delimiter = ',')]
    grants: Vec<String>,
    /// The directory for the files. It is made where it is not there.
    #[arg(long, value_name = "DIRECTORY")]
    out: PathBuf,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum For {
    /// plugin.h, plugin.c and plugin_component_type.o, to be compiled and linked with the plugin.
    C,
    /// The contract and a world for the plugin, which the tools of all other languages read.
    Wit,
}

pub(super) fn run(wanted: &Bindings) -> Result<(), Failure> {
    let language = match wanted.language {
        For::C => Language::C,
        For::Wit => Language::Wit,
    };
    let world = World {
        events: wanted.events.clone(),
        grants: wanted.grants.clone(),
    };
    let files = bindings::bindings(language, &world);
    for file in files.map_err(|error| Failure::mistakes(vec![error]))? {
        write(&wanted.out.join(&file.path), &file.contents)?;
    }
    Ok(())
}

/// Leaves a file alone that would not change, so that build tools need not build again.
fn write(path: &Path, contents: &[u8]) -> Result<(), Failure> {
    if fs::read(path).is_ok_and(|there| there == contents) {
        return Ok(());
    }
    let directory = path.parent().unwrap_or_else(|| Path::new("."));
    let written = fs::create_dir_all(directory).and_then(|()| fs::write(path, contents));
    written.map_err(|error| Failure::run_time(format!("{}: {error}", path.display())))
}
