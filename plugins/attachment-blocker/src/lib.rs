//! Keeps dangerous attachments out: by name, by type, by content, and inside archives. What mail
//! programs may read in several ways is judged in all of them, or blocked.

mod config;
mod content;
mod examine;
mod extensions;
mod formats;
mod inflate;
mod name;
mod scan;
mod source;

use postgate_plugin::message::{Part, PartDefect};
use postgate_plugin::prelude::*;

use config::{Action, Config, Undecided};
use examine::{Examiner, Item, Label, Nature};
use source::{Body, Content};

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
        let mut examiner = Examiner::new(&self.config);
        for (index, part) in message::parts() {
            if is_counted(&part) && !part.container {
                attachments += 1;
                if let Some(objection) = self.object_to_size(attachments, &part) {
                    return Some(objection);
                }
            }
            let objection = self.object_to_kind(&part);
            let objection = objection.or_else(|| match part.container {
                true => None,
                false => examine(&mut examiner, index, &part),
            });
            // What is between the parts of a multipart is text for programs that know no MIME.
            let objection = objection.or_else(|| match index == 0 && part.container {
                true => examiner.examine_text(&Item::new(&Body, label(&part), Nature::Text)),
                false => None,
            });
            if objection.is_some() {
                return objection;
            }
        }
        None
    }

    /// Checks the number of the attachment, counted from 1, and its size.
    fn object_to_size(&self, number: u32, part: &Part) -> Option<String> {
        if self.config.max_attachments.is_some_and(|max| number > max) {
            return Some(format!("more than {} of them", number - 1));
        }
        let is_too_large = self.config.max_size.is_some_and(|max| part.size > max);
        is_too_large.then(|| format!("{} is too large", label(part)))
    }

    /// Checks the declared names and type of a part, and how it can be read.
    fn object_to_kind(&self, part: &Part) -> Option<String> {
        if part.content_type == message::UNPARSED {
            return Some("more parts than can be looked into".into());
        }
        let mut names = part.filenames.iter();
        if let Some(blocked) = names.find(|name| self.config.is_blocked(name)) {
            return Some(name::shown(blocked));
        }
        let mut patterns = self.config.content_types.iter();
        if patterns.any(|pattern| pattern.matches(&part.content_type)) {
            let shown = name::shown(&part.content_type);
            return Some(format!("{} of type {shown}", label(part)));
        }
        let reason = ambiguity(part).filter(|_| self.config.undecided == Undecided::Block)?;
        Some(format!("{} is {reason}", label(part)))
    }
}

/// Examines the content of a part.
fn examine(examiner: &mut Examiner<'_>, index: u32, part: &Part) -> Option<String> {
    let nature = match is_attachment(part) {
        true => Nature::File,
        false => Nature::Text,
    };
    let content = Content {
        part: index,
        size: part.size,
    };
    examiner.examine(&Item::new(&content, label(part), nature))
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
        PartDefect::AmbiguousStructure => Some("divided in more than one way"),
        PartDefect::AmbiguousType => Some("of more than one type"),
        // Text that is shown may be damaged, for example by the footer of a mailing list.
        PartDefect::MalformedContent => (!is_shown).then_some("not encoded correctly"),
        // A notification may end after the header block of the message that it is about. The shortest
        // line that a part begins with, `--b`, is longer than a line end.
        PartDefect::NoParts => (part.size > 2).then_some("without its parts"),
    })
}

fn is_attachment(part: &Part) -> bool {
    !part.filenames.is_empty() || part.disposition.as_deref() == Some("attachment")
}

/// True for a part that programs show as an attachment.
fn is_counted(part: &Part) -> bool {
    is_attachment(part) || part.content_type.starts_with("application/")
}

/// The name of a part in an answer.
fn label(part: &Part) -> Label<'_> {
    Label {
        name: part.filename().unwrap_or("a part without name"),
        holder: None,
    }
}

#[cfg(test)]
mod tests;
