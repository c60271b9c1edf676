//! Keeps dangerous attachments out: by name, by type, by content, and inside ZIP archives. What mail
//! programs may read in several ways is judged in all of them, or blocked.

mod config;
mod content;
mod extensions;
mod name;
mod scan;

use postgate_plugin::message::{Part, PartDefect};
use postgate_plugin::prelude::*;

use config::{Action, Config, Undecided};
use scan::{Finding, Source, scan};

/// The rules.
pub struct AttachmentBlocker {
    config: Config,
}

impl Plugin for AttachmentBlocker {
    type Config = Config;

    fn new(config: Config) -> Result<Self, String> {
        Ok(Self { config })
    }
}

impl OnMessage for AttachmentBlocker {
    fn on_message(&mut self) -> MessageAnswer {
        let Some(objection) = self.objection() else {
            return MessageAnswer::next();
        };
        match self.config.action {
            Action::Quarantine => MessageAnswer::quarantine(objection),
            Action::Refuse => {
                let text = format!("attachment not accepted: {objection}");
                MessageAnswer::refuse(Refusal::new(550, "5.7.1", text))
            }
            Action::Tag => MessageAnswer::next().tag("attachment", objection),
        }
    }
}

postgate_plugin::export!(AttachmentBlocker: OnMessage);

impl AttachmentBlocker {
    /// The first reason found for which the message is blocked.
    fn objection(&self) -> Option<String> {
        let mut attachments = 0;
        for (index, part) in message::parts() {
            if part.container {
                if let Some(objection) = self.object_to_kind(&part) {
                    return Some(objection);
                }
                continue;
            }
            if is_attachment(&part) {
                attachments += 1;
                if self
                    .config
                    .max_attachments
                    .is_some_and(|max| attachments > max)
                {
                    return Some(format!("more than {} of them", attachments - 1));
                }
                if self.config.max_size.is_some_and(|max| part.size > max) {
                    return Some(format!("{} is too large", label(&part)));
                }
            }
            let objection = self.object_to_kind(&part);
            if let Some(objection) = objection.or_else(|| self.object_to_content(index, &part)) {
                return Some(objection);
            }
        }
        None
    }

    /// Checks the declared names and type of a part, and how it can be read.
    fn object_to_kind(&self, part: &Part) -> Option<String> {
        if part.content_type == message::UNPARSED {
            return Some("more parts than can be looked into".into());
        }
        if let Some(blocked) = part.filenames.iter().find(|name| self.is_blocked(name)) {
            return Some(shown(blocked));
        }
        let mut patterns = self.config.content_types.iter();
        if patterns.any(|pattern| pattern.matches(&part.content_type)) {
            return Some(format!(
                "{} of type {}",
                label(part),
                shown(&part.content_type)
            ));
        }
        self.undecided(part, ambiguity(part))
    }

    /// The objection to what cannot be decided.
    fn undecided(&self, part: &Part, reason: Option<&str>) -> Option<String> {
        let reason = reason.filter(|_| self.config.undecided == Undecided::Block)?;
        Some(format!("{} is {reason}", label(part)))
    }

    /// Checks the content of a part.
    fn object_to_content(&self, index: u32, part: &Part) -> Option<String> {
        let content = Content(index);
        let start = content.read(0, content::START);
        if self.config.programs {
            let script = is_attachment(part) && content::is_script(&start);
            let kind = content::executable(&start).or_else(|| script.then_some("a script"));
            if let Some(kind) = kind {
                return Some(format!("{} is {kind}", label(part)));
            }
        }
        if !self.config.look_into_zip {
            return None;
        }
        if let Some(objection) = self.undecided(part, content::closed(&start)) {
            return Some(objection);
        }
        scan(&content, |finding| match finding {
            Finding::Name(name) if self.is_blocked(&name) => {
                Some(format!("{} in {}", shown(&name), label(part)))
            }
            Finding::Name(_) => None,
            Finding::Closed(reason) => self.undecided(part, Some(reason)),
        })
    }

    fn is_blocked(&self, filename: &str) -> bool {
        name::extensions(filename)
            .iter()
            .any(|found| self.config.extensions.contains(found))
    }
}

/// Why mail programs may read a part in different ways; `None` if they do not.
fn ambiguity(part: &Part) -> Option<&'static str> {
    match part.content_type.as_str() {
        "message/partial" => return Some("a part of a message"),
        "message/external-body" => return Some("not in the message"),
        _ => {}
    }
    let is_shown = part.content_type.starts_with("text/") && !is_attachment(part);
    part.defects.iter().find_map(|defect| match defect {
        PartDefect::AmbiguousEncoding => Some("encoded in more than one way"),
        PartDefect::AmbiguousFilename => Some("named in more than one way"),
        PartDefect::AmbiguousType => Some("of more than one type"),
        // Text that is shown may be damaged, for example by the footer of a mailing list.
        PartDefect::MalformedContent => (!is_shown).then_some("not encoded correctly"),
        PartDefect::NoParts => Some("without its parts"),
    })
}

fn is_attachment(part: &Part) -> bool {
    !part.filenames.is_empty() || part.disposition.as_deref() == Some("attachment")
}

/// The name of a part in an answer.
fn label(part: &Part) -> String {
    part.filename()
        .map_or_else(|| "a part without name".into(), shown)
}

/// A name from the message, shortened and in ASCII, because it goes into a reply.
fn shown(name: &str) -> String {
    name.escape_default().take(80).collect()
}

/// The content of the part with this index.
struct Content(u32);

impl Source for Content {
    fn read(&self, offset: u32, length: u32) -> Vec<u8> {
        message::read_part(self.0, offset, length)
    }
}

#[cfg(test)]
mod tests;
