//! The plugin contract as files: the WIT with a world for a plugin, or bindings for C.

use std::error::Error;

use postgate_contract::{Grant, WIT};
use wit_bindgen_c::Opts;
use wit_bindgen_core::Files;
use wit_bindgen_core::wit_parser::{PackageId, Resolve, SourceMap, WorldItem, WorldKey};

/// The format of bindings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BindingsFormat {
    /// A header, a source file, and an object file with the component type.
    C,
    /// The WIT of the contract and of the plugin's world, for the tools of other languages.
    Wit,
}

/// The exports and imports of a plugin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct World {
    /// The events that the plugin handles, such as `rcpt`, `init` or `self-test`, without the prefix
    /// `on-`.
    pub events: Vec<String>,
    /// The grants that the plugin needs, such as `dns`.
    pub grants: Vec<String>,
}

/// A generated file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BindingsFile {
    /// The path relative to the directory of the bindings.
    pub path: String,
    /// The contents.
    pub contents: Vec<u8>,
}

/// Why bindings cannot be generated. The cause is the world, except for [`Self::Generate`].
#[derive(Debug, thiserror::Error)]
pub enum BindingsError {
    /// The WIT parser or the generator has failed.
    #[error("cannot generate bindings: {0}")]
    Generate(#[source] Box<dyn Error + Send + Sync>),
    /// The world has no events.
    #[error("a plugin handles at least one event; there are: {}", .0.join(", "))]
    NoEvent(Vec<String>),
    /// The contract does not have the event.
    #[error("there is no event {name:?}; there are: {}", known.join(", "))]
    UnknownEvent {
        /// The name in the world.
        name: String,
        /// The events of the contract.
        known: Vec<String>,
    },
    /// The contract does not have the grant.
    #[error("there is no grant {name:?}; there are: {}", known.join(", "))]
    UnknownGrant {
        /// The name in the world.
        name: String,
        /// The grants of the contract.
        known: Vec<String>,
    },
}

/// Generates the bindings for a plugin.
///
/// # Errors
///
/// Fails if the world has no events, or names an event or a grant that the contract does not have.
pub fn bindings(format: BindingsFormat, world: &World) -> Result<Vec<BindingsFile>, BindingsError> {
    let contract = Contract::parse()?;
    let text = contract.world(world)?;
    match format {
        BindingsFormat::C => contract.c_bindings(&text),
        BindingsFormat::Wit => Ok(wit_files(&text)),
    }
}

/// The name of the package of the contract.
const PACKAGE: &str = "postgate:plugin";
/// The name of the plugin's world. The C files have it, too.
const WORLD: &str = "plugin";

struct Contract {
    resolve: Resolve,
    package: PackageId,
}

impl Contract {
    fn parse() -> Result<Self, BindingsError> {
        let mut sources = SourceMap::new();
        for (name, text) in WIT {
            sources.push_str(name, text);
        }
        let mut resolve = Resolve::default();
        let package = match sources.parse() {
            Ok(group) => resolve.push_group(group).map_err(generate_error)?,
            Err((_, error)) => return Err(generate_error(error)),
        };
        Ok(Self { resolve, package })
    }

    /// Returns the WIT of a world, see [`World`].
    fn world(&self, world: &World) -> Result<String, BindingsError> {
        let events = self.names("all-events", |world| &world.exports);
        let events: Vec<_> = events
            .iter()
            .map(|name| name.trim_start_matches("on-").to_owned())
            .collect();
        let grants = self.names("imports", |world| &world.imports);
        let is_granted = |name: &String| !Grant::ALWAYS.contains(&name.as_str());
        let grants: Vec<_> = grants.into_iter().filter(is_granted).collect();
        if world.events.is_empty() {
            return Err(BindingsError::NoEvent(events));
        }
        if let Some(name) = world.events.iter().find(|name| !events.contains(name)) {
            let name = name.clone();
            return Err(BindingsError::UnknownEvent {
                name,
                known: events,
            });
        }
        if let Some(name) = world.grants.iter().find(|name| !grants.contains(name)) {
            let name = name.clone();
            return Err(BindingsError::UnknownGrant {
                name,
                known: grants,
            });
        }
        let version = &self.resolve.packages[self.package].name.version;
        let version = version.as_ref().map(ToString::to_string);
        let version = version.unwrap_or_default();
        let line = |verb, name: &str| format!("    {verb} {PACKAGE}/{name}@{version};\n");
        let always = Grant::ALWAYS.into_iter().map(str::to_owned);
        let imports = always.chain(world.grants.iter().cloned());
        let imports: String = imports.map(|name| line("import", &name)).collect();
        let exports = world.events.iter();
        let exports: String = exports
            .map(|event| line("export", &format!("on-{event}")))
            .collect();
        Ok(format!(
            "package local:plugin;\n\nworld {WORLD} {{\n{imports}\n{exports}}}\n"
        ))
    }

    /// Returns the names of the interfaces that a world of the contract imports or exports, in its order.
    fn names(
        &self,
        world: &str,
        side: fn(&wit_bindgen_core::wit_parser::World) -> &Items,
    ) -> Vec<String> {
        let world = self.resolve.packages[self.package].worlds.get(world);
        let items = world.map(|world| side(&self.resolve.worlds[*world]));
        let interfaces = items
            .into_iter()
            .flatten()
            .filter_map(|(key, _)| match key {
                WorldKey::Interface(interface) => self.resolve.interfaces[*interface].name.clone(),
                WorldKey::Name(_) => None,
            });
        interfaces.collect()
    }

    fn c_bindings(mut self, world: &str) -> Result<Vec<BindingsFile>, BindingsError> {
        let package = self.resolve.push_str("plugin.wit", world);
        let package = package.map_err(generate_error)?;
        let world = self.resolve.select_world(&[package], Some(WORLD));
        let world = world.map_err(generate_error)?;
        let mut files = Files::default();
        let mut generator = Opts::default().build();
        generator
            .generate(&mut self.resolve, world, &mut files)
            .map_err(generate_error)?;
        let files = files.iter().map(|(path, contents)| BindingsFile {
            path: path.to_owned(),
            contents: contents.to_owned(),
        });
        Ok(files.collect())
    }
}

/// The interfaces that a world imports or exports.
type Items = wit_bindgen_core::wit_parser::IndexMap<WorldKey, WorldItem>;

fn generate_error(error: impl Into<Box<dyn Error + Send + Sync>>) -> BindingsError {
    BindingsError::Generate(error.into())
}

fn wit_files(world: &str) -> Vec<BindingsFile> {
    let contract = WIT.into_iter().map(|(name, text)| BindingsFile {
        path: format!("deps/postgate-plugin/{name}"),
        contents: text.into(),
    });
    let world = BindingsFile {
        path: "plugin.wit".to_owned(),
        contents: world.into(),
    };
    std::iter::once(world).chain(contract).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn world(events: &[&str], grants: &[&str]) -> World {
        let owned = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        World {
            events: owned(events),
            grants: owned(grants),
        }
    }

    #[test]
    fn a_world_has_the_named_events_and_grants() {
        let files = bindings(BindingsFormat::Wit, &world(&["init", "rcpt"], &["dns"])).unwrap();
        let text = String::from_utf8(files[0].contents.clone()).unwrap();
        assert!(text.contains("import postgate:plugin/dns@"), "{text}");
        assert!(!text.contains("plugin/store@"), "{text}");
        assert!(text.contains("export postgate:plugin/on-init@"), "{text}");
        assert!(!text.contains("on-message"), "{text}");
        assert_eq!(files.len(), 1 + WIT.len());
    }

    #[test]
    fn c_bindings_are_a_header_a_source_and_an_object() {
        let files = bindings(BindingsFormat::C, &world(&["rcpt"], &[])).unwrap();
        let paths: Vec<_> = files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, ["plugin.c", "plugin.h", "plugin_component_type.o"]);
    }

    #[test]
    fn unknown_events_and_grants_are_errors() {
        let table = [
            (world(&[], &[]), "at least one event"),
            (world(&["rcpt", "pickup"], &[]), "no event \"pickup\""),
            (world(&["rcpt"], &["http"]), "no grant \"http\""),
        ];
        for (world, expected) in table {
            let error = bindings(BindingsFormat::Wit, &world)
                .unwrap_err()
                .to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
