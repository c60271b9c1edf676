//! `postgate plugin list`: lists the plugins of a running gateway.

use std::fmt;

use postgate::control::Request;
use postgate_runtime::{PluginListing, PluginListingEntry};

use crate::commands::failure::Failure;
use crate::commands::output::print;
use crate::commands::running_gateway::RunningGateway;

pub(super) fn run(gateway: &RunningGateway, json: bool) -> Result<(), Failure> {
    let listing = gateway.plugins(Request::PluginList)?;
    match json {
        true => {
            let json = serde_json::to_string(&listing).map_err(Failure::runtime)?;
            print(format_args!("{json}\n"))
        }
        false => print(Table(&listing)),
    }
}

/// Formats one plugin a line, in aligned columns.
pub(super) struct Table<'a>(pub(super) &'a PluginListing);

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(listing) = self;
        let rows: Vec<_> = listing.plugins.iter().map(row).collect();
        let lines = || std::iter::once(HEADINGS.map(str::to_owned)).chain(rows.iter().cloned());
        let width = |column: usize| lines().map(|row| row[column].chars().count()).max();
        let widths: [usize; HEADINGS.len()] =
            std::array::from_fn(|column| width(column).unwrap_or_default());
        for cells in lines() {
            let mut line = String::new();
            for (cell, width) in cells.iter().zip(widths) {
                line.push_str(&format!("{cell:width$}  "));
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        write!(f, "{}", Errors(listing))
    }
}

/// Formats the errors of plugins, one a line.
pub(super) struct Errors<'a>(pub(super) &'a PluginListing);

impl fmt::Display for Errors<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(listing) = self;
        let errors = listing.plugins.iter().filter_map(|p| p.error.as_ref());
        for error in listing.error.iter().chain(errors) {
            writeln!(f, "{error}")?;
        }
        Ok(())
    }
}

const HEADINGS: [&str; 7] = [
    "NAME",
    "STATE",
    "VERSION",
    "GENERATION",
    "SHA256",
    "GRANTS",
    "EVENTS",
];

fn row(plugin: &PluginListingEntry) -> [String; HEADINGS.len()] {
    let words = |words: &[String]| match words.is_empty() {
        true => ABSENT.to_owned(),
        false => words.join(","),
    };
    let sha256 = plugin.sha256.as_deref();
    let sha256 = sha256.map(|sha256| &sha256[..SHORT_HASH]);
    [
        plugin.name.clone(),
        plugin.state.to_string(),
        plugin.version.clone().unwrap_or_else(|| ABSENT.into()),
        plugin
            .generation
            .map_or_else(|| ABSENT.into(), |generation| generation.to_string()),
        sha256.unwrap_or(ABSENT).to_owned(),
        words(&plugin.grants),
        words(&plugin.events),
    ]
}

/// The cell for a value that is absent.
const ABSENT: &str = "-";
/// The number of hexadecimal digits of a hash that the table shows.
const SHORT_HASH: usize = 12;

#[cfg(test)]
mod tests {
    use postgate_runtime::PluginStatus;

    use super::*;

    #[test]
    fn columns_are_aligned() {
        let good = PluginListingEntry {
            name: "10-access".into(),
            state: PluginStatus::Active,
            version: Some("1.2.3".into()),
            sha256: Some("0123456789abcdef".into()),
            generation: Some(12),
            events: vec!["mail".into(), "rcpt".into()],
            grants: vec!["dns".into()],
            error: None,
        };
        let bad = PluginListingEntry {
            name: "20-x".into(),
            state: PluginStatus::Refused,
            version: None,
            sha256: None,
            generation: None,
            events: Vec::new(),
            grants: Vec::new(),
            error: Some("20-x.wasm: broken".into()),
        };
        let listing = PluginListing {
            generation: 12,
            error: None,
            plugins: vec![good, bad],
        };
        let expected = "\
NAME       STATE    VERSION  GENERATION  SHA256        GRANTS  EVENTS
10-access  active   1.2.3    12          0123456789ab  dns     mail,rcpt
20-x       refused  -        -           -             -       -
20-x.wasm: broken
";
        assert_eq!(Table(&listing).to_string(), expected);
    }
}
