//! What the operator wrote in the `[config]` table of the plugin's sidecar file.
//!
//! [`Plugin::new`](crate::Plugin::new) receives the whole table as a typed value.

mod node;

use serde::de::DeserializeOwned;

use crate::host;

/// The whole table as a JSON object.
pub fn json() -> String {
    host::config::json()
}

/// One value by its path, for example `limits.max-size`, or `networks.0` for the first item of a
/// list. A string is returned as its text, any other value as JSON.
pub fn get(path: &str) -> Option<String> {
    host::config::get(path)
}

/// Reads the table into a type; the error names the key, for example `rules[2].action`.
pub fn parse<T: DeserializeOwned>() -> Result<T, String> {
    let table = serde_json::from_str(&json()).map_err(|error| error.to_string())?;
    node::read(&table).map_err(|mistake| mistake.to_string())
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
        comment: Option<String>,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Rule {
        action: Action,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "kebab-case")]
    enum Action {
        Drop,
        Limit(i8),
        Move { to: Vec<String> },
    }

    #[test]
    fn values_of_each_shape_are_read() {
        testing::configure(
            r#"{
                "max-size": 4294967295,
                "rules": [
                    {"action": "drop"},
                    {"action": {"limit": -128}},
                    {"action": {"move": {"to": ["a\u00e9", ""]}}}
                ],
                "comment": null
            }"#,
        );
        let actions = [
            Action::Drop,
            Action::Limit(-128),
            Action::Move {
                to: vec!["aé".into(), String::new()],
            },
        ];
        let expected = Sample {
            max_size: u32::MAX,
            rules: actions.map(|action| Rule { action }).into(),
            comment: None,
        };
        assert_eq!(parse(), Ok(expected));
    }

    #[test]
    fn errors_name_the_key() {
        let rules = |rules: &str| format!(r#"{{"max-size": 1, "rules": {rules}}}"#);
        let table = [
            (r#"{"max-size": 1}"#.into(), None),
            ("{}".into(), Some("missing field `max-size`")),
            (
                r#"{"max-size": 1.5}"#.into(),
                Some("max-size: invalid type: floating point number, expected u32"),
            ),
            (
                r#"{"max-size": -1}"#.into(),
                Some("max-size: invalid value: integer `-1`, expected u32"),
            ),
            (
                r#"{"max-size": [true]}"#.into(),
                Some("max-size: invalid type: array, expected u32"),
            ),
            (
                rules("{}"),
                Some("rules: invalid type: table, expected a sequence"),
            ),
            (
                rules(r#"[{"action": "drop"}, {}]"#),
                Some("rules[1]: missing field `action`"),
            ),
            (
                rules(r#"[{"action": "drop"}, {"action": 5}]"#),
                Some("rules[1].action: invalid type: integer `5`, expected enum Action"),
            ),
            (
                rules(r#"[{"action": "dorp"}]"#),
                Some(
                    "rules[0].action: unknown variant `dorp`, \
                     expected one of `drop`, `limit`, `move`",
                ),
            ),
            (
                rules(r#"[{"action": {"drop": true}}]"#),
                Some("rules[0].action.drop: nothing is expected here"),
            ),
            (
                rules(r#"[{"action": "limit"}]"#),
                Some("rules[0].action: `limit` needs a value"),
            ),
            (
                rules(r#"[{"action": {"limit": true}}]"#),
                Some("rules[0].action.limit: invalid type: boolean `true`, expected i8"),
            ),
            (
                rules(r#"[{"action": {"move": {"to": ["a", 5]}}}]"#),
                Some("rules[0].action.move.to[1]: invalid type: integer `5`, expected a string"),
            ),
            (
                r#"{"max-size": 1, "max-sise": 2}"#.into(),
                Some(
                    "max-sise: unknown field `max-sise`, \
                     expected one of `max-size`, `rules`, `comment`",
                ),
            ),
        ];
        for (json, expected) in table {
            testing::configure(&json);
            let error = parse::<Sample>().err();
            assert_eq!(error.as_deref(), expected, "{json}");
        }
    }
}
