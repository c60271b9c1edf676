//! Checks of what a component imports and exports.

use std::path::Path;

use wasmtime::Engine;
use wasmtime::component::Component as WasmComponent;

use super::error::LoadError;
use crate::host::wasi;
use crate::loaded::LoadedPlugin;
use crate::printable::{Printable, printable_path};
use postgate_config::sidecar::Sidecar;
use postgate_contract::{Event, Grant};

/// Checks that the host offers every import, and that the sidecar grants those that need it.
///
/// # Errors
///
/// Fails if an import is not offered or not granted.
pub(super) fn check_imports(
    engine: &Engine,
    component: &WasmComponent,
    file: &Path,
    grants: &[Grant],
) -> Result<(), LoadError> {
    let mut reasons = Vec::new();
    for name in import_names(engine, component) {
        match Import::of(&name) {
            Import::Allowed => {}
            Import::Granted(grant) if grants.contains(&grant) => {}
            Import::Granted(grant) => {
                let grant = grant.name();
                let sidecar = Sidecar::file_beside(file);
                let sidecar = printable_path(&sidecar);
                let name = shown(&name);
                reasons.push(format!(
                    "it imports {name}; to allow that, write grants = [\"{grant}\"] into {sidecar}"
                ));
            }
            Import::Unknown => reasons.push(format!(
                "it imports {}, which this gateway does not offer",
                shown(&name)
            )),
        }
    }
    match reasons.is_empty() {
        true => Ok(()),
        false => Err(LoadError::Import {
            file: file.to_owned(),
            reason: bounded(reasons).join("; "),
        }),
    }
}

/// Checks that the host calls every event that the component exports. An event that is never called
/// would be a filter that silently passes everything.
///
/// # Errors
///
/// Fails if the component exports an event that the host does not know, or knows with another type.
pub(super) fn check_exports(
    engine: &Engine,
    code: &WasmComponent,
    file: &Path,
    plugin: &LoadedPlugin,
) -> Result<(), LoadError> {
    let is_called = |name: &str| {
        let event = Event::named(name);
        plugin.is_called_at_loading(name)
            || event.is_some_and(|event| plugin.exported_events().any(|known| known == event))
    };
    let component_type = code.component_type();
    let exports = component_type
        .exports(engine)
        .filter(|(name, _)| event_name(name).is_some_and(|event| !is_called(event)))
        .map(|(name, _)| shown(name).to_string());
    let exports: Vec<_> = exports.collect();
    match exports.is_empty() {
        true => Ok(()),
        false => Err(LoadError::Export {
            file: file.to_owned(),
            exports: bounded(exports),
        }),
    }
}

/// Cuts a list for a message. A file can have a million imports.
fn bounded(mut list: Vec<String>) -> Vec<String> {
    if list.len() > MAX_SHOWN {
        let more = list.len() - MAX_SHOWN;
        list.truncate(MAX_SHOWN);
        list.push(format!("and {more} more"));
    }
    list
}

/// Shows the beginning of a name from a file.
fn shown(name: &str) -> Printable<&str> {
    Printable(&name[..name.floor_char_boundary(MAX_NAME)])
}

/// How many imports or exports a message names.
const MAX_SHOWN: usize = 16;

/// How many octets of a name a message shows.
const MAX_NAME: usize = 256;

/// The rule for an import.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Import {
    /// Every plugin may import it.
    Allowed,
    /// A plugin with this grant may import it.
    Granted(Grant),
    /// The host does not offer it.
    Unknown,
}

impl Import {
    pub(super) fn of(name: &str) -> Self {
        if wasi::is_offered(name) {
            return Self::Allowed;
        }
        match interface_name(name) {
            Some(interface) if Grant::ALWAYS.contains(&interface) => Self::Allowed,
            Some(interface) => Grant::named(interface).map_or(Self::Unknown, Self::Granted),
            None => Self::Unknown,
        }
    }
}

pub(super) fn import_names(engine: &Engine, component: &WasmComponent) -> Vec<String> {
    let component_type = component.component_type();
    component_type
        .imports(engine)
        .map(|(name, _)| name.to_owned())
        .collect()
}

/// Returns `rcpt` for the export `postgate:plugin/on-rcpt@0.1.0`.
pub(super) fn event_name(export: &str) -> Option<&str> {
    interface_name(export)?.strip_prefix("on-")
}

/// Returns `store` for the name `postgate:plugin/store@0.1.0`.
fn interface_name(name: &str) -> Option<&str> {
    name.strip_prefix("postgate:plugin/")?.split('@').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_bounded() {
        assert_eq!(shown(&"é".repeat(1_000)).to_string(), "é".repeat(128));
        let list: Vec<_> = (0..20).map(|number| number.to_string()).collect();
        let list = bounded(list);
        assert_eq!(list.len(), 17);
        assert_eq!(list[16], "and 4 more");
    }

    #[test]
    fn imports_are_allowed_granted_or_unknown() {
        let table = [
            ("postgate:plugin/log@0.1.0", Import::Allowed),
            ("postgate:plugin/types@0.1.0", Import::Allowed),
            ("postgate:plugin/dns@0.1.0", Import::Granted(Grant::Dns)),
            ("postgate:plugin/http@0.1.0", Import::Unknown),
            ("wasi:cli/stdout@0.2.0", Import::Allowed),
            ("wasi:http/types@0.2.0", Import::Unknown),
            ("log", Import::Unknown),
        ];
        for (name, expected) in table {
            assert_eq!(Import::of(name), expected, "{name}");
        }
    }
}
