//! A dialog: the lines of a conversation and the settings it needs.

use std::fmt;
use std::path::PathBuf;

use crate::pattern::Pattern;
use crate::policy::ScriptedAnswer;
use crate::scope::Scope;

/// A conversation between a client and the gateway.
#[derive(Clone, Debug)]
pub struct Dialog {
    /// The title.
    pub name: String,
    /// The file that contains the dialog.
    pub file: PathBuf,
    /// The settings that differ from those of all dialogs.
    pub settings: toml::Table,
    /// The servers for which the dialog is valid.
    pub scope: Scope,
    /// The lines, in order.
    pub lines: Vec<Line>,
}

/// A line of a dialog.
#[derive(Clone, Debug)]
pub struct Line {
    /// The line number in the file, counted from 1.
    pub number: usize,
    /// The content.
    pub action: Action,
}

/// The content of a line.
#[derive(Clone, Debug)]
pub enum Action {
    /// The client sends these octets. Consecutive lines are sent in one write.
    Send(Vec<u8>),
    /// The client closes its side of the connection.
    Hang,
    /// The client begins TLS: after STARTTLS, or first on a listener with implicit TLS.
    Handshake(Certificate),
    /// The client sends nothing until the timeout.
    Wait,
    /// The server sends a line that matches the pattern.
    Hear(Pattern),
    /// The server sends a reply with this code, of any number of lines.
    HearReply(u16),
    /// The server has sent nothing more. Checked against the core only.
    HearNothing,
    /// The server closes the connection without sending anything more.
    HearClose,
    /// The answer of the policy to a later question.
    Script(ScriptedAnswer),
    /// The questions to the policy since the last such line. Checked against the core only.
    Asked(Vec<String>),
    /// The content of the message. Checked against the core only.
    Stored(Vec<u8>),
}

/// The certificate of a client in a TLS handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certificate {
    /// A certificate that the server trusts.
    Client,
    /// No certificate.
    None,
}

impl Dialog {
    /// All octets that the client sends, with [`HANDSHAKE`] at each TLS handshake.
    pub fn client_octets(&self) -> Vec<u8> {
        let sent = self.lines.iter().filter_map(|line| match &line.action {
            Action::Send(octets) => Some(octets.as_slice()),
            Action::Handshake(_) => Some(HANDSHAKE),
            _ => None,
        });
        sent.collect::<Vec<_>>().concat()
    }

    /// The answers of the policy, in order.
    pub fn script(&self) -> impl Iterator<Item = &ScriptedAnswer> {
        self.lines.iter().filter_map(|line| match &line.action {
            Action::Script(answer) => Some(answer),
            _ => None,
        })
    }
}

impl fmt::Display for Dialog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.file.display(), self.name)
    }
}

/// A placeholder for a TLS handshake: the first octets of its record.
pub const HANDSHAKE: &[u8] = b"\x16\x03\x01";
