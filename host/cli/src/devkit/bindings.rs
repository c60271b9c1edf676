//! The contract with plugins as files, for those who write plugins: the WIT itself with a world that
//! fits a plugin, and the bindings for C.

use postgate_contract::{Grant, WIT};
use wit_bindgen_c::Opts;
use wit_bindgen_core::Files;
use wit_bindgen_core::wit_parser::{PackageId, Resolve, SourceMap, WorldItem, WorldKey};

/// What the bindings are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// A header, a source file, and an object that carries the type of the component.
    C,
    /// The contract as the tools of every language read it.
    Wit,
}

/// What a plugin exports and imports: its world.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct World {
    /// The events that it handles, without `on-`, such as `rcpt`. `init` and `self-test` are among
    /// them.
    pub events: Vec<String>,
    /// What it imports beyond what every plugin may, by the names of the grants, such as `dns`.
    pub grants: Vec<String>,
}

/// A file that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its path below the directory of the bindings.
    pub path: String,
    /// What it holds.
    pub contents: Vec<u8>,
}

/// Why there are no bindings.
#[derive(Debug, thiserror::Error)]
pub enum ContractError {
    /// The generator failed.
    #[error("cannot generate bindings: {0}")]
    Generate(String),
    /// A plugin that handles nothing.
    #[error("a plugin handles at least one event; there are: {}", .0.join(", "))]
    NoEvent(Vec<String>),
    /// An event that the contract does not have.
    #[error("there is no event {name:?}; there are: {}", known.join(", "))]
    UnknownEvent {
        /// What was asked for.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// A grant that the contract does not have.
    #[error("there is no grant {name:?}; there are: {}", known.join(", "))]
    UnknownGrant {
        /// What was asked for.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
}

/// Makes the files that a plugin with this world is written against.
///
/// # Errors
///
/// Where the contract does not have what the world names.
pub fn bindings(language: Language, world: &World) -> Result<Vec<File>, ContractError> {
    let contract = Contract::parse()?;
    let text = contract.world(world)?;
    match language {
        Language::C => contract.c(&text),
        Language::Wit => Ok(wit(&text)),
    }
}

/// The name of the package, and the version that is written behind the names of its interfaces.
const PACKAGE: &str = "postgate:plugin";
/// The world of a plugin, after which its bindings are named.
const WORLD: &str = "plugin";

struct Contract {
    resolve: Resolve,
    package: PackageId,
}

impl Contract {
    fn parse() -> Result<Self, ContractError> {
        let mut sources = SourceMap::new();
        for (name, text) in WIT {
            sources.push_str(name, text);
        }
        let mut resolve = Resolve::default();
        let package = match sources.parse() {
            Ok(group) => resolve.push_group(group).map_err(|error| error.to_string()),
            Err((_, error)) => Err(error.to_string()),
        };
        let package = package.map_err(ContractError::Generate)?;
        Ok(Self { resolve, package })
    }

    /// The text of a world that exports these events.
    fn world(&self, world: &World) -> Result<String, ContractError> {
        let events = self.names("all-events", |world| &world.exports);
        let events: Vec<_> = events
            .iter()
            .map(|name| name.trim_start_matches("on-").to_owned())
            .collect();
        let grants = self.names("imports", |world| &world.imports);
        let is_granted = |name: &String| !Grant::ALWAYS.contains(&name.as_str());
        let grants: Vec<_> = grants.into_iter().filter(is_granted).collect();
        if world.events.is_empty() {
            return Err(ContractError::NoEvent(events));
        }
        if let Some(name) = world.events.iter().find(|name| !events.contains(name)) {
            let name = name.clone();
            return Err(ContractError::UnknownEvent {
                name,
                known: events,
            });
        }
        if let Some(name) = world.grants.iter().find(|name| !grants.contains(name)) {
            let name = name.clone();
            return Err(ContractError::UnknownGrant {
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

    /// The names of the interfaces on one side of a world of the contract, in its order.
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

    fn c(mut self, world: &str) -> Result<Vec<File>, ContractError> {
        let failed = |error: &dyn std::fmt::Display| ContractError::Generate(error.to_string());
        let package = self.resolve.push_str("plugin.wit", world);
        let package = package.map_err(|error| failed(&error))?;
        let world = self.resolve.select_world(&[package], Some(WORLD));
        let world = world.map_err(|error| failed(&error))?;
        let mut files = Files::default();
        let mut generator = Opts::default().build();
        generator
            .generate(&mut self.resolve, world, &mut files)
            .map_err(|error| failed(&error))?;
        let files = files.iter().map(|(path, contents)| File {
            path: path.to_owned(),
            contents: contents.to_owned(),
        });
        Ok(files.collect())
    }
}

/// The interfaces that a world imports or exports.
type Items = wit_bindgen_core::wit_parser::IndexMap<WorldKey, WorldItem>;

fn wit(world: &str) -> Vec<File> {
    let contract = WIT.into_iter().map(|(name, text)| File {
        path: format!("deps/postgate-plugin/{name}"),
        contents: text.into(),
    });
    let world = File {
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
    fn a_world_has_what_was_asked_for() {
        let files = bindings(Language::Wit, &world(&["init", "rcpt"], &["dns"])).unwrap();
        let text = String::from_utf8(files[0].contents.clone()).unwrap();
        assert!(text.contains("import postgate:plugin/dns@"), "{text}");
        assert!(!text.contains("plugin/store@"), "{text}");
        assert!(text.contains("export postgate:plugin/on-init@"), "{text}");
        assert!(!text.contains("on-message"), "{text}");
        assert_eq!(files.len(), 1 + WIT.len());
    }

    #[test]
    fn c_bindings_are_a_header_a_source_and_an_object() {
        let files = bindings(Language::C, &world(&["rcpt"], &[])).unwrap();
        let paths: Vec<_> = files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, ["plugin.c", "plugin.h", "plugin_component_type.o"]);
    }

    #[test]
    fn what_the_contract_does_not_have_is_named() {
        let table = [
            (world(&[], &[]), "at least one event"),
            (world(&["rcpt", "pickup"], &[]), "no event \"pickup\""),
            (world(&["rcpt"], &["http"]), "no grant \"http\""),
        ];
        for (world, expected) in table {
            let error = bindings(Language::Wit, &world).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
