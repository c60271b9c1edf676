//! Lists the files that `postgate plugin new` writes beside its templates: the contract, and the SDK
//! for plugins in Rust. A list by hand would be out of date with the next file.

use std::env;
use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let here = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let repository = here.join("../..").canonicalize()?;
    let mut list = String::new();
    for (name, directory) in [
        ("ADDRESS", "host/address/src"),
        ("SDK", "plugins/sdk/src"),
        ("WIT", "wit"),
    ] {
        let directory = repository.join(directory);
        println!("cargo:rerun-if-changed={}", directory.display());
        let mut files = Vec::new();
        below(&directory, &mut files)?;
        files.sort();
        writeln!(list, "pub(super) const {name}: &[Embedded] = &[")?;
        for file in files {
            let path = file.strip_prefix(&directory)?;
            writeln!(list, "    ({path:?}, include_str!({file:?})),")?;
        }
        writeln!(list, "];")?;
    }
    fs::write(
        PathBuf::from(env::var("OUT_DIR")?).join("embedded.rs"),
        list,
    )?;
    Ok(())
}

fn below(directory: &Path, files: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        match path.is_dir() {
            true => below(&path, files)?,
            false => files.push(path),
        }
    }
    Ok(())
}
