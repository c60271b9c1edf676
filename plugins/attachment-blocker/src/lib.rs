//! Keeps dangerous attachments out: by name, by type, by content, and inside ZIP archives.

mod config;
mod content;
mod name;
mod zip;

use postgate_plugin::message::Part;
use postgate_plugin::prelude::*;

use config::{Action, Config};
use zip::Source;

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
        for (index, part) in message::parts().filter(|(_, part)| !part.container) {
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

    /// Checks the declared name and type of a part.
    fn object_to_kind(&self, part: &Part) -> Option<String> {
        if part.content_type == message::UNPARSED {
            return Some("more parts than can be looked into".into());
        }
        if let Some(filename) = &part.filename
            && self.is_blocked(filename)
        {
            return Some(shown(filename));
        }
        let mut patterns = self.config.content_types.iter();
        patterns
            .any(|pattern| pattern.matches(&part.content_type))
            .then(|| format!("{} of type {}", label(part), shown(&part.content_type)))
    }

    /// Checks the content of a part.
    fn object_to_content(&self, index: u32, part: &Part) -> Option<String> {
        let content = Content {
            index,
            size: part.size,
        };
        let start = content.read(0, content::START);
        if self.config.programs
            && let Some(kind) = content::executable(&start)
        {
            return Some(format!("{} is {kind}", label(part)));
        }
        if !self.config.look_into_zip || !zip::is_zip(&start) {
            return None;
        }
        match zip::entry_names(&content) {
            Ok(names) => {
                let blocked = names.iter().find(|name| self.is_blocked(name))?;
                Some(format!("{} in {}", shown(blocked), label(part)))
            }
            Err(zip::TooLarge) => Some(format!("{} has too many entries", label(part))),
        }
    }

    fn is_blocked(&self, filename: &str) -> bool {
        name::extension(filename).is_some_and(|found| self.config.extensions.contains(&found))
    }
}

fn is_attachment(part: &Part) -> bool {
    part.filename.is_some() || part.disposition.as_deref() == Some("attachment")
}

/// The name of a part in an answer.
fn label(part: &Part) -> String {
    part.filename
        .as_deref()
        .map_or_else(|| "a part without name".into(), shown)
}

/// A name from the message, shortened and in ASCII, because it goes into a reply.
fn shown(name: &str) -> String {
    name.escape_default().take(80).collect()
}

/// The decoded content of a part.
struct Content {
    index: u32,
    size: u32,
}

impl Source for Content {
    fn size(&self) -> u32 {
        self.size
    }

    fn read(&self, offset: u32, length: u32) -> Vec<u8> {
        message::read_part(self.index, offset, length)
    }
}

#[cfg(test)]
mod tests;
