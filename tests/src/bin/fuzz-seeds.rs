//! Writes what the clients of the dialogs send into a directory, as the initial corpus of a fuzzer.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use postgate_tests::dialog::Dialog;
use postgate_tests::gateway::repository;

fn main() -> ExitCode {
    let Some(directory) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: fuzz-seeds DIRECTORY");
        return ExitCode::from(64);
    };
    match write(&directory) {
        Ok(count) => {
            println!("{count} seeds in {}", directory.display());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn write(directory: &PathBuf) -> Result<usize, Box<dyn std::error::Error>> {
    let dialogs = Dialog::load_all(&repository().join("tests/dialogs"))?;
    fs::create_dir_all(directory)?;
    for (number, dialog) in dialogs.iter().enumerate() {
        // Fuzz targets read settings and the size of pieces from the first octet.
        let octets = [&[1][..], &dialog.client_octets()].concat();
        fs::write(directory.join(format!("dialog-{number:03}")), octets)?;
    }
    Ok(dialogs.len())
}
