//! The files that `postgate plugin new` writes.

/// A file of a template: its path in the new directory, and its text.
pub(super) type Embedded = (&'static str, &'static str);

/// Embeds files of this repository, each with its path in the new directory.
macro_rules! files {
    ($root:literal: $($file:literal => $path:literal,)*) => {
        &[$(($path, include_str!(concat!("../../../../../", $root, $file)))),*]
    };
}

/// A plugin in Rust. It gets a copy of the SDK from the time when this program was built, so that it
/// builds with no other version.
pub(super) const RUST: &[Embedded] = files! { "":
    "host/cli/templates/rust/Cargo.toml.in" => "Cargo.toml",
    "host/cli/templates/rust/README.md" => "README.md",
    "host/cli/templates/rust/address.toml.in" => "vendor/postgate-address/Cargo.toml",
    "host/cli/templates/rust/build" => "build",
    "host/cli/templates/rust/dialog.smtp" => "tests/dialog.smtp",
    "host/cli/templates/rust/lib.rs" => "src/lib.rs",
    "host/cli/templates/rust/new-plugin.toml" => "new-plugin.toml",
    "host/cli/templates/rust/sdk.toml.in" => "vendor/postgate-plugin/Cargo.toml",
    "plugins/sdk/README.md" => "vendor/postgate-plugin/README.md",
};

/// A plugin in C.
pub(super) const C: &[Embedded] = files! { "":
    "host/cli/templates/c/README.md" => "README.md",
    "host/cli/templates/c/build" => "build",
    "host/cli/templates/c/new-plugin.c" => "new-plugin.c",
    "host/cli/templates/rust/dialog.smtp" => "tests/dialog.smtp",
    "host/cli/templates/rust/new-plugin.toml" => "new-plugin.toml",
};

/// A plugin in Python, with the version of `componentize-py` that the example uses.
pub(super) const PYTHON: &[Embedded] = files! { "":
    "examples/04-python/requirements.txt" => "requirements.txt",
    "host/cli/templates/python/README.md" => "README.md",
    "host/cli/templates/python/build" => "build",
    "host/cli/templates/python/new_plugin.py" => "new_plugin.py",
    "host/cli/templates/rust/dialog.smtp" => "tests/dialog.smtp",
    "host/cli/templates/rust/new-plugin.toml" => "new-plugin.toml",
};

/// A plugin in JavaScript.
pub(super) const JAVASCRIPT: &[Embedded] = files! { "":
    "host/cli/templates/javascript/README.md" => "README.md",
    "host/cli/templates/javascript/build" => "build",
    "host/cli/templates/javascript/new-plugin.js" => "new-plugin.js",
    "host/cli/templates/javascript/package.json.in" => "package.json",
    "host/cli/templates/rust/dialog.smtp" => "tests/dialog.smtp",
    "host/cli/templates/rust/new-plugin.toml" => "new-plugin.toml",
};

// The build script generates `SDK` with the sources of the SDK, and `WIT` with the contract.
include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::*;

    fn repository() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
    }

    /// The manifest of the copy cannot inherit from the workspace.
    #[test]
    fn the_copy_of_the_sdk_has_the_dependencies_of_the_sdk() {
        let read = |file: &str| -> toml::Table {
            let text = fs::read_to_string(repository().join(file)).unwrap();
            text.parse().unwrap()
        };
        let sdk = read("plugins/sdk/Cargo.toml");
        let workspace = read("Cargo.toml");
        let copy: toml::Table = RUST
            .iter()
            .find(|(file, _)| *file == "vendor/postgate-plugin/Cargo.toml")
            .unwrap()
            .1
            .parse()
            .unwrap();
        let expected: toml::Table = sdk["dependencies"]
            .as_table()
            .unwrap()
            .keys()
            .map(|name| {
                let dependency = match name.as_str() {
                    // A crate of the workspace comes along, beside the SDK.
                    "postgate-address" => "path = \"../postgate-address\""
                        .parse::<toml::Table>()
                        .unwrap()
                        .into(),
                    _ => workspace["workspace"]["dependencies"][name].clone(),
                };
                (name.clone(), dependency)
            })
            .collect();
        assert_eq!(copy["dependencies"].as_table(), Some(&expected));
        for key in ["version", "edition", "rust-version"] {
            assert_eq!(
                copy["package"][key], workspace["workspace"]["package"][key],
                "{key}"
            );
        }
    }

    /// Only the version of the example is tested.
    #[test]
    fn the_javascript_template_uses_the_tool_version_of_the_example() {
        let tool = |text: &str| -> serde_json::Value {
            let manifest: serde_json::Value = serde_json::from_str(text).unwrap();
            manifest["devDependencies"]["@bytecodealliance/jco"].clone()
        };
        let example = fs::read_to_string(repository().join("examples/05-javascript/package.json"));
        let (_, template) = JAVASCRIPT
            .iter()
            .find(|(file, _)| *file == "package.json")
            .unwrap();
        assert_eq!(tool(template), tool(&example.unwrap()));
        assert!(tool(template).is_string());
    }
}
