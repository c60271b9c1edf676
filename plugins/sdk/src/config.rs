//! What the operator wrote in the `[config]` table of the plugin's sidecar file.
//!
//! A plugin gets it as a whole, and typed, in [`Plugin::new`](crate::Plugin::new).

use serde::de::DeserializeOwned;

use crate::host;

/// The whole table as a JSON object.
pub fn json() -> String {
    host::config::json()
}

/// One value by its path, for example `limits.max-size`. A string comes as its text, anything else
/// as JSON.
pub fn get(path: &str) -> Option<String> {
    host::config::get(path)
}

/// Reads the table into a type; the error names the key, for example `rules[2].action`.
pub fn parse<T: DeserializeOwned>() -> Result<T, String> {
    let json = json();
    let mut deserializer = serde_json::Deserializer::from_str(&json);
    serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let text = error.inner().to_string();
        // The operator wrote TOML: a place in the JSON would only mislead.
        let reason = text
            .rsplit_once(" at line ")
            .map_or(&*text, |(reason, _)| reason);
        match error.path().iter().len() {
            0 => reason.into(),
            _ => format!("{}: {reason}", error.path()),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;
    use serde::Deserialize;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "kebab-case", deny_unknown_fields)]
    struct Sample {
        max_size: u32,
        #[serde(default)]
        rules: Vec<Rule>,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Rule {
        action: String,
    }

    #[test]
    fn errors_name_the_key() {
        let table = [
            (r#"{"max-size": 1}"#, Ok(1)),
            (r#"{}"#, Err("missing field `max-size`")),
            (
                r#"{"max-size": 1, "rules": [{"action": "x"}, {"action": 5}]}"#,
                Err("rules[1].action: invalid type: integer `5`, expected a string"),
            ),
            (
                r#"{"max-size": 1, "max-sise": 2}"#,
                Err("max-sise: unknown field `max-sise`, expected `max-size` or `rules`"),
            ),
        ];
        for (json, expected) in table {
            testing::configure(json);
            let parsed = parse::<Sample>().map(|sample| sample.max_size);
            assert_eq!(
                parsed.as_ref().map_err(String::as_str),
                expected.as_ref().map_err(|e| *e)
            );
        }
    }
}
