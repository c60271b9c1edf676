//! The journal of edits.

use std::fmt::Write as _;

use postgate_proto::header::HeaderEdit;

use crate::verdict::{ClientEdit, Edit, EnvelopeEdit, ProfileEdit};

/// The edits of one transaction, in order, for the log line of its message.
#[derive(Debug, Default)]
pub(super) struct Journal(String);

impl Journal {
    /// Adds an edit of a plugin.
    pub(super) fn add(&mut self, plugin: &str, edit: &Edit) {
        if self.0.len() >= MAX_LENGTH {
            if !self.0.ends_with(MORE) {
                self.0.push_str(MORE);
            }
            return;
        }
        let separator = if self.0.is_empty() { "" } else { ", " };
        // Writing to a String cannot fail.
        _ = write!(self.0, "{separator}{plugin} {}", EditSummary(edit));
    }

    /// Removes all edits.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// The text for the log.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// The length in octets from which on edits are left out.
const MAX_LENGTH: usize = 1_000;
/// The mark for edits that were left out.
const MORE: &str = ", …";

/// Describes an edit by its name in the contract and its field or address, without values that could be
/// long or private.
struct EditSummary<'a>(&'a Edit);

impl std::fmt::Display for EditSummary<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Edit::Client(ClientEdit::Host(name)) => write!(f, "set-client-host {name}"),
            Edit::Client(ClientEdit::Ip(address)) => write!(f, "set-client-ip {address}"),
            Edit::Delay(time) => write!(f, "delay {time:?}"),
            Edit::Envelope(edit) => match edit {
                EnvelopeEdit::AddRecipient(path) => write!(f, "add-recipient {path}"),
                EnvelopeEdit::RefuseRecipient(path, _) => write!(f, "refuse-recipient {path}"),
                EnvelopeEdit::RemoveRecipient(path) => write!(f, "remove-recipient {path}"),
                EnvelopeEdit::RewriteRecipient(path) => write!(f, "rewrite-recipient {path}"),
                EnvelopeEdit::RewriteSender(path) => write!(f, "rewrite-sender {path}"),
            },
            Edit::Header(edit) => match edit {
                HeaderEdit::Append(name, _) => write!(f, "append {}", name.as_str()),
                HeaderEdit::Insert { name, .. } => write!(f, "insert {}", name.as_str()),
                HeaderEdit::Prepend(name, _) => write!(f, "prepend {}", name.as_str()),
                HeaderEdit::Remove { name, .. } => write!(f, "remove {}", name.as_str()),
                HeaderEdit::RemoveAll(name) => write!(f, "remove-all {}", name.as_str()),
                HeaderEdit::Replace { name, .. } => write!(f, "replace {}", name.as_str()),
                HeaderEdit::Set(name, _) => write!(f, "set {}", name.as_str()),
            },
            Edit::PrependHeader(name, _) => write!(f, "prepend {}", name.as_str()),
            Edit::ReplaceBody(body) => write!(f, "replace-body {}", body.len()),
            Edit::SetId(id) => write!(f, "set-id {id}"),
            Edit::Tag(name, _) => write!(f, "tag {name}"),
            Edit::Profile(edit) => f.write_str(match edit {
                ProfileEdit::AddEhloKeyword(_) => "add-ehlo-keyword",
                ProfileEdit::AddMailParameter(_) => "add-mail-parameter",
                ProfileEdit::AddRcptParameter(_) => "add-rcpt-parameter",
                ProfileEdit::AddVerb(_) => "add-verb",
                ProfileEdit::LimitMechanisms(_) => "limit-auth-mechanisms",
                ProfileEdit::SetBanner(_) => "set-banner",
                ProfileEdit::SetGreeting(_) => "set-greeting",
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_stand_in_their_order_and_have_an_end() {
        let mut journal = Journal::default();
        journal.add("one", &Edit::SetId("a1".into()));
        journal.add("two", &Edit::Tag("class".into(), "secret".into()));
        assert_eq!(journal.as_str(), "one set-id a1, two tag class");
        for _ in 0..1_000 {
            journal.add("one", &Edit::ReplaceBody(vec![0; 10]));
        }
        assert!(journal.as_str().len() < MAX_LENGTH + 40);
        assert!(journal.as_str().ends_with("one replace-body 10, …"));
        journal.clear();
        assert_eq!(journal.as_str(), "");
    }
}
