//! The interface `config`: the table `config` of the sidecar.

use serde_json::Value;

use super::state::HostState;
use crate::bindings::host::config;

impl config::Host for HostState {
    fn json(&mut self) -> wasmtime::Result<String> {
        Ok(self.plugin.config_json.clone())
    }

    fn get(&mut self, path: String) -> wasmtime::Result<Option<String>> {
        let mut value = &self.plugin.config;
        for key in path.split('.') {
            let inner = match value {
                Value::Array(items) => key.parse().ok().and_then(|index: usize| items.get(index)),
                table => table.get(key),
            };
            let Some(inner) = inner else {
                return Ok(None);
            };
            value = inner;
        }
        Ok(Some(match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        }))
    }
}
