//! Edits, tags and refuses messages by their header fields.

mod block;
mod charset;
mod config;
mod encoded_word;
mod visible;

use postgate_plugin::prelude::*;

use block::Block;
use config::{Action, Config, Rule};

/// The rules.
pub struct HeaderRules {
    rules: Vec<Rule>,
}

impl Plugin for HeaderRules {
    type Config = Config;

    fn new(config: Config) -> Result<Self, String> {
        Ok(Self {
            rules: config.rules,
        })
    }
}

impl OnHeaders for HeaderRules {
    fn on_headers(&mut self) -> HeadersAnswer {
        let mut block = Block::of_message();
        for (index, rule) in self.rules.iter().enumerate() {
            if let Some(refusal) = apply(rule, &mut block) {
                return HeadersAnswer::refuse(refusal.because(label(index, rule)));
            }
        }
        block.into_answer()
    }
}

postgate_plugin::export!(HeaderRules: OnHeaders);

/// Applies one rule; a refusal ends the list.
fn apply(rule: &Rule, block: &mut Block) -> Option<Refusal> {
    let name = &rule.header.0;
    let positions = block.matching(name, &rule.when)?;
    match &rule.action {
        Action::Append(field) => block.append(field),
        Action::Prepend(field) => block.prepend(field),
        Action::Refuse(refuse) => return Some(refuse.0.clone()),
        Action::Remove => block.remove(name, &positions),
        Action::Replace(value) => block.replace(name, &positions, value),
        Action::Tag(tag) => block.tag(&tag.name, &tag.value),
    }
    None
}

/// The name of a rule in the log.
fn label(index: usize, rule: &Rule) -> String {
    match &rule.name {
        Some(name) => name.clone(),
        None => format!("rules[{index}]"),
    }
}

#[cfg(test)]
mod tests;
